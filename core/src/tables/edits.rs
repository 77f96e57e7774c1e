//! Tables of edits: the paper's, all measures together, and the field's measures.

use super::parts::{count, labels, mean, number, plain, shaped, share, text};
use super::{Cell, Column, Shape, Table};
use crate::metrics::{EditSummary, Level, Mean, Measure, RULES, Scores, Verdict, edit_summaries};
use crate::record::Record;
use std::collections::BTreeMap;

/// A summary per record that has Stage 3, and method.
fn per_method(records: &[Record]) -> impl Iterator<Item = (String, EditSummary)> {
    let all = labels(records).into_iter().zip(records);
    all.flat_map(|(label, record)| edit_summaries(record).into_iter().map(move |summary| (label.clone(), summary)))
}

/// Table 4: editing as the paper counts it, a row per record that has Stage 3, and method.
pub fn table4(records: &[Record]) -> Table {
    let row = |(label, edits): (String, EditSummary)| {
        let side = edits.side_effects;
        let mut row = vec![
            Cell::Text(label),
            Cell::Text(edits.method.clone()),
            Cell::Text(layers_used(&edits.layers)),
            count(edits.tried),
            count(edits.editable),
            share(edits.success),
            count(edits.silenced()),
        ];
        row.extend(Level::ALL.map(|level| count(edits.by_first_level.get(&level).copied().unwrap_or(0))));
        row.extend([edits.p_false, edits.p_false_after].map(|found| mean(found, 4)));
        row.extend([side.map(|side| side.mean), side.map(|side| side.worst)].map(|found| number(found, 4)));
        row.push(share(side.map(|side| side.flips)));
        row.push(Cell::Text(if edits.all_restored { "yes" } else { "NO" }.into()));
        row
    };
    let mut columns = vec![text("model"), text("method"), text("layers"), plain("facts tried"), plain("editable")];
    columns.extend([shaped("success", Shape::Share), plain("of them silenced")]);
    columns.extend(Level::ALL.map(|level| plain(level.name())));
    columns.extend([shaped("p(false) before", Shape::Mean), shaped("p(false) after", Shape::Mean)]);
    columns.extend([plain("|Δp| mean"), plain("|Δp| worst"), shaped("flips", Shape::Share), text("restored")]);
    Table {
        number: 4,
        title: "Editing".into(),
        columns,
        rows: per_method(records).map(row).collect(),
        notes: own_layers(records).into_iter().chain([
            "Success, levels, p(false) and side effects are over the editable facts. An edit counts at the first level \
             that it satisfies: L1 the false answer is the likelier, L2 both moved by more than 0.03, L3 p(false) \
             tripled beyond 0.005."
                .into(),
            "Side effects: |Δp| of unrelated facts' true answers; a flip is a change of their most probable token."
                .into(),
            "Success is the paper's: it looks at both answers on the prompt alone, and counts edits that only silence \
             the true one. Table 6 judges all measures together."
                .into(),
        ])
        .collect(),
    }
}

/// What a reader must know where facts are edited at several layers.
fn own_layers(records: &[Record]) -> Option<String> {
    records.iter().any(|record| record.edits.is_some() && record.settings.edit.layers.is_sweep()).then(|| {
        "Of a fact that is edited at several layers the edit at its dominant layer counts here; Table 10 has all layers."
            .to_owned()
    })
}

/// `12 ×3, 14`: the edited layers with how often each.
fn layers_used(layers: &BTreeMap<usize, usize>) -> String {
    let one = |(layer, times): (&usize, &usize)| {
        if *times == 1 { layer.to_string() } else { format!("{layer} ×{times}") }
    };
    if layers.is_empty() { "–".into() } else { layers.iter().map(one).collect::<Vec<_>>().join(", ") }
}

