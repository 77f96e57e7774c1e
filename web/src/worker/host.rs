//! The worker's two ends: messages in and out, and giving way to the browser's event loop.

use super::models::{self, cache};
use super::{device, js, log, moments, opfs, studies};
use engram_core::device::Compute;
use engram_core::facts::{FactFile, parse};
use engram_core::protocol::{
    self, Command, DeviceChoice, DeviceReport, Event, Failure, FailureKind, Message, ModelRef, PROTOCOL, Request,
};
use engram_core::second_moment::Store;
use engram_core::service::{Address, Engine, Host, Later, Meter, Opened, Queue, SeatId, Storage};
use engram_core::text::told;
use engram_core::{Error, Result};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::MessageEvent;

/// What a record says about the program that made it.
const PROGRAM: &str = concat!("engram ", env!("CARGO_PKG_VERSION"), " in a browser");

/// Milliseconds of work between two looks at the event loop: cancelling is felt at once, and resting costs little.
const WORK_MS: f64 = 40.0;

/// A worker has one page.
const PAGE: SeatId = SeatId(0);

/// Events that belong to no request.
const NOBODY: Address = Address { seat: PAGE, id: 0 };

thread_local! {
    static RESTED: Cell<f64> = const { Cell::new(0.0) };
    static CHANNEL: RefCell<Option<JsValue>> = const { RefCell::new(None) };
}

/// Starts listening, and says so.
pub(crate) fn start() {
    std::panic::set_hook(Box::new(|info| {
        console_error_panic_hook::hook(info);
        let text = info.to_string();
        // A library that panics has nothing but words.
        let memory = text.to_lowercase().contains("memory");
        fatal(if memory { FailureKind::Memory } else { FailureKind::Crash }, &text);
    }));
    log::install();
    engram_core::device::on_lost(|why| fatal(FailureKind::Device, &format!("the graphics device was lost: {why}")));
    // In a tab two models rarely fit: one is loaded when no study needs the other.
    let queue = Arc::new(Mutex::new(Queue::new(false)));
    let engine = Engine::new(Rc::new(Tab::default()), queue.clone());
    spawn_local(async move { engine.work().await });
    let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| hear(&queue, event.data()));
    js::scope().set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    post(NOBODY, Event::Hello { protocol: PROTOCOL, program: PROGRAM.into() }, None);
}

/// A message of the page.
fn hear(queue: &Mutex<Queue<JsValue>>, data: JsValue) {
    let json = js::get(&data, "json").as_string().unwrap_or_default();
    let Request { id, ask } = match protocol::from_json(&json) {
        Ok(request) => request,
        Err(error) => return post(NOBODY, Event::Failed(Failure::from(&error)), None),
    };
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    if let Command::Cancel { request } = ask {
        let to = Address { seat: PAGE, id: request };
        let waited = queue.cancel(to);
        drop(queue);
        if waited {
            post(to, Event::Failed(Failure::from(&Error::cancelled())), None);
        }
        return;
    }
    let wake = queue.push(PAGE, Request { id, ask }, data);
    drop(queue);
    wake.wake();
}

/// Sends an event, and bytes beside it (which are handed over, not copied).
fn post(to: Address, news: Event, bytes: Option<Vec<u8>>) {
    let id = to.id;
    let (json, bytes) = Message { id, news }.sealed(bytes);
    let message = Object::new();
    let set = |name: &str, value: &JsValue| {
        let _ = Reflect::set(&message, &name.into(), value);
    };
    set("json", &json.into());
    let _ = match bytes {
        Some(bytes) => {
            let bytes = Uint8Array::from(bytes.as_slice());
            set("bytes", &bytes);
            js::scope().post_message_with_transfer(&message, &Array::of1(&bytes.buffer()))
        }
        None => js::scope().post_message(&message),
    };
}

/// The engine cannot go on: the page has to start another.
fn fatal(kind: FailureKind, message: &str) {
    let hint = match kind {
        FailureKind::Memory => "take a smaller model, or close other tabs; a study goes on where it was",
        FailureKind::Device => "the engine is started again, and a study goes on where it was",
        _ => "the engine is started again; what is finished is kept",
    };
    let failure = Failure { kind, message: told(message), hint: Some(hint.into()) };
    post(NOBODY, Event::Fatal(failure), None);
}

/// A browser's tab.
#[derive(Default)]
struct Tab {
    studies: studies::Kept,
}

impl Host for Tab {
    type Beside = JsValue;
    type Studies = studies::Kept;

    fn program(&self) -> String {
        PROGRAM.into()
    }

    fn place(&self) -> &'static str {
        "this tab"
    }

    fn now_ms(&self) -> f64 {
        js::now_ms()
    }

    fn post(&self, to: Address, news: Event, bytes: Option<Vec<u8>>) {
        post(to, news, bytes);
    }

    fn rest(&self) -> Option<Later<'static, ()>> {
        let worked = js::now_ms() - RESTED.get();
        (worked > WORK_MS).then(|| Box::pin(rest()) as _)
    }

    fn bytes(&self, beside: &JsValue) -> Option<Vec<u8>> {
        js::get(beside, "bytes").dyn_into::<Uint8Array>().ok().map(|bytes| bytes.to_vec())
    }

    async fn device(&self, wish: DeviceChoice) -> Result<(Compute, DeviceReport)> {
        device::start(wish).await
    }

    async fn facts(&self) -> Result<FactFile> {
        let bytes = models::bundled::fetch("facts.json").await?;
        rest().await;
        parse("bundled facts", &bytes)
    }

    async fn open(&self, model: &ModelRef, beside: &JsValue, keep: bool, meter: &Rc<Meter>) -> Result<Opened> {
        models::open(model, beside, keep, meter).await
    }

    async fn storage(&self) -> Storage {
        let (used, quota) = opfs::usage().await;
        let left = quota.zip(used).map(|(quota, used)| quota.saturating_sub(used));
        Storage { left, keeps: opfs::folder(&["models"]).await.is_some() }
    }

    async fn models(&self) -> Result<Event> {
        cache::news().await
    }

    async fn forget(&self, key: Option<&str>) -> Result<()> {
        cache::remove(key).await
    }

    fn studies(&self) -> &studies::Kept {
        &self.studies
    }

    fn second_moments(&self) -> Option<Arc<dyn Store>> {
        Some(Arc::new(moments::Kept))
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
    RESTED.set(js::now_ms());
}

fn channel() -> JsValue {
    let constructor = js::get(&js_sys::global(), "MessageChannel").dyn_into::<Function>();
    constructor.ok().and_then(|new| Reflect::construct(&new, &Array::new()).ok()).unwrap_or(JsValue::UNDEFINED)
}
