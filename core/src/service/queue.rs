//! What waits: requests of seats in their order, taken in turns, and what was cancelled. Plain data, shared with whatever
//! carries messages; nothing in it waits.

use crate::protocol::{Command, Request};
use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;
use std::time::Duration;
use web_time::Instant;

/// Whoever asks: a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatId(pub u64);

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The seat.
    pub seat: SeatId,
    /// Its request; 0 for none.
    pub id: u32,
}

/// What is done at the same time: a command, and a study that gives way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A command.
    Command,
    /// A study.
    Study,
}

/// How long a study waits for commands that do not end.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it then works before they go on.
const TURN: Duration = Duration::from_secs(1);

/// A request, and what travels beside it.
pub(super) struct Job<B> {
    pub(super) to: Address,
    pub(super) ask: Command,
    pub(super) beside: B,
}

impl<B> Job<B> {
    fn kind(&self) -> Kind {
        if matches!(self.ask, Command::Study(_)) { Kind::Study } else { Kind::Command }
    }
}

struct Seat<B> {
    waiting: VecDeque<Job<B>>,
    /// When it had its last turn.
    served: u64,
}

impl<B> Seat<B> {
    /// The place of its next job of a kind. A study waits for what was asked before it; other commands need not wait for a study that
    /// has not begun, but one that loads another model does.
    fn next(&self, kind: Kind) -> Option<usize> {
        let at = self.waiting.iter().position(|job| job.kind() == kind)?;
        let first = match kind {
            Kind::Study => at == 0,
            Kind::Command => at == 0 || !matches!(self.waiting[at].ask, Command::Load { .. }),
        };
        first.then_some(at)
    }
}

/// What runs.
#[derive(Default)]
struct Running {
    to: Option<Address>,
    cancelled: bool,
    waker: Option<Waker>,
}

/// What waits and what runs.
pub struct Queue<B> {
    seats: BTreeMap<SeatId, Seat<B>>,
    turns: u64,
    command: Running,
    study: Running,
    /// Who follows the study that runs, besides the page that began it.
    followers: Vec<Address>,
    /// Since when the study gives way, and until when it does not.
    parked: Option<Instant>,
    turn_ends: Option<Instant>,
    /// Models are loaded while a study runs.
    several: bool,
    left: Vec<SeatId>,
    closed: bool,
}

impl<B> Queue<B> {
    /// Nothing waits. `several`: a model may be loaded while a study of another runs.
    pub fn new(several: bool) -> Self {
        Self {
            seats: BTreeMap::new(),
            turns: 0,
            command: Running::default(),
            study: Running::default(),
            followers: Vec::new(),
            parked: None,
            turn_ends: None,
            several,
            left: Vec::new(),
            closed: false,
        }
    }

    /// Takes a request. Gives back what to wake, once the queue is let go of.
    #[must_use]
    pub fn push(&mut self, seat: SeatId, Request { id, ask }: Request, beside: B) -> Wake {
        let turns = self.turns;
        let waiting = &mut self.seats.entry(seat).or_insert_with(|| Seat { waiting: VecDeque::new(), served: turns });
        waiting.waiting.push_back(Job { to: Address { seat, id }, ask, beside });
        self.wake()
    }

    /// Requests of a seat that wait.
    pub fn waiting(&self, seat: SeatId) -> usize {
        self.seats.get(&seat).map_or(0, |seat| seat.waiting.len())
    }

    /// What travels beside the requests that wait, of all seats.
    pub fn beside(&self) -> impl Iterator<Item = &B> {
        self.seats.values().flat_map(|seat| &seat.waiting).map(|job| &job.beside)
    }

    /// Cancels a request. True where it waited, or followed a study: it has no other end than this one.
    pub fn cancel(&mut self, to: Address) -> bool {
        for running in [&mut self.command, &mut self.study] {
            running.cancelled |= running.to == Some(to);
        }
        let followers = self.followers.len();
        self.followers.retain(|follower| *follower != to);
        let waited = self.seats.get_mut(&to.seat).is_some_and(|seat| {
            let before = seat.waiting.len();
            seat.waiting.retain(|job| job.to != to);
            seat.waiting.len() < before
        });
        waited || self.followers.len() < followers
    }

    /// A page is gone for good: its commands are cancelled, its studies go on.
    #[must_use]
    pub fn leave(&mut self, seat: SeatId) -> Wake {
        if let Some(seat) = self.seats.get_mut(&seat) {
            seat.waiting.retain(|job| job.kind() == Kind::Study);
        }
        self.command.cancelled |= self.command.to.is_some_and(|to| to.seat == seat);
        self.followers.retain(|follower| follower.seat != seat);
        self.left.push(seat);
        self.wake()
    }

