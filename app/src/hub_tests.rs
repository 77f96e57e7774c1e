//! Downloads from a tiny hub on 127.0.0.1.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the server has and does.
#[derive(Default)]
struct State {
    files: HashMap<String, Vec<u8>>,
    /// Cut the connection after so many bytes of a body, once.
    cut_after: Option<usize>,
    /// Change a byte of what is sent.
    corrupt: bool,
    /// Answer everything with this status.
    refuse: Option<u16>,
    /// The range of each request, by file.
    requests: Vec<(String, String)>,
    authorised: bool,
}

struct Server {
    state: Arc<Mutex<State>>,
    cache: tempfile::TempDir,
    endpoint: String,
}

impl Server {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let state = Arc::new(Mutex::new(State { files, ..State::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { state, cache: tempfile::tempdir().unwrap(), endpoint }
    }

    fn hub(&self) -> Hub {
        Hub {
            cache: self.cache.path().to_owned(),
            endpoint: self.endpoint.clone(),
            token: Some("secret".into()),
            offline: false,
            retries: 0,
        }
    }

    fn fetch(&self, id: &str) -> anyhow::Result<PathBuf> {
        self.hub().fetch(id, true)
    }

    fn requests(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    fn refused(&self, id: &str) -> (String, String) {
        let error = self.fetch(id).unwrap_err();
        let error = error.downcast_ref::<Error>().unwrap();
        (error.message().to_owned(), error.next_step().unwrap().to_owned())
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<_, _> = lines
        .map_while(|line| line.ok().filter(|line| !line.is_empty()))
        .filter_map(|line| line.split_once(": ").map(|(key, value)| (key.to_lowercase(), value.to_owned())))
        .collect();
    let mut stream = stream;
    let mut state = state.lock().unwrap();
    let name = path.strip_prefix("/org/name/resolve/").and_then(|rest| rest.split_once('/')).map(|(_, name)| name);
    let name = name.unwrap_or_default().to_owned();
    let range = headers.get("range").cloned().unwrap_or_default();
    state.requests.push((name.clone(), range.clone()));
    state.authorised |= headers.get("authorization").is_some_and(|token| token == "Bearer secret");
    let refused = state.refuse.or((!state.files.contains_key(&name)).then_some(404));
    if let Some(code) = refused {
        write!(stream, "HTTP/1.1 {code} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
        return None;
    }
    let file = state.files[&name].clone();
    let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
    let start: usize = start.parse().ok()?;
    if start >= file.len() {
        write!(stream, "HTTP/1.1 416 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
        return None;
    }
    let end = end.parse().map_or(file.len(), |last: usize| last + 1).min(file.len());
    // As on the hub: SHA-256 for large files, git's SHA-1 for small ones.
    let etag = if name.ends_with(".safetensors") {
        format!("{:x}", Sha256::digest(&file))
    } else {
        format!("{:x}", Sha1::new_with_prefix(format!("blob {}\0", file.len())).chain_update(&file).finalize())
    };
    let mut body = file[start..end].to_vec();
    if state.corrupt && body.len() > 1 {
        body[0] ^= 1;
    }
    write!(
        stream,
        "HTTP/1.1 206 Partial\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{}/{}\r\nETag: \"{etag}\"\r\n\
         X-Repo-Commit: {COMMIT}\r\nConnection: close\r\n\r\n",
        body.len(),
        end.max(1) - 1,
        file.len()
    )
    .ok()?;
    if body.len() > 1000
        && let Some(cut) = state.cut_after.take()
    {
        body.truncate(cut);
    }
    stream.write_all(&body).ok()
}

const CONFIG: (&str, &[u8]) = ("config.json", br#"{"model_type": "llama"}"#);
const TOKENIZER: (&str, &[u8]) = ("tokenizer.json", b"{}");
const BODY: [u8; 5000] = [7; 5000];

fn small() -> Server {
    Server::new(&[CONFIG, TOKENIZER, (WHOLE, &BODY)])
}

#[test]
fn a_model_is_downloaded_once() {
    let server = small();
    let folder = server.fetch("org/name").unwrap();
    assert!(folder.ends_with(format!("models--org--name/snapshots/{COMMIT}")), "{}", folder.display());
    assert_eq!(std::fs::read(folder.join(WHOLE)).unwrap(), BODY);
    assert!(!server.requests().is_empty() && server.state.lock().unwrap().authorised);
    // Again, by branch and by commit, without the network.
    assert_eq!(server.fetch("org/name").unwrap(), folder);
    assert_eq!(server.fetch(&format!("org/name@{COMMIT}")).unwrap(), folder);
    assert_eq!(server.requests(), []);
    assert_eq!(entries(&refs(&server)).len(), 1);

    let models = server.hub().cached();
    let bytes = (CONFIG.1.len() + TOKENIZER.1.len() + BODY.len()) as u64;
    let (id, revision) = ("org/name".to_owned(), "main".to_owned());
    assert_eq!(models, [CachedModel { id, revision, path: folder, bytes, family: Some("llama".into()) }]);
    assert!(server.hub().delete("org/name@main").is_err());
    assert_eq!(server.hub().delete("org/name").unwrap(), bytes);
    assert_eq!(server.hub().cached(), []);
    assert!(server.hub().delete("org/name").is_err());
}

fn refs(server: &Server) -> PathBuf {
    server.cache.path().join("models--org--name/refs")
}

#[test]
fn shards_come_through_the_index() {
    let index = br#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}}"#;
    let server =
        Server::new(&[CONFIG, TOKENIZER, (INDEX, index), ("m-1.safetensors", &BODY), ("m-2.safetensors", b"two")]);
    let folder = server.fetch("org/name").unwrap();
    assert_eq!(std::fs::read(folder.join("m-2.safetensors")).unwrap(), b"two");
    // A shard that went missing is fetched again, and nothing else.
    std::fs::remove_file(folder.join("m-2.safetensors")).unwrap();
    server.requests();
    server.fetch("org/name").unwrap();
    assert!(server.requests().iter().all(|(name, _)| name == "m-2.safetensors" || name == "tokenizer_config.json"));
}

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let server = small();
    server.state.lock().unwrap().cut_after = Some(2500);
    let (message, hint) = server.refused("org/name");
    assert!(message.contains("org/name is not complete") && hint.contains("a finished part is kept"), "{message}");
    server.requests();
    let folder = server.fetch("org/name").unwrap();
    assert_eq!(std::fs::read(folder.join(WHOLE)).unwrap(), BODY);
    assert!(server.requests().contains(&(WHOLE.to_owned(), "bytes=2500-".to_owned())));

    // With a retry, one call is enough.
    let server = small();
    server.state.lock().unwrap().cut_after = Some(2500);
    let hub = Hub { retries: 1, ..server.hub() };
    assert_eq!(std::fs::read(hub.fetch("org/name", true).unwrap().join(WHOLE)).unwrap(), BODY);
}

#[test]
fn a_part_that_is_already_whole_does_not_block() {
    for extra in [0, 10] {
        let server = small();
        server.fetch("org/name").unwrap();
        let blobs = server.cache.path().join("models--org--name/blobs");
        let blob = blobs.join(format!("{:x}", Sha256::digest(BODY)));
        std::fs::remove_file(&blob).unwrap();
        std::fs::remove_file(server.hub().cached()[0].path.join(WHOLE)).unwrap();
        std::fs::write(blob.with_extension("part"), vec![7; BODY.len() + extra]).unwrap();
        let folder = server.fetch("org/name").unwrap();
        assert_eq!(std::fs::read(folder.join(WHOLE)).unwrap(), BODY);
    }
}

#[test]
fn a_damaged_file_is_removed_and_reported() {
    let server = small();
    server.state.lock().unwrap().corrupt = true;
    let (message, _) = server.refused("org/name");
    assert!(message.starts_with("org/name: config.json: the download is damaged"), "{message}");
    server.state.lock().unwrap().corrupt = false;
    server.fetch("org/name").unwrap();
    std::fs::remove_dir_all(server.cache.path().join("models--org--name")).unwrap();

    // The weights only, whose hash is a SHA-256.
    let server = Server::new(&[CONFIG, TOKENIZER]);
    server.fetch("org/name").unwrap_err();
    server.state.lock().unwrap().files.insert(WHOLE.into(), BODY.to_vec());
    server.state.lock().unwrap().corrupt = true;
    let (message, _) = server.refused("org/name");
    assert!(message.starts_with("org/name: model.safetensors: the download is damaged"), "{message}");
    server.state.lock().unwrap().corrupt = false;
    let folder = server.fetch("org/name").unwrap();
    assert_eq!(std::fs::read(folder.join(WHOLE)).unwrap(), BODY);
}

#[test]
fn refusals_say_what_to_do() {
    let server = small();
    server.state.lock().unwrap().refuse = Some(401);
    let (message, hint) = server.refused("org/name@v2");
    assert!(message.contains("HTTP 401") && hint.contains("HF_TOKEN") && hint.contains("/org/name "), "{hint}");
    server.state.lock().unwrap().refuse = Some(503);
    assert!(server.refused("org/name").0.contains("HTTP 503"));
    server.state.lock().unwrap().refuse = None;
    assert!(server.refused("org/other").0.contains("has no config.json"));
    server.state.lock().unwrap().files.remove("tokenizer.json");
    assert!(server.refused("org/name").0.contains("has no tokenizer.json"));
    for id in ["", "a/b/c", "../x", "org/", "org/name@", "org/name@../..", "org/na me"] {
        assert!(server.refused(id).0.contains("neither a local folder"), "{id}");
    }
}

#[test]
fn without_a_network_the_error_names_the_url() {
    let server = small();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hub = Hub { endpoint: format!("http://{closed}"), ..server.hub() };
    let error = hub.fetch("org/name", true).unwrap_err().to_string();
    assert!(error.contains(&format!("http://{closed}/org/name/resolve/main/config.json")), "{error}");
    assert!(error.contains("hint:") && error.contains("HF_ENDPOINT"), "{error}");
    let hub = Hub { offline: true, ..hub };
    assert!(hub.fetch("org/name", true).unwrap_err().to_string().contains("HF_HUB_OFFLINE"));
}
