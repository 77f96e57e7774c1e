//! Drawing no more often than the screen does.

use leptos::prelude::request_animation_frame;
use std::cell::Cell;
use std::rc::Rc;

/// Lets through one drawing a frame; what is asked for in between is drawn with it.
#[derive(Clone, Default)]
pub(crate) struct Pace(Rc<Cell<bool>>);

impl Pace {
    /// Draws with the next frame, unless that is already planned.
    pub(crate) fn draw(&self, draw: impl FnOnce() + 'static) {
        if !self.0.replace(true) {
            let planned = self.0.clone();
            request_animation_frame(move || {
                planned.set(false);
                draw();
            });
        }
    }
}
