//! HTTP of the stand-in, by hand: requests in, answers out, and what a bad day makes of them.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use super::{Does, Request, Role, State};

/// An answer: status line, headers, body.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

pub(super) fn serve(stream: &TcpStream, role: Role, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |name: &str| {
            let found =
                lines.iter().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_owned()).unwrap_or_default()
        };
        let mut words = lines.first()?.split(' ').map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let (range, token) = (header("range"), header("authorization"));
        let request = Request { role, method, path, range, token };
        let (answer, does) = {
            let mut state = state.lock().unwrap();
            state.log.push(request.clone());
            (state.answer(&request), state.does.clone())
        };
        send(stream, &request, answer, &does, state)?;
    }
}

/// Sends an answer, or what a bad day makes of it. `None` ends the connection.
fn send(stream: &TcpStream, request: &Request, mut answer: Answer, does: &[Does], state: &Mutex<State>) -> Option<()> {
    let mut out = stream;
    let is = |what: &Does| does.contains(what);
    if is(&Does::Silent) {
        std::thread::sleep(Duration::from_secs(30));
        return None;
    }
    if is(&Does::Garbage) {
        out.write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n").ok()?;
        return None;
    }
    if is(&Does::EndlessHeaders) {
        out.write_all(b"HTTP/1.1 200 OK\r\n").ok()?;
        for _ in 0..10_000 {
            out.write_all(format!("X-More: {}\r\n", "m".repeat(1000)).as_bytes()).ok()?;
        }
        return None;
    }
    let content = matches!(answer.status, 200 | 206);
    let body = std::mem::take(&mut answer.body);
    let (mut body, mut promised) = (body.clone(), body.len() as u64);
    let mut ends = false;
    if content && request.method == "GET" {
        let mut state = state.lock().unwrap();
        let mut damage = is(&Does::Corrupt);
        for what in &mut state.does {
            match what {
                Does::CorruptTimes(times @ 1..) => {
                    *times -= 1;
                    damage = true;
                }
                Does::Cut(after, times @ 1..) if body.len() > *after => {
                    *times -= 1;
                    body.truncate(*after);
                    ends = true;
                }
                _ => {}
            }
        }
        if damage && let Some(first) = body.first_mut() {
            *first ^= 1;
        }
    }
    for what in does {
        if let (Does::Promises(size), true) = (what, content) {
            promised = *size;
        }
    }
    let chunked = is(&Does::Chunked) && content;
    let more = does.iter().find_map(|what| if let Does::TooMuch(more) = what { Some(*more) } else { None });
    // Only what has no length can be longer than it.
    let unbounded = (is(&Does::Unbounded) || more.is_some()) && content;
    let mut head = format!("HTTP/1.1 {} Status\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&match (chunked, unbounded && request.method == "GET") {
        (true, _) => "Transfer-Encoding: chunked\r\n".to_owned(),
        (false, true) => "Connection: close\r\n".to_owned(),
        (false, false) => format!("Content-Length: {promised}\r\n"),
    });
    out.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return Some(());
    }
    let stall = {
        let mut state = state.lock().unwrap();
        let at =
            state.does.iter().position(|what| matches!(what, Does::Stall(after) if content && body.len() > *after));
        at.map(|at| state.does.remove(at))
    };
    if let Some(Does::Stall(after)) = stall {
        out.write_all(&body[..after]).ok()?;
        std::thread::sleep(Duration::from_secs(30));
        return None;
    }
    if chunked {
        for piece in body.chunks(1000) {
            out.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).ok()?;
            out.write_all(piece).ok()?;
            out.write_all(b"\r\n").ok()?;
        }
        if !ends {
            out.write_all(b"0\r\n\r\n").ok()?;
        }
    } else {
        out.write_all(&body).ok()?;
        for _ in 0..more.filter(|_| content).unwrap_or(0) >> 16 {
            out.write_all(&[b' '; 1 << 16]).ok()?;
        }
    }
    (!ends && !unbounded && body.len() as u64 >= promised).then_some(())
}
