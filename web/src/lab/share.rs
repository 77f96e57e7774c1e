//! Taking something along: a link to the view, or a file.

use crate::components::{act, part};
use js_sys::{Array, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, Url};

/// A button that puts the page's address on the clipboard; where the browser allows none, it shows the address.
#[component]
pub(crate) fn CopyLink() -> impl IntoView {
    let said = RwSignal::new(None::<String>);
    let copy = move |_| {
        spawn_local(async move {
            let address = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
            let copied = to_clipboard(&address).await;
            said.set(Some(if copied { "The link is on the clipboard.".to_owned() } else { address }));
        });
    };
    view! {
        <button on:click=act(copy)>"Copy link"</button>
        <span class="faint address" role="status">
            {part(move || said.get())}
        </span>
    }
}

async fn to_clipboard(text: &str) -> bool {
    let Some(window) = web_sys::window() else { return false };
    let navigator = window.navigator();
    // Pages that are not served securely have no clipboard.
    let clipboard = Reflect::get(&navigator, &"clipboard".into()).ok();
    if clipboard.is_none_or(|clipboard| !clipboard.is_object()) {
        return false;
    }
    JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Saves bytes under a name; false when the browser refuses.
pub(crate) fn save(name: &str, bytes: &js_sys::Uint8Array) -> bool {
    let kind = BlobPropertyBag::new();
    kind.set_type("application/octet-stream");
    let parts = Array::of1(bytes);
    let Ok(blob) = Blob::new_with_u8_array_sequence_and_options(&parts, &kind) else { return false };
    let Ok(address) = Url::create_object_url_with_blob(&blob) else { return false };
    let link = document().create_element("a").ok().and_then(|link| link.dyn_into::<HtmlAnchorElement>().ok());
    if let Some(link) = &link {
        link.set_href(&address);
        link.set_download(name);
        link.click();
    }
    // The download has taken hold of the blob by then.
    set_timeout(
        move || {
            let _ = Url::revoke_object_url(&address);
        },
        std::time::Duration::from_secs(60),
    );
    link.is_some()
}
