//! The engine behind the server, asked over real sockets: who may come in, what a cut line loses (nothing), what a study does
//! without its page, and what broken and greedy pages can do (nothing to the others).

use super::connections::Limits;
use super::site::Embedded;
use super::token::Token;
use super::*;
use crate::native::{Native, Owner};
use engram_core::device::DeviceChoice;
use engram_core::protocol::frame::{Join, Joined, Kind, SUBPROTOCOL, TOKEN, pack, unpack};
use engram_core::protocol::{
    Command, Event, Failure, FailureKind, Message, ModelRef, PROTOCOL, Question, Request, StudyCommand, from_json,
    to_json,
};
use engram_core::record::{Record, Settings};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Message as Frame, Utf8Bytes};

/// A test that waits for ever says nothing.
const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    address: SocketAddr,
    token: String,
    stop: Arc<Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(data: &Path) -> Self {
        let listener = listen(Some(0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(Notify::new());
        let asked = Arc::clone(&stop);
        let token = Token::new();
        let text = token.text().to_owned();
        let owner = Owner { models: Vec::new(), studies: data.join("studies"), device: DeviceChoice::Cpu };
        let door = Door::open(|post| Native::start(owner, post), Some(token), ("here".into(), "engram test".into()));
        let door = door.expect("an engine");
        let page = Embedded { path: "index.html", gzip: false, bytes: b"page" };
        let site = Site::Embedded(Box::leak(Box::new([page])));
        let serve = move || {
            serve_within(listener, site, Offered { door: Some(door), ..Offered::default() }, &asked, Limits::default())
                .expect("served")
        };
        Self { address, token: text, stop, thread: Some(std::thread::spawn(serve)) }
    }

    /// What a browser sends with its page's token.
    async fn dial(&self, headers: &[(&'static str, String)]) -> Result<Line, tokio_tungstenite::tungstenite::Error> {
        let mut request = format!("ws://{}/engine/socket", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let (socket, answer) = tokio_tungstenite::client_async(request, stream).await?;
        assert_eq!(
            answer.headers().get("sec-websocket-protocol").map(|name| name.as_bytes()),
            Some(SUBPROTOCOL.as_bytes())
        );
        Ok(Line { socket, got: VecDeque::new(), last: 0, next: 0 })
    }

    fn browser(&self, token: &str) -> [(&'static str, String); 2] {
        let offered = format!("{SUBPROTOCOL}, {TOKEN}{token}");
        [("origin", format!("http://{}", self.address)), ("sec-websocket-protocol", offered)]
    }

    async fn page(&self) -> Line {
        self.dial(&self.browser(&self.token)).await.expect("it is let in")
    }

    async fn joined(&self, session: Option<&str>, seen: u64) -> (Line, Joined) {
        let mut line = self.page().await;
        let joined = line.join(session, seen).await;
        (line, joined)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A page's end of a socket.
struct Line {
    socket: WebSocketStream<TcpStream>,
    got: VecDeque<Message>,
    last: u64,
    next: u32,
}

impl Line {
    async fn frame(&mut self) -> Option<Frame> {
        tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("something comes").and_then(Result::ok)
    }

    /// The code with which the server closes.
    async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.frame().await {
                Some(Frame::Close(end)) => return end.map(|end| end.code.into()),
                Some(_) => {}
                None => return None,
            }
        }
    }

    async fn send(&mut self, frame: Vec<u8>) {
        let _ = self.socket.send(Frame::Binary(frame.into())).await;
    }

    async fn join(&mut self, session: Option<&str>, seen: u64) -> Joined {
        let join = Join { session: session.map(str::to_owned) };
        self.send(pack(Kind::Join, seen, &to_json(&join).expect("json"), b"")).await;
        self.last = seen;
        match self.frame().await {
            Some(Frame::Binary(frame)) => {
                let frame = unpack(&frame).expect("a frame");
                assert_eq!(frame.kind, Kind::Joined);
                from_json(frame.head).expect("joined")
            }
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&mut self, ask: Command) -> u32 {
        self.next += 1;
        self.again(ask).await
    }

    /// Sends a request with the number of the last one.
    async fn again(&mut self, ask: Command) -> u32 {
        let request = to_json(&Request { id: self.next, ask }).expect("json");
        self.send(pack(Kind::Request, u64::from(self.next), &request, b"")).await;
        self.next
    }

    async fn hear(&mut self) -> Message {
        loop {
            match self.frame().await {
                Some(Frame::Binary(frame)) => {
                    let frame = unpack(&frame).expect("a frame");
                    assert_eq!((frame.kind, frame.number), (Kind::Message, self.last + 1), "in order, none twice");
                    self.last = frame.number;
                    let message = Message::opened(frame.head, || frame.bytes.to_vec()).expect("a message");
                    let seen = pack(Kind::Seen, self.last, "", b"");
                    self.send(seen).await;
                    return message;
                }
                Some(Frame::Ping(_) | Frame::Pong(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn until(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        if let Some(at) = self.got.iter().position(&wanted) {
            return self.got.remove(at).expect("it is there");
        }
        loop {
            let message = self.hear().await;
            if wanted(&message) {
                return message;
            }
            self.got.push_back(message);
        }
    }

    async fn end(&mut self, id: u32) -> Result<Event, Failure> {
        match self.until(|message| message.id == id && message.news.is_final()).await.news {
            Event::Failed(failure) => Err(failure),
            news => Ok(news),
        }
    }

    async fn last(&mut self, ask: Command) -> Result<Event, Failure> {
        let id = self.ask(ask).await;
        self.end(id).await
    }

    async fn load(&mut self) {
        let model = ModelRef::Bundled { name: "engram-llama".into() };
        let answer = self.last(Command::Load { model, precision: None }).await;
        assert!(matches!(answer, Ok(Event::Loaded(_))), "{answer:?}");
    }

    async fn trace(&mut self) -> Record {
        match self.last(Command::Trace(question())).await {
            Ok(Event::Trace { record, .. }) => *record,
            other => panic!("{other:?}"),
        }
    }
}

fn question() -> Question {
    Question {
        prompt: "Miles Davis performed as a musician on the".into(),
        subject: "Miles Davis".into(),
        target: None,
        target_new: None,
        corruption: Settings::default().corruption,
        positions: Settings::default().positions,
        window: 3,
        maps: true,
    }
}

fn study(n: usize) -> Command {
    let settings = Settings { n, maps: 0, stages: vec![1], ..Settings::default() };
    Command::Study(StudyCommand { facts: None, settings, key: None })
}

fn run(test: impl AsyncFnOnce(Running)) {
    let data = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test(Running::start(data.path())));
}

#[test]
fn only_pages_of_this_server_with_its_token_come_in() {
    run(async |lab| {
        let (mut line, joined) = lab.joined(None, 0).await;
        assert_eq!((joined.protocol, joined.resumed), (PROTOCOL, false));
        line.load().await;
        assert!(line.trace().await.facts[0].traced().is_some());
        for wrong in ["", "x", &lab.token[1..]] {
            let mut line = lab.dial(&lab.browser(wrong)).await.expect("it is let in to hear why not");
            line.send(pack(Kind::Join, 0, "{}", b"")).await;
            assert_eq!(line.closed().await, Some(4401), "{wrong:?}");
        }
        let [(_, own), offered] = lab.browser(&lab.token);
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            assert!(lab.dial(&[("origin", origin.into()), offered.clone()]).await.is_err(), "{origin}");
        }
        assert!(lab.dial(std::slice::from_ref(&offered)).await.is_err(), "it does not say of which page it is");
        let foreign = [("origin", own), offered.clone(), ("host", "evil.example:80".into())];
        assert!(lab.dial(&foreign).await.is_err(), "another name for this machine");
        let program =
            [("authorization", format!("Bearer {}", lab.token)), ("sec-websocket-protocol", SUBPROTOCOL.into())];
        let mut line = lab.dial(&program).await.expect("a program says it by a header");
        assert!(!line.join(None, 0).await.resumed);
    });
}

#[test]
fn a_line_that_is_cut_anywhere_loses_nothing() {
    run(async |lab| {
        let (mut line, joined) = lab.joined(None, 0).await;
        line.load().await;
        let whole = line.trace().await;
        let first = line.last;
        let id = line.ask(Command::Trace(question())).await;
        // Cut after each of the trace's messages, and in the middle of nothing.
        let (mut seen, mut next) = (first, line.next);
        let mut told = Vec::new();
        drop(line);
        loop {
            let (mut line, again) = lab.joined(Some(&joined.session), seen).await;
            assert!(again.resumed && again.session == joined.session);
            line.next = next;
            // A request that arrived before the cut is not done twice.
            assert_eq!(again.asked, next);
            line.again(Command::Studies).await;
            let message = line.hear().await;
            (seen, next) = (line.last, line.next);
            let last = message.id == id && message.news.is_final();
            told.push(message.news);
            if last {
                break;
            }
        }
        assert!(told.len() > 10, "a map comes row by row: {}", told.len());
        match told.pop() {
            Some(Event::Trace { record, .. }) => assert_eq!(record.facts, whole.facts),
            other => panic!("{other:?}"),
        }
        let (_, other) = lab.joined(Some("0123456789abcdef"), 7).await;
        assert!(!other.resumed && other.session != joined.session);
        // An older connection of the same page is told that it is one.
        let (mut older, _) = lab.joined(Some(&joined.session), seen).await;
        let (_newer, _) = lab.joined(Some(&joined.session), seen).await;
        assert_eq!(older.closed().await, Some(4409));
    });
}

#[test]
fn a_study_goes_on_without_its_page_and_another_page_follows_it() {
    run(async |lab| {
        let (mut line, _) = lab.joined(None, 0).await;
        line.load().await;
        let alone = match line.last(study(60)).await {
            Ok(Event::Study { record, .. }) => record,
            other => panic!("{other:?}"),
        };
        line.ask(study(60)).await;
        let begun = |message: &Message| matches!(message.news, Event::StudyHeader { .. });
        line.got.clear();
        let Event::StudyHeader { key, .. } = line.until(begun).await.news else { panic!("begun") };
        drop(line);
        // Its page is closed. Another one sees it run, traces beside it, follows it, and pauses it.
        let (mut line, _) = lab.joined(None, 0).await;
        let saved = |answer: Result<Event, Failure>| match answer {
            Ok(Event::Studies { studies }) => studies.into_iter().find(|study| study.key == key).expect("it is kept"),
            other => panic!("{other:?}"),
        };
        assert!(saved(line.last(Command::Studies).await).running);
        let refused = line.last(Command::DropStudy { key: key.clone() }).await.expect_err("it runs");
        assert!(refused.message.contains("at work"), "{refused:?}");
        let watch = line.ask(Command::WatchStudy { key: key.clone() }).await;
        let Event::StudyHeader { record, .. } = line.until(begun).await.news else { panic!("followed") };
        let so_far = record.facts.len();
        line.load().await;
        assert!(line.trace().await.facts[0].traced().is_some());
        line.until(|message| message.id == watch && matches!(message.news, Event::Fact(_))).await;
        line.ask(Command::PauseStudy { key: key.clone() }).await;
        assert_eq!(line.end(watch).await.expect_err("paused").kind, FailureKind::Cancelled);
        let paused = saved(line.last(Command::Studies).await);
        assert!(
            !paused.running && !paused.finished && paused.validated >= so_far && paused.validated < 60,
            "{paused:?}"
        );
        let go_on = StudyCommand { facts: None, settings: Settings::default(), key: Some(key.clone()) };
        match line.last(Command::Study(go_on)).await {
            Ok(Event::Study { record, .. }) => assert_eq!(record, alone),
            other => panic!("{other:?}"),
        }
        match line.last(Command::WatchStudy { key: key.clone() }).await {
            Ok(Event::Study { record, finished: true, .. }) => assert_eq!(record, alone, "what is over is opened"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn broken_frames_end_their_own_line_alone() {
    run(async |lab| {
        let (mut good, _) = lab.joined(None, 0).await;
        good.load().await;
        let whole = pack(Kind::Request, 1, "{\"id\":1,\"ask\":{\"ask\":\"studies\"}}", b"");
        let mut seed = 1u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize
        };
        for round in 0..200 {
            let mut line = lab.page().await;
            if round % 2 == 0 {
                line.join(None, 0).await;
            }
            let mut frame = whole.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() % frame.len();
                frame[at] = random() as u8;
            }
            frame.truncate(1 + random() % frame.len());
            line.send(frame).await;
            if round % 3 == 0 {
                let _ = line.socket.send(Frame::Text(Utf8Bytes::from_static("{}"))).await;
                assert_eq!(line.closed().await, Some(4400), "round {round}");
            }
        }
        // A request that this engine does not know has an answer, and its line stays.
        let unknown = "{\"id\":9,\"ask\":{\"ask\":\"dance\"}}";
        good.send(pack(Kind::Request, 9, unknown, b"")).await;
        assert_eq!(good.end(9).await.expect_err("unknown").kind, FailureKind::Input);
        // More than a message may have.
        let mut line = lab.page().await;
        line.join(None, 0).await;
        line.send(vec![0; (64 << 20) + 1]).await;
        assert!(line.closed().await.is_none_or(|code| code != 1000));
        // A page that asks without end is told so, and the others are served.
        let (mut greedy, _) = lab.joined(None, 0).await;
        let mut ids = Vec::new();
        for _ in 0..200 {
            ids.push(greedy.ask(Command::Studies).await);
        }
        let start = Instant::now();
        assert!(good.trace().await.facts[0].traced().is_some());
        assert!(start.elapsed() < PATIENCE);
        for id in ids {
            let _ = greedy.end(id).await;
        }
    });
}

#[test]
fn a_hundred_connections_leave_room_for_a_page() {
    run(async |lab| {
        let mut idle = Vec::new();
        for _ in 0..60 {
            idle.push(lab.page().await);
        }
        let (mut line, _) = lab.joined(None, 0).await;
        line.load().await;
        // The rest waits for a seat, and gets one when somebody goes.
        let lab = &lab;
        let more: Vec<_> = (0..40).map(|_| async move { lab.page().await.join(None, 0).await }).collect();
        let more = futures_util::future::join_all(more);
        let (joined, ()) = futures_util::future::join(more, async {
            assert!(line.trace().await.facts[0].traced().is_some());
            idle.clear();
        })
        .await;
        assert_eq!(joined.len(), 40);
    });
}

#[test]
fn what_is_offered_says_nothing_secret() {
    run(async |lab| {
        use std::io::{Read as _, Write as _};
        let mut stream = std::net::TcpStream::connect(lab.address).expect("a connection");
        let head = format!("GET /engine HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", lab.address);
        stream.write_all(head.as_bytes()).expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        assert!(
            text.starts_with("HTTP/1.1 200") && text.contains("\"token\":true") && text.contains("\"here\""),
            "{text}"
        );
        assert!(!text.contains(&lab.token), "{text}");
        // A ticket that nobody has issued, or that is asked for without a page, gives nothing.
        for origin in [String::new(), format!("Origin: http://{}\r\n", lab.address)] {
            let mut stream = std::net::TcpStream::connect(lab.address).expect("a connection");
            let head = format!(
                "POST /engine/key HTTP/1.1\r\nHost: {}\r\n{origin}Content-Length: 5\r\nConnection: close\r\n\r\nguess",
                lab.address
            );
            stream.write_all(head.as_bytes()).expect("sent");
            let mut text = String::new();
            stream.read_to_string(&mut text).expect("an answer");
            assert!(text.starts_with("HTTP/1.1 403") && !text.contains(&lab.token), "{text}");
        }
    });
}
