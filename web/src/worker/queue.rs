//! Requests one after the other; cancelling is heard in between.

use super::models::{self, Origin};
use super::{away, device, host, studies};
use engram_core::device::{Compute, complaint};
use engram_core::lab::Lab;
use engram_core::protocol::{Command, DeviceReport, Event, Failure, ModelRef, PROTOCOL, Request};
use engram_core::{Error, Result};
use js_sys::Uint8Array;
use std::cell::RefCell;
use std::collections::VecDeque;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

/// What the engine holds.
#[derive(Default)]
pub(crate) struct Engine {
    /// The device, once it is open.
    pub(crate) device: Option<(Compute, DeviceReport)>,
    /// The lab with its model, and where the model came from.
    pub(crate) lab: Option<(Lab, ModelRef)>,
}

impl Engine {
    /// The lab.
    ///
    /// # Errors
    /// When no model is loaded.
    pub(crate) fn lab(&mut self) -> Result<&mut Lab> {
        let none = || Error::input("no model is loaded").hint("load one first");
        self.lab.as_mut().map(|(lab, _)| lab).ok_or_else(none)
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(Request, JsValue)>,
    /// `None` while a request runs.
    engine: Option<Engine>,
    begun: bool,
}

thread_local! {
    static QUEUE: RefCell<Queue> = RefCell::default();
}

/// Takes a request; `message` holds what travels beside it.
pub(crate) fn take(request: Request, message: JsValue) {
    if let Command::Cancel { request } = request.ask {
        let waited = QUEUE.with(|queue| {
            let waiting = &mut queue.borrow_mut().waiting;
            let before = waiting.len();
            waiting.retain(|(other, _)| other.id != request);
            waiting.len() < before
        });
        if waited {
            host::post(request, Event::Failed(Failure::from(&Error::cancelled())), None);
        } else {
            host::cancel(request);
        }
        return;
    }
    let idle = QUEUE.with(|queue| {
        let mut queue = queue.borrow_mut();
        queue.waiting.push_back((request, message));
        !std::mem::replace(&mut queue.begun, true)
    });
    if idle {
        spawn_local(work());
    }
}

/// Answers what waits, until nothing does.
async fn work() {
    loop {
        let next = QUEUE.with(|queue| {
            let mut queue = queue.borrow_mut();
            let next = queue.waiting.pop_front();
            queue.begun = next.is_some();
            next.map(|(request, message)| (request, message, queue.engine.take().unwrap_or_default()))
        });
        let Some((request, message, mut engine)) = next else { return };
        let id = request.id;
        host::run(id);
        host::post(id, Event::Begun, None);
        let (news, bytes) = match answer(&mut engine, request, &message).await {
            Ok(answer) => answer,
            Err(error) => (Event::Failed(Failure::from(&error)), None),
        };
        // What was said after the last number was read; the engine has heard the rest.
        let news = match complaint() {
            Err(error) if !matches!(news, Event::Failed(_)) => Event::Failed(Failure::from(&error)),
            _ => news,
        };
        host::run(0);
        QUEUE.with(|queue| queue.borrow_mut().engine = Some(engine));
        host::post(id, news, bytes);
    }
}

async fn answer(engine: &mut Engine, request: Request, message: &JsValue) -> Result<(Event, Option<Uint8Array>)> {
    let id = request.id;
    let tell = |news: Event| host::post(id, news, None);
    let news = match request.ask {
        Command::Hello => Event::Hello { protocol: PROTOCOL, program: host::PROGRAM.into() },
        Command::Start { device } => Event::Device(device::start(engine, device).await?),
        Command::Preflight { model, precision } => {
            Event::Preflight(models::preflight(engine, &Origin::of(&model, message), precision).await?)
        }
        Command::Load { model, precision } => models::load(engine, &Origin::of(&model, message), precision).await?,
        ask @ (Command::Delta | Command::Adapter | Command::Script { .. }) => {
            let (file, bytes) = match ask {
                Command::Delta => away::delta(engine)?,
                Command::Script { question, site, position, layer } => {
                    away::script(engine, &question, (site, position, layer)).await?
                }
                _ => away::adapter(engine)?,
            };
            return Ok((file, Some(Uint8Array::from(bytes.as_slice()))));
        }
        Command::Study(study) => studies::run(engine, study, message, &tell).await?,
        Command::Studies => Event::Studies { studies: studies::list().await? },
        Command::OpenStudy { key } => studies::open(&key).await?,
        Command::DropStudy { key } => {
            studies::remove(&key).await?;
            Event::Studies { studies: studies::list().await? }
        }
        Command::Cache => models::cache::news().await?,
        Command::DropCached { key } => {
            models::cache::remove(key.as_deref()).await?;
            models::cache::news().await?
        }
        Command::Cancel { .. } => return Err(Error::cancelled()),
        ask => engine.lab()?.answer(&ask, &tell).await?,
    };
    Ok((news, None))
}
