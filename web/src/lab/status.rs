//! The line at the bottom: what runs, on which device.

use crate::lab::Engine;
use leptos::prelude::*;

/// The status line.
#[component]
pub(crate) fn StatusLine(engine: Engine) -> impl IntoView {
    let _ = engine;
}
