//! The tab of models and the device.

use crate::lab::Engine;
use crate::page::Page;
use leptos::prelude::*;

/// The tab of models and the device.
#[component]
pub(crate) fn Models(page: Page, engine: Engine) -> impl IntoView {
    let _ = (page, engine);
    view! { <p>"models"</p> }
}

/// Takes what was dropped on the page: records go to the shelf, a model's files are loaded.
pub(crate) fn dropped(page: Page, engine: Engine, data: &web_sys::DataTransfer) {
    let _ = engine;
    page.read(Vec::new(), crate::files::listed(data.files()));
}
