//! Small helpers for values of JavaScript.

use engram_core::{Error, Result};
use js_sys::{Function, Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::DedicatedWorkerGlobalScope;

/// The worker's global object.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// A property, `undefined` where there is none.
pub(crate) fn get(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// A number that is a property.
pub(crate) fn number(value: &JsValue, name: &str) -> Option<f64> {
    get(value, name).as_f64()
}

/// Calls a method and awaits its promise.
pub(crate) async fn call(value: &JsValue, method: &str, arguments: &js_sys::Array) -> Result<JsValue, JsValue> {
    let function: Function = get(value, method).dyn_into()?;
    let promise = Reflect::apply(&function, value, arguments)?;
    JsFuture::from(Promise::resolve(&promise)).await
}

/// What a thrown value says.
pub(crate) fn said(error: &JsValue) -> String {
    let message = get(error, "message").as_string();
    message.or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}"))
}

/// Its kind (`QuotaExceededError` and so on).
pub(crate) fn kind(error: &JsValue) -> String {
    get(error, "name").as_string().unwrap_or_default()
}

/// A thrown value as a failure of storage or network.
pub(crate) fn io(what: &str, error: &JsValue) -> Error {
    let text = format!("{what}: {}", said(error));
    match kind(error).as_str() {
        "QuotaExceededError" => Error::io(format!("{what}: the browser's storage is full"))
            .hint("delete models that are kept in the Models tab, or free disk space"),
        "NoModificationAllowedError" => {
            Error::io(format!("{what}: another tab is using it")).hint("close the other tab, or wait for it")
        }
        _ => Error::io(text),
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> f64 {
    js_sys::Date::now()
}
