//! Figures as pictures: SVG from what is drawn, PNG by way of a canvas.

use super::save_blob;
use crate::figures::plate::{self, Piece};
use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, BlobPropertyBag, Element, HtmlCanvasElement, HtmlImageElement, Url};

/// How many pixels of a saved picture one of the page has.
const SHARP: f64 = 2.0;

/// The figure within an element as one picture.
pub(crate) fn svg(element: &Element, title: &str) -> Option<String> {
    let serializer = web_sys::XmlSerializer::new().ok()?;
    let found = element.query_selector_all("h3, figcaption, svg").ok()?;
    let (mut pieces, mut heading, mut caption) = (Vec::new(), String::new(), String::new());
    for place in 0..found.length() {
        let Some(element) = found.item(place).and_then(|node| node.dyn_into::<Element>().ok()) else { continue };
        match element.tag_name().to_ascii_lowercase().as_str() {
            "h3" => {
                heading = element.text_content().unwrap_or_default();
                continue;
            }
            "figcaption" => {
                caption = element.text_content().unwrap_or_default();
                continue;
            }
            _ => {}
        }
        let length =
            |name: &str| Some(js_sys::parse_float(&element.get_attribute(name)?)).filter(|length| *length > 0.0);
        let Some(size) = length("width").zip(length("height")) else { continue };
        let item = element.parent_element().filter(|parent| parent.tag_name().eq_ignore_ascii_case("li"));
        pieces.push(Piece {
            heading: std::mem::take(&mut heading),
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
