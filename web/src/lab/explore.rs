//! The tab that traces one prompt: a question, where its answer comes from, and one layer of it.

mod actions;
mod form;
mod layers;
mod link;
mod result;
mod run;
mod shown;

use self::run::Explorer;

use crate::lab::Engine;
use crate::page::Page;
use leptos::prelude::*;

/// The tab that traces one prompt.
#[component]
pub(crate) fn Explore(page: Page, engine: Engine) -> impl IntoView {
    let explorer = Explorer::new(page, engine);
    let stale = Memo::new(move |_| explorer.stale());
    let dimmed = move || if stale.with(Option::is_some) { "dimmed" } else { "" };
    view! {
        <div class="explore">
            <div class="top">
                <form::Form explorer=explorer />
                <div class=dimmed>
                    <result::Finding explorer=explorer stale=stale />
                    <result::Maps explorer=explorer />
                </div>
            </div>
            <div class=dimmed><layers::Layers explorer=explorer /></div>
        </div>
    }
}
