//! The cell that is looked at: what the mouse is over, a finger drags, or arrow keys have chosen; else the peak.

use crate::figures::trace::Cursor;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// The cursor of all maps and tracks. A handle: copies are the same.
#[derive(Debug, Clone, Copy)]
pub struct Pointer {
    /// The cell, while one is pointed at or held.
    pub at: RwSignal<Option<Cursor>>,
    /// It stays where it is until it is let go.
    pub held: RwSignal<bool>,
}

impl Default for Pointer {
    fn default() -> Self {
        Self { at: RwSignal::new(None), held: RwSignal::new(false) }
    }
}

impl Pointer {
    /// Points at a cell, unless one is held.
    pub fn over(self, at: Option<Cursor>) {
        if !self.held.get_untracked() && self.at.get_untracked() != at {
            self.at.set(at);
        }
    }

    /// Holds a cell; the held one again lets it go.
    pub fn press(self, at: Cursor) {
        let again = self.held.get_untracked() && self.at.get_untracked() == Some(at);
        self.held.set(!again);
        self.at.set(Some(at));
    }

    /// Holds a cell, whichever was held before.
    pub fn hold(self, at: Cursor) {
        self.held.set(true);
        self.at.set(Some(at));
    }

    /// Lets go.
    pub fn release(self) {
        self.held.set(false);
        self.at.set(None);
    }
}

/// The cell that an element of the figure stands for. A layer's number on the axis is a cell of the row that is looked at.
pub(super) fn cell_of(target: Option<web_sys::EventTarget>, now: Option<Cursor>) -> Option<Cursor> {
    let element = target?.dyn_into::<web_sys::Element>().ok()?;
    let element = element.closest("[data-layer]").ok()??;
    let number = |name: &str| element.get_attribute(name)?.parse::<usize>().ok();
    let row = number("data-row").or(now.map(|now| now.row))?;
    Some(Cursor { row, layer: number("data-layer")? })
}
