//! What a reader takes along: files, pictures, links. Everything is made here; nothing is sent anywhere.

#[cfg(any(feature = "viewer", feature = "print"))]
mod picture;

#[cfg(any(feature = "viewer", feature = "print"))]
pub(crate) use picture::{png, svg};

use js_sys::{Array, Reflect, Uint8Array};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// Offers bytes as a file to save; false when the browser refuses.
pub(crate) fn save(name: &str, kind: &str, bytes: &[u8]) -> bool {
    save_part(name, kind, &Uint8Array::from(bytes))
}

/// [`save`] of something that the browser holds: bytes, or a text, which becomes UTF-8.
pub(crate) fn save_part(name: &str, kind: &str, part: &JsValue) -> bool {
    let properties = BlobPropertyBag::new();
    properties.set_type(kind);
    // The binding has a name for each kind of part; the browser does not.
    let blob = Blob::new_with_u8_array_sequence_and_options(&Array::of1(part), &properties);
    blob.is_ok_and(|blob| save_blob(name, &blob))
}

fn save_blob(name: &str, blob: &Blob) -> bool {
    let Ok(address) = Url::create_object_url_with_blob(blob) else { return false };
    let link = document().create_element("a").ok().and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok());
    if let Some(link) = &link {
        link.set_href(&address);
        link.set_download(name);
        link.click();
    }
    // A large file is read from the address for a while after the click.
    let forget = move || {
        let _ = Url::revoke_object_url(&address);
    };
    set_timeout(forget, Duration::from_secs(60));
    link.is_some()
}

/// Copies a text; `done` hears whether the browser did it.
pub(crate) fn copy(text: String, done: impl FnOnce(bool) + 'static) {
    // Pages that are not served securely have no clipboard, though the binding's type says that all have.
    let navigator = web_sys::window().map(|window| window.navigator());
    let has = |navigator: &web_sys::Navigator| {
        Reflect::get(navigator, &"clipboard".into()).is_ok_and(|clipboard| clipboard.is_object())
    };
    let Some(navigator) = navigator.filter(has) else { return done(false) };
    let written = navigator.clipboard().write_text(&text);
    spawn_local(async move { done(JsFuture::from(written).await.is_ok()) });
}
