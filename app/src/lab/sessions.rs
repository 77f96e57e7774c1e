//! Pages that are connected to the engine, or were a moment ago, and what is still to be sent to each: a cut connection, or a
//! laptop that sleeps for a minute, loses nothing.

use super::token::random;
use axum::body::Bytes;
use engram_core::protocol::frame::{Kind, pack};
use engram_core::service::SeatId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a page may be away.
const AWAY: Duration = Duration::from_secs(60);
/// Bytes that are kept for a page that does not read.
const MOST: usize = 64 << 20;
/// Pages at a time.
const PAGES: usize = 64;

/// One page.
struct Session {
    name: String,
    /// What is not known to have arrived, with its number.
    out: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// The number of the next message.
    next: u64,
    /// Which connection it has: an older one of the same page is no longer heard.
    line: u64,
    /// Since when it is away.
    left: Option<Instant>,
    /// More was to be kept than is allowed.
    full: bool,
    /// The last request that arrived.
    asked: u32,
    wake: Arc<Notify>,
}

/// All of them.
#[derive(Default)]
pub struct Sessions(Mutex<All>);

#[derive(Default)]
struct All {
    here: BTreeMap<SeatId, Session>,
    /// Pages that were away when their seats were needed.
    evicted: Vec<SeatId>,
}

/// A page's place.
#[derive(Clone)]
pub struct Seated {
    /// Its seat.
    pub seat: SeatId,
    /// Its connection's number.
    pub line: u64,
    /// The session's name.
    pub name: String,
    /// It was here before, and nothing is lost.
    pub resumed: bool,
    /// The last of its requests that arrived.
    pub asked: u32,
    /// Rings when there is something to send.
    pub wake: Arc<Notify>,
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seats a page that comes, or one that comes back and has seen messages up to a number. `None` where all seats are taken.
    pub fn join(&self, name: Option<&str>, seen: u64) -> Option<Seated> {
        let All { here: all, evicted } = &mut *self.all();
        let known = all.iter_mut().find(|(_, session)| Some(session.name.as_str()) == name && !session.full);
        if let Some((&seat, session)) = known {
            session.line += 1;
            session.left = None;
            session.seen(seen);
            // Whoever held the older connection lets go of it.
            session.wake.notify_waiters();
            let (line, name, wake) = (session.line, session.name.clone(), Arc::clone(&session.wake));
            return Some(Seated { seat, line, name, resumed: true, asked: session.asked, wake });
        }
        if all.len() >= PAGES {
            // Whoever is away for longest makes room.
            let away = all.iter().filter_map(|(seat, session)| Some((session.left?, *seat)));
            let (_, seat) = away.min()?;
            all.remove(&seat);
            evicted.push(seat);
        }
        let seat = SeatId(u64::from_le_bytes(random()));
        let name = engram_core::hex(&random::<16>());
        let wake = Arc::new(Notify::new());
        let session = Session {
            name: name.clone(),
            out: VecDeque::new(),
            bytes: 0,
            next: 1,
            line: 1,
            left: None,
            full: false,
            asked: 0,
            wake: Arc::clone(&wake),
        };
        all.insert(seat, session);
        Some(Seated { seat, line: 1, name, resumed: false, asked: 0, wake })
    }

    /// Keeps a message for a page until it has it.
    pub fn post(&self, seat: SeatId, head: &str, bytes: &[u8]) {
        let mut all = self.all();
        let Some(session) = all.here.get_mut(&seat).filter(|session| !session.full) else { return };
        let frame = Bytes::from(pack(Kind::Message, session.next, head, bytes));
        session.bytes += frame.len();
        session.out.push_back((session.next, frame));
        session.next += 1;
        if session.bytes > MOST {
            // It starts anew when it comes back; its study goes on.
            (session.full, session.bytes) = (true, 0);
            session.out.clear();
        }
        session.wake.notify_waiters();
    }

    /// Messages after a number, up to so many bytes; `None` where the connection is no longer the page's.
    pub fn after(&self, seated: &Seated, number: u64, most: usize) -> Option<Vec<(u64, Bytes)>> {
        let all = self.all();
        let session = all.here.get(&seated.seat).filter(|session| session.line == seated.line && !session.full)?;
        let mut bytes = 0;
        let rest = session.out.iter().filter(|(own, _)| *own > number).take_while(|(_, frame)| {
            let fits = bytes == 0 || bytes + frame.len() <= most;
            bytes += frame.len();
            fits
        });
        Some(rest.cloned().collect())
    }

