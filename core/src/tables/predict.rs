//! Tables of facts that are edited at several layers, and of edits one after the other.

use super::parts::{count, labels, layer, mean, number, plain, shaped, share, text};
use super::{Cell, Shape, Table};
use crate::metrics::{
    BROKEN_FACTS, BROKEN_TEXT, Distribution, Editability, Effect, Measure, MetricConvention, Prediction, SHUFFLES,
    dominant, predictions, redundancy, retrace_summaries, sequence_summaries,
};
use crate::record::Record;

/// A record's answer for one method, with its label.
type Answer<'a> = (String, &'a Record, Prediction);

/// Tables 10 to 12, of records whose facts are edited at several layers; nothing without one.
pub fn sweeps(records: &[Record]) -> Vec<Table> {
    let all = answers(records);
    match all.is_empty() {
        true => Vec::new(),
        false => vec![table10(&all), table11(&all), table12(&all)],
    }
}

fn answers(records: &[Record]) -> Vec<Answer<'_>> {
    let all = labels(records).into_iter().zip(records);
    all.flat_map(|(label, record)| predictions(record).into_iter().map(move |one| (label.clone(), record, one)))
        .collect()
}

/// Table 10: what edits of the same facts do at each layer, beside what tracing says of it.
fn table10(all: &[Answer<'_>]) -> Table {
    let mut effects: Vec<Effect> = all.iter().flat_map(|(.., found)| found.effects.iter().copied()).collect();
    effects.sort_unstable();
    effects.dedup();
    let mut columns = vec![text("model"), text("method"), plain("layer"), plain("facts")];
    columns.extend(Editability::ALL.map(|one| shaped(one.name(), Shape::Mean)));
    columns.extend(effects.iter().map(|effect| shaped(&format!("effect: {}", effect.name()), Shape::Mean)));
    let mut rows = Vec::new();
    for (label, _, found) in all {
        for one in &found.layers {
            let mut row = vec![Cell::Text(label.clone()), Cell::Text(found.method.clone())];
            row.extend([count(one.layer), count(found.facts)]);
            row.extend(one.editability.iter().map(|value| mean(*value, 3)));
            // Another record may have been traced at other positions.
            let of =
                |effect: &Effect| found.effects.iter().position(|own| own == effect).and_then(|at| one.effects[at]);
            row.extend(effects.iter().map(|effect| mean(of(effect), 3)));
            rows.push(row);
        }
    }
    Table {
        number: 10,
        title: "The same facts edited at each layer".into(),
        columns,
        rows,
        notes: vec![
            "Means over facts ± standard error. Rewrite score (Hase et al. 2023): the share of the new answer's missing \
             probability that the edit brought, (p' - p) / (1 - p). Success is the paper's; ES, PS, NS as in Table 7."
                .into(),
            "Effect: p_patch - p_corrupt of the same facts, with the clean residual stream put back after the layer, or \
             the clean outputs of the MLPs in the window around it."
                .into(),
        ],
    }
}

/// Table 11: does localization predict editability?
fn table11(all: &[Answer<'_>]) -> Table {
    let percent = |share: Option<f64>| number(share.map(|share| 100.0 * share), 1);
    let rows = all.iter().flat_map(|(label, _, found)| {
        found.relations.iter().map(move |one| {
            vec![
                Cell::Text(label.clone()),
                Cell::Text(found.method.clone()),
                Cell::Text(one.effect.name()),
                Cell::Text(one.editability.name().into()),
                count(one.n),
                number(one.r, 3),
                number(one.within, 3),
                percent(Some(one.layer)),
                percent(one.added),
                number(one.p, 3),
                number(one.place, 3),
                number(one.p_place, 3),
            ]
        })
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let columns = [
        "edits",
        "r",
        "r about layer means",
        "layer explains, %",
        "tracing adds, %",
        "p",
        "r about layer and fact means",
        "p, about both",
    ];
    Table {
        number: 11,
        title: "Does localization predict editability?".into(),
        columns: ["model", "method", "tracing effect", "of the edit"]
            .map(text)
            .into_iter()
            .chain(columns.map(plain))
            .collect(),
        rows,
        notes: vec![
            "r: Pearson's correlation over all facts and layers; then the same with each layer's mean taken off. Share \
             of the variance (R²) that the layer alone explains, and what the fact's own tracing effect at the layer \
             adds to it (Hase et al. 2023). With each fact's mean taken off too, r tells whether tracing finds where a \
             fact is edited best: facts that are easier everywhere do not count."
                .into(),
            format!(
                "p: how often facts with each other's tracing effects have as strong a correlation ({SHUFFLES} shuffles, \
                 two-sided)."
            ),
        ],
    }
}

/// Table 12: redundancy and concentration beside what edits do, a row for each record and method.
fn table12(all: &[Answer<'_>]) -> Table {
    let view = MetricConvention::default();
    let row = |(label, record, found): &Answer<'_>| {
        let facts: Vec<_> = record.validated().map(|(_, traced)| traced).collect();
        let dominants = facts.iter().filter_map(|traced| dominant(traced, view.position, view.argmax_always));
        let concentration = Distribution::of(record.model.layers, dominants).concentration();
        let scores = found.layers.iter().filter_map(|one| one.editability[0].map(|mean| mean.mean));
        let (sum, layers) = scores.fold((0.0, 0), |(sum, count), score| (sum + score, count + 1));
        let choice = found.choice;
        vec![
            Cell::Text(label.clone()),
            Cell::Text(found.method.clone()),
            count(found.facts),
            mean(redundancy(&facts, &view).map(|found| found.r), 3),
            number(concentration.map(|found| found.c), 3),
            number((layers > 0).then(|| sum / f64::from(layers)), 3),
            mean(choice.map(|choice| choice.dominant), 3),
            mean(choice.map(|choice| choice.fixed), 3),
            layer(choice.map(|choice| choice.best)),
            choice.map_or(Cell::Missing, |choice| count(choice.own_best)),
        ]
    };
    let scores = ["at the dominant layer", "at the best layer of the others"];
    let mut columns = vec![text("model"), text("method"), plain("facts"), shaped("R", Shape::Mean), plain("C")];
    columns.push(plain("rewrite score, all layers"));
    columns.extend(scores.map(|name| shaped(name, Shape::Mean)));
    columns.extend([plain("best layer"), plain("dominant layer is a fact's best")]);
    Table {
        number: 12,
        title: "Where to edit".into(),
        columns,
        rows: all.iter().map(row).collect(),
        notes: vec![
            "R and C as in Tables 2 and 3 at subject-last, over all validated facts. The rewrite score of all layers is \
             over all edited facts; the others over those that have a dominant layer: at that layer; and at the one layer \
             that is best for all the other facts, so that no fact chooses its own."
                .into(),
        ],
    }
}

/// Table 14: both answers traced again after edits. `None` where no record has it.
pub fn table14(records: &[Record], view: &MetricConvention) -> Option<Table> {
    let mut rows = Vec::new();
    for (label, record) in labels(records).into_iter().zip(records) {
        for found in retrace_summaries(record, view) {
            for again in &found.again {
                let [answer, model] = again.when.names();
                let (best, most) = again.peak().map_or((None, None), |(best, most)| (Some(best), Some(most)));
                let mut row = vec![Cell::Text(label.clone()), Cell::Text(found.method.clone()), count(found.edits)];
                row.extend([answer, model].map(|text| Cell::Text(text.into())));
                row.push(mean(Some(again.p_clean), 3));
                row.push(layer(best));
                row.push(mean(most, 3));
                row.push(mean(again.redundancy.map(|found| found.r), 3));
                rows.push(row);
            }
        }
    }
    let mut columns = vec![text("model"), text("method"), plain("edits"), text("answer"), text("edit")];
    columns.push(shaped("p clean", Shape::Mean));
    columns.push(plain("peak layer"));
    columns.extend(["effect there", "R"].map(|name| shaped(name, Shape::Mean)));
    (!rows.is_empty()).then(|| Table {
        number: 14,
        title: "Both answers traced again after the edits".into(),
        columns,
        rows,
        notes: vec![format!(
            "Means over edits, each with its own edit in force. Peak: the layer whose clean residual stream, put back at \
             {}, restores most in the mean, p_patch - p_corrupt. R is without the block that the fact's own second pass \
             is without.",
            view.position.name()
        )],
    })
}

/// Table 13: edits one after the other. `None` where no record has them.
pub fn table13(records: &[Record]) -> Option<Table> {
    let percent = |share: Option<f64>| number(share.map(|share| 100.0 * share), 1);
    let mut rows = Vec::new();
    for (label, record) in labels(records).into_iter().zip(records) {
        for sequence in sequence_summaries(record) {
            for point in &sequence.points {
                let mut row = vec![Cell::Text(label.clone()), Cell::Text(sequence.method.clone())];
                row.push(Cell::Text(sequence.layer.map_or("dominant".into(), |layer| layer.to_string())));
                row.push(count(point.edits));
                row.push(percent(point.scores.harmonic[1]));
                let measures = [Measure::Es, Measure::Ps, Measure::Ns, Measure::Exact];
                row.extend(measures.map(|measure| percent(point.mean(measure))));
                row.push(share(point.untouched));
                row.extend([0, 1].map(|at| number(point.perplexity.map(|both| both[at]), 2)));
                row.push(number(Some(point.relative_norm), 3));
                row.push(Cell::Text(if point.is_collapsed() { "yes" } else { "no" }.into()));
                rows.push(row);
            }
        }
    }
    let mut columns = vec![text("model"), text("method"), text("layer"), plain("edits"), plain("S (rome)")];
    columns.extend(["ES (rome)", "PS (rome)", "NS (rome)", "exact match (greedy)"].map(plain));
    columns.push(shaped("untouched facts kept", Shape::Share));
    columns.extend(["perplexity, unedited", "perplexity", "‖ΔW‖/‖W‖"].map(plain));
    columns.push(text("collapsed"));
    (!rows.is_empty()).then(|| Table {
        number: 13,
        title: "Edits one after the other".into(),
        columns,
        rows,
        notes: vec![
            "Every edit stays in force. At each row all edits so far are measured anew, in percent; untouched facts are \
             validated facts that nobody edited, kept where the most probable token is still the answer's first; \
             perplexity is on the end of the text that C is taken over."
                .into(),
            format!(
                "Collapsed: perplexity above {BROKEN_TEXT} times the unedited model's, or less than {} % of the \
                 untouched facts kept.",
                100.0 * BROKEN_FACTS
            ),
        ],
    })
}
