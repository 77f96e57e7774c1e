//! A page's line to the engine of this computer: frames of [`engram_core::protocol::frame`] over a WebSocket.

use super::Lab;
use super::sessions::{Seated, Sessions};
use super::token::{Ticket, Token};
use crate::native::{Native, Post, Requests};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engram_core::protocol::frame::{Join, Joined, Kind, Offer, SUBPROTOCOL, TICKET, TOKEN, WRONG_TOKEN, pack, unpack};
use engram_core::protocol::{Command, Event, Failure, Message, PROTOCOL, Request, from_json, to_json};
use engram_core::service::{Address, SeatId};
use engram_core::{Error, Result};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Most bytes of one message: a facts file and its request.
const MESSAGE: usize = 64 << 20;
/// Bytes, and messages, that are on their way and not known to have arrived.
const WINDOW: (usize, usize) = (4 << 20, 256);
/// Requests of one page that wait, and bytes of files beside those of all pages.
const WAITING: usize = 64;
const WAITING_BYTES: usize = 256 << 20;
/// How long the first frame may take.
const FIRST: Duration = Duration::from_secs(10);
/// Between two looks whether a silent page is still there, and how long it may be silent.
const PING: Duration = Duration::from_secs(20);
const SILENT: Duration = Duration::from_secs(60);
/// Closing codes: no seat is free, the page has a newer connection, a frame was none.
const CROWDED: u16 = 4429;
const REPLACED: u16 = 4409;
const MALFORMED: u16 = 4400;

/// The engine of this computer, as pages reach it.
pub struct Door {
    sessions: Arc<Sessions>,
    engine: Native,
    token: Option<Token>,
    ticket: Ticket,
    name: String,
    program: String,
}

impl Door {
    /// A door to an engine that is made with what takes its events. Without a token everybody who reaches the port may come in.
    ///
    /// # Errors
    /// When the engine cannot start.
    pub fn open(
        start: impl FnOnce(Post) -> std::io::Result<Native>,
        token: Option<Token>,
        (name, program): (String, String),
    ) -> Result<Self> {
        let sessions = Arc::new(Sessions::default());
        let pages = Arc::clone(&sessions);
        let post: Post = Arc::new(move |to, news, bytes| post(&pages, to, news, bytes));
        let engine = start(post).map_err(|error| Error::io(format!("the engine cannot start: {error}")))?;
        Ok(Self { sessions, engine, token, ticket: Ticket::none(), name, program })
    }

    /// What a link has at its end for a page to use the engine; no server sees it.
    pub fn fragment(&self) -> String {
        format!("#engine={}", self.token.as_ref().map_or("open", Token::text))
    }

