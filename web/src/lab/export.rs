//! The button that makes a result page: the printer, a program of its own beside the page, is fetched when it is asked
//! for.

use crate::page::Page;
use crate::{names, take};
use engram_core::record::Record;
use engram_core::{Error, Kind, Result, pack};
use js_sys::{Function, Promise, Reflect, TypeError, Uint8Array};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// The function that the page's first script leaves: packed records in, a page out.
const PRINTER: &str = "engramPrint";

/// A button that saves a result page over records.
#[component]
pub(crate) fn ExportPage(
    /// Hears what goes wrong.
    page: Page,
    /// The button's words.
    #[prop(default = "Download page")]
    label: &'static str,
    /// The records, in their order.
    #[prop(into)]
    records: Callback<(), Result<Vec<Record>>>,
) -> impl IntoView {
    let (busy, said) = (RwSignal::new(false), RwSignal::new(String::new()));
    let press = move |_| {
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        said.set("making the page…".into());
        spawn_local(async move {
            let made = export(records).await;
            // What asked for it may be gone.
            said.try_set(match &made {
                Ok(name) => format!("saved as {name}"),
                Err(_) => "no page was made; the reason stands at the top".into(),
            });
            busy.try_set(false);
            if let Err(error) = made {
                page.complain(&error);
            }
        });
    };
    view! {
        <button type="button" aria-disabled=move || busy.get().to_string() on:click=press>
            {label}
        </button>
        <span class="faint" role="status">
            {move || said.get()}
        </span>
    }
}

/// Makes a page and gives it to the browser to save; the name of its file.
async fn export(records: Callback<(), Result<Vec<Record>>>) -> Result<String> {
    drawn().await;
    let records = records.run(())?;
    let name = format!("{}.html", names::stem(&records));
    let packed = Uint8Array::from(pack::pack(&records)?.as_slice());
    drop(records);
    let html = printed(&packed).await?;
    match take::save_part(&name, "text/html", &html) {
        true => Ok(name),
        false => Err(Error::io(format!("{name}: the browser does not let this page save it"))),
    }
}

/// The page over packed records, as the browser's text: it may be too large to be held twice.
async fn printed(packed: &Uint8Array) -> Result<JsValue> {
    let print =
        Reflect::get(&js_sys::global(), &PRINTER.into()).ok().and_then(|found| found.dyn_into::<Function>().ok());
    let print = print.ok_or_else(|| {
        Error::input("this build of the lab has no printer").hint("save the record, and use `engram report`")
    })?;
    let made = match print.call1(&JsValue::UNDEFINED, packed) {
        Ok(promise) => JsFuture::from(Promise::resolve(&promise)).await,
        Err(error) => Err(error),
    };
    made.map_err(|error| {
        // Browsers call an import or a request that fails a wrong type.
        let (kind, hint) = match error.has_type::<TypeError>() {
            true => (Kind::Io, "check the connection to the page's server, and press the button again"),
            false => (Kind::Input, "save the record, and use `engram report`"),
        };
        let message = Reflect::get(&error, &"message".into()).ok().and_then(|message| message.as_string());
        Error::new(kind, format!("the page was not made: {}", message.unwrap_or_default())).hint(hint)
    })
}

/// Waits until the browser has drawn what was changed: what comes next may take it seconds.
async fn drawn() {
    let frame = Promise::new(&mut |done, _| {
        request_animation_frame(move || {
            let done = move || {
                let _ = done.call0(&JsValue::UNDEFINED);
            };
            set_timeout(done, Duration::ZERO);
        });
    });
    let _ = JsFuture::from(frame).await;
}
