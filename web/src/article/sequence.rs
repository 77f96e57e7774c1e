//! Edits one after the other, none undone. Only where a study has them.

use super::Desk;
use super::plate::Plate;
use super::said::told;
use crate::components::line_panels::LinePanels;
use crate::figures::sequence::{is_sequence, over_edits};
use engram_core::metrics::{SequenceSummary, sequence_summaries};
use engram_core::record::Record;
use leptos::prelude::*;

/// What the section is called, here and in the contents.
pub(super) const TITLE: &str = "Edits one after the other";

pub(super) const EDITS: Plate = Plate {
    id: "figure-g",
    title: "Figure G. What is left after more and more edits",
    still: false,
    draw: |desk| {
        let of = |(name, record): (&String, &Record)| {
            let all: Vec<SequenceSummary> = sequence_summaries(record);
            all.iter().map(|one| view! { <LinePanels figure=over_edits(name, one) /> }.into_any()).collect::<Vec<_>>()
        };
        let all: Vec<AnyView> = desk.names.iter().zip(desk.records.iter()).flat_map(of).collect();
        view! { <div class="beside">{all}</div> }.into_any()
    },
};

/// Whether there is anything to say.
pub(super) fn wanted(desk: &Desk) -> bool {
    desk.records.iter().any(is_sequence)
}

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    // They are the same under every view.
    let said = desk.told.with_untracked(|all| all.said.caption("sequence").map(told));
    let said = said.map(|said| view! { <p>{said}</p> });
    view! {
        <p class="faint">
            "Facts are edited one after the other, each on the model that the edits before it left. After 1, 3, 10, 30 and so on \
             edits, all of them are measured again. Numbers: Table 13."
        </p>
        {said}
        {EDITS.show(desk)}
    }
    .into_any()
}
