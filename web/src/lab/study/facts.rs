//! The facts of the shown study: the finding, the bars of peaks, the table, and the fact that is open.

use super::desk::{Desk, Source};
use crate::components::FactView;
use crate::components::study::{FactTable, Fold, OpenedFact, PeakBars, Tools};
use crate::figures::study::{Filter, Peaks, Told};
use crate::state::ViewState;
use crate::words;
use engram_core::record::PatchPosition;
use leptos::prelude::*;

/// The facts.
#[component]
pub(super) fn Facts(desk: Desk) -> impl IntoView {
    let Desk { page, lines, filter, found, order, opened, .. } = desk;
    let layers = Memo::new(move |_| desk.record(|record| record.model.layers).unwrap_or(1));
    let told = Memo::new(move |_| {
        let view = desk.view.get();
        desk.record(|record| lines.with(|lines| Told::of(record, &view, lines))).unwrap_or_default()
    });
    let peaks = Memo::new(move |_| lines.with(|lines| Peaks::of(lines, layers.get())));
    let change = move |change: &dyn Fn(&mut Filter)| filter.update(|filter| change(filter));
    let asked = move || page.state.with(|state| state.fact.is_some());
    // Every fact changes the sentence of a study that runs: nobody wants to hear that.
    let live = move || if desk.source.get() == Source::Running { "off" } else { "polite" };
    view! {
        <div class="cols" id="facts">
            <div>
                <section class="finding" aria-label="Finding">
                    <div aria-live=live>
                        <h2>{move || told.with(|told| told.head.clone())}</h2>
                        <p class="more">{move || told.with(|told| told.more.clone())}</p>
                    </div>
                    <View desk=desk />
                </section>
                <PeakBars
                    peaks=peaks
                    at=Signal::derive(move || filter.with(|filter| filter.at))
                    on_press=Callback::new(move |at| change(&|filter| filter.choose_at(at)))
                    on_drag=Callback::new(move |at| change(&|filter| filter.at = Some(at)))
                />
                <Tools lines=lines filter=filter listed=Signal::derive(move || found.with(Vec::len)) />
                <FactTable
                    lines=lines
                    found=found
                    layers=layers
                    filter=filter
                    chosen=order
                    on_choose=Callback::new(move |order| desk.choose(order))
                />
            </div>
            <div class="opened-side" class:asked=asked>
                <OpenedFact
                    opened=opened
                    on_step=Callback::new(move |by| desk.step(by))
                    on_trace=Callback::new(move |()| desk.trace())
                    on_close=Callback::new(move |()| page.state.update(|state| state.fact = None))
                >
                    <Fold title="All numbers of this fact">
                        {move || desk.fact().map(|fact| view! { <FactView fact=fact view=desk.view.get() /> })}
                    </Fold>
                </OpenedFact>
            </div>
        </div>
    }
}

/// Where the state is put back, and whether every fact is assigned a layer.
#[component]
fn View(desk: Desk) -> impl IntoView {
    let state = desk.page.state;
    let positions = Memo::new(move |_| -> Vec<PatchPosition> {
        desk.record(|record| record.settings.positions.clone()).unwrap_or_default()
    });
    let choice = move |position: PatchPosition| {
        view! {
            <button
                type="button"
                title=words::position(position)
                aria-pressed=move || state.with(|state| state.position == position).to_string()
                on:click=move |_| state.update(|state| state.position = position)
            >
                {words::patch_position(position)}
            </button>
        }
    };
    let always = move |set: bool| state.update(|state: &mut ViewState| state.argmax_always = set);
    view! {
        <div class="view-line">
            <span id="restore-at">"Restore at"</span>
            <div class="segments" role="group" aria-labelledby="restore-at">
                {move || positions.get().into_iter().map(choice).collect_view()}
            </div>
            <label title="A fact without a peak counts at its best layer, one whose patches only hurt at the last layer">
                <input
                    type="checkbox"
                    prop:checked=move || state.with(|state| state.argmax_always)
                    on:change:target=move |event| always(event.target().checked())
                />
                " Always assign a layer (paper’s convention)"
            </label>
        </div>
    }
}
