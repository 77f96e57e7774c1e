//! Small things that only the browser has: its storage, the clipboard, its name, whether it has WebGPU at all.

use js_sys::Reflect;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, HtmlAnchorElement, Storage, Url, Window};

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

/// Copies a text; `done` hears whether the browser did it.
pub(crate) fn copy(text: String, done: impl FnOnce(bool) + 'static) {
    // Pages that are not secure have no clipboard, though the binding's type says that all have.
    let navigator = window().map(|window| window.navigator());
    let has = |navigator: &web_sys::Navigator| {
        Reflect::get(navigator, &"clipboard".into()).is_ok_and(|clipboard| !clipboard.is_undefined())
    };
    let Some(navigator) = navigator.filter(has) else { return done(false) };
    let written = navigator.clipboard().write_text(&text);
    spawn_local(async move { done(JsFuture::from(written).await.is_ok()) });
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

/// Offers bytes as a file to save.
pub(crate) fn save(name: &str, bytes: &[u8]) {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let Ok(blob) = Blob::new_with_u8_array_sequence(&parts) else { return };
    let Ok(url) = Url::create_object_url_with_blob(&blob) else { return };
    let document = window().and_then(|window| window.document());
    let anchor = document.and_then(|document| document.create_element("a").ok());
    if let Some(anchor) = anchor.and_then(|anchor| anchor.dyn_into::<HtmlAnchorElement>().ok()) {
        anchor.set_href(&url);
        anchor.set_download(name);
        anchor.click();
    }
    // A large file is read from the address for a while after the click.
    let forget = move || {
        let _ = Url::revoke_object_url(&url);
    };
    leptos::prelude::set_timeout(forget, std::time::Duration::from_secs(60));
}
