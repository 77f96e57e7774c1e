//! The tab that rewrites one fact: what it shall say, the search while it runs, what came of it, and the edits in force.

mod form;
mod list;
mod result;
mod run;

use self::run::Editor;
use crate::lab::Engine;
use crate::page::Page;
use leptos::prelude::*;

/// The tab that rewrites one fact.
#[component]
pub(crate) fn Edit(page: Page, engine: Engine) -> impl IntoView {
    let editor = Editor::new(page, engine);
    view! {
        <div class="edit-screen">
            <div class="top">
                <form::Form editor=editor />
                <div>
                    <list::InForce editor=editor />
                    <result::Search editor=editor />
                </div>
            </div>
            <result::Result editor=editor />
        </div>
    }
}
