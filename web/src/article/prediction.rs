//! Does tracing predict where an edit works? Only where facts are edited at several layers.

use super::Desk;
use super::plate::Plate;
use super::said::told;
use crate::components::compare::dots::Dots;
use crate::components::line_panels::LinePanels;
use crate::components::shades::shaded;
use crate::figures::prediction::{Model, by_layer, dots, is_swept, models};
use crate::words;
use engram_core::metrics::{Prediction, Relation};
use engram_core::record::Record;
use leptos::prelude::*;

/// What the section is called, here and in the contents.
pub(super) const TITLE: &str = "Does tracing predict where an edit works?";

pub(super) const LAYERS: Plate = Plate {
    id: "figure-e",
    title: "Figure E. Edits and tracing, layer by layer",
    still: false,
    draw: |desk| {
        first(desk, |name, record, one| Some(view! { <LinePanels figure=by_layer(name, record, one) /> }.into_any()))
    },
};

pub(super) const DOTS: Plate = Plate {
    id: "figure-f",
    title: "Figure F. Tracing effect and rewrite score, fact by fact and layer by layer",
    still: false,
    draw: |desk| {
        first(desk, |name, record, one| {
            Some(view! { <Dots scatter=dots(name, record, one)? nothing="" cloud=shaded /> }.into_any())
        })
    },
};

/// Whether there is anything to say.
pub(super) fn wanted(desk: &Desk) -> bool {
    desk.records.iter().any(is_swept)
}

/// Something of each study that has an answer, by its first method, beside each other.
fn first(desk: &Desk, draw: fn(&str, &Record, &Prediction) -> Option<AnyView>) -> AnyView {
    let all: Vec<AnyView> = desk.predictions.with(|all| {
        let studies = desk.names.iter().zip(desk.records.iter()).zip(all);
        studies.filter_map(|((name, record), found)| draw(name, record, found.first()?)).collect()
    });
    view! { <div class="beside">{all}</div> }.into_any()
}

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    // They are the same under every view.
    let said = desk.told.with_untracked(|all| all.said.caption("prediction").map(told));
    let said = said.map(|said| view! { <p>{said}</p> });
    let (any, tables, several) = desk.predictions.with_untracked(|all| {
        let of = |(name, found): (&String, &Vec<Prediction>)| {
            found.iter().map(|one| relations(name, one)).collect::<Vec<_>>()
        };
        let tables: Vec<AnyView> = desk.names.iter().zip(all).flat_map(of).collect();
        let studies = desk.names.iter().zip(desk.records.iter()).zip(all);
        let first = studies.filter_map(|((name, record), found)| Some((name.as_str(), record, found.first()?)));
        let rows = models(first);
        (!tables.is_empty(), tables, (rows.len() > 1).then(|| beside(&rows)))
    });
    let figures = any.then(|| view! { <div class="pairs">{LAYERS.show(desk)} {DOTS.show(desk)}</div> });
    let note = any.then(|| {
        view! {
            <p class="faint">
                "Tracing effect: probability that a clean activation restores at the edit's layer. r: Pearson's correlation over \
                 facts times layers; then about the means of layers. Layer alone: share of the variance (R²) that the layer \
                 explains; tracing adds what the effect explains beyond it. p: share of shuffles, facts with each other's effects, \
                 in which the correlation about layer means is as strong. About layer and fact means: whether tracing tells where \
                 a fact is edited best."
            </p>
        }
    });
    view! { {said} {figures} {tables} {note} {several} }.into_any()
}

/// How well each effect predicts each outcome, by one method.
fn relations(name: &str, found: &Prediction) -> AnyView {
    let number =
        |value: Option<f64>, decimals: usize| value.map_or("–".into(), |value| words::fixed(value, decimals));
    let percent = |share: Option<f64>| number(share.map(|share| 100.0 * share), 1);
    let row = |(at, one): (usize, &Relation)| {
        let begins = at == 0;
        let cells = [
            number(one.r, 2),
            number(one.within, 2),
            percent(one.r.map(|_| one.layer)),
            percent(one.added),
            number(one.p, 3),
            number(one.place, 2),
            number(one.p_place, 3),
        ];
        let cells = cells.map(|cell| view! { <td class="number">{cell}</td> });
        let of = |rows: usize| view! { <th scope="rowgroup" rowspan=rows>{one.effect.name()}</th> };
        let rows = found.relations.iter().filter(|other| other.effect == one.effect).count();
        view! { <tr>{begins.then(|| of(rows))} <th scope="row">{one.editability.name()}</th> {cells.into_iter().collect_view()}</tr> }
    };
    let groups = found.relations.chunk_by(|a, b| a.effect == b.effect);
    let rows: Vec<_> = groups.flat_map(|group| group.iter().enumerate().map(row)).collect();
    let title =
        format!("{name}, {}: {} at {} layers", found.method, words::count(found.facts, "fact"), found.layers.len());
    let head = [
        "r",
        "r about layer means",
        "layer alone (%)",
        "tracing adds (%)",
        "p",
        "r about layer and fact means",
        "p of that",
    ];
    grid(title, &["effect", "outcome"], &head, rows.into_any())
}

/// The models beside each other.
fn beside(rows: &[Model]) -> AnyView {
    let row = |model: &Model| {
        let cell = |value: &Option<f64>| {
            view! { <td class="number">{value.map_or("–".into(), |value| words::fixed(value, 3))}</td> }
        };
        let cells: Vec<_> = model.kept.iter().chain(&model.scores).map(cell).collect();
        view! { <tr><th scope="row">{model.name.clone()}</th> {cells}</tr> }
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let head = ["R", "C", "at the dominant layer", "at the best fixed layer", "mean over layers"];
    grid("R and C per model against the rewrite score".into(), &["model"], &head, rows.into_any())
}

/// A table with names at the left and numbers at the right.
fn grid(title: String, names: &[&'static str], numbers: &[&'static str], rows: AnyView) -> AnyView {
    let names: Vec<_> = names.iter().map(|name| view! { <th scope="col">{*name}</th> }).collect();
    let numbers: Vec<_> = numbers.iter().map(|name| view! { <th scope="col" class="number">{*name}</th> }).collect();
    let label = title.clone();
    view! {
        <div class="scroll table" tabindex="0" role="region" aria-label=label>
            <table>
                <caption>{title}</caption>
                <thead>
                    <tr>{names} {numbers}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
