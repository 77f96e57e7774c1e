//! The switches between conventions of the same record.

use crate::state::ViewState;
use crate::words;
use engram_core::record::PatchPosition;
use leptos::prelude::*;

/// Patch position, and whether a layer is always assigned.
#[component]
pub fn Switches(
    /// The patch positions that the record has.
    positions: Signal<Vec<PatchPosition>>,
    /// The view state, which the switches change.
    state: RwSignal<ViewState>,
) -> impl IntoView {
    let choice = move |position: PatchPosition| {
        view! {
            <button
                title=words::position(position)
                aria-pressed=move || (state.with(|state| state.position) == position).to_string()
                on:click=move |_| state.update(|state| state.position = position)
            >
                {position.name()}
            </button>
        }
    };
    view! {
        <div class="switches">
            <div class="choices" role="group" aria-label="Restore at">
                <span class="faint">"Restore at"</span>
                {move || positions.get().into_iter().map(choice).collect_view()}
            </div>
            <label title="Counts a fact whose patches only hurt at the last layer">
                <input
                    type="checkbox"
                    prop:checked=move || state.with(|state| state.argmax_always)
                    on:change:target=move |event| {
                        let always = event.target().checked();
                        state.update(|state| state.argmax_always = always);
                    }
                />
                " Always assign a layer (paper's convention)"
            </label>
        </div>
    }
}
