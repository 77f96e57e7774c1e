//! The tab that rewrites one fact.

use crate::lab::Engine;
use crate::page::Page;
use leptos::prelude::*;

/// The tab that rewrites one fact.
#[component]
pub(crate) fn Edit(page: Page, engine: Engine) -> impl IntoView {
    let _ = (page, engine);
    view! { <p>"edit"</p> }
}
