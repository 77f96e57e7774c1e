//! Requests to an engine and its answers (`engram_core::protocol`), over one line at a time: to a worker of this tab, or to the
//! computer that serves the page. A new line is opened after one was lost.

mod socket;
mod worker;

use super::place::Place;
use engram_core::protocol::{self, Command, Event, Failure, FailureKind, Message, PROTOCOL, Request};
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use js_sys::Uint8Array;
use leptos::prelude::set_timeout;
use socket::SocketLine;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use web_sys::File;
use worker::WorkerLine;

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

/// What carries messages.
enum Line {
    Worker(WorkerLine),
    Socket(SocketLine),
}

#[derive(Default)]
struct Inner {
    line: Option<Line>,
    /// The worker can hear; what was sent before waits.
    ready: bool,
    waiting: Vec<(String, Attachments)>,
    calls: BTreeMap<u32, UnboundedSender<Answer>>,
    last: u32,
    /// What is done when the engine is gone.
    lost: Option<Rc<dyn Fn(Failure)>>,
    /// What is done when the line is cut, and when it stands again.
    cut: Option<Rc<dyn Fn(bool)>>,
}

/// The page's end of the line. Cloning gives another handle of the same line.
#[derive(Clone, Default)]
pub(crate) struct Client(Rc<RefCell<Inner>>);

impl Client {
    /// What is done when the engine is gone (crash, lost device). Its requests have failed by then.
    pub(crate) fn on_lost(&self, lost: impl Fn(Failure) + 'static) {
        self.0.borrow_mut().lost = Some(Rc::new(lost));
    }

    /// What is done when the line is cut (`true`), and when it stands again. A worker's never is.
    pub(crate) fn on_cut(&self, cut: impl Fn(bool) + 'static) {
        self.0.borrow_mut().cut = Some(Rc::new(cut));
    }

    fn cut(&self, is: bool) {
        let cut = self.0.borrow().cut.clone();
        if let Some(cut) = cut {
            cut(is);
        }
    }

    /// Asks; starts an engine where none runs, or calls the one of this computer.
    pub(crate) fn ask(&self, place: Place, ask: Command, baggage: Attachments) -> Call {
        let (sender, answers) = unbounded();
        let id = {
            let mut inner = self.0.borrow_mut();
            inner.last += 1;
            inner.last
        };
        let call = Call { id, answers, ended: false };
        let json = match protocol::to_json(&Request { id, ask }) {
            Ok(json) => json,
            Err(error) => {
                let _ = sender.unbounded_send((Event::Failed(Failure::from(&error)), None));
                return call;
            }
        };
        self.0.borrow_mut().calls.insert(id, sender);
        if let Err(failure) = self.start(place) {
            self.gone(failure);
            return call;
        }
        self.send(id, json, baggage);
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
            self.send(id, json, Attachments::default());
        }
    }

    /// Ends the engine's work for this page at once; the next request begins anew.
    pub(crate) fn end(&self) {
        let running: Vec<u32> = self.0.borrow().calls.keys().copied().collect();
        running.into_iter().for_each(|id| self.cancel(id));
        self.gone(gone("the engine was stopped"));
    }

    fn send(&self, id: u32, json: String, beside: Attachments) {
        let mut inner = self.0.borrow_mut();
        match (&inner.line, inner.ready) {
            (Some(Line::Socket(line)), _) => line.send(id, &json, &beside),
            (Some(Line::Worker(line)), true) => line.send(&json, &beside),
            _ => inner.waiting.push((json, beside)),
        }
    }

    fn start(&self, place: Place) -> Result<(), Failure> {
        if self.0.borrow().line.is_some() {
            return Ok(());
        }
        let line = match place {
            Place::Tab => Line::Worker(WorkerLine::start(self)?),
            Place::Computer => Line::Socket(SocketLine::start(self)?),
        };
        self.0.borrow_mut().line = Some(line);
        Ok(())
    }

    /// A message of the engine.
    fn hear(&self, json: &str, bytes: Option<Uint8Array>) {
        let beside = || bytes.as_ref().map(Uint8Array::to_vec).unwrap_or_default();
        let event = match Message::opened(json, beside) {
            Ok(event) => event,
            Err(error) => return self.gone(Failure::from(&error)),
        };
        if let Some(Line::Socket(line)) = &self.0.borrow().line {
            line.heard(event.id);
        }
        match event.news {
            Event::Hello { protocol, .. } if event.id == 0 && protocol != PROTOCOL => {
                self.gone(gone("page and engine are of different versions"));
            }
            Event::Hello { .. } if event.id == 0 => {
                let mut inner = self.0.borrow_mut();
                inner.ready = true;
                let waiting = std::mem::take(&mut inner.waiting);
                if let Some(Line::Worker(line)) = &inner.line {
                    for (json, beside) in waiting {
                        line.send(&json, &beside);
                    }
                }
            }
            Event::Fatal(failure) => self.gone(failure),
            // When a GPU is lost, the request may hear of it before the engine does: a lost engine is another failure.
            Event::Failed(failure) if failure.kind == FailureKind::Device => {
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

    /// The engine is no more: its requests fail, and whoever wants to know is told.
    fn gone(&self, failure: Failure) {
        let mut inner = self.0.borrow_mut();
        let last = inner.last;
        let old = std::mem::take(&mut *inner);
        *inner = Inner { last, lost: old.lost.clone(), cut: old.cut.clone(), ..Inner::default() };
        drop(inner);
        match &old.line {
            Some(Line::Worker(line)) => line.end(),
            Some(Line::Socket(line)) => line.end(),
            None => {}
        }
        for sender in old.calls.values() {
            let _ = sender.unbounded_send((Event::Failed(failure.clone()), None));
        }
        self.cut(false);
        if let Some(lost) = old.lost {
            lost(failure);
        }
        // Its closures may be running: they are dropped when nothing is.
        let line = old.line;
        wasm_bindgen_futures::spawn_local(async move { drop(line) });
    }
}

fn gone(message: &str) -> Failure {
    let hint = "reload the page; a study goes on where it was".to_owned();
    Failure { kind: FailureKind::Crash, message: message.into(), hint: Some(hint) }
}
