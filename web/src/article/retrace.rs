//! Both answers traced again after the edits. Only where a study has that.

use super::Desk;
use super::plate::Plate;
use super::said::told;
use crate::components::line_panels::LinePanels;
use crate::components::{HeatPictures, Heatmaps};
use crate::figures::facts::parts;
use crate::figures::retrace::{again, first, is_retraced};
use engram_core::metrics::{RetraceSummary, retrace_summaries};
use engram_core::record::Record;
use leptos::prelude::*;

/// What the section is called, here and in the contents.
pub(super) const TITLE: &str = "What the edits changed inside";

pub(super) const CURVES: Plate = Plate {
    id: "figure-h",
    title: "Figure H. Both answers traced before and after the edits",
    still: false,
    draw: |desk| {
        let view = desk.told.with(|told| told.view);
        let of = |(name, record): (&String, &Record)| {
            let all: Vec<RetraceSummary> = retrace_summaries(record, &view);
            all.iter()
                .map(|one| view! { <LinePanels figure=again(name, record, one) /> }.into_any())
                .collect::<Vec<_>>()
        };
        let all: Vec<AnyView> = desk.names.iter().zip(desk.records.iter()).flat_map(of).collect();
        view! { <div class="beside">{all}</div> }.into_any()
    },
};

pub(super) const MAPS: Plate = Plate {
    id: "figure-i",
    title: "Figure I. Maps of one fact before and after its edit, and their difference",
    still: true,
    draw: |desk| {
        let of = |(name, record): (&String, &Record)| maps(desk, name, record);
        let all: Vec<AnyView> = desk.names.iter().zip(desk.records.iter()).filter_map(of).collect();
        all.into_any()
    },
};

/// Whether there is anything to say.
pub(super) fn wanted(desk: &Desk) -> bool {
    desk.records.iter().any(is_retraced)
}

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    let all = desk.told;
    let said = move || all.with(|all| all.said.caption("retrace").map(told));
    let any = desk.records.iter().any(|record| first(record).is_some());
    view! {
        <p class="faint">
            "After each edit both answers are traced again, with the edit in force. Numbers: Table 14."
        </p>
        <p>{said}</p>
        {CURVES.show(desk)}
        {any.then(|| MAPS.show(desk))}
    }
    .into_any()
}

fn maps(desk: &Desk, name: &str, record: &Record) -> Option<AnyView> {
    let (fact, both) = first(record)?;
    let [before, subject, after] = parts(&fact.prompt, &fact.subject);
    let shown = both.map(|(answer, set)| {
        let maps = match desk.is_live() {
            true => view! { <Heatmaps set=Signal::stored(set) /> }.into_any(),
            false => view! { <HeatPictures set=set /> }.into_any(),
        };
        view! { <h4>{format!("Effect on “{answer}”")}</h4> {maps} }
    });
    let all = view! {
        <article class="mapped">
            <h3>{name.to_owned()} ". " {before} <mark>{subject}</mark> {after}</h3>
            {shown.into_iter().collect_view()}
        </article>
    };
    Some(all.into_any())
}
