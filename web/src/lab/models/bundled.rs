//! The models that come with the page.

use super::open::{busy, open};

use crate::figures::bundled::{ALL, Bundled};
use crate::figures::bytes::bytes;
use crate::lab::Engine;
use crate::page::Page;
use crate::words;
use engram_core::protocol::ModelRef;
use leptos::prelude::*;

/// A line for each.
#[component]
pub(crate) fn BundledModels(page: Page, engine: Engine) -> impl IntoView {
    let heads = ["Model", "Family", "Layers × width", "Parameters", "Size", ""];
    view! {
        <section class="first">
            <h2>"Bundled models"</h2>
            <p class="faint">
                "Small models that were trained for this lab on its own facts, under Apache 2.0. They come from this page's \
                 server and fit every device."
            </p>
            <table class="models">
                <thead><tr>{heads.map(|head| view! { <th scope="col">{head}</th> }).into_iter().collect_view()}</tr></thead>
                <tbody>{ALL.into_iter().map(|model| line(page, engine, model)).collect_view()}</tbody>
            </table>
        </section>
    }
}

fn line(page: Page, engine: Engine, model: Bundled) -> impl IntoView {
    let this = ModelRef::Bundled { name: model.name.into() };
    let here = this.clone();
    let loaded = Memo::new(move |_| engine.model.with(|loaded| loaded.as_ref().is_some_and(|one| one.model == here)));
    let load = move |_| open(page, engine, this.clone(), Vec::new());
    view! {
        <tr class:chosen=move || loaded.get()>
            <th scope="row">
                <b>{model.name}</b>
                <small>{model.about}</small>
            </th>
            <td>{model.family}</td>
            <td>{format!("{} × {}", model.layers, model.width)}</td>
            <td>{words::parameters(model.parameters)}</td>
            <td>{bytes(model.bytes)}</td>
            <td>
                <span class="good" role="status">{move || loaded.get().then_some("✓ loaded")}</span>
                <button
                    type="button"
                    aria-label=format!("Load {}", model.name)
                    hidden=move || loaded.get()
                    disabled=move || busy(engine)
                    on:click=load
                >
                    "Load"
                </button>
            </td>
        </tr>
    }
}
