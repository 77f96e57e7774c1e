//! The selected cell on a phone: it stays in view above the status bar, and its buttons go from layer to layer.

use super::pointer::Pointer;
use crate::figures::trace::{Cell, Cursor};
use crate::words;
use leptos::prelude::*;

/// The sheet; wide windows have the inspector instead.
#[component]
pub fn CellSheet(
    /// The cell that is looked at.
    cell: Memo<Option<Cell>>,
    /// Where it is.
    cursor: Memo<Option<Cursor>>,
    /// How many layers there are.
    layers: Signal<usize>,
    /// Holds another one.
    pointer: Pointer,
) -> impl IntoView {
    let step = move |on: bool| {
        if let Some(now) = cursor.get_untracked() {
            let layer =
                if on { (now.layer + 1).min(layers.get_untracked()) } else { now.layer.saturating_sub(1).max(1) };
            pointer.hold(Cursor { layer, ..now });
        }
    };
    move || {
        // Until somebody holds a cell the map has all the room; over one that is pointed at only, the sheet would cover it.
        pointer.held.get().then_some(())?;
        let Cell { token, subject, layer, what, value, .. } = cell.get()?;
        let value = value.map_or("–".to_owned(), |value| words::fixed(value, 2));
        Some(view! {
            <div class="cell-sheet" role="group" aria-label="Selected cell, by layer">
                <button type="button" aria-label="One layer back" on:click=move |_| step(false)>"◀"</button>
                <p>
                    <span><b class:s=subject>{words::short(&token, 14)}</b>{format!(" layer {layer}")}</span>
                    <small>{what}</small>
                </p>
                <b class="big">{value}</b>
                <button type="button" aria-label="One layer on" on:click=move |_| step(true)>"▶"</button>
            </div>
        })
    }
}
