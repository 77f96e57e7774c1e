//! Files from this machine: what was dropped or chosen is told apart, and each goes where it belongs.

use super::open::open;

use crate::figures::kinds::{self, Kind};
use crate::files;
use crate::lab::study::inbox::{self, FactsFile};
use crate::lab::{Engine, Tab, browser};
use crate::page::Page;
use engram_core::protocol::ModelRef;
use js_sys::{Array, Function, Promise, Reflect};
use leptos::task::spawn_local;
use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DataTransfer, File, FileSystemDirectoryEntry, FileSystemEntry, FileSystemFileEntry};

/// Most files of a dropped folder that are looked at; somebody may drop their whole disk.
const MOST: usize = 200;

/// Takes what was dropped on the page: records go to the shelf, facts to the study's form, a model's files are loaded.
pub(crate) fn dropped(page: Page, engine: Engine, data: &DataTransfer) {
    let items = data.items();
    // Items are gone once the event is over, so the entries are asked for at once.
    let entry = |index| items.get(index).and_then(|item| item.webkit_get_as_entry().ok().flatten());
    let entries: Vec<FileSystemEntry> = (0..items.length()).filter_map(entry).collect();
    let plain = files::listed(data.files());
    spawn_local(async move {
        let folder = entries.iter().find(|entry| entry.is_directory()).map(FileSystemEntry::name);
        let mut found = Vec::new();
        if folder.is_some() {
            for entry in entries {
                walk(entry, 2, &mut found).await;
            }
        } else {
            found = plain;
        }
        sort(page, engine, folder, found).await;
    });
}

/// The files of an entry, into folders of so many levels.
async fn walk(entry: FileSystemEntry, levels: usize, found: &mut Vec<File>) {
    if found.len() >= MOST {
        return;
    }
    if entry.is_file() {
        let entry: FileSystemFileEntry = entry.unchecked_into();
        let file = called(|yes, no| entry.file_with_callback_and_callback(yes, no)).await;
        found.extend(file.and_then(|file| file.dyn_into::<File>().ok()));
        return;
    }
    if levels == 0 {
        return;
    }
    let reader = entry.unchecked_into::<FileSystemDirectoryEntry>().create_reader();
    // A reader gives its entries in portions; an empty one is the end.
    loop {
        let read = called(|yes, no| {
            let _ = reader.read_entries_with_callback_and_callback(yes, no);
        });
        let portion = read.await.map(|list| Array::from(&list)).unwrap_or_default();
        if portion.length() == 0 || found.len() >= MOST {
            return;
        }
        for entry in portion.iter() {
            Box::pin(walk(entry.unchecked_into(), levels - 1, found)).await;
        }
    }
}

/// A function with two callbacks as a future.
async fn called(call: impl FnOnce(&Function, &Function)) -> Option<JsValue> {
    let mut call = Some(call);
    let promise = Promise::new(&mut |yes, no| {
        if let Some(call) = call.take() {
            call(&yes, &no);
        }
    });
    JsFuture::from(promise).await.ok().map(|value| value.as_ref().clone())
}

/// Sends each file where it belongs.
async fn sort(page: Page, engine: Engine, folder: Option<String>, found: Vec<File>) {
    let (mut records, mut model, mut facts) = (Vec::new(), Vec::new(), None);
    // Beside a model's weights lie all sorts of JSON, which are neither facts nor records.
    let model_folder = folder.is_some() && found.iter().any(|file| kinds::of_name(&file.name()) == Kind::Model);
    for file in found {
        let kind = match kinds::of_name(&file.name()) {
            Kind::Look if model_folder => continue,
            Kind::Look => {
                let head = browser::read(&file, Some(kinds::HEAD)).await;
                kinds::of_content(&head.map(|head| head.to_vec()).unwrap_or_default())
            }
            kind => kind,
        };
        match kind {
            Kind::Model => model.push(file),
            Kind::Facts => facts = Some(FactsFile::new(file)),
            // A model's folder has a README, a licence and the like, which are no records.
            Kind::Record | Kind::Look if folder.is_some() && !plausible(&file.name()) => {}
            Kind::Record | Kind::Look => records.push(file),
        }
    }
    let names: Vec<String> = model.iter().map(File::name).collect();
    if !model.is_empty() {
        match kinds::lacks(&names) {
            Some(missing) => page.errors.update(|errors| {
                let hint =
                    "drop the model's whole folder, or all of its files together; a .gguf file is enough by itself";
                errors.push((format!("the model's files lack {missing}"), Some(hint.into())));
            }),
            None => {
                go(page, Tab::Models);
                open(page, engine, ModelRef::Files { name: kinds::model_name(folder.as_deref(), &names) }, model);
            }
        }
    }
    if !records.is_empty() || facts.is_some() {
        go(page, Tab::Study);
    }
    if facts.is_some() {
        inbox::chosen().set(facts);
    }
    if !records.is_empty() {
        page.read(Vec::new(), records);
    }
}

/// A record, when it lies in a folder among other files.
fn plausible(name: &str) -> bool {
    [".engram.json", ".engram.json.gz", ".jsonl", ".journal"].iter().any(|end| name.to_lowercase().ends_with(end))
}

fn go(page: Page, tab: Tab) {
    page.lab.update(|lab| lab.tab = tab);
}

/// Buttons that choose a model's folder, or its files.
#[component]
pub(crate) fn Disk(page: Page, engine: Engine) -> impl IntoView {
    let take = move |event: ev::Event| {
        let Some(input) = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlInputElement>().ok()) else { return };
        let chosen = files::listed(input.files());
        let folder = chosen.first().and_then(folder);
        input.set_value("");
        spawn_local(sort(page, engine, folder, chosen));
    };
    view! {
        <section>
            <h2>"From this machine"</h2>
            <p>
                "Drop a model's folder or its files anywhere on the page, or choose them. They are read where they are; \
                 nothing is uploaded, and nothing is copied."
            </p>
            <p class="choices">
                <label class="pick">
                    <input type="file" prop:webkitdirectory=true on:change=take />
                    <span>"Choose a folder…"</span>
                </label>
                <label class="pick">
                    <input type="file" multiple accept=".safetensors,.json,.gguf" on:change=take />
                    <span>"Choose files…"</span>
                </label>
                <span class="faint">"safetensors with config.json and tokenizer.json, or one .gguf"</span>
            </p>
        </section>
    }
}

/// The folder that a file was chosen with.
fn folder(file: &File) -> Option<String> {
    let path = Reflect::get(file, &"webkitRelativePath".into()).ok()?.as_string()?;
    path.split_once('/').map(|(folder, _)| folder.to_owned())
}
