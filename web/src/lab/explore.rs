//! The tab that traces one prompt: a question, where its answer comes from, and one layer of it.

mod actions;
mod form;
mod layers;
mod link;
mod result;
mod run;

use self::run::Explorer;
use crate::lab::Engine;
use crate::page::Page;
use leptos::prelude::*;

/// The tab that traces one prompt.
#[component]
pub(crate) fn Explore(page: Page, engine: Engine) -> impl IntoView {
    let explorer = Explorer::new(page, engine);
    view! {
        <div class="explore">
            <div class="top">
                <form::Form explorer=explorer />
                <div>
                    <result::Finding explorer=explorer />
                    <result::Maps explorer=explorer />
                </div>
            </div>
            <layers::Layers explorer=explorer />
        </div>
    }
}
