//! A stand-in for the hub on 127.0.0.1: three servers, a hub, the storage behind it and a mirror, which answer as those do
//! today, and as they do on a bad day ([`Does`]). It speaks HTTP by hand, since a library would not lie.

#![allow(clippy::unwrap_used)]

// By its path, since tests of two crates' parts include this file.
#[path = "wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use wire::{Answer, serve};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// What every model is called.
pub const MODEL: &str = "org/name";
/// What every dataset is called.
pub const DATASET: &str = "datasets/org/texts";

/// What is different from a hub on a good day. Each is by itself; a test takes as many as it needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// Small files come compressed although nobody asked for it.
    Gzip,
    /// Answers ranges with the whole file.
    NoRanges,
    /// Answers ranges with 206, but without Content-Range.
    NoContentRange,
    /// Sends bodies in chunks and names no sizes.
    Chunked,
    /// Sends bodies until the connection ends, and names no sizes.
    Unbounded,
    /// `W/"…"`, as reverse proxies make of an ETag.
    WeakEtags,
    /// ETags that are no hashes of the content.
    OtherEtags,
    /// No ETag at all.
    NoEtags,
    /// No X-Repo-Commit.
    NoCommit,
    /// HEAD is not allowed.
    NoHead,
    /// Files are on the hub itself: no redirects.
    Flat,
    /// Every answer is a sign-in page.
    Portal,
    /// Every answer is a redirect to a sign-in page on another host.
    PortalRedirect,
    /// After so many bytes of a body nothing more comes, once.
    Stall(usize),
    /// No connection ever says anything.
    Silent,
    /// After so many bytes of a body the connection ends, so many times.
    Cut(usize, usize),
    /// One byte of each body is wrong.
    Corrupt,
    /// One byte of each body is wrong, so many times.
    CorruptTimes(usize),
    /// Names this content, whatever the file.
    Etag(String),
    /// Names this commit.
    Commit(String),
    /// Redirects without an address.
    NoLocation,
    /// Redirects to what is no address.
    Location(&'static str),
    /// Redirects to itself.
    Circle,
    /// So many bytes more than promised.
    TooMuch(usize),
    /// Names so many bytes, and sends fewer.
    Promises(u64),
    /// Refuses with a status, an X-Error-Code and an X-Error-Message.
    Refuse(u16, &'static str, &'static str),
    /// Refuses so many times, then no more.
    Busy(usize),
    /// Storage addresses are good for one request.
    Expires,
    /// No answer that HTTP knows.
    Garbage,
    /// Headers without an end.
    EndlessHeaders,
    /// The weights are of another commit than the files before them.
    MovesOn,
}

/// One request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub role: Role,
    pub method: String,
    pub path: String,
    pub range: String,
    pub token: String,
}

impl Request {
    /// The file's name.
    pub fn file(&self) -> &str {
        self.path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Hub,
    Storage,
    Mirror,
}

/// What the servers have and do.
pub struct State {
    pub files: BTreeMap<String, Vec<u8>>,
    pub does: Vec<Does>,
    pub log: Vec<Request>,
    hub: String,
    storage: String,
    /// How often an address of the storage was asked.
    asked: usize,
}

pub struct Standin {
    pub hub: String,
    pub mirror: String,
    state: Arc<Mutex<State>>,
}

impl Standin {
    pub fn new(files: &[(&str, &[u8])], does: &[Does]) -> Self {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let [hub, storage, mirror] = [bind(), bind(), bind()];
        let address = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            files: files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect(),
            does: does.to_vec(),
            log: Vec::new(),
            hub: address(&hub),
            storage: address(&storage),
            asked: 0,
        };
        let standin = Self { hub: address(&hub), mirror: address(&mirror), state: Arc::new(Mutex::new(state)) };
        for (listener, role) in [(hub, Role::Hub), (storage, Role::Storage), (mirror, Role::Mirror)] {
            let state = standin.state.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let state = state.clone();
                    std::thread::spawn(move || serve(&stream, role, &state));
                }
            });
        }
        standin
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().log)
    }
}

