//! Tables 1 to 4 of the paper, and those of the matched facts and of verdicts.

use super::said::told;
use super::{Desk, menu};

use crate::components::tables::table as drawn;
use crate::state::ViewState;
use engram_core::tables;
use leptos::prelude::*;

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    let shared = desk.clone();
    let all = move || {
        let view = shared.state.with(ViewState::view);
        let baseline = shared.state.with(|state| state.baseline).and_then(|place| shared.records.get(place));
        let tables = tables::all(&shared.records, &view, baseline.map(|record| record.model.name.as_str()));
        let one = |table: tables::Table| {
            let place = format!("table-{}", table.number);
            let said = shared.told.with(|all| all.said.caption(&place).map(told));
            let menu = shared.is_live().then(|| menu::table(&table));
            view! {
                <div class="plate" id=place>
                    {said.map(|said| view! { <p class="finding">{said}</p> })}
                    {drawn(&table)}
                    {menu}
                </div>
            }
        };
        tables.into_iter().map(one).collect_view()
    };
    view! { {all} }.into_any()
}
