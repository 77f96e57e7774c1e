//! The line to a worker of this tab.

use super::{Attachments, Client, gone};
use engram_core::protocol::Failure;
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, MessageEvent, Worker, WorkerOptions, WorkerType};

/// What listens to it.
type Handlers = (Closure<dyn FnMut(MessageEvent)>, Closure<dyn FnMut(ErrorEvent)>);

/// A worker.
pub(super) struct WorkerLine {
    worker: Worker,
    _handlers: Handlers,
}

impl WorkerLine {
    /// Starts a worker.
    pub(super) fn start(client: &Client) -> Result<Self, Failure> {
        let failed = |_| gone("the browser did not start the engine's worker");
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&address(), &options).map_err(failed)?;
        let line = client.clone();
        let heard = Closure::new(move |event: MessageEvent| {
            let data = event.data();
            let json = Reflect::get(&data, &"json".into()).ok().and_then(|json| json.as_string()).unwrap_or_default();
            let bytes = Reflect::get(&data, &"bytes".into()).ok().and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok());
            line.hear(&json, bytes);
        });
        let line = client.clone();
        let broken = Closure::new(move |event: ErrorEvent| {
            event.prevent_default();
            let why = match event.message() {
                text if text.is_empty() => "its files could not be loaded".to_owned(),
                text => text,
            };
            line.gone(gone(&format!("the engine's worker has crashed: {why}")));
        });
        worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        worker.set_onerror(Some(broken.as_ref().unchecked_ref()));
        Ok(Self { worker, _handlers: (heard, broken) })
    }

    /// Sends a request.
    pub(super) fn send(&self, json: &str, beside: &Attachments) {
        let message = Object::new();
        let set = |name: &str, value: &JsValue| {
            let _ = Reflect::set(&message, &name.into(), value);
        };
        set("json", &json.into());
        if !beside.files.is_empty() {
            set("files", &beside.files.iter().collect::<Array>());
        }
        if let Some(bytes) = &beside.bytes {
            set("bytes", bytes);
        }
        let _ = self.worker.post_message(&message);
    }

    /// Ends it, and whatever it computes.
    pub(super) fn end(&self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

/// The worker's script, from index.html: the build gives it its name.
fn address() -> String {
    let document = web_sys::window().and_then(|window| window.document());
    let meta = document.and_then(|document| document.query_selector("meta[name=engram-worker]").ok().flatten());
    meta.and_then(|meta| meta.get_attribute("content")).unwrap_or_else(|| "./engram-worker_loader.js".into())
}
