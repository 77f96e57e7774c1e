//! What the page knows of its engine: device, model, edits, what runs, what went wrong.

use super::browser;
use super::client::{Answer, Attachments, Call, Client};
use super::place::{self, Place};
use crate::figures::partial::Partial;
use crate::figures::precision;
use crate::take;
use engram_core::protocol::frame::Offer;
use engram_core::protocol::{
    Command, DeviceChoice, DeviceReport, Edited, Event, Failure, FailureKind, Loaded, ModelRef, Phase,
};
use engram_core::record::Precision;
use leptos::prelude::*;
use leptos::task::spawn_local;
use send_wrapper::SendWrapper;
use web_sys::File;

/// Where the page keeps the precision.
const PRECISION: &str = "engram-precision";

/// Something that runs, for the status line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    /// Its request, to cancel it.
    pub(crate) id: u32,
    /// What it does, in words.
    pub(crate) what: String,
    /// It loads a model.
    pub(crate) loads: bool,
    /// When it began (`performance.now`, in milliseconds).
    pub(crate) since: f64,
}

/// The engine as the page sees it. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    client: StoredValue<SendWrapper<Client>>,
    /// The device, once it is open.
    pub(crate) device: RwSignal<Option<DeviceReport>>,
    /// Which device is wanted.
    pub(crate) wish: RwSignal<DeviceChoice>,
    /// What a GPU shall hold matrices in; without one what suits the model. It is kept for the next visit.
    pub(crate) precision: RwSignal<Option<Precision>>,
    /// The loaded model.
    pub(crate) model: RwSignal<Option<Loaded>>,
    /// The model that is being loaded, and how far it is.
    pub(crate) loading: RwSignal<Option<(ModelRef, Option<Phase>)>>,
    /// Edits in force, oldest first.
    pub(crate) edits: RwSignal<Vec<Edited>>,
    /// Which edits the last undo has left, and whether the weights are bit for bit the loaded ones without them.
    pub(crate) undone: RwSignal<Option<(Vec<u32>, bool)>>,
    /// What runs.
    pub(crate) jobs: RwSignal<Vec<Job>>,
    /// What went wrong, until it is dismissed.
    pub(crate) problems: RwSignal<Vec<Failure>>,
    /// The last trace that was made whole on the Trace screen.
    pub(crate) traced: RwSignal<Option<Partial>>,
    /// How often an engine was lost; changes when one is.
    pub(crate) lost: RwSignal<usize>,
    /// Where the engine is.
    pub(crate) place: RwSignal<Place>,
    /// The engine of the computer that serves the page, where it offers one.
    pub(crate) offer: RwSignal<Option<Offer>>,
    /// The line to it is cut, and taken up again.
    pub(crate) cut: RwSignal<bool>,
    /// The files of the model that was opened from disk, to load it again after a loss.
    files: StoredValue<SendWrapper<Vec<File>>>,
}

impl Engine {
    /// No engine yet: it starts with the first request.
    pub(crate) fn new() -> Self {
        let engine = Self {
            client: StoredValue::new(SendWrapper::new(Client::default())),
            device: RwSignal::new(None),
            wish: RwSignal::default(),
            precision: RwSignal::new(precision::of_kept(browser::stored(PRECISION).as_deref())),
            model: RwSignal::new(None),
            loading: RwSignal::new(None),
            edits: RwSignal::default(),
            undone: RwSignal::new(None),
            jobs: RwSignal::default(),
            problems: RwSignal::default(),
            traced: RwSignal::new(None),
            lost: RwSignal::new(0),
            place: RwSignal::new(place::chosen()),
            offer: RwSignal::new(None),
            cut: RwSignal::new(false),
            files: StoredValue::new(SendWrapper::new(Vec::new())),
        };
        engine.line().on_lost(move |failure| {
            engine.device.set(None);
            engine.model.set(None);
            engine.edits.set(Vec::new());
            engine.jobs.set(Vec::new());
            // A device that is lost again is no other problem.
            engine.problems.update(|problems| {
                problems.retain(|known| *known != failure);
                problems.push(failure);
            });
            engine.lost.update(|lost| *lost += 1);
        });
        engine.line().on_cut(move |cut| engine.cut.set(cut));
        spawn_local(async move {
            let offer = place::offered().await;
            // An engine that is not offered any more is not waited for.
            if offer.is_none() && engine.device.with_untracked(Option::is_none) {
                engine.place.set(Place::Tab);
            }
            engine.offer.set(offer);
        });
        engine
    }

    /// The edits in force, as a trace remembers them.
    pub(crate) fn in_force(self) -> Vec<(u32, f64)> {
        self.edits.with(|edits| edits.iter().map(|edited| (edited.edit, edited.seconds)).collect())
    }

    fn line(self) -> Client {
        self.client.with_value(|client| (**client).clone())
    }

    /// Asks without anything beside it, and shows `what` in the status line until [`Engine::done`].
    pub(crate) fn ask(self, what: &str, ask: Command) -> Call {
        self.ask_with(what, ask, Attachments::default())
    }

    /// Asks.
    pub(crate) fn ask_with(self, what: &str, ask: Command, baggage: Attachments) -> Call {
        let loads = matches!(ask, Command::Load { .. });
        let call = self.line().ask(self.place.get_untracked(), ask, baggage);
        let job = Job { id: call.id, what: what.to_owned(), loads, since: now() };
        self.jobs.update(|jobs| jobs.push(job));
        call
    }

    /// A call has ended: takes it from the status line.
    pub(crate) fn done(self, id: u32) {
        self.jobs.update(|jobs| jobs.retain(|job| job.id != id));
    }

