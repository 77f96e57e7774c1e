//! The line to the engine of the computer that serves the page. A cut line is taken up again, and nothing is lost: messages are
//! numbered, and requests that did not arrive are sent again.

use super::{Attachments, Client};
use crate::lab::engine::now;
use crate::lab::place;
use engram_core::protocol::frame::{Join, Joined, Kind, SUBPROTOCOL, TOKEN, WRONG_TOKEN, pack, unpack};
use engram_core::protocol::{Failure, FailureKind, PROTOCOL, from_json, to_json};
use js_sys::{Array, ArrayBuffer, Uint8Array};
use leptos::prelude::set_timeout;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

/// Between two attempts to take up a cut line, in milliseconds, and how long they go on.
const PAUSES: [u64; 4] = [250, 500, 1000, 2000];
const PATIENCE: f64 = 60_000.0;

/// What listens to a socket.
type Handlers = (Closure<dyn FnMut(Event)>, Closure<dyn FnMut(MessageEvent)>, Closure<dyn FnMut(CloseEvent)>);

/// A request that is not known to have arrived.
struct Unheard {
    id: u32,
    json: String,
    bytes: Option<Uint8Array>,
}

#[derive(Default)]
struct Inner {
    socket: RefCell<Option<(WebSocket, Handlers)>>,
    session: RefCell<Option<String>>,
    /// The last message that came.
    seen: Cell<u64>,
    joined: Cell<bool>,
    unheard: RefCell<VecDeque<Unheard>>,
    /// Since when it is cut, and how often it was tried since.
    cut: Cell<Option<f64>>,
    tries: Cell<usize>,
    ended: Cell<bool>,
}

/// The line. A handle: copies are the same.
#[derive(Clone)]
pub(super) struct SocketLine {
    client: Client,
    inner: Rc<Inner>,
}

impl SocketLine {
    /// Opens one.
    pub(super) fn start(client: &Client) -> Result<Self, Failure> {
        let line = Self { client: client.clone(), inner: Rc::default() };
        line.open()?;
        Ok(line)
    }

    fn open(&self) -> Result<(), Failure> {
        let offered: Array = [SUBPROTOCOL.to_owned(), format!("{TOKEN}{}", place::token().unwrap_or_default())]
            .iter()
            .map(|name| JsValue::from_str(name))
            .collect();
        let address = place::socket().ok_or_else(unreachable)?;
        let socket = WebSocket::new_with_str_sequence(&address, &offered).map_err(|_| unreachable())?;
        // Blobs are read later than they come, in any order.
        socket.set_binary_type(BinaryType::Arraybuffer);
        let line = self.clone();
        let opened = Closure::new(move |_: Event| line.join());
        let line = self.clone();
        let heard = Closure::new(move |event: MessageEvent| {
            if let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() {
                line.hear(&Uint8Array::new(&buffer).to_vec());
            }
        });
        let line = self.clone();
        let closed = Closure::new(move |event: CloseEvent| line.closed(event.code()));
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        let old = self.inner.socket.replace(Some((socket, (opened, heard, closed))));
        // One of its handlers may be running.
        wasm_bindgen_futures::spawn_local(async move { drop(old) });
        Ok(())
    }

    fn frame(&self, kind: Kind, number: u64, head: &str, bytes: &[u8]) {
        if let Some((socket, _)) = &*self.inner.socket.borrow() {
            // On one that closes it says nothing; whatever was not heard is sent again.
            let _ = socket.send_with_u8_array(&pack(kind, number, head, bytes));
        }
    }

    fn join(&self) {
        let join = Join { session: self.inner.session.borrow().clone() };
        self.frame(Kind::Join, self.inner.seen.get(), &to_json(&join).unwrap_or_default(), b"");
    }

