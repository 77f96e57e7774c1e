//! What came out where facts are edited at several layers, one after the other, or traced again: a chart and plain sentences.

use crate::render::bars::{self, Chart, Column};
use crate::render::style::Screen;
use crate::render::text;
use crate::ui::Ui;
use anyhow::Result;
use engram_core::metrics::{
    EffectOf, Mean, MetricConvention, Prediction, predictions, retrace_summaries, sequence_summaries,
};
use engram_core::record::Record;

/// Prints what a record answers; nothing for one without sweeps, sequences and retraces.
pub fn print(record: &Record, ui: &Ui) -> Result<()> {
    for part in parts(record, ui.screen) {
        ui.print(&part)?;
    }
    Ok(())
}

fn parts(record: &Record, screen: Screen) -> Vec<String> {
    let mut parts = Vec::new();
    let model = text::escape(&record.model.name);
    for found in predictions(record) {
        parts.push(bars::render(&chart(&found, &model, record.model.layers), screen));
        parts.extend(found.sentence().map(|said| text::wrap(&said, screen.width)));
        parts.extend(chosen(&found).map(|said| text::wrap(&said, screen.width)));
    }
    let again = retrace_summaries(record, &MetricConvention::default());
    let told = again.into_iter().filter_map(|one| one.sentence());
    let told = told.chain(sequence_summaries(record).into_iter().filter_map(|one| one.sentence()));
    parts.extend(told.map(|said| text::wrap(&format!("{model}, {said}"), screen.width)));
    parts
}

/// Rewrite score and tracing effects, layer by layer.
fn chart(found: &Prediction, model: &str, layers: usize) -> Chart {
    let curve = |value: &dyn Fn(usize) -> Option<Mean>| {
        let mut values = vec![f32::NAN; layers];
        for (at, one) in found.layers.iter().enumerate() {
            values[one.layer - 1] = value(at).map_or(f32::NAN, |mean| mean.mean as f32);
        }
        values
    };
    let rewrite = |at: usize| found.layers[at].editability[0];
    let mut columns = vec![Column {
        name: "rewrite score".into(),
        values: curve(&rewrite),
        mark: found.choice.map(|choice| choice.best),
    }];
    // The position that edits change; another one says less about them.
    let main = found.main().map(|main| main.effect.position);
    for (at, effect) in found.effects.iter().enumerate().filter(|(_, effect)| Some(effect.position) == main) {
        let of = if effect.of == EffectOf::Residual { "residual" } else { "MLP window" };
        let values = curve(&|layer| found.layers[layer].effects[at]);
        columns.push(Column { name: format!("effect, {of}"), values, mark: None });
    }
    let position = main.map_or(String::new(), |position| format!(", effects at {}", position.name()));
    let title = format!("{model}, {}: the same {} facts edited at each layer{position}", found.method, found.facts);
    Chart { title, columns, least: 0.0 }
}

fn chosen(found: &Prediction) -> Option<String> {
    let choice = found.choice?;
    Some(format!(
        "Edited at its dominant layer a fact reaches a rewrite score of {:.3}, at the layer that is best for the other facts \
         (mostly layer {}) {:.3}; the dominant layer is a fact's best one for {} of {}.",
        choice.dominant.mean, choice.best, choice.fixed.mean, choice.own_best, choice.dominant.n
    ))
}
