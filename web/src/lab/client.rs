//! Messages to the worker and back (`engram_core::protocol`). One worker at a time; a new one after it was lost.

use engram_core::Kind;
use engram_core::protocol::{self, Command, Event, Failure, Message, PROTOCOL, Request};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use js_sys::{Array, Object, Reflect, Uint8Array};
use leptos::prelude::set_timeout;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{ErrorEvent, File, MessageEvent, Worker, WorkerOptions, WorkerType};

/// How long a failed device may take to say that it is lost.
const LOSS: Duration = Duration::from_millis(500);

/// An answer: what there is to tell, and the bytes beside it.
pub(crate) type Answer = (Event, Option<Uint8Array>);

/// A request under way.
pub(crate) struct Call {
    /// Its id, for [`Client::cancel`].
    pub(crate) id: u32,
    answers: UnboundedReceiver<Answer>,
    ended: bool,
}

impl Call {
    /// The next answer; `None` after the final one.
    pub(crate) async fn next(&mut self) -> Option<Answer> {
        if self.ended {
            return None;
        }
        let answer = self.answers.next().await;
        self.ended = answer.as_ref().is_none_or(|(news, _)| news.is_final());
        answer
    }

    /// The final answer, with what comes before it left out.
    ///
    /// # Errors
    /// When the request failed or was cancelled.
    pub(crate) async fn last(mut self) -> Result<Answer, Failure> {
        while let Some((news, bytes)) = self.next().await {
            match news {
                Event::Failed(failure) => return Err(failure),
                news if news.is_final() => return Ok((news, bytes)),
                _ => {}
            }
        }
        Err(gone("the engine ended before it had answered"))
    }
}

/// Bytes that travel with a request.
#[derive(Default)]
pub(crate) struct Attachments {
    /// Files of a model; they are not copied.
    pub(crate) files: Vec<File>,
    /// A facts file.
    pub(crate) bytes: Option<Uint8Array>,
}

/// What listens to the worker.
type Handlers = (Closure<dyn FnMut(MessageEvent)>, Closure<dyn FnMut(ErrorEvent)>);

#[derive(Default)]
struct Inner {
    worker: Option<Worker>,
    /// The worker can hear; what was sent before waits.
    ready: bool,
    waiting: Vec<JsValue>,
    calls: BTreeMap<u32, UnboundedSender<Answer>>,
    last: u32,
    /// What is done when the engine is gone.
    lost: Option<Rc<dyn Fn(Failure)>>,
    handlers: Option<Handlers>,
}

/// The page's end of the line. Cloning gives another handle of the same line.
#[derive(Clone, Default)]
pub(crate) struct Client(Rc<RefCell<Inner>>);

impl Client {
    /// What is done when the engine is gone (crash, lost device). Its requests have failed by then.
    pub(crate) fn on_lost(&self, lost: impl Fn(Failure) + 'static) {
        self.0.borrow_mut().lost = Some(Rc::new(lost));
    }

    /// Asks; starts the worker where none runs.
    pub(crate) fn ask(&self, ask: Command, baggage: Attachments) -> Call {
        let (sender, answers) = unbounded();
        let id = {
            let mut inner = self.0.borrow_mut();
            inner.last += 1;
            inner.last
        };
        let call = Call { id, answers, ended: false };
        let message = match protocol::to_json(&Request { id, ask }) {
            Ok(json) => packed(&json, baggage),
            Err(error) => {
                let _ = sender.unbounded_send((Event::Failed(Failure::from(&error)), None));
                return call;
            }
        };
        self.0.borrow_mut().calls.insert(id, sender);
        if let Err(failure) = self.start() {
            self.gone(failure);
            return call;
        }
        self.post(message);
        call
    }

    /// Asks the engine to stop a request.
    pub(crate) fn cancel(&self, request: u32) {
        let id = {
            let mut inner = self.0.borrow_mut();
            if !inner.calls.contains_key(&request) {
                return;
            }
            inner.last += 1;
            inner.last
        };
        if let Ok(json) = protocol::to_json(&Request { id, ask: Command::Cancel { request } }) {
            self.post(packed(&json, Attachments::default()));
        }
    }

    /// Ends the worker at once; the next request starts a new one.
    pub(crate) fn end(&self) {
        self.gone(gone("the engine was stopped"));
    }

