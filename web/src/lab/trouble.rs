//! Why there is no GPU, and what to do about it.

use crate::lab::Engine;
use leptos::prelude::*;

/// Shown while the device is not what a reader would expect.
#[component]
pub(crate) fn Banner(engine: Engine) -> impl IntoView {
    let _ = engine;
}