    /// The same for a browser that this program starts: good once, for two minutes.
    pub fn opening(&self) -> String {
        match &self.token {
            Some(_) => format!("#engine={TICKET}{}", self.ticket.issue()),
            None => self.fragment(),
        }
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, engram_core::service::Queue<Option<Vec<u8>>>> {
        let requests: &Requests = &self.engine.requests;
        requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the seats of pages that did not come back, for as long as it is polled.
    pub async fn sweep(&self) {
        loop {
            sleep(Duration::from_secs(5)).await;
            for seat in self.sessions.gone(Instant::now()) {
                let wake = self.requests().leave(seat);
                wake.wake();
            }
        }
    }
}

fn post(sessions: &Sessions, Address { seat, id }: Address, news: Event, bytes: Option<Vec<u8>>) {
    let (json, bytes) = Message { id, news }.sealed(bytes);
    sessions.post(seat, &json, &bytes.unwrap_or_default());
}

/// Whether there is an engine, and what it is.
pub async fn offer(State(lab): State<Arc<Lab>>) -> Response {
    let Some(door) = &lab.door else { return StatusCode::NOT_FOUND.into_response() };
    let offer = Offer {
        protocol: PROTOCOL,
        program: door.program.clone(),
        name: door.name.clone(),
        token: door.token.is_some(),
    };
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, to_json(&offer).unwrap_or_default()).into_response()
}

/// The token for a ticket.
pub async fn key(State(lab): State<Arc<Lab>>, headers: HeaderMap, ticket: String) -> Response {
    let Some(door) = &lab.door else { return StatusCode::NOT_FOUND.into_response() };
    match &door.token {
        Some(token) if headers.contains_key(header::ORIGIN) && door.ticket.take(&ticket) => {
            ([(header::CACHE_CONTROL, "no-store")], token.text().to_owned()).into_response()
        }
        _ => (StatusCode::FORBIDDEN, "refused: this ticket is used, or too old\n").into_response(),
    }
}

/// A page's line.
pub async fn connect(State(lab): State<Arc<Lab>>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if lab.door.is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let knows = lab.door.as_ref().is_some_and(|door| admits(door, &headers));
    // A browser says of which page it is; a program has to know the token by a header.
    if !headers.contains_key(header::ORIGIN) && !headers.contains_key(header::AUTHORIZATION) {
        return (StatusCode::FORBIDDEN, "refused: the request does not say of which page it is\n").into_response();
    }
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MESSAGE)
        .max_frame_size(MESSAGE)
        .max_write_buffer_size(2 * WINDOW.0);
    upgrade.on_upgrade(async move |mut socket| {
        let Some(door) = &lab.door else { return };
        // A page cannot see why a handshake fails, so that it is let in to hear it.
        let end =
            if knows { talk(door, &mut socket).await } else { close(WRONG_TOKEN, "the token is not this engine's") };
        if let Some(end) = end {
            let _ = timeout(FIRST, socket.send(Frame::Close(Some(end)))).await;
        }
    })
}

/// Whether a request has the token: among the subprotocols that a page offers, or in a header that a program sends.
fn admits(door: &Door, headers: &HeaderMap) -> bool {
    let Some(token) = &door.token else { return true };
    let text = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let offered = text(header::SEC_WEBSOCKET_PROTOCOL).flat_map(|list| list.split(','));
    let offered = offered.filter_map(|protocol| protocol.trim().strip_prefix(TOKEN));
    let said = text(header::AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
    offered.chain(said).any(|offered| token.is(offered))
}

fn close(code: u16, reason: &'static str) -> Option<CloseFrame> {
    Some(CloseFrame { code, reason: reason.into() })
}

/// The whole conversation; its end, where the page can still hear of it.
async fn talk(door: &Door, socket: &mut WebSocket) -> Option<CloseFrame> {
    let first = timeout(FIRST, socket.recv()).await.ok()??.ok()?;
    let join = match &first {
        Frame::Binary(frame) => unpack(frame).and_then(|frame| match frame.kind {
            Kind::Join => Ok((from_json::<Join>(frame.head)?, frame.number)),
            _ => Err(Error::input("a page says first who it is")),
        }),
        _ => Err(Error::input("it is no binary frame")),
    };
    let Ok((Join { session }, seen)) = join else { return close(MALFORMED, "the first frame does not say who comes") };
    let Some(seated) = door.sessions.join(session.as_deref(), seen) else {
        return close(CROWDED, "too many pages are open: close one");
    };
    let (session, resumed, asked) = (seated.name.clone(), seated.resumed, seated.asked);
    let joined = Joined { protocol: PROTOCOL, session, resumed, asked };
    let head = to_json(&joined).unwrap_or_default();
    let mut end = None;
    if socket.send(Frame::Binary(pack(Kind::Joined, 0, &head, b"").into())).await.is_ok() {
        let seen = if seated.resumed { seen } else { 0 };
        end = Line { door, seated: &seated, sent: seen, flying: VecDeque::new() }.run(socket).await;
    }
    door.sessions.leave(&seated);
    end
}

/// A seated page's connection.
struct Line<'a> {
    door: &'a Door,
    seated: &'a Seated,
    /// The last message that was sent.
    sent: u64,
    /// Messages that were sent and not seen, with their lengths.
    flying: VecDeque<(u64, usize)>,
}