    /// A page has all messages up to a number.
    pub fn seen(&self, seated: &Seated, number: u64) {
        let mut all = self.all();
        if let Some(session) = all.here.get_mut(&seated.seat).filter(|session| session.line == seated.line) {
            session.seen(number);
        }
    }

    /// Whether a request is new: one that arrived before a cut is sent again where the page does not know that it did.
    pub fn is_new(&self, seated: &Seated, request: u32) -> bool {
        let mut all = self.all();
        let session = all.here.get_mut(&seated.seat);
        session.is_some_and(|session| {
            let new = request > session.asked;
            session.asked = session.asked.max(request);
            new
        })
    }

    /// A connection has ended.
    pub fn leave(&self, seated: &Seated) {
        let mut all = self.all();
        if let Some(session) = all.here.get_mut(&seated.seat).filter(|session| session.line == seated.line) {
            session.left = Some(Instant::now());
        }
    }

    /// Forgets the pages that did not come back in time, and names their seats.
    pub fn gone(&self, now: Instant) -> Vec<SeatId> {
        let All { here: all, evicted } = &mut *self.all();
        let away =
            |session: &Session| session.full || session.left.is_some_and(|left| now.duration_since(left) >= AWAY);
        let gone: Vec<SeatId> = all.iter().filter(|(_, session)| away(session)).map(|(seat, _)| *seat).collect();
        all.retain(|seat, _| !gone.contains(seat));
        gone.into_iter().chain(evicted.drain(..)).collect()
    }
}

impl Session {
    fn seen(&mut self, number: u64) {
        while self.out.front().is_some_and(|(own, _)| *own <= number) {
            let length = self.out.pop_front().map_or(0, |(_, frame)| frame.len());
            self.bytes = self.bytes.saturating_sub(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(sessions: &Sessions, seated: &Seated, after: u64) -> Option<Vec<u64>> {
        Some(sessions.after(seated, after, usize::MAX)?.into_iter().map(|(number, _)| number).collect())
    }

    #[test]
    fn what_was_not_seen_is_sent_again_over_the_newest_connection() {
        let sessions = Sessions::default();
        let one = sessions.join(None, 0).expect("a seat");
        assert!(!one.resumed);
        for text in ["a", "b", "c"] {
            sessions.post(one.seat, text, b"");
        }
        assert_eq!(numbers(&sessions, &one, 0), Some(vec![1, 2, 3]));
        sessions.seen(&one, 1);
        assert!(sessions.is_new(&one, 1) && sessions.is_new(&one, 2) && !sessions.is_new(&one, 1));
        sessions.leave(&one);
        sessions.post(one.seat, "d", b"");
        let two = sessions.join(Some(&one.name), 2).expect("a seat");
        assert!(two.resumed && two.seat == one.seat && two.asked == 2);
        assert_eq!(numbers(&sessions, &two, 2), Some(vec![3, 4]));
        assert_eq!(numbers(&sessions, &one, 2), None, "the older connection has no say");
        sessions.leave(&one);
        assert!(sessions.gone(Instant::now() + AWAY).is_empty(), "the newer one is there");
        sessions.leave(&two);
        assert!(sessions.gone(Instant::now()).is_empty(), "it may come back");
        assert_eq!(sessions.gone(Instant::now() + AWAY), [one.seat]);
        assert!(!sessions.is_new(&two, 1), "its seat is gone");
        let three = sessions.join(Some(&one.name), 4).expect("a seat");
        assert!(!three.resumed && three.seat != one.seat && three.name != one.name);
    }

    #[test]
    fn a_page_that_never_reads_is_forgotten_before_it_fills_the_memory() {
        let sessions = Sessions::default();
        let one = sessions.join(None, 0).expect("a seat");
        let large = vec![0; MOST / 4];
        for _ in 0..4 {
            assert_eq!(sessions.after(&one, 0, 1).map(|sent| sent.len() <= 1), Some(true));
            sessions.post(one.seat, "", &large);
        }
        assert!(sessions.after(&one, 0, 1).is_none());
        assert_eq!(sessions.gone(Instant::now()), [one.seat]);
        let all: Vec<Option<Seated>> = (0..=PAGES).map(|_| sessions.join(None, 0)).collect();
        assert!(all[..PAGES].iter().all(Option::is_some) && all[PAGES].is_none());
        let away = all[3].as_ref().expect("a seat");
        sessions.leave(away);
        assert!(sessions.join(None, 0).is_some() && sessions.join(None, 0).is_none(), "whoever is away makes room");
        assert_eq!(sessions.gone(Instant::now()), [away.seat]);
    }
}
