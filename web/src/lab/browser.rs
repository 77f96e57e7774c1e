//! Small things that only the browser has: its storage, its name, whether it has WebGPU at all.

use js_sys::Reflect;
use leptos::prelude::{document, request_animation_frame};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, Storage, Window};

fn window() -> Option<Window> {
    web_sys::window()
}

/// Storage may be switched off, or full; the page works without it.
fn storage() -> Option<Storage> {
    window()?.local_storage().ok().flatten()
}

/// A text that was stored under this name.
pub(crate) fn stored(name: &str) -> Option<String> {
    storage()?.get_item(name).ok().flatten()
}

/// Stores a text, or forgets it.
pub(crate) fn store(name: &str, text: Option<&str>) {
    let Some(storage) = storage() else { return };
    let _ = match text {
        Some(text) => storage.set_item(name, text),
        None => storage.remove_item(name),
    };
}

/// Whether the page is a secure context, and has `navigator.gpu`.
pub(crate) fn secure_and_gpu() -> (bool, bool) {
    let Some(window) = window() else { return (false, false) };
    let gpu = Reflect::get(&window.navigator(), &"gpu".into());
    (window.is_secure_context(), gpu.is_ok_and(|gpu| !gpu.is_undefined() && !gpu.is_null()))
}

/// The browser's name for itself.
pub(crate) fn user_agent() -> String {
    window().and_then(|window| window.navigator().user_agent().ok()).unwrap_or_default()
}

/// A file's bytes, or its first ones.
pub(crate) async fn read(file: &File, first: Option<u32>) -> Option<js_sys::Uint8Array> {
    let blob: Blob = match first {
        Some(first) => file.slice_with_f64_and_f64(0.0, f64::from(first)).ok()?,
        None => file.clone().unchecked_into(),
    };
    let buffer = JsFuture::from(blob.array_buffer()).await.ok()?;
    Some(js_sys::Uint8Array::new(&buffer))
}

/// Gives an element the focus where the one that had it is gone, once what was changed is drawn.
pub(crate) fn keep_focus(selector: &'static str) {
    request_animation_frame(move || {
        if document().active_element().is_none_or(|element| element.tag_name() == "BODY") {
            focus_soon(selector);
        }
    });
}

/// Gives an element the focus, once what was changed is drawn.
pub(crate) fn focus_soon(selector: &str) {
    let selector = selector.to_owned();
    request_animation_frame(move || {
        let element = document().query_selector(&selector).ok().flatten();
        if let Some(element) = element.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = element.focus();
        }
    });
}