impl Line<'_> {
    async fn run(mut self, socket: &mut WebSocket) -> Option<CloseFrame> {
        let mut heard = Instant::now();
        loop {
            // Before looking, so that nothing is missed in between.
            let mut wake = pin!(self.seated.wake.notified());
            wake.as_mut().enable();
            let Some(frames) = self.next() else {
                return close(REPLACED, "the page has a newer connection, or did not read");
            };
            if !frames.is_empty() {
                for frame in frames {
                    socket.send(Frame::Binary(frame)).await.ok()?;
                }
                continue;
            }
            tokio::select! {
                frame = socket.recv() => {
                    heard = Instant::now();
                    match frame? {
                        Ok(Frame::Binary(frame)) => if let Err(error) = self.hear(&frame) {
                            log::debug!("a page was sent away: {error}");
                            return close(MALFORMED, "a frame cannot be read: reload the page");
                        },
                        Ok(Frame::Ping(_) | Frame::Pong(_)) => {}
                        Ok(Frame::Text(_)) => return close(MALFORMED, "it is no binary frame"),
                        Ok(Frame::Close(_)) | Err(_) => return None,
                    }
                }
                () = wake => {}
                () = sleep(PING) => {
                    if heard.elapsed() >= SILENT {
                        return None;
                    }
                    socket.send(Frame::Ping(Bytes::new())).await.ok()?;
                }
            }
        }
    }

    /// What may be sent now; `None` where this connection is no longer the page's.
    fn next(&mut self) -> Option<Vec<Bytes>> {
        let flying: usize = self.flying.iter().map(|(_, length)| length).sum();
        let room = if self.flying.len() < WINDOW.1 { WINDOW.0.saturating_sub(flying) } else { 0 };
        let all = self.door.sessions.after(self.seated, self.sent, room)?;
        if room == 0 {
            return Some(Vec::new());
        }
        for (number, frame) in &all {
            self.sent = *number;
            self.flying.push_back((*number, frame.len()));
        }
        Some(all.into_iter().map(|(_, frame)| frame).collect())
    }

    /// A frame of the page.
    fn hear(&mut self, frame: &[u8]) -> Result<()> {
        let frame = unpack(frame)?;
        match frame.kind {
            Kind::Seen => {
                self.door.sessions.seen(self.seated, frame.number);
                while self.flying.front().is_some_and(|(number, _)| *number <= frame.number) {
                    self.flying.pop_front();
                }
                Ok(())
            }
            Kind::Request => {
                let seat = self.seated.seat;
                match from_json::<Request>(frame.head) {
                    Ok(request) => self.ask(seat, request, frame.bytes),
                    // What this engine does not know ends no connection.
                    Err(error) => post(
                        &self.door.sessions,
                        Address { seat, id: frame.number as u32 },
                        Event::Failed(Failure::from(&error)),
                        None,
                    ),
                }
                Ok(())
            }
            Kind::Join | Kind::Joined | Kind::Message => Err(Error::input("not what a page says")),
        }
    }

    fn ask(&self, seat: SeatId, Request { id, ask }: Request, bytes: &[u8]) {
        if !self.door.sessions.is_new(self.seated, id) {
            return;
        }
        let fail = |id: u32, error: &Error| {
            post(&self.door.sessions, Address { seat, id }, Event::Failed(Failure::from(error)), None);
        };
        let mut requests = self.door.requests();
        if let Command::Cancel { request } = ask {
            let waited = requests.cancel(Address { seat, id: request });
            drop(requests);
            if waited {
                fail(request, &Error::cancelled());
            }
            return;
        }
        if requests.waiting(seat) >= WAITING {
            drop(requests);
            return fail(id, &Error::input("too many requests wait").hint("wait until some are answered"));
        }
        // Files are let go of when their request is done.
        let waiting: usize = requests.beside().flatten().map(Vec::len).sum();
        if waiting.saturating_add(bytes.len()) > WAITING_BYTES {
            drop(requests);
            return fail(id, &Error::input("too many files wait").hint("wait until some of the requests are answered"));
        }
        let beside = (!bytes.is_empty()).then(|| bytes.to_vec());
        let wake = requests.push(seat, Request { id, ask }, beside);
        drop(requests);
        wake.wake();
    }
}