    /// Ends the engine: what runs is cancelled, what waits stays undone.
    #[must_use]
    pub fn close(&mut self) -> Wake {
        self.closed = true;
        self.command.cancelled = true;
        self.study.cancelled = true;
        self.wake()
    }

    /// What runs.
    pub fn running(&self, kind: Kind) -> Option<Address> {
        self.of(kind).to
    }

    fn of(&self, kind: Kind) -> &Running {
        match kind {
            Kind::Command => &self.command,
            Kind::Study => &self.study,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Running {
        match kind {
            Kind::Command => &mut self.command,
            Kind::Study => &mut self.study,
        }
    }

    fn wake(&mut self) -> Wake {
        Wake([self.command.waker.take(), self.study.waker.take()])
    }

    /// Whom to wake where work of a kind gives way.
    #[must_use]
    pub(super) fn others(&mut self, kind: Kind) -> Wake {
        let other = if kind == Kind::Study { Kind::Command } else { Kind::Study };
        Wake([self.of_mut(other).waker.take(), None])
    }

    /// Whoever takes jobs of a kind is woken when there is something to look at.
    pub(super) fn listen(&mut self, kind: Kind, waker: &Waker) {
        self.of_mut(kind).waker = Some(waker.clone());
    }

    /// A page follows the study that runs.
    pub(super) fn follow(&mut self, to: Address) {
        self.followers.push(to);
    }

    /// Who follows the study that runs.
    pub(super) fn followers(&self) -> Vec<Address> {
        self.followers.clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn is_cancelled(&self, kind: Kind) -> bool {
        self.of(kind).cancelled
    }

    /// Seats that left since this was asked last.
    pub(super) fn left(&mut self) -> Vec<SeatId> {
        std::mem::take(&mut self.left)
    }

    /// The next job of a kind: of the seat whose turn is longest ago. A seat's commands keep their order, and so do its studies.
    pub(super) fn next(&mut self, kind: Kind, now: Instant) -> Option<Job<B>> {
        if kind == Kind::Command {
            if self.parked.is_some_and(|since| now.duration_since(since) >= PATIENCE) {
                (self.parked, self.turn_ends) = (None, Some(now + TURN));
                self.wake().wake();
            }
            if self.is_studys_turn(now) {
                return None;
            }
        }
        let (running, studied, several) = (self.command.to, self.study.to.is_some(), self.several);
        let ready = |(id, seat): (&SeatId, &Seat<B>)| {
            if running.is_some_and(|running| running.seat == *id) {
                return None;
            }
            let at = seat.next(kind)?;
            let loads = matches!(seat.waiting[at].ask, Command::Load { .. });
            (!loads || several || !studied).then_some((seat.served, *id, at))
        };
        let (_, id, at) = self.seats.iter().filter_map(ready).min()?;
        self.turns += 1;
        let seat = self.seats.get_mut(&id)?;
        seat.served = self.turns;
        let job = seat.waiting.remove(at)?;
        let running = self.of_mut(kind);
        (running.to, running.cancelled) = (Some(job.to), false);
        Some(job)
    }

    /// What ran is done.
    #[must_use]
    pub(super) fn done(&mut self, kind: Kind) -> Wake {
        let running = self.of_mut(kind);
        (running.to, running.cancelled) = (None, false);
        if kind == Kind::Study {
            (self.parked, self.turn_ends) = (None, None);
            self.followers.clear();
        }
        self.wake()
    }

    /// Whether the study gives way now: a command runs or waits, and the study has not waited too long.
    pub(super) fn gives_way(&mut self, now: Instant) -> bool {
        if self.study.cancelled || self.is_studys_turn(now) {
            return false;
        }
        self.turn_ends = None;
        let waits = |seat: &Seat<B>| {
            let job = seat.next(Kind::Command).map(|at| &seat.waiting[at]);
            job.is_some_and(|job| self.several || !matches!(job.ask, Command::Load { .. }))
        };
        let wanted = self.command.to.is_some() || self.seats.values().any(waits);
        if !wanted {
            self.parked = None;
            return false;
        }
        self.parked.get_or_insert(now);
        true
    }

    fn is_studys_turn(&self, now: Instant) -> bool {
        self.study.to.is_some() && !self.study.cancelled && self.turn_ends.is_some_and(|end| now < end)
    }
}

/// Whom to wake, once the queue is let go of.
#[derive(Default)]
pub struct Wake([Option<Waker>; 2]);

impl Wake {
    /// Wakes them.
    pub fn wake(self) {
        self.0.into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