/// Table 6: what all measures together say of the edits, a row per record that has Stage 3, and method. The paper does not
/// have it.
pub fn table6(records: &[Record]) -> Table {
    let row = |(label, edits): (String, EditSummary)| {
        let mut row = vec![Cell::Text(label), Cell::Text(edits.method.clone()), count(edits.tried)];
        row.extend(Verdict::ALL.map(|verdict| count(edits.verdicts.get(&verdict).copied().unwrap_or(0))));
        row.extend([edits.following, edits.neighbours, edits.unrelated].map(share));
        row
    };
    let mut columns = vec![text("model"), text("method"), plain("edits")];
    columns.extend(Verdict::ALL.map(|verdict| plain(verdict.name())));
    let shares = ["other wordings that follow", "neighbours unharmed", "unrelated facts unharmed"];
    columns.extend(shares.map(|name| shaped(name, Shape::Share)));
    Table {
        number: 6,
        title: "Edits, all measures together".into(),
        columns,
        rows: per_method(records).map(row).collect(),
        notes: own_layers(records).into_iter().chain(RULES.map(str::to_owned)).collect(),
    }
}

/// Table 7: edits as the field measures them, two rows per record and method: the unedited model (once where several edit the same
/// facts), and with the edits. `None`
/// where no record has whole answers.
pub fn table7(records: &[Record]) -> Option<Table> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    for row in per_method(records).flat_map(|(label, edits)| field_rows(&label, &edits)) {
        // Methods that edit the same facts start from the same model.
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    let mut columns = vec![text("model"), text("weights"), plain("edits"), plain("S (rome)")];
    columns.extend(Measure::ALL.map(column));
    columns.extend([plain("‖ΔW‖/‖W‖, median"), shaped("disabling", Shape::Share), shaped("silenced", Shape::Share)]);
    // Measures that no record has (GE is taken where it is asked for) need no column.
    let empty: Vec<usize> = (0..columns.len()).filter(|&at| rows.iter().all(|row| row[at] == Cell::Missing)).collect();
    for &at in empty.iter().rev() {
        columns.remove(at);
        rows.iter_mut().for_each(|row| drop(row.remove(at)));
    }
    (!rows.is_empty()).then(|| Table {
        number: 7,
        title: "Edits as the field measures them".into(),
        columns,
        rows,
        notes: own_layers(records).into_iter().chain([
            "Percent, mean ± standard error over facts (1.96 of them are the 95 % interval). The brackets name who \
             computes a measure this way; numbers of two dialects are not compared. MEMIT, AlphaEdit and UltraEdit \
             edit all facts at once; else each edit is undone before the next."
                .into(),
            "rome (CounterFact): ES, PS, NS are shares of prompts, paraphrases and neighbours where the right answer has \
             the smaller mean -log p over its tokens; EM, PM, NM the differences of the probabilities; S is the harmonic \
             mean of ES, PS and NS. NS+ (counterfact+): NS with the edited statement in front of the neighbour's prompt. \
             GE (rome, own words): how varied the model's own texts about the subject are."
                .into(),
            "greedy: greedy decoding gives the new answer, all of its tokens. easyedit: the share of its tokens that are \
             the most probable ones with the answer forced; locality: for neighbours, those that stay what they were; \
             portability: the same as reliability on prompts whose answers follow from the new one."
                .into(),
            "Disabling: the edit is ten times as large as the matrix that it changes. Silenced: the old answer is gone, and the new \
             one did not rise."
                .into(),
        ])
        .collect(),
    })
}

fn column(measure: Measure) -> Column {
    shaped(&format!("{} ({})", measure.name(), measure.dialect().name()), Shape::Mean)
}

/// The unedited model's row, and the edits'; none without whole answers.
fn field_rows(label: &str, edits: &EditSummary) -> Vec<Vec<Cell>> {
    let Scores { measures, harmonic, silenced, disabling, relative_norm, .. } = &edits.scores;
    if measures.iter().all(|(_, [_, after])| after.is_none()) {
        return Vec::new();
    }
    let percent = |found: Option<Mean>| {
        mean(found.map(|Mean { mean, sem, n }| Mean { mean: 100.0 * mean, sem: sem.map(|sem| 100.0 * sem), n }), 1)
    };
    let row = |at: usize, weights: &str| {
        let mut row = vec![Cell::Text(label.to_owned()), Cell::Text(weights.to_owned()), count(edits.tried)];
        row.push(number(harmonic[at].map(|s| 100.0 * s), 1));
        row.extend(measures.iter().map(|(_, found)| percent(found[at])));
        row
    };
    let mut before = row(0, "unedited");
    before.extend([Cell::Missing, Cell::Missing, Cell::Missing]);
    let mut after = row(1, &edits.method);
    after.extend([number(*relative_norm, 3), share(*disabling), share(*silenced)]);
    vec![before, after]
}