    fn hear(&self, frame: &[u8]) {
        let heard = unpack(frame).and_then(|frame| match frame.kind {
            Kind::Joined => {
                self.joined(from_json(frame.head)?);
                Ok(())
            }
            Kind::Message => {
                self.inner.seen.set(frame.number);
                self.frame(Kind::Seen, frame.number, "", b"");
                let bytes = (!frame.bytes.is_empty()).then(|| Uint8Array::from(frame.bytes));
                self.client.hear(frame.head, bytes);
                Ok(())
            }
            Kind::Join | Kind::Request | Kind::Seen => Ok(()),
        });
        if let Err(error) = heard {
            self.client.gone(Failure::from(&error));
        }
    }

    fn joined(&self, Joined { protocol, session, resumed, asked }: Joined) {
        let inner = &self.inner;
        if protocol != PROTOCOL {
            return self.client.gone(super::gone("page and engine are of different versions"));
        }
        let before = inner.session.replace(Some(session));
        if before.is_some() && !resumed {
            // The program was started again, or the page was away for too long.
            return self.client.gone(restarted());
        }
        inner.cut.set(None);
        inner.tries.set(0);
        inner.joined.set(true);
        self.client.cut(false);
        inner.unheard.borrow_mut().retain(|request| request.id > asked);
        for request in &*inner.unheard.borrow() {
            self.request(request);
        }
    }

    fn request(&self, Unheard { id, json, bytes }: &Unheard) {
        let bytes = bytes.as_ref().map(Uint8Array::to_vec).unwrap_or_default();
        self.frame(Kind::Request, u64::from(*id), json, &bytes);
    }

    /// Sends a request, now or when the line stands.
    pub(super) fn send(&self, id: u32, json: &str, beside: &Attachments) {
        let request = Unheard { id, json: json.to_owned(), bytes: beside.bytes.clone() };
        if self.inner.joined.get() {
            self.request(&request);
        }
        self.inner.unheard.borrow_mut().push_back(request);
    }

    /// An answer to a request came: it has arrived, and so have those before it.
    pub(super) fn heard(&self, id: u32) {
        let mut unheard = self.inner.unheard.borrow_mut();
        while unheard.front().is_some_and(|request| request.id <= id) {
            unheard.pop_front();
        }
    }

    fn closed(&self, code: u16) {
        let inner = &self.inner;
        inner.joined.set(false);
        if inner.ended.get() {
            return;
        }
        if code == WRONG_TOKEN {
            return self.client.gone(unknown());
        }
        let since = inner.cut.get().unwrap_or_else(now);
        inner.cut.set(Some(since));
        let never = inner.session.borrow().is_none();
        if now() - since > PATIENCE || (never && inner.tries.get() >= PAUSES.len()) {
            return self.client.gone(unreachable());
        }
        self.client.cut(!never);
        let pause = PAUSES[inner.tries.get().min(PAUSES.len() - 1)];
        inner.tries.set(inner.tries.get() + 1);
        let line = self.clone();
        let again = move || {
            if !line.inner.ended.get()
                && let Err(failure) = line.open()
            {
                line.client.gone(failure);
            }
        };
        set_timeout(again, Duration::from_millis(pause));
    }

    /// Lets go of the engine; what this page asked it is cancelled there in time.
    pub(super) fn end(&self) {
        self.inner.ended.set(true);
        if let Some((socket, handlers)) = self.inner.socket.take() {
            socket.set_onopen(None);
            socket.set_onmessage(None);
            socket.set_onclose(None);
            let _ = socket.close();
            wasm_bindgen_futures::spawn_local(async move { drop(handlers) });
        }
    }
}

fn failure(message: &str, hint: &str) -> Failure {
    Failure { kind: FailureKind::Io, message: message.into(), hint: Some(hint.into()) }
}

fn unreachable() -> Failure {
    let hint =
        "is `engram lab` still running? Start it again and reload the page, or compute in this tab (Models, Device)";
    failure("this computer's engine cannot be reached", hint)
}

fn unknown() -> Failure {
    let hint = "open the link that `engram lab` has printed, or compute in this tab (Models, Device)";
    failure("this computer's engine does not know this page", hint)
}

fn restarted() -> Failure {
    failure("this computer's engine was started again", "load the model again; a study goes on where it was")
}
