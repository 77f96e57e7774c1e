//! The tab of studies: running them, and their records.

use crate::lab::Engine;
use crate::page::Page;
use crate::results::{Everything, Opener};
use leptos::prelude::*;

/// The tab of studies.
#[component]
pub(crate) fn StudyTab(page: Page, engine: Engine) -> impl IntoView {
    let _ = engine;
    let open = Memo::new(move |_| page.shelf.with(|shelf| !shelf.records.is_empty()));
    view! {
        <Opener page=page open=open />
        <Show when=move || open.get()>
            <Everything page=page />
        </Show>
    }
}
