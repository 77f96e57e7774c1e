//! What stands beneath the facts, folded: figures of the whole study, its edits, the studies side by side, tables, and where
//! the record comes from.

use super::desk::Desk;
use crate::components::study::{Fold, StudyFigures};
use crate::components::{About, Compare, Edits, Tables, shown};
use crate::figures::compare::Quantity;
use crate::figures::{about, edits};
use engram_core::metrics::{Summary, summarize};
use engram_core::record::Record;
use engram_core::tables;
use leptos::{ev, prelude::*};

/// All of it.
#[component]
pub(super) fn Beneath(desk: Desk) -> impl IntoView {
    let Desk { page, lines, view, .. } = desk;
    let go = Callback::new(move |order| desk.go_to(order));
    // The mean of one fact would only repeat the fact.
    let several = Memo::new(move |_| lines.with(Vec::len) > 1);
    let summary: Memo<Option<Summary>> =
        Memo::new(move |_| desk.record(|record| summarize(record, &view.get())).filter(|_| several.get()));
    let edits = Memo::new(move |_| desk.record(edits::all).flatten());
    let edited = move || edits.with(|edits| edits.as_ref().is_some_and(|edits| !edits.is_empty()));
    // Outside of what is drawn anew with every record.
    let (quantity, cursor) = (RwSignal::new(Quantity::default()), RwSignal::new(500));
    let compared = move || page.shelf.with(|shelf| shelf.records.len() > 1);
    let studies = move || -> Vec<(String, Record)> {
        page.shelf.with(|shelf| {
            (0..shelf.records.len()).map(|place| (shelf.name(place), shelf.records[place].clone())).collect()
        })
    };
    let all_tables = move || {
        let baseline = page.state.with(|state| state.baseline);
        desk.records(|records| {
            let baseline = baseline.and_then(|place| records.get(place)).map(|record| record.model.name.as_str());
            view! { <Tables tables=tables::all(records, &view.get(), baseline) /> }
        })
    };
    view! {
        <div class="beneath">
            {shown(compared, move || view! {
                <Fold title="The studies side by side" open=true id="compare">
                    {move || view! { <Compare studies=studies() view=view.get() quantity=quantity cursor=cursor /> }}
                </Fold>
            })}
            {shown(move || several.get(), move || view! {
                <Fold title="All figures" about="sufficiency, ablations and redundancy, mean over the facts">
                    {move || summary.get().map(|summary| view! { <StudyFigures summary=summary /> })}
                </Fold>
            })}
            {shown(edited, move || view! {
                <Fold title="Edits" about="both answers before and after, and every check">
                    {move || desk.record(edits::which).flatten().map(|said| view! { <p class="faint">{said}</p> })}
                    {move || edits.get().map(|edits| view! { <Edits edits=edits on_choose=go /> })}
                </Fold>
            })}
            <Fold title="Tables" about="the paper’s tables over all open records, as CSV and Markdown too">
                <Baseline desk=desk />
                {all_tables}
            </Fold>
            <Fold title="About this record" about="model, facts, device and settings">
                {move || desk.record(|record| view! { <About lines=about::lines(record) /> })}
            </Fold>
        </div>
    }
}

/// The record that Table 3's ratios are against, where there are several.
#[component]
fn Baseline(desk: Desk) -> impl IntoView {
    let page = desk.page;
    let choose = move |event: ev::Event| {
        let place = event_target_value(&event).parse().ok();
        page.state.update(|state| state.baseline = place);
    };
    let options = move || {
        let names: Vec<String> = page.shelf.with(|shelf| (0..shelf.records.len()).map(|p| shelf.name(p)).collect());
        let one = |(place, name): (usize, String)| {
            let chosen = page.state.with(|state| state.baseline) == Some(place);
            view! { <option value=place.to_string() selected=chosen>{name}</option> }
        };
        names.into_iter().enumerate().map(one).collect_view()
    };
    let several = move || page.shelf.with(|shelf| shelf.records.len() > 1);
    view! {
        {shown(several, move || view! {
            <label>
                "Ratios to "
                <select on:change=choose>
                    <option value="">"no baseline"</option>
                    {options}
                </select>
            </label>
        })}
    }
}
