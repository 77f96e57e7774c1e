//! Loading a model for the whole page: the address names it, and failures are shown.

use crate::figures::kinds;
use crate::lab::Engine;
use crate::page::Page;
use engram_core::protocol::ModelRef;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::File;

/// Loads a model in place of the present one.
pub(crate) fn open(page: Page, engine: Engine, model: ModelRef, files: Vec<File>) {
    spawn_local(async move {
        match engine.load(model.clone(), files).await {
            Ok(_) => page.lab.update(|lab| lab.model = kinds::address(&model).unwrap_or_default()),
            Err(failure) => engine.complain(failure),
        }
    });
}

/// A model is being loaded, so no other should be.
pub(crate) fn busy(engine: Engine) -> bool {
    engine.loading.with(Option::is_some)
}
