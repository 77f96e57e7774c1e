//! What a reader takes along: files, pictures, links. Everything is made here; nothing is sent anywhere.

use crate::figures::plate::{self, Piece};
use js_sys::{Array, Reflect, Uint8Array};
use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobPropertyBag, Element, HtmlAnchorElement, HtmlCanvasElement, HtmlImageElement, Url};

/// How many pixels of a saved picture one of the page has.
const SHARP: f64 = 2.0;

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

/// The figure within an element as one picture.
pub(crate) fn svg(element: &Element, title: &str) -> Option<String> {
    let serializer = web_sys::XmlSerializer::new().ok()?;
    let found = element.query_selector_all("figcaption, svg").ok()?;
    let (mut pieces, mut caption) = (Vec::new(), String::new());
    for place in 0..found.length() {
        let Some(element) = found.item(place).and_then(|node| node.dyn_into::<Element>().ok()) else { continue };
        if element.tag_name().eq_ignore_ascii_case("figcaption") {
            caption = element.text_content().unwrap_or_default();
            continue;
        }
        let length =
            |name: &str| Some(js_sys::parse_float(&element.get_attribute(name)?)).filter(|length| *length > 0.0);
        let Some(size) = length("width").zip(length("height")) else { continue };
        let item = element.parent_element().filter(|parent| parent.tag_name().eq_ignore_ascii_case("li"));
        pieces.push(Piece {
            caption: std::mem::take(&mut caption),
            label: item.and_then(|item| item.text_content()).unwrap_or_default(),
            svg: serializer.serialize_to_string(&element).ok()?,
            size,
        });
    }
    plate::picture(title, &pieces)
}

/// Draws an SVG text as a PNG file to save; `done` hears whether it went well. `None` in a browser without canvases.
pub(crate) fn png(name: String, svg: &str, done: impl Fn(bool) + 'static) -> Option<()> {
    let properties = BlobPropertyBag::new();
    properties.set_type("image/svg+xml");
    let blob = Blob::new_with_str_sequence_and_options(&Array::of1(&svg.into()), &properties).ok()?;
    let address = Url::create_object_url_with_blob(&blob).ok()?;
    let image = HtmlImageElement::new().ok()?;
    image.set_src(&address);
    let decoded = image.decode();
    spawn_local(async move {
        let drawn = match JsFuture::from(decoded).await {
            Ok(_) => on_canvas(&image),
            Err(_) => None,
        };
        let _ = Url::revoke_object_url(&address);
        let Some(canvas) = drawn else { return done(false) };
        let save = Closure::once_into_js(move |blob: JsValue| {
            let blob = blob.dyn_into::<Blob>();
            done(blob.is_ok_and(|blob| save_blob(&name, &blob)));
        });
        // A canvas that is too large gives no picture, which the callback hears.
        let _ = canvas.to_blob(save.unchecked_ref());
    });
    Some(())
}

fn on_canvas(image: &HtmlImageElement) -> Option<HtmlCanvasElement> {
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    let (width, height) = (f64::from(image.natural_width()) * SHARP, f64::from(image.natural_height()) * SHARP);
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.draw_image_with_html_image_element_and_dw_and_dh(image, 0.0, 0.0, width, height).ok()?;
    Some(canvas)
}
