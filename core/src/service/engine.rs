//! The engine: takes what waits, command by command and study by study, and answers.

use super::host::Host;
use super::queue::{Address, Job, Kind, Queue, SeatId};
use super::turn::{Shared, Turn, Turns, lock};
use super::{Meter, away, loading, preflight, studies};
use crate::device::{Compute, complaint};
use crate::error::{Error, Result};
use crate::facts::FactFile;
use crate::lab::Lab;
use crate::load::Model;
use crate::pause;
use crate::protocol::{Command, DeviceChoice, DeviceReport, Event, Failure, Loaded, ModelRef, PROTOCOL};
use crate::record::{Precision, Record};
use futures_util::future::join;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use web_time::Instant;

/// An event, and bytes beside it.
type Answer = (Event, Option<Vec<u8>>);

/// A page's model and edits.
#[derive(Default)]
struct Seat {
    lab: Option<(Lab, ModelRef)>,
}

impl Seat {
    fn lab(&mut self) -> Result<(&mut Lab, &ModelRef)> {
        let none = || Error::input("no model is loaded").hint("load one first");
        self.lab.as_mut().map(|(lab, place)| (lab, &*place)).ok_or_else(none)
    }
}

/// A model that is loaded, for whoever asks for the same.
struct Held {
    wanted: Option<Precision>,
    loaded: Loaded,
    model: Model,
}

/// The study that runs.
struct Studying {
    to: Address,
    /// Its key, and its record so far; known once it has begun.
    begun: Option<(String, Record)>,
}

/// An engine on a host.
pub struct Engine<H: Host> {
    host: Rc<H>,
    queue: Shared<H::Beside>,
    device: RefCell<Option<(Compute, DeviceReport)>>,
    facts: RefCell<Option<FactFile>>,
    held: RefCell<Vec<Held>>,
    seats: RefCell<BTreeMap<SeatId, Seat>>,
    studying: RefCell<Option<Studying>>,
}