    fn post(&self, message: JsValue) {
        let mut inner = self.0.borrow_mut();
        match (&inner.worker, inner.ready) {
            (Some(worker), true) => {
                let _ = worker.post_message(&message);
            }
            _ => inner.waiting.push(message),
        }
    }

    fn start(&self) -> Result<(), Failure> {
        if self.0.borrow().worker.is_some() {
            return Ok(());
        }
        let failed = |_| gone("the browser did not start the engine's worker");
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(&address(), &options).map_err(failed)?;
        let line = self.clone();
        let heard = Closure::new(move |event: MessageEvent| line.hear(&event.data()));
        let line = self.clone();
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
        let mut inner = self.0.borrow_mut();
        inner.worker = Some(worker);
        inner.handlers = Some((heard, broken));
        Ok(())
    }

    fn hear(&self, data: &JsValue) {
        let json = Reflect::get(data, &"json".into()).ok().and_then(|json| json.as_string()).unwrap_or_default();
        let bytes = Reflect::get(data, &"bytes".into()).ok().and_then(|bytes| bytes.dyn_into::<Uint8Array>().ok());
        let event: Message = match protocol::from_json(&json) {
            Ok(event) => event,
            Err(error) => return self.gone(Failure::from(&error)),
        };
        match event.news {
            Event::Hello { protocol, .. } if event.id == 0 && protocol != PROTOCOL => {
                self.gone(gone("page and engine are of different versions"));
            }
            Event::Hello { .. } if event.id == 0 => {
                let mut inner = self.0.borrow_mut();
                inner.ready = true;
                let waiting = std::mem::take(&mut inner.waiting);
                if let Some(worker) = &inner.worker {
                    for message in waiting {
                        let _ = worker.post_message(&message);
                    }
                }
            }
            Event::Fatal(failure) => self.gone(failure),
            // When a GPU is lost, the request may hear of it before the engine does: a lost engine is another failure.
            Event::Failed(failure) if failure.kind == Kind::Device.name() => {
                let line = self.clone();
                set_timeout(move || line.deliver(event.id, Event::Failed(failure), bytes), LOSS);
            }
            news => self.deliver(event.id, news, bytes),
        }
    }

    fn deliver(&self, id: u32, news: Event, bytes: Option<Uint8Array>) {
        let mut inner = self.0.borrow_mut();
        let sender = match news.is_final() {
            true => inner.calls.remove(&id),
            false => inner.calls.get(&id).cloned(),
        };
        drop(inner);
        if let Some(sender) = sender {
            let _ = sender.unbounded_send((news, bytes));
        }
    }

    /// The worker is no more: its requests fail, and whoever wants to know is told.
    fn gone(&self, failure: Failure) {
        let mut inner = self.0.borrow_mut();
        let last = inner.last;
        let old = std::mem::take(&mut *inner);
        *inner = Inner { last, lost: old.lost.clone(), ..Inner::default() };
        drop(inner);
        if let Some(worker) = &old.worker {
            worker.set_onmessage(None);
            worker.set_onerror(None);
            worker.terminate();
        }
        for sender in old.calls.values() {
            let _ = sender.unbounded_send((Event::Failed(failure.clone()), None));
        }
        if let Some(lost) = old.lost {
            lost(failure);
        }
        // The closures may be running: they are dropped when nothing is.
        let handlers = old.handlers;
        wasm_bindgen_futures::spawn_local(async move { drop(handlers) });
    }
}

/// The worker's script, from index.html: the build gives it its name.
fn address() -> String {
    let document = web_sys::window().and_then(|window| window.document());
    let meta = document.and_then(|document| document.query_selector("meta[name=engram-worker]").ok().flatten());
    meta.and_then(|meta| meta.get_attribute("content")).unwrap_or_else(|| "./engram-worker_loader.js".into())
}

fn packed(json: &str, baggage: Attachments) -> JsValue {
    let message = Object::new();
    let set = |name: &str, value: &JsValue| {
        let _ = Reflect::set(&message, &name.into(), value);
    };
    set("json", &json.into());
    if !baggage.files.is_empty() {
        set("files", &baggage.files.iter().collect::<Array>());
    }
    if let Some(bytes) = baggage.bytes {
        set("bytes", &bytes);
    }
    message.into()
}

fn gone(message: &str) -> Failure {
    let hint = "reload the page; a study goes on where it was".to_owned();
    Failure { kind: "crash".into(), message: message.into(), hint: Some(hint) }
}
