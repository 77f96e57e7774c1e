//! The worker's two ends: messages in and out, and giving way to the browser's event loop.

use super::{js, log, queue};
use engram_core::pause::{self, Pause};
use engram_core::protocol::{self, Event, Failure, Message, PROTOCOL};
use engram_core::text::told;
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageEvent;

/// What a record says about the program that made it.
pub(crate) const PROGRAM: &str = concat!("engram ", env!("CARGO_PKG_VERSION"), " in a browser");

/// Milliseconds of work between two looks at the event loop: cancelling is felt at once, and resting costs little.
const WORK_MS: f64 = 40.0;

thread_local! {
    static RUNNING: Cell<u32> = const { Cell::new(0) };
    static CANCELLED: Cell<bool> = const { Cell::new(false) };
    static RESTED: Cell<f64> = const { Cell::new(0.0) };
    static CHANNEL: RefCell<Option<JsValue>> = const { RefCell::new(None) };
}

/// Starts listening, and says so.
pub(crate) fn start() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let text = info.to_string();
        let memory = text.to_lowercase().contains("memory");
        fatal(if memory { "memory" } else { "crash" }, &text);
    }));
    log::install();
    pause::install(Some(Rc::new(Resting)));
    engram_core::device::on_lost(|why| fatal("device", &format!("the graphics device was lost: {why}")));
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
        let data = event.data();
        let json = js::get(&data, "json").as_string().unwrap_or_default();
        match protocol::from_json(&json) {
            Ok(request) => queue::take(request, data),
            Err(error) => post(0, Event::Failed(Failure::from(&error)), None),
        }
    });
    js::scope().set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    post(0, Event::Hello { protocol: PROTOCOL, program: PROGRAM.into() }, None);
}

/// Sends an event, and bytes beside it (which are handed over, not copied).
pub(crate) fn post(id: u32, news: Event, bytes: Option<Uint8Array>) {
    let event = Message { id, news };
    let json = protocol::to_json(&event)
        .or_else(|error| protocol::to_json(&Message { id, news: Event::Failed(Failure::from(&error)) }));
    let message = Object::new();
    let set = |name: &str, value: &JsValue| {
        let _ = Reflect::set(&message, &name.into(), value);
    };
    set("json", &json.unwrap_or_default().into());
    let _ = match bytes {
        Some(bytes) => {
            set("bytes", &bytes);
            js::scope().post_message_with_transfer(&message, &Array::of1(&bytes.buffer()))
        }
        None => js::scope().post_message(&message),
    };
}

/// The engine cannot go on: the page has to start another.
fn fatal(kind: &str, message: &str) {
    let hint = match kind {
        "memory" => "take a smaller model, or close other tabs; a study goes on where it was",
        "device" => "the engine is started again, and a study goes on where it was",
        _ => "the engine is started again; what is finished is kept",
    };
    let failure = Failure { kind: kind.into(), message: told(message), hint: Some(hint.into()) };
    post(0, Event::Fatal(failure), None);
}

/// The request that runs from here on.
pub(crate) fn run(id: u32) {
    RUNNING.with(|running| running.set(id));
    CANCELLED.with(|cancelled| cancelled.set(false));
    RESTED.with(|rested| rested.set(js::now_ms()));
}

/// The request that runs; 0 for none.
pub(crate) fn running() -> u32 {
    RUNNING.with(Cell::get)
}

/// Cancels the request when it is the one that runs; tells whether it is.
pub(crate) fn cancel(id: u32) -> bool {
    let running = RUNNING.with(Cell::get) == id;
    if running {
        CANCELLED.with(|cancelled| cancelled.set(true));
    }
    running
}

/// Whether the request that runs was cancelled.
pub(crate) fn cancelled() -> bool {
    CANCELLED.with(Cell::get)
}

struct Resting;

impl Pause for Resting {
    fn cancelled(&self) -> bool {
        cancelled()
    }

    fn rest(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let worked = js::now_ms() - RESTED.with(Cell::get);
        (worked > WORK_MS).then(|| Box::pin(rest()) as _)
    }
}

/// Lets the event loop run once. By a message to ourselves: timers are held back, and microtasks let nobody in.
pub(crate) async fn rest() {
    let channel = CHANNEL.with(|slot| slot.borrow_mut().get_or_insert_with(channel).clone());
    let (one, two) = (js::get(&channel, "port1"), js::get(&channel, "port2"));
    let promise = Promise::new(&mut |resolve, _| {
        let _ = Reflect::set(&one, &"onmessage".into(), &resolve);
        if let Ok(post) = js::get(&two, "postMessage").dyn_into::<Function>() {
            let _ = post.call1(&two, &JsValue::NULL);
        }
    });
    let _ = JsFuture::from(promise).await;
    RESTED.with(|rested| rested.set(js::now_ms()));
}

fn channel() -> JsValue {
    let constructor = js::get(&js_sys::global(), "MessageChannel").dyn_into::<Function>();
    constructor.ok().and_then(|new| Reflect::construct(&new, &Array::new()).ok()).unwrap_or(JsValue::UNDEFINED)
}