impl<H: Host + 'static> Engine<H> {
    /// An engine that has nothing open.
    pub fn new(host: Rc<H>, queue: Arc<Mutex<Queue<H::Beside>>>) -> Self {
        let (device, facts, held, seats, studying) = Default::default();
        Self { host, queue, device, facts, held, seats, studying }
    }

    /// Answers what comes, until the queue is closed.
    pub async fn work(&self) {
        let host = self.host.clone();
        let turns = Turns { queue: self.queue.clone(), rest: Rc::new(move || host.rest()) };
        pause::install(Some(Rc::new(turns)));
        let loops = [Kind::Command, Kind::Study].map(|kind| Turn { kind, work: Box::pin(self.take(kind)) });
        let [commands, studies] = loops;
        join(commands, studies).await;
        pause::install(None);
    }

    /// Answers what comes of a kind.
    async fn take(&self, kind: Kind) {
        while let Some(job) = self.next(kind).await {
            let to = job.to;
            self.host.post(to, Event::Begun, None);
            let answer = match kind {
                Kind::Command => self.command(job).await,
                Kind::Study => self.study(job).await,
            };
            let (news, bytes) = match answer {
                Ok(Some(answer)) => answer,
                Ok(None) => {
                    let wake = lock(&self.queue).done(kind);
                    wake.wake();
                    continue;
                }
                Err(error) => (failed(&error), None),
            };
            // What was said after the last number was read; the engine has heard the rest.
            let news = match complaint() {
                Err(error) if !matches!(news, Event::Failed(_)) => failed(&error),
                _ => news,
            };
            let wake = lock(&self.queue).done(kind);
            self.host.post(to, news, bytes);
            wake.wake();
        }
    }

    async fn next(&self, kind: Kind) -> Option<Job<H::Beside>> {
        let job = poll_fn(|context| {
            let mut queue = lock(&self.queue);
            if queue.is_closed() {
                return Poll::Ready(None);
            }
            if let Some(job) = queue.next(kind, Instant::now()) {
                return Poll::Ready(Some(job));
            }
            queue.listen(kind, context.waker());
            Poll::Pending
        });
        let job = job.await;
        // While a command runs, its seat is not among the others.
        if kind == Kind::Command {
            for seat in lock(&self.queue).left() {
                self.seats.borrow_mut().remove(&seat);
            }
            self.put_away();
        }
        job
    }

    /// Drops models at which nobody sits.
    fn put_away(&self) {
        self.held.borrow_mut().retain(|held| Arc::strong_count(&held.model.net) > 1);
    }

    /// The answer to a command; none where it comes later.
    async fn command(&self, job: Job<H::Beside>) -> Result<Option<Answer>> {
        let seat = job.to.seat;
        let mut sitting = self.seats.borrow_mut().remove(&seat).unwrap_or_default();
        let answer = self.answer(&mut sitting, job).await;
        self.seats.borrow_mut().insert(seat, sitting);
        answer
    }

    async fn answer(&self, seat: &mut Seat, Job { to, ask, beside }: Job<H::Beside>) -> Result<Option<Answer>> {
        let host = &*self.host;
        let tell = |news: Event| host.post(to, news, None);
        let news = match ask {
            Command::Hello => Event::Hello { protocol: PROTOCOL, program: host.program() },
            Command::Start { device } => Event::Device(self.device(device).await?.1),
            Command::Preflight { model, precision } => {
                let (compute, report) = self.device(DeviceChoice::Auto).await?;
                let device = (&compute, report.gflops);
                Event::Preflight(preflight::preflight(host, (&model, &beside), device, precision).await?)
            }
            Command::Load { model, precision } => {
                Event::Loaded(Box::new(self.load(seat, to, (&model, &beside), precision).await?))
            }
            Command::Delta => {
                let (file, bytes) = away::delta(seat.lab()?.0)?;
                return Ok(Some((file, Some(bytes))));
            }
            Command::Adapter => {
                let (lab, place) = seat.lab()?;
                let (file, bytes) = away::adapter(lab, place)?;
                return Ok(Some((file, Some(bytes))));
            }
            Command::Script { question, site, position, layer } => {
                let (lab, place) = seat.lab()?;
                let (file, bytes) = away::script(lab, place, &question, (site, position, layer)).await?;
                return Ok(Some((file, Some(bytes))));
            }
            Command::Studies => self.studies_kept().await,
            Command::WatchStudy { key } if self.watch(to, &key)? => return Ok(None),
            Command::OpenStudy { key } | Command::WatchStudy { key } => {
                self.at_rest(&key)?;
                studies::open(host.studies(), key).await?
            }
            Command::PauseStudy { key } => {
                self.pause(&key);
                self.studies_kept().await
            }
            Command::DropStudy { key } => {
                self.at_rest(&key)?;
                studies::remove(host.studies(), &key).await?;
                self.studies_kept().await
            }
            Command::Cache => host.models().await?,
            Command::DropCached { key } => {
                host.forget(key.as_deref()).await?;
                host.models().await?
            }
            Command::Cancel { .. } | Command::Study(_) => return Err(Error::cancelled()),
            ask => seat.lab()?.0.answer(&ask, &tell).await?,
        };
        Ok(Some((news, None)))
    }

    /// The key of the study that runs.
    fn running(&self) -> Option<String> {
        self.studying.borrow().as_ref().and_then(|studying| studying.begun.as_ref().map(|(key, _)| key.clone()))
    }

    /// The study that runs must be another one.
    fn at_rest(&self, key: &str) -> Result<()> {
        match self.running().as_deref() == Some(key) {
            true => Err(Error::input("this study is at work").hint("pause it first, or follow it")),
            false => Ok(()),
        }
    }

    /// Tells a page of the study that runs what there is, and from now on what comes.
    fn watch(&self, to: Address, key: &str) -> Result<bool> {
        let studying = self.studying.borrow();
        let Some(Studying { begun: Some((own, record)), .. }) = &*studying else { return Ok(false) };
        if own != key {
            return Ok(false);
        }
        let record = Box::new(record.clone());
        self.host.post(to, Event::StudyHeader { key: own.clone(), record, note: None }, None);
        let mut queue = lock(&self.queue);
        // Whoever cancels it from now on finds it among the followers.
        if queue.is_cancelled(Kind::Command) {
            return Err(Error::cancelled());
        }
        queue.follow(to);
        Ok(true)
    }

    /// Pauses the study that runs, where it is this one.
    fn pause(&self, key: &str) {
        let studying = self.studying.borrow();
        if let Some(Studying { to, begun: Some((own, _)), .. }) = &*studying
            && own == key
        {
            lock(&self.queue).cancel(*to);
        }
    }

    /// The device, opened where it is not.
    async fn device(&self, wish: DeviceChoice) -> Result<(Compute, DeviceReport)> {
        if let Some(open) = &*self.device.borrow() {
            return Ok(open.clone());
        }
        let opened = self.host.device(wish).await?;
        *self.device.borrow_mut() = Some(opened.clone());
        Ok(opened)
    }

    async fn bundled_facts(&self) -> Result<FactFile> {
        if let Some(facts) = &*self.facts.borrow() {
            return Ok(facts.clone());
        }
        let facts = self.host.facts().await?;
        *self.facts.borrow_mut() = Some(facts.clone());
        Ok(facts)
    }

    /// Seats a page at a model, in place of the one that it had.
    async fn load(
        &self,
        seat: &mut Seat,
        to: Address,
        model: (&ModelRef, &H::Beside),
        wanted: Option<Precision>,
    ) -> Result<Loaded> {
        let (compute, _) = self.device(DeviceChoice::Auto).await?;
        let facts = self.bundled_facts().await?;
        // The old model goes first: two may not fit.
        seat.lab = None;
        // Files that a page brings may be others under the same name.
        let shared = |held: &&Held| {
            let named = !matches!(model.0, ModelRef::Files { .. });
            named && held.loaded.model == *model.0 && held.wanted == wanted
        };
        let known = self.held.borrow().iter().find(shared).map(|held| (held.model.share(), held.loaded.clone()));
        let (ready, loaded) = match known {
            Some(known) => known,
            None => {
                self.put_away();
                let host = self.host.clone();
                let meter = Meter::new(Some(Box::new(move |phase| host.post(to, Event::Loading(phase), None))));
                let (ready, loaded) = loading::load(&*self.host, model, compute, wanted, &meter).await?;
                let held = Held { wanted, loaded: loaded.clone(), model: ready.share() };
                self.held.borrow_mut().push(held);
                (ready, loaded)
            }
        };
        seat.lab = Some((Lab::new(ready, facts, &self.host.program()), model.0.clone()));
        Ok(loaded)
    }

    async fn studies_kept(&self) -> Event {
        studies::list(self.host.studies(), self.running().as_deref()).await
    }

    fn followers(&self) -> Vec<Address> {
        lock(&self.queue).followers()
    }

    async fn study(&self, job: Job<H::Beside>) -> Result<Option<Answer>> {
        *self.studying.borrow_mut() = Some(Studying { to: job.to, begun: None });
        let answer = self.studied(job).await;
        *self.studying.borrow_mut() = None;
        for to in self.followers() {
            let news = answer.as_ref().map_or_else(failed, Clone::clone);
            self.host.post(to, news, None);
        }
        Ok(Some((answer?, None)))
    }

    async fn studied(&self, Job { to, ask, beside }: Job<H::Beside>) -> Result<Event> {
        let Command::Study(ask) = ask else { return Err(Error::cancelled()) };
        // A study is of the model as it was loaded, whatever is edited meanwhile.
        let (mut model, place) = {
            let mut seats = self.seats.borrow_mut();
            let (lab, place) = seats.entry(to.seat).or_default().lab()?;
            (lab.model().share(), place.clone())
        };
        let facts = self.bundled_facts().await?;
        let brought = self.host.bytes(&beside);
        studies::run(&*self.host, (&mut model, &place), &facts, (ask, brought), &|news| self.heard(to, news)).await
    }

    /// An event of the study that runs.
    fn heard(&self, to: Address, news: Event) {
        let mut studying = self.studying.borrow_mut();
        if let Some(Studying { begun, .. }) = &mut *studying {
            match (&news, &mut *begun) {
                (Event::StudyHeader { key, record, .. }, _) => *begun = Some((key.clone(), (**record).clone())),
                (_, Some((_, record))) => news.put_into(record),
                (_, None) => {}
            }
        }
        drop(studying);
        for follower in self.followers() {
            self.host.post(follower, news.clone(), None);
        }
        self.host.post(to, news, None);
    }
}

fn failed(error: &Error) -> Event {
    Event::Failed(Failure::from(error))
}
