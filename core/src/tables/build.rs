//! Building the tables from records.

use super::parts::{count, labels, layer, mean, number, per_position, plain, shaped, share, text};
use super::{Cell, Shape, Table, sweeps, table4, table6, table7, table13, table14};
use crate::facts::RelationKind;
use crate::metrics::{
    Mean, MetricConvention, MlpRatio, NecessityAt, RedundancyAggregate, Summary, matched, restrict, summarize,
};
use crate::record::{Reason, Record};
use std::collections::BTreeSet;

/// Tables 1 to 4, each where its stage has data, the matched subset where there is one, the verdicts of edits, and what the
/// field measures of them; and of records that have them, edits at several layers and edits one after the other. `baseline` names the model that Table 3's ratios are against.
pub fn all(records: &[Record], view: &MetricConvention, baseline: Option<&str>) -> Vec<Table> {
    let mut tables = vec![table1(records), table2(records, view), table3(records, view, baseline)];
    if records.iter().any(|record| record.edits.is_some()) {
        tables.push(table4(records));
    }
    tables.extend(matched_facts(records, view));
    if records.iter().any(|record| record.edits.is_some()) {
        tables.push(table6(records));
        tables.extend(table7(records));
    }
    tables.extend(sweeps(records));
    tables.extend(table13(records));
    tables.extend(table14(records, view));
    tables
}

/// Table 1: models and facts, a row per record.
pub fn table1(records: &[Record]) -> Table {
    let summaries: Vec<Summary> =
        records.iter().map(|record| summarize(record, &MetricConvention::default())).collect();
    let reasons: BTreeSet<Reason> = summaries.iter().flat_map(|summary| summary.dropped.keys().copied()).collect();
    let mut columns = vec![text("model"), plain("L"), plain("parameters"), plain("screened"), plain("validated")];
    columns.push(plain("facts per 10⁹ parameters"));
    columns.extend(RelationKind::ALL.map(|kind| plain(kind.name())));
    columns.extend(reasons.iter().map(|reason| plain(reason.name())));
    let row = |(label, summary): (String, &Summary)| {
        let mut row = vec![
            Cell::Text(label),
            count(summary.layers),
            Cell::Count(summary.parameters),
            count(summary.screened),
            count(summary.validated),
            number(summary.density, 1),
        ];
        row.extend(RelationKind::ALL.iter().map(|kind| count(summary.kinds.get(kind).copied().unwrap_or(0))));
        row.extend(reasons.iter().map(|reason| count(summary.dropped.get(reason).copied().unwrap_or(0))));
        row
    };
    Table {
        number: 1,
        title: "Models and facts".into(),
        columns,
        rows: labels(records).into_iter().zip(&summaries).map(row).collect(),
        notes: vec![
            "Entity relations: P27, P103, P17, P19, P131, P20; relation: P36, P30, P530, P37, P38; the last columns are \
             the reasons for which facts were dropped."
                .into(),
        ],
    }
}

/// Table 2: localization, a row per record and patch position.
pub fn table2(records: &[Record], view: &MetricConvention) -> Table {
    let row = |label: String, summary: &Summary| {
        vec![
            Cell::Text(label),
            Cell::Text(summary.view.position.name().into()),
            count(summary.validated),
            layer(summary.l_star),
            share(summary.at_l_star),
            share(summary.no_peak),
            share(summary.not_localized),
            number(summary.concentration.map(|found| found.c), 3),
            share(summary.at_last),
        ]
    };
    let mut notes = vec![
        "l* is the most frequent dominant layer (the argmax of a fact's curve, as in the paper); C is the share of layers that together hold more than 80 % of the \
         localized facts."
            .into(),
    ];
    notes.push(localized_note(view));
    notes.extend((!view.argmax_always).then(|| {
        "No peak: localized facts whose best layer recovers less than a tenth of what corrupting the subject takes; \
         they count at their argmax, but it is no finding about them. Not counted under last-token, whose last layer \
         recovers everything."
            .into()
    }));
    Table {
        number: 2,
        title: "Localization".into(),
        columns: vec![
            text("model"),
            text("patch position"),
            plain("facts"),
            plain("l*"),
            shaped("facts at l*", Shape::Share),
            shaped("no peak", Shape::Share),
            shaped("not localized", Shape::Share),
            plain("C"),
            shaped("at the last layer", Shape::Share),
        ],
        rows: per_position(records, view).map(|(label, summary)| row(label, &summary)).collect(),
        notes,
    }
}

fn localized_note(view: &MetricConvention) -> String {
    if view.argmax_always {
        "Facts whose patches only hurt count at the last layer (argmax-always, the paper's convention).".into()
    } else {
        "Facts whose patches only hurt are not localized and count in no layer.".into()
    }
}

/// The quantities that Table 3 compares with a baseline.
const COMPARED: [&str; 5] = ["facts per 10⁹ parameters", "C", "Δ_nec", "r_MLP", "R"];

fn compared(summary: &Summary) -> [Option<f64>; 5] {
    let mean = |mean: Option<Mean>| mean.map(|found| found.mean);
    [
        summary.density,
        summary.concentration.map(|found| found.c),
        mean(summary.necessity),
        mean(summary.mlp_ratio),
        summary.redundancy.map(|found| found.r.mean),
    ]
}

