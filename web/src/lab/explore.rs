//! The tab that traces one prompt.

use crate::lab::Engine;
use crate::page::Page;
use leptos::prelude::*;

/// The tab that traces one prompt.
#[component]
pub(crate) fn Explore(page: Page, engine: Engine) -> impl IntoView {
    let _ = (page, engine);
    view! { <p>"explore"</p> }
}
