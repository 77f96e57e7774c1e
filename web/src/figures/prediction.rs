//! Does tracing predict where an edit works? Outcomes and tracing effects over the edited layers, each fact and layer as a
//! dot, and the models beside each other.

use super::lines::{Along, Line, Lines, Panel, seen};
use super::scatter::{Axis, Dot, Scatter};
use super::sheet;
use crate::words;
use engram_core::metrics::{Editability, Effect, Mean, MetricConvention, Prediction, summarize};
use engram_core::record::{EditRecord, FactRecord, PatchPosition, Record, Traced};

/// Outcomes that are drawn; success is a share of yes and no, and in the table.
const DRAWN: [Editability; 4] = [Editability::Rewrite, Editability::Es, Editability::Ps, Editability::Ns];

/// Outcomes of edits over the edited layers, and what tracing says of these.
pub fn by_layer(name: &str, record: &Record, prediction: &Prediction) -> Lines {
    let line = |name: String, value: &dyn Fn(usize) -> Option<Mean>| Line {
        name,
        values: (0..prediction.layers.len()).map(value).collect(),
    };
    let outcome = |one: Editability| {
        let place = Editability::ALL.iter().position(|other| *other == one);
        line(one.name().into(), &|at| *prediction.layers[at].editability.get(place?)?)
    };
    let effect =
        |(place, effect): (usize, &Effect)| line(effect.name(), &|at| *prediction.layers[at].effects.get(place)?);
    Lines {
        title: format!("{name}, {}", prediction.method),
        along: Along::Layers {
            count: record.model.layers,
            own: prediction.layers.iter().map(|layer| layer.layer).collect(),
        },
        panels: [
            Panel::new("edits: mean over facts", DRAWN.into_iter().map(outcome)),
            Panel::new("tracing effect: mean over facts", prediction.effects.iter().enumerate().map(effect)),
        ],
    }
}

/// A dot for each fact and layer: what tracing finds there, as [`Prediction::main`] does, and what the edit did.
/// `None` without a tracing effect.
pub fn dots(name: &str, record: &Record, prediction: &Prediction) -> Option<Scatter> {
    let effect = prediction.main()?.effect;
    let count = record.model.layers;
    let own = |(fact, traced): (&FactRecord, &Traced)| -> Vec<Dot> {
        let Some(curve) = effect.curve(traced) else { return Vec::new() };
        let prompt = words::visible(&fact.prompt);
        let one = |edit: &EditRecord| {
            let (x, y) = (*curve.get(edit.layer.checked_sub(1)?)?, Editability::Rewrite.of(edit)?);
            let words = format!(
                "{prompt}: layer {} of {count}, tracing effect {}, rewrite score {}",
                edit.layer,
                words::fixed(x, 3),
                words::fixed(y, 3)
            );
            Some(Dot { x, y, series: edit.layer - 1, full: true, words })
        };
        let edits = record.edits.iter().flatten();
        edits.filter(|edit| (edit.method, edit.fact) == (prediction.place, fact.order)).filter_map(one).collect()
    };
    let dots: Vec<Dot> = record.validated().flat_map(own).collect();
    let along = match effect.position {
        PatchPosition::SubjectLast => "tracing effect: residual, subject-last",
        _ => "tracing effect: residual, last-token",
    };
    let (x, y) = (dots.iter().map(|dot| dot.x), dots.iter().map(|dot| dot.y));
    let (x, y) = (Axis::values(along, seen(x.collect())), Axis::values("rewrite score", seen(y.collect())));
    let shades = (0..count).map(|at| depth(at, count)).collect();
    Some(Scatter { shades, ..Scatter::new(format!("{name}, {}", prediction.method), x, y, dots) })
}

/// How deep a layer is, 0 to 1, and its colour in the light theme.
fn depth(at: usize, count: usize) -> (f64, String) {
    let share = at as f64 / count.saturating_sub(1).max(1) as f64;
    (share, sheet::mixed("--before", "--up", share))
}

/// A model in the table of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its study.
    pub name: String,
    /// R, and C.
    pub kept: [Option<f64>; 2],
    /// Rewrite score at the dominant layer, at the best fixed one, and over all of them.
    pub scores: [Option<f64>; 3],
}

/// A row for each study that has an answer, by its first method and METHODS' convention.
pub fn models<'a>(studies: impl IntoIterator<Item = (&'a str, &'a Record, &'a Prediction)>) -> Vec<Model> {
    let row = |(name, record, prediction): (&str, &Record, &Prediction)| {
        let summary = summarize(record, &MetricConvention::default());
        let means: Option<Vec<f64>> =
            prediction.layers.iter().map(|layer| Some(layer.editability.first()?.as_ref()?.mean)).collect();
        let mean = means.and_then(Mean::of).map(|mean| mean.mean);
        let choice = prediction.choice.map(|choice| [choice.dominant.mean, choice.fixed.mean]);
        Model {
            name: name.to_owned(),
            kept: [summary.redundancy.map(|found| found.r.mean), summary.concentration.map(|found| found.c)],
            scores: [choice.map(|both| both[0]), choice.map(|both| both[1]), mean],
        }
    };
    studies.into_iter().map(row).collect()
}

/// Models below which no correlation over them is told.
const FEW: usize = 4;

/// How R and C go with success over models.
pub fn over_models(models: &[Model]) -> String {
    let told = |at: usize, name: &str| {
        let pairs: Vec<[f64; 2]> =
            models.iter().filter_map(|model| Some([model.kept[at]?, model.scores[2]?])).collect();
        let r = (pairs.len() >= FEW).then(|| pearson(&pairs))??;
        Some(format!(
            "{name} and the mean rewrite score go together with r = {} (n = {})",
            words::fixed(r, 2),
            pairs.len()
        ))
    };
    let told: Vec<String> = [told(0, "R"), told(1, "C")].into_iter().flatten().collect();
    if told.is_empty() {
        return format!("Over {} no correlation is told.", words::count(models.len(), "model"));
    }
    format!("Over models {}.", told.join("; "))
}

fn pearson(pairs: &[[f64; 2]]) -> Option<f64> {
    let mean = |at: usize| pairs.iter().map(|pair| pair[at]).sum::<f64>() / pairs.len() as f64;
    let means = [mean(0), mean(1)];
    let sum = |a: usize, b: usize| pairs.iter().map(|pair| (pair[a] - means[a]) * (pair[b] - means[b])).sum::<f64>();
    let length = (sum(0, 0) * sum(1, 1)).sqrt();
    (length > 0.0).then(|| sum(0, 1) / length)
}

/// Whether the facts of this record were edited at several layers.
pub fn is_swept(record: &Record) -> bool {
    record.settings.edit.layers.is_sweep() && record.edits.is_some()
}

#[cfg(test)]
mod tests;
