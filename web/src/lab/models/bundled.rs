//! The models that come with the page.

use super::open::{busy, open};

use crate::figures::bundled::{ALL, Bundled};
use crate::figures::bytes::bytes;
use crate::lab::Engine;
use crate::page::Page;
use crate::words;
use engram_core::protocol::ModelRef;
use leptos::prelude::*;

/// A card for each.
#[component]
pub(crate) fn BundledModels(page: Page, engine: Engine) -> impl IntoView {
    view! {
        <section class="first">
            <h2>"Bundled models"</h2>
            <p class="faint">
                "Small models that were trained for this lab on its own facts. They come from this page's server."
            </p>
            <ul class="cards">{ALL.into_iter().map(|model| card(page, engine, model)).collect_view()}</ul>
        </section>
    }
}

fn card(page: Page, engine: Engine, model: Bundled) -> impl IntoView {
    let this = ModelRef::Bundled { name: model.name.into() };
    let here = this.clone();
    let loaded = Memo::new(move |_| engine.model.with(|loaded| loaded.as_ref().is_some_and(|one| one.model == here)));
    let size = format!("{}, {} layers, width {}", model.family, model.layers, model.width);
    let more = format!("{}, {}", words::parameters(model.parameters), bytes(model.bytes));
    let load = move |_| open(page, engine, this.clone(), Vec::new());
    view! {
        <li class="card" class:chosen=move || loaded.get()>
            <h3>{model.name}</h3>
            <p>{size}</p>
            <p>{more}</p>
            <p class="faint">{model.about}</p>
            <p class="choices">
                <button
                    type="button"
                    aria-label=format!("Load {}", model.name)
                    disabled=move || busy(engine) || loaded.get()
                    on:click=load
                >
                    "Load"
                </button>
                <span class="good" role="status">
                    {move || loaded.get().then_some("loaded")}
                </span>
            </p>
        </li>
    }
}
