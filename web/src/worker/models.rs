//! Models for the engine: bundled ones, files from disk, addresses, and what is kept in the browser.

pub(crate) mod bundled;
pub(crate) mod cache;
mod fetch;
mod files;
mod hub;
mod remote;

use super::js;
use engram_core::names::HubId;
use engram_core::protocol::ModelRef;
use engram_core::service::{Meter, Opened};
use engram_core::{Kind, Result};
use js_sys::Array;
use std::rc::Rc;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::File;

/// Opens a model's files. With `store` they are kept in the browser as they come.
pub(crate) async fn open(model: &ModelRef, beside: &JsValue, store: bool, meter: &Rc<Meter>) -> Result<Opened> {
    match model {
        ModelRef::Bundled { name } => bundled::open(name).await,
        ModelRef::Files { name } => {
            let files = js::get(beside, "files").dyn_into::<Array>().unwrap_or_default();
            let files: Vec<File> = files.iter().filter_map(|file| file.dyn_into().ok()).collect();
            files::open(name, &files, meter)
        }
        ModelRef::Hub { id, revision, file } => {
            let found =
                match hub::look_up(&HubId { name: id, revision: revision.as_deref(), file: file.as_deref() }).await {
                    Ok(found) => found,
                    // Without a connection a kept copy does.
                    Err(error) if error.kind == Kind::Io => match cache::Kept::whole_of(model).await {
                        Some(kept) => return remote::reopen(&kept.key, meter).await,
                        None => return Err(error),
                    },
                    Err(error) => return Err(error),
                };
            remote::open(found, model.clone(), store, meter).await
        }
        ModelRef::Url { url } => {
            // An address is taken to go on meaning the same files; deleting the kept ones asks again.
            if let Some(kept) = cache::Kept::whole_of(model).await.filter(|_| store) {
                return remote::reopen(&kept.key, meter).await;
            }
            let found = remote::look_up(url).await?;
            remote::open(found, model.clone(), store, meter).await
        }
        ModelRef::Cached { key } => remote::reopen(key, meter).await,
    }
}