/// As git names a small file, and as large-file storage names a large one.
pub fn etag_of(name: &str, bytes: &[u8]) -> String {
    match is_large(name) {
        true => format!("{:x}", Sha256::digest(bytes)),
        false => {
            format!("{:x}", Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
        }
    }
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors")
}

impl State {
    fn does(&self, what: &Does) -> bool {
        self.does.contains(what)
    }

    fn answer(&mut self, request: &Request) -> Answer {
        for what in &self.does {
            match what {
                Does::Portal => return Answer::new(200).with("Content-Type", "text/html").body("<html>Sign in"),
                Does::PortalRedirect if request.path == "/login" => {
                    return Answer::new(200).with("Content-Type", "text/html").body("<html>Sign in");
                }
                Does::PortalRedirect => return Answer::new(302).with("Location", format!("{}/login", self.storage)),
                Does::Refuse(status, code, message) => {
                    return Answer::new(*status).with("X-Error-Code", *code).with("X-Error-Message", *message);
                }
                Does::NoLocation => return Answer::new(302),
                Does::Location(to) => return Answer::new(302).with("Location", *to),
                Does::Circle => return Answer::new(302).with("Location", request.path.clone()),
                Does::NoHead if request.method == "HEAD" => return Answer::new(405),
                _ => {}
            }
        }
        if let Some(Does::Busy(times)) = self.does.iter_mut().find(|what| matches!(what, Does::Busy(1..))) {
            *times -= 1;
            return Answer::new(503);
        }
        match request.role {
            Role::Mirror => Answer::new(308).with("Location", format!("{}{}", self.hub, request.path)),
            Role::Storage => self.stored(request),
            Role::Hub => self.resolved(request),
        }
    }

    /// `/org/name/resolve/REVISION/FILE`, of a dataset behind `/datasets`, and `/api/resolve-cache/models/org/name/COMMIT/FILE?etag=…`; the list of files.
    fn resolved(&self, request: &Request) -> Answer {
        let path = request.path.split('?').next().unwrap_or_default();
        if path == format!("/api/models/{MODEL}/revision/main") {
            let one =
                |(name, file): (&String, &Vec<u8>)| format!(r#"{{"rfilename": "{name}", "size": {}}}"#, file.len());
            let list: Vec<String> = self.files.iter().map(one).collect();
            return Answer::new(200).body(format!(r#"{{"sha": "{COMMIT}", "siblings": [{}]}}"#, list.join(", ")));
        }
        let kinds = [(MODEL, format!("models/{MODEL}")), (DATASET, DATASET.to_owned())];
        let named = kinds.iter().find(|(name, kind)| {
            path.starts_with(&format!("/{name}/resolve/")) || path.starts_with(&format!("/api/resolve-cache/{kind}/"))
        });
        let (name, kind) = named.unwrap_or(&kinds[0]);
        let cached = path.strip_prefix(&format!("/api/resolve-cache/{kind}/"));
        let asked = cached.or_else(|| path.strip_prefix(&format!("/{name}/resolve/")));
        let repository = *name;
        let Some((revision, name)) = asked.and_then(|rest| rest.split_once('/')) else {
            return Answer::new(404)
                .with("X-Error-Code", "RepoNotFound")
                .with("X-Error-Message", "Repository not found");
        };
        if !["main", "v2", COMMIT, "refs%2Fpr%2F1"].contains(&revision) {
            return Answer::new(404).with("X-Error-Code", "RevisionNotFound").with("X-Error-Message", "Invalid rev id");
        }
        let Some(file) = self.files.get(name) else {
            let absent = Answer::new(404).with("X-Error-Code", "EntryNotFound").with("X-Repo-Commit", COMMIT);
            return absent.with("X-Error-Message", "Entry not found");
        };
        let etag = self.etag(name, file);
        let mut answer = Answer::new(200);
        if !self.does(&Does::NoCommit) {
            let given =
                self.does.iter().find_map(|what| if let Does::Commit(name) = what { Some(name.clone()) } else { None });
            let moved = self.does(&Does::MovesOn) && is_large(name);
            let commit = given.unwrap_or_else(|| if moved { "f".repeat(40) } else { COMMIT.to_owned() });
            answer = answer.with("X-Repo-Commit", commit);
        }
        if self.does(&Does::Flat) {
            return self.sent(name, file, etag, request, answer);
        }
        if is_large(name) {
            if let Some(etag) = etag {
                answer = answer.with("X-Linked-ETag", etag).with("ETag", "\"of-the-redirect\"");
            }
            if let Some(size) = self.size(file) {
                answer = answer.with("X-Linked-Size", size.to_string());
            }
            answer.status = 302;
            return answer
                .with("Location", format!("{}/{name}?X-Signature=s{}", self.storage, self.asked))
                .with("Vary", "Origin, Accept")
                .body("Found. Redirecting to the storage");
        }
        if cached.is_none() {
            answer.status = 307;
            let query = format!("%2F{}=&etag=%22{}%22", repository.replace('/', "%2F"), etag_of(name, file));
            let to = format!("/api/resolve-cache/{kind}/{COMMIT}/{name}?{query}");
            return answer.with("Location", to).body("Temporary Redirect. Redirecting");
        }
        // The query has to survive the redirect.
        if !request.path.ends_with(&format!("etag=%22{}%22", etag_of(name, file))) {
            return Answer::new(400).with("X-Error-Message", "the query is lost");
        }
        self.sent(name, file, etag, request, answer)
    }

    /// `/FILE?X-Signature=…`, which no Authorization may accompany.
    fn stored(&mut self, request: &Request) -> Answer {
        let name = request.file().to_owned();
        if !request.token.is_empty() || !request.path.contains("X-Signature=s") {
            return Answer::new(400).with("X-Error-Message", "Only one auth mechanism allowed");
        }
        if self.does(&Does::Expires) {
            if !request.path.ends_with(&format!("=s{}", self.asked)) {
                return Answer::new(403);
            }
            self.asked += 1;
        }
        let Some(file) = self.files.get(&name) else { return Answer::new(404) };
        self.sent(&name, file, Some("\"of-the-storage-1\"".to_owned()), request, Answer::new(200))
    }

    fn etag(&self, name: &str, file: &[u8]) -> Option<String> {
        let given =
            self.does.iter().find_map(|what| if let Does::Etag(etag) = what { Some(etag.clone()) } else { None });
        let plain =
            if self.does(&Does::OtherEtags) { format!("{:x}-{}", file.len(), name.len()) } else { etag_of(name, file) };
        let quoted = given.unwrap_or_else(|| format!("\"{plain}\""));
        let etag = if self.does(&Does::WeakEtags) { format!("W/{quoted}") } else { quoted };
        (!self.does(&Does::NoEtags)).then_some(etag)
    }

    /// What is told of a size.
    fn size(&self, file: &[u8]) -> Option<u64> {
        let promised =
            self.does.iter().find_map(|what| if let Does::Promises(size) = what { Some(*size) } else { None });
        let silent = self.does(&Does::Chunked) || self.does(&Does::Unbounded);
        (!silent).then(|| promised.unwrap_or(file.len() as u64))
    }

    fn sent(&self, name: &str, file: &[u8], etag: Option<String>, request: &Request, mut answer: Answer) -> Answer {
        if let Some(etag) = etag {
            answer = answer.with("ETag", etag);
        }
        if self.does(&Does::Gzip) && !is_large(name) {
            let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            coder.write_all(file).unwrap();
            return answer.with("Content-Encoding", "gzip").body(coder.finish().unwrap());
        }
        let first =
            request.range.strip_prefix("bytes=").and_then(|range| range.strip_suffix('-')?.parse::<usize>().ok());
        let Some(first) = first.filter(|_| !self.does(&Does::NoRanges)) else { return answer.body(file) };
        if first >= file.len() {
            return Answer::new(416).with("Content-Range", format!("bytes */{}", file.len()));
        }
        answer.status = 206;
        if !self.does(&Does::NoContentRange) {
            answer = answer.with("Content-Range", format!("bytes {first}-{}/{}", file.len() - 1, file.len()));
        }
        answer.body(&file[first..])
    }
}
