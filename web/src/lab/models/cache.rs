//! What is kept in the browser: each model with its bytes and whether its digests were checked, and ways to delete it.

use super::open::{busy, open};
use crate::components::progress::Progress;

use crate::figures::bytes::{ago, bytes, of};
use crate::figures::progress::Bar;
use crate::lab::copying::Sure;
use crate::lab::engine::unexpected;
use crate::lab::place::Place;
use crate::lab::{Engine, Tab};
use crate::page::Page;
use crate::words;
use engram_core::protocol::{Cached, Command, Event, Failure, ModelRef};
use leptos::prelude::*;
use leptos::task::spawn_local;

/// What [`Event::Cache`] told.
#[derive(Clone, PartialEq)]
struct Shelf {
    models: Vec<Cached>,
    used: Option<u64>,
    quota: Option<u64>,
}

/// The cache.
#[component]
pub(crate) fn Cache(page: Page, engine: Engine) -> impl IntoView {
    let shelf = RwSignal::new(None::<Shelf>);
    let ask = move |what: &'static str, ask: Command| {
        spawn_local(async move { took(engine, shelf, engine.last(what, ask).await.map(|answer| answer.0)) });
    };
    let shown = Memo::new(move |_| page.lab.with(|lab| lab.tab == Tab::Models));
    let loaded = Memo::new(move |_| engine.model.with(|model| model.as_ref().map(|model| model.model.clone())));
    // Asked for when somebody comes here, and again when what is kept may have changed; not for opening the page.
    Effect::new(move |before: Option<()>| {
        let _ = loaded.get();
        let running = engine.device.with_untracked(Option::is_some);
        if shown.get() && (before.is_some() || running) {
            ask("listing cached models", Command::Cache);
        }
    });
    let computer = Memo::new(move |_| engine.place.get() == Place::Computer);
    let drop = Callback::new(move |key: Option<String>| ask("deleting a cached model", Command::DropCached { key }));
    let list = move || match shelf.get() {
        None => view! {
            <p class="choices">
                <button type="button" on:click=move |_| ask("listing cached models", Command::Cache)>
                    "Show cached models"
                </button>
                <span class="faint">"This starts the engine, which stores them."</span>
            </p>
        }
        .into_any(),
        Some(found) => view! { <Found page=page engine=engine found=found drop=drop /> }.into_any(),
    };
    view! {
        <section>
            <h2>{move || if computer.get() { "On this computer" } else { "Cached in this browser" }}</h2>
            {list}
        </section>
    }
}

fn took(engine: Engine, shelf: RwSignal<Option<Shelf>>, answer: Result<Event, Failure>) {
    match answer {
        Ok(Event::Cache { models, used, quota }) => shelf.set(Some(Shelf { models, used, quota })),
        Ok(_) => engine.complain(unexpected()),
        Err(failure) => engine.complain(failure),
    }
}

#[component]
fn Found(page: Page, engine: Engine, found: Shelf, drop: Callback<Option<String>>) -> impl IntoView {
    // What lies on the computer is its owner's: the program deletes it, no page.
    let owned = engine.place.get_untracked() == Place::Tab;
    let space = match (found.used, found.quota) {
        _ if !owned => view! {
            <p class="faint">
                "Models of the Hub's cache, and of the folders that the program was started with (--models). Files of yours and \
                 addresses are loaded in this tab: choose it under Device."
            </p>
        }
        .into_any(),
        (Some(used), Some(quota)) if quota > 0 => {
            let bar = Bar {
                label: "Storage",
                share: Some(used as f64 / quota as f64),
                words: format!("{} of {}", bytes(used), bytes(quota)),
            };
            view! { <Progress bar=Signal::stored(bar) /> }.into_any()
        }
        (Some(used), _) => view! { <p class="faint">{bytes(used)} " used by this site"</p> }.into_any(),
        _ => view! { <p class="faint">"The browser does not say how much this site may store."</p> }.into_any(),
    };
    let all: u64 = found.models.iter().map(|model| model.bytes).sum();
    let everything = (owned && found.models.len() > 1).then(|| {
        view! {
            <p class="choices">
                <Sure
                    label="Delete all"
                    name="Delete all cached models"
                    question=format!(
                        "Delete {}, {}?",
                        words::count(found.models.len(), "model"),
                        bytes(all),
                    )
                    on_yes=Callback::new(move |()| drop.run(None))
                />
            </p>
        }
    });
    let none = found
        .models
        .is_empty()
        .then(|| view! { <p class="faint">{if owned { "No downloaded models." } else { "None." }}</p> });
    let cards: Vec<_> = found.models.into_iter().map(|model| one(page, engine, model, drop)).collect();
    view! {
        {space}
        {none}
        <ul class="cards">{cards}</ul>
        {everything}
    }
}

fn one(page: Page, engine: Engine, model: Cached, drop: Callback<Option<String>>) -> impl IntoView {
    let name = words::visible(&model.name);
    let whole = model.bytes >= model.all;
    let size = if whole { bytes(model.all) } else { format!("{}, not complete", of(model.bytes, model.all)) };
    let verified = match model.verified {
        Some(true) => "digests checked",
        Some(false) => "digests differ from those of the source",
        None => "digests not checked",
    };
    let key = model.key.clone();
    // By its own name where it has one: then a broken download goes on, and the address can name it.
    let reference = match model.model {
        ModelRef::Files { .. } => ModelRef::Cached { key: model.key },
        other => other,
    };
    let load = move |_| open(page, engine, reference.clone(), Vec::new());
    let words = if whole { "Load" } else { "Resume and load" };
    let owned = engine.place.get_untracked() == Place::Tab;
    let more = owned.then(|| format!("{verified}, used {}", ago(model.used_ms, js_sys::Date::now())));
    let delete = owned.then(|| {
        view! {
            <Sure
                label="Delete"
                name=format!("Delete {name}")
                question=format!("Delete {name} from this browser?")
                on_yes=Callback::new(move |()| drop.run(Some(key.clone())))
            />
        }
    });
    view! {
        <li class="card">
            <h3>{name.clone()}</h3>
            <p>{size}</p>
            <p class="faint">{more}</p>
            <p class="choices">
                <button type="button" aria-label=format!("{words} {name}") disabled=move || busy(engine) on:click=load>
                    {words}
                </button>
                {delete}
            </p>
        </li>
    }
}