    /// Asks and waits for the final answer.
    ///
    /// # Errors
    /// When the request failed or was cancelled; nothing is shown then, the caller decides.
    pub(crate) async fn last(self, what: &str, ask: Command) -> Result<Answer, Failure> {
        self.last_with(what, ask, Attachments::default()).await
    }

    /// [`Engine::last`] with bytes beside it.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn last_with(self, what: &str, ask: Command, baggage: Attachments) -> Result<Answer, Failure> {
        let call = self.ask_with(what, ask, baggage);
        let id = call.id;
        let answer = call.last().await;
        self.done(id);
        answer
    }

    /// Offers the file that a request is answered with.
    pub(crate) fn save(self, what: &'static str, ask: Command) {
        spawn_local(async move {
            match self.last(what, ask).await {
                Ok((Event::File { name }, Some(bytes))) => {
                    take::save_part(&name, "application/octet-stream", &bytes);
                }
                Ok(_) => self.complain(unexpected()),
                Err(failure) => self.complain(failure),
            }
        });
    }

    /// Stops a request.
    pub(crate) fn cancel(self, id: u32) {
        self.line().cancel(id);
    }

    /// Stops the loading of a model, where one is loaded.
    pub(crate) fn cancel_loading(self) {
        let loading = self.jobs.with_untracked(|jobs| jobs.iter().rfind(|job| job.loads).map(|job| job.id));
        if let Some(id) = loading {
            self.cancel(id);
        }
    }

    /// Ends the worker, and with it whatever runs.
    pub(crate) fn end(self) {
        self.line().end();
    }

    /// Shows what went wrong, unless somebody wanted it to stop.
    pub(crate) fn complain(self, failure: Failure) {
        // A lost engine has complained by itself, and its requests fail with the same words.
        let told = self.problems.with_untracked(|problems| problems.contains(&failure));
        if !failure.cancelled() && failure.kind != FailureKind::Crash && !told {
            self.problems.update(|problems| problems.push(failure));
        }
    }

    /// Undoes an edit, or all.
    ///
    /// # Errors
    /// When the edit is not in force, or something runs that needs it.
    pub(crate) async fn undo(self, edit: Option<u32>) -> Result<(), Failure> {
        match self.last("undoing", Command::Undo { edit }).await? {
            (Event::Undone { left, restored }, _) => {
                self.edits.update(|edits| edits.retain(|edited| left.contains(&edited.edit)));
                self.undone.set(Some((left, restored)));
                Ok(())
            }
            _ => Err(unexpected()),
        }
    }

    /// Opens the device that is wanted, unless it is open.
    ///
    /// # Errors
    /// When none can be opened.
    pub(crate) async fn start(self) -> Result<DeviceReport, Failure> {
        if let Some(device) = self.device.get_untracked() {
            return Ok(device);
        }
        let device = self.wish.get_untracked();
        match self.last("opening the device", Command::Start { device }).await? {
            (Event::Device(report), _) => {
                self.device.set(Some(report.clone()));
                Ok(report)
            }
            _ => Err(unexpected()),
        }
    }

    /// The precision to ask for: the one that is chosen, where the device has it.
    pub(crate) fn asked(self) -> Option<Precision> {
        self.device.with_untracked(|report| precision::asked(report.as_ref(), self.precision.get_untracked()))
    }

    /// Chooses a precision, and loads the model again where one is loaded.
    ///
    /// # Errors
    /// As [`Engine::load`]; no model is loaded then.
    pub(crate) async fn hold(self, choice: Option<Precision>) -> Result<(), Failure> {
        self.precision.set(choice);
        browser::store(PRECISION, precision::kept(choice));
        let Some(loaded) = self.model.get_untracked() else { return Ok(()) };
        self.model.set(None);
        self.load(loaded.model, Vec::new()).await.map(|_| ())
    }

    /// Makes this model the loaded one, unless it is. `files` are those of a model from disk.
    ///
    /// # Errors
    /// When the device or the model cannot be opened, or the loading was cancelled.
    pub(crate) async fn load(self, model: ModelRef, files: Vec<File>) -> Result<Loaded, Failure> {
        if let Some(loaded) = self.model.get_untracked().filter(|loaded| loaded.model == model && files.is_empty()) {
            return Ok(loaded);
        }
        self.start().await?;
        let files = match (&model, files.is_empty()) {
            (ModelRef::Files { .. }, true) => self.files.with_value(|files| (**files).clone()),
            _ => files,
        };
        if matches!(model, ModelRef::Files { .. }) {
            self.files.set_value(SendWrapper::new(files.clone()));
        }
        self.model.set(None);
        self.edits.set(Vec::new());
        self.loading.set(Some((model.clone(), None)));
        let baggage = Attachments { files, bytes: None };
        let what = format!("loading {}", model.name());
        let mut call = self.ask_with(&what, Command::Load { model: model.clone(), precision: self.asked() }, baggage);
        let mut result = Err(unexpected());
        while let Some((news, _)) = call.next().await {
            match news {
                Event::Loading(phase) => self.loading.set(Some((model.clone(), Some(phase)))),
                Event::Loaded(loaded) => result = Ok(*loaded),
                Event::Failed(failure) => result = Err(failure),
                _ => {}
            }
        }
        self.done(call.id);
        self.loading.set(None);
        let loaded = result?;
        self.model.set(Some(loaded.clone()));
        Ok(loaded)
    }
}

/// An answer of a kind that the request has none of.
pub(crate) fn unexpected() -> Failure {
    let (message, hint) = ("the engine gave no answer".into(), Some("reload the page".into()));
    Failure { kind: FailureKind::Crash, message, hint }
}

/// Milliseconds since the page began.
pub(crate) fn now() -> f64 {
    web_sys::window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}