/// Table 3: mechanism and compression, a row per record and patch position; with a baseline also the ratios to its row
/// of the same patch position.
pub fn table3(records: &[Record], view: &MetricConvention, baseline: Option<&str>) -> Table {
    let rows: Vec<(String, Summary)> = per_position(records, view).collect();
    let mut columns = vec![text("model"), text("patch position"), plain("layer")];
    columns.extend(["Δ_nec", "Δ_attn", "Δ_MLP", "r_MLP", "R"].map(|name| shaped(name, Shape::Mean)));
    let mut notes = mechanism_notes(view);
    for (label, summary) in &rows {
        let Some((found, l_star)) = summary.redundancy.zip(summary.l_star) else { continue };
        if found.ablated != l_star {
            notes.push(format!(
                "{label}, {}: R was measured with layer {} ablated, the l* of the study's own view; here l* is \
                 {l_star}.",
                summary.view.position.name(),
                found.ablated
            ));
        }
    }
    let base = baseline.and_then(|name| {
        let index = find_baseline(records, name);
        match index {
            Some(index) => notes.push(format!("Ratios are to {}, same patch position.", records[index].model.name)),
            None => notes.push(format!("No record of the baseline model {name}, so there are no ratios to it.")),
        }
        index
    });
    if base.is_some() {
        columns.extend(COMPARED.map(|name| plain(&format!("{name} / baseline"))));
    }
    let row = |(label, summary): &(String, Summary)| {
        let at = match view.necessity_at {
            NecessityAt::LStar => layer(summary.l_star),
            NecessityAt::PerFact => Cell::Text("l_f*".into()),
        };
        let mut row = vec![Cell::Text(label.clone()), Cell::Text(summary.view.position.name().into()), at];
        let redundancy = summary.redundancy.map(|found| found.r);
        row.extend([summary.necessity, summary.attention, summary.mlp].map(|found| mean(found, 4)));
        row.extend([summary.mlp_ratio, redundancy].map(|found| mean(found, 3)));
        if let Some(base) = base {
            let base = compared(&summarize(&records[base], &summary.view));
            let ratio = |(own, base): (Option<f64>, Option<f64>)| Some(own? / base.filter(|base| *base != 0.0)?);
            row.extend(compared(summary).into_iter().zip(base).map(|pair| number(ratio(pair), 2)));
        }
        row
    };
    let title = "Mechanism and compression".into();
    Table { number: 3, title, columns, rows: rows.iter().map(row).collect(), notes }
}

fn mechanism_notes(view: &MetricConvention) -> Vec<String> {
    let place = match view.necessity_at {
        NecessityAt::LStar => "at l*, over all validated facts",
        NecessityAt::PerFact => "at each fact's own layer, over the localized facts",
    };
    let ratio = match view.mlp_ratio {
        MlpRatio::MeanOfRatios => "the mean of per-fact ratios",
        MlpRatio::RatioOfMeans => "the ratio of mean drops (no standard error)",
    };
    let redundancy = match view.redundancy {
        RedundancyAggregate::RatioOfMeans => "the ratio of means, clipped to [0, 1] (no standard error)",
        RedundancyAggregate::MeanOfClipped => "the mean of per-fact values clipped to [0, 1]",
    };
    vec![
        format!("Drops of p(true) on the clean prompt {place}; ± is the standard error of the mean."),
        format!("r_MLP is {ratio}; R is {redundancy}."),
    ]
}

/// Exact name first, then the name's last part (`Llama-3.2-3B` for `meta-llama/Llama-3.2-3B`), ignoring case.
fn find_baseline(records: &[Record], name: &str) -> Option<usize> {
    let tail = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or_default().to_lowercase();
    let exact = records.iter().position(|record| record.model.name == name);
    exact.or_else(|| records.iter().position(|record| tail(&record.model.name) == tail(name)))
}

/// The facts that every record validated, so that models are compared on the same ones; `None` unless two or more
/// records share some. Table 5, which the paper does not have.
pub fn matched_facts(records: &[Record], view: &MetricConvention) -> Option<Table> {
    let ids = if records.len() < 2 { BTreeSet::new() } else { matched(records) };
    if ids.is_empty() {
        return None;
    }
    let subset: Vec<Record> = records.iter().map(|record| restrict(record, &ids)).collect();
    let row = |(label, summary): (String, Summary)| {
        let mut row =
            vec![Cell::Text(label), Cell::Text(summary.view.position.name().into()), count(summary.validated)];
        row.extend([mean(summary.p_clean, 3), layer(summary.l_star), share(summary.at_l_star)]);
        row.extend([
            share(summary.no_peak),
            share(summary.not_localized),
            number(summary.concentration.map(|found| found.c), 3),
        ]);
        row.extend([share(summary.at_last), mean(summary.necessity, 4), mean(summary.mlp_ratio, 3)]);
        row.push(mean(summary.redundancy.map(|found| found.r), 3));
        row
    };
    let mut columns =
        vec![text("model"), text("patch position"), plain("facts"), shaped("p(true)", Shape::Mean), plain("l*")];
    columns.extend([shaped("facts at l*", Shape::Share), shaped("no peak", Shape::Share)]);
    columns.extend([shaped("not localized", Shape::Share), plain("C")]);
    columns.push(shaped("at the last layer", Shape::Share));
    columns.extend(["Δ_nec", "r_MLP", "R"].map(|name| shaped(name, Shape::Mean)));
    Some(Table {
        number: 5,
        title: format!("Facts validated by all {} models", records.len()),
        columns,
        rows: per_position(&subset, view).map(row).collect(),
        notes: vec![
            "l* and all that follows are computed on these facts alone; R keeps the layer that was ablated in each \
             study."
                .into(),
        ],
    })
}
