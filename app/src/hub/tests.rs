//! Downloads from a stand-in for the hub, on good days and bad ones.

#![allow(clippy::unwrap_used)]

mod cache;
mod lies;
mod standin;

use std::time::{Duration, Instant};

use super::*;
use crate::ui::{ColorChoice, Ui};
pub(super) use standin::{COMMIT, Does, Request, Role, Standin, etag_of};

const CONFIG: (&str, &[u8]) = ("config.json", br#"{"model_type": "llama"}"#);
const TOKENIZER: (&str, &[u8]) = ("tokenizer.json", b"{}");
const BODY: [u8; 5000] = [7; 5000];

/// A stand-in and a cache folder.
struct Setting {
    server: Standin,
    root: tempfile::TempDir,
}

impl Setting {
    fn new(does: &[Does]) -> Self {
        Self::with(&[CONFIG, TOKENIZER, (WHOLE, &BODY)], does)
    }

    fn with(files: &[(&str, &[u8])], does: &[Does]) -> Self {
        Self { server: Standin::new(files, does), root: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    fn hub(&self) -> Hub {
        Hub {
            cache: self.cache(),
            endpoint: self.server.hub.clone(),
            token: Some(Token { value: "secret".into(), from: "HF_TOKEN".into() }),
            offline: false,
            links: true,
            retries: 2,
            idle: Duration::from_secs(2),
        }
    }

    fn fetch(&self, id: &str) -> anyhow::Result<PathBuf> {
        fetch(&self.hub(), id)
    }

    /// What a refusal says: message and hint.
    fn refused(&self, id: &str) -> (String, String) {
        refused(&self.hub(), id)
    }

    /// Every file below the folder that holds the cache.
    fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.root.path(), self.root.path(), &mut found);
        found.sort();
        found
    }
}

fn fetch(hub: &Hub, id: &str) -> anyhow::Result<PathBuf> {
    hub.fetch(id, &Progress::new(Ui::new(ColorChoice::Never, true)))
}

fn refused(hub: &Hub, id: &str) -> (String, String) {
    let error = fetch(hub, id).unwrap_err();
    let error = error.downcast_ref::<Error>().unwrap();
    (error.message().to_owned(), error.next_step().unwrap().to_owned())
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for path in entries(folder) {
        match path.symlink_metadata().unwrap().is_dir() {
            true => walk(root, &path, found),
            false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
        }
    }
}

/// All files of the model are there, as they are on the server.
fn whole(setting: &Setting, folder: &Path) {
    for (name, bytes) in &setting.server.state().files {
        assert_eq!(std::fs::read(folder.join(name)).unwrap(), *bytes, "{name}");
    }
    assert!(setting.tree().iter().all(|path| !path.contains(".incomplete") && !path.contains(".tmp")));
}

/// The model arrives whole however the server behaves, and the token stays with the hub.
fn arrives(does: &[Does]) -> (Setting, PathBuf, Vec<Request>) {
    let setting = Setting::new(does);
    let folder = setting.fetch("org/name").unwrap_or_else(|error| panic!("{does:?}: {error:?}"));
    assert!(folder.ends_with(format!("models--org--name/snapshots/{COMMIT}")), "{}", folder.display());
    whole(&setting, &folder);
    let requests = setting.server.requests();
    for request in &requests {
        assert_eq!(request.token.is_empty(), request.role != Role::Hub, "{does:?}: {request:?}");
    }
    (setting, folder, requests)
}

/// A file of a dataset, small or large, is checked and kept as the hub's own programs keep it.
#[test]
fn a_file_of_a_dataset() {
    for file in ["raw/train.parquet", WHOLE] {
        let setting = Setting::with(&[(file, &BODY)], &[]);
        let progress = Progress::new(Ui::new(ColorChoice::Never, true));
        let found = setting.hub().dataset("org/texts", file, &progress).unwrap();
        assert!(found.ends_with(format!("datasets--org--texts/snapshots/{COMMIT}/{file}")), "{}", found.display());
        assert_eq!(std::fs::read(&found).unwrap(), BODY);
        assert!(!setting.server.requests().is_empty());
        assert_eq!(setting.hub().dataset("org/texts", file, &progress).unwrap(), found);
        assert!(setting.server.requests().is_empty(), "what is there was asked for again");
        let absent = setting.hub().dataset("org/texts", "other", &progress).unwrap_err().to_string();
        assert!(absent.contains("datasets/org/texts") && absent.contains("has no other"), "{absent}");
        let offline = Hub { offline: true, ..setting.hub() };
        assert!(offline.dataset("org/texts", "other", &progress).unwrap_err().to_string().contains("HF_HUB_OFFLINE"));
    }
}

/// Quantised weights and unknown families are refused by config.json, before gigabytes come over the network.
#[test]
fn what_cannot_be_read_is_not_fetched() {
    let ways: [(&[u8], &str); 2] = [
        (br#"{"model_type": "llama", "quantization_config": {"quant_method": "fp8"}}"#, "FP8"),
        (br#"{"model_type": "mamba"}"#, "mamba"),
    ];
    for (config, words) in ways {
        let setting = Setting::with(&[("config.json", config), TOKENIZER, (WHOLE, &BODY)], &[]);
        let said = setting.refused("org/name").0;
        assert!(said.contains(words) && said.contains("org/name"), "{said}");
        assert!(setting.server.requests().iter().all(|request| request.file() != WHOLE), "the weights were asked for");
    }
}

#[test]
fn a_hub_of_today() {
    let (setting, folder, requests) = arrives(&[]);
    assert!(requests.iter().any(|request| request.path.starts_with("/api/resolve-cache/models/org/name/")));
    assert!(requests.iter().any(|request| request.role == Role::Storage && request.method == "GET"));
    // Of each file the headers once and the content once.
    let weights = |role, method: &str| {
        requests.iter().filter(|r| r.role == role && r.method == method && r.file() == WHOLE).count()
    };
    assert_eq!((weights(Role::Hub, "HEAD"), weights(Role::Storage, "GET"), weights(Role::Hub, "GET")), (1, 1, 0));

    // Again, by branch and by commit, without the network.
    assert_eq!(setting.fetch("org/name").unwrap(), folder);
    assert_eq!(setting.fetch(&format!("org/name@{COMMIT}")).unwrap(), folder);
    assert_eq!(setting.server.requests(), []);

    let models = setting.hub().cached();
    let bytes = (CONFIG.1.len() + TOKENIZER.1.len() + BODY.len()) as u64;
    let (id, revision) = ("org/name".to_owned(), "main".to_owned());
    assert_eq!(models, [CachedModel { id, revision, path: folder, bytes, family: Some("llama".into()) }]);
    assert!(setting.hub().delete("org/name@main").is_err());
    assert!(setting.hub().delete("org/name").unwrap() >= bytes);
    assert_eq!(setting.hub().cached(), []);
    assert_eq!(setting.tree(), Vec::<String>::new());
    assert!(setting.hub().delete("org/name").is_err());
}

/// `org/name:FILE.gguf` is one file, alone; a repository of such files says which there are.
#[test]
fn one_gguf_file_of_a_repository() {
    let files: [(&str, &[u8]); 4] = [CONFIG, TOKENIZER, ("m-Q4_0.gguf", &BODY), ("more/m-Q8_0.gguf", &[8; 7000])];
    let setting = Setting::with(&files, &[]);
    let path = setting.fetch("org/name:m-Q4_0.gguf").unwrap();
    assert!(path.ends_with(format!("snapshots/{COMMIT}/m-Q4_0.gguf")), "{}", path.display());
    assert_eq!(std::fs::read(&path).unwrap(), BODY);
    assert!(
        setting.server.requests().iter().all(|request| request.file().starts_with("m-Q4_0")),
        "one file is asked for"
    );
    // Again without the network; by commit too.
    assert_eq!(setting.fetch("org/name:m-Q4_0.gguf").unwrap(), path);
    assert_eq!(setting.fetch(&format!("org/name@{COMMIT}:m-Q4_0.gguf")).unwrap(), path);
    assert_eq!(setting.server.requests(), []);
    let inner = setting.fetch("org/name@refs/pr/1:more/m-Q8_0.gguf").unwrap();
    assert_eq!(std::fs::read(inner).unwrap(), [8; 7000]);

    let (said, hint) = setting.refused("org/name");
    assert!(said.contains("m-Q4_0.gguf (5.0 kB), more/m-Q8_0.gguf (7.0 kB)"), "{said}");
    assert!(hint.ends_with("--model org/name:m-Q4_0.gguf"), "{hint}");
    let (said, hint) = setting.refused("org/name:absent.gguf");
    assert!(said.contains("has no absent.gguf") && said.contains("m-Q4_0.gguf (5.0 kB)"), "{said}");
    assert!(hint.contains("org/name:m-Q4_0.gguf"), "{hint}");
    // A repository without any.
    let bare = Setting::with(&[CONFIG], &[]);
    let (said, _) = bare.refused("org/name");
    assert!(!said.contains("GGUF files"), "{said}");

    // The list of what is there, and the end of one file.
    let ids: Vec<String> = setting.hub().cached().into_iter().map(|model| model.id).collect();
    assert!(ids.contains(&"org/name:m-Q4_0.gguf".to_owned()), "{ids:?}");
    assert!(setting.hub().delete("org/name:m-Q4_0.gguf").unwrap() == BODY.len() as u64);
    assert!(!path.exists() && setting.tree().iter().any(|file| file.ends_with("m-Q8_0.gguf")), "{:?}", setting.tree());
    assert!(setting.hub().delete("org/name:more/m-Q8_0.gguf").unwrap() >= 7000);
}

#[test]
fn revisions_with_slashes() {
    let setting = Setting::new(&[]);
    let folder = setting.fetch("org/name@refs/pr/1").unwrap();
    whole(&setting, &folder);
    assert_eq!(setting.fetch("org/name@refs/pr/1").unwrap(), folder);
    assert_eq!(setting.hub().cached()[0].bytes, (CONFIG.1.len() + TOKENIZER.1.len() + BODY.len()) as u64);
}

#[test]
fn compressed_answers() {
    arrives(&[Does::Gzip]);
}

#[test]
fn servers_that_know_no_ranges_sizes_or_strong_etags() {
    for does in [
        vec![Does::NoRanges],
        vec![Does::NoContentRange],
        vec![Does::Chunked],
        vec![Does::Unbounded],
        vec![Does::WeakEtags],
        vec![Does::NoHead],
        vec![Does::Flat],
        vec![Does::Flat, Does::Chunked, Does::WeakEtags],
        vec![Does::Flat, Does::NoRanges, Does::OtherEtags],
        vec![Does::NoEtags],
        vec![Does::Expires],
        vec![Does::Busy(2)],
    ] {
        arrives(&does);
    }
}

#[test]
fn what_breaks_off_goes_on_where_it_can() {
    for does in [
        vec![],
        vec![Does::NoContentRange],
        vec![Does::NoRanges],
        vec![Does::Chunked],
        vec![Does::Gzip],
        vec![Does::Flat],
        vec![Does::Expires],
    ] {
        let (_, _, requests) = arrives(&[&does[..], &[Does::Cut(2500, 1)]].concat());
        let ranged = requests.iter().any(|request| request.range == "bytes=2500-");
        assert!(ranged, "{does:?}: {requests:?}");
    }
    // Broken off over and over: each time something comes, so it is not given up.
    let (_, _, requests) = arrives(&[Does::Cut(900, 5)]);
    assert!(requests.iter().any(|request| request.range == "bytes=4500-"), "{requests:?}");
}

#[test]
fn a_killed_download_goes_on() {
    let setting = Setting::new(&[Does::Cut(2500, 1)]);
    let once = Hub { retries: 0, ..setting.hub() };
    let (message, hint) = refused(&once, "org/name");
    assert!(message.contains("org/name is not complete") && hint.contains("the downloaded part is kept"), "{message}");
    setting.server.requests();
    let folder = setting.fetch("org/name").unwrap();
    whole(&setting, &folder);
    assert!(setting.server.requests().iter().any(|request| request.range == "bytes=2500-"));
}

#[test]
fn a_stalled_connection_is_taken_up_again() {
    let start = Instant::now();
    let (_, _, requests) = arrives(&[Does::Stall(3000)]);
    assert!(requests.iter().any(|request| request.range == "bytes=3000-"), "{requests:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());

    let setting = Setting::new(&[Does::Silent]);
    let (message, hint) = setting.refused("org/name");
    assert!(message.contains("sent nothing for 2 s") && hint.contains("HF_ENDPOINT"), "{message}");
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}

#[test]
fn a_mirror_leads_to_the_hub() {
    let setting = Setting::new(&[]);
    let hub = Hub { endpoint: setting.server.mirror.clone(), ..setting.hub() };
    let folder = fetch(&hub, "org/name").unwrap();
    whole(&setting, &folder);
    // The token is for the mirror that was asked; the other host is no hub that is known by name.
    for request in setting.server.requests() {
        assert_eq!(request.token.is_empty(), request.role != Role::Mirror, "{request:?}");
    }
}

#[test]
fn shards_come_through_the_index() {
    let index = br#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}}"#;
    let files = [CONFIG, TOKENIZER, (INDEX, index), ("m-1.safetensors", &BODY), ("m-2.safetensors", b"two")];
    let setting = Setting::with(&files, &[]);
    let folder = setting.fetch("org/name").unwrap();
    whole(&setting, &folder);
    // A shard that went missing is fetched again, and nothing else.
    std::fs::remove_file(folder.join("m-2.safetensors")).unwrap();
    setting.server.requests();
    setting.fetch("org/name").unwrap();
    let asked = setting.server.requests();
    assert!(asked.iter().all(|r| r.file() == "m-2.safetensors" || r.file() == "tokenizer_config.json"), "{asked:?}");

    for (names, why) in [
        (&br#"{"weight_map": {"a": "../../../x.safetensors"}}"#[..], "outside the model"),
        (br#"{"weight_map": {"a": "/x.safetensors"}}"#, "outside the model"),
        (br#"{"weight_map": {"a": "config.json"}}"#, "no safetensors files"),
        (br#"{"weight_map": {}}"#, "no safetensors files"),
    ] {
        let setting = Setting::with(&[CONFIG, TOKENIZER, (INDEX, names)], &[]);
        let error = format!("{:#}", setting.fetch("org/name").unwrap_err());
        assert!(error.contains(INDEX) && error.contains(why), "{error}");
    }
}

#[test]
fn refusals_are_told_apart() {
    let anonymous = |setting: &Setting| Hub { token: None, ..setting.hub() };
    let refuse = |status, code, message| Setting::new(&[Does::Refuse(status, code, message)]);

    let expired = refuse(401, "", "Invalid credentials in Authorization header");
    let (message, hint) = expired.refused("org/name");
    assert!(message.contains("refuses your access token (HF_TOKEN): Invalid credentials"), "{message}");
    assert!(hint.contains("expired") && hint.contains("a public model needs none"), "{hint}");

    let gated = refuse(401, "GatedRepo", "Access to model org/name is restricted");
    let (message, hint) = refused(&anonymous(&gated), "org/name@v2");
    assert!(
        message.contains("is gated: its terms") && hint.contains("/org/name,") && hint.contains("HF_TOKEN"),
        "{hint}"
    );
    let gated = refuse(403, "GatedRepo", "Access to model org/name is restricted");
    assert!(gated.refused("org/name").0.contains("your access token (HF_TOKEN) has no access"));

    let (message, hint) = Setting::new(&[]).refused("org/name@v7");
    assert!(
        message.contains("org/name has no revision v7") && hint.contains("/org/name/tree/main"),
        "{message} {hint}"
    );

    let unknown = refuse(401, "RepoNotFound", "Invalid username or password.");
    let (message, hint) = refused(&anonymous(&unknown), "org/name");
    assert!(message.contains("has no model org/name, or it is private") && hint.contains("HF_TOKEN"), "{message}");
    assert!(Setting::new(&[]).refused("org/other").0.contains("has no model org/other"));

    let disabled = refuse(403, "", "Access to this resource is disabled.");
    assert!(disabled.refused("org/name").0.contains("has disabled org/name"));
    assert!(refuse(403, "", "no read rights").refused("org/name").0.contains("HTTP 403"));
    let (message, hint) = Hub { retries: 0, ..refuse(429, "", "").hub() }.pipe(|hub| refused(&hub, "org/name"));
    assert!(message.contains("too many requests") && hint.contains("HF_TOKEN"), "{message}");
    assert!(refuse(503, "", "").refused("org/name").0.contains("HTTP 503"));
    assert!(refuse(418, "", "short and stout").refused("org/name").0.contains("HTTP 418 at http://127.0.0.1"));

    let without = Setting::with(&[CONFIG, (WHOLE, &BODY)], &[]);
    assert!(without.refused("org/name").0.contains("has no tokenizer.json"));
    let without = Setting::with(&[TOKENIZER, (WHOLE, &BODY)], &[]);
    assert!(without.refused("org/name").0.contains("has no config.json"));
    let without = Setting::with(&[CONFIG, TOKENIZER], &[]);
    assert!(without.refused("org/name").0.contains("has no model.safetensors"));
    for id in ["", "a/b/c", "../x", "org/", "org/name@", "org/name@../..", "org/na me", "a..b/c", &"x".repeat(100_000)]
    {
        let (message, _) = without.refused(id);
        assert!(message.contains("neither a local folder") && message.len() < 500, "{id}");
    }
}

trait Pipe: Sized {
    fn pipe<T>(self, then: impl FnOnce(Self) -> T) -> T {
        then(self)
    }
}

impl Pipe for Hub {}

#[test]
fn without_a_network_the_error_names_the_url() {
    let setting = Setting::new(&[]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let hub = Hub { endpoint: format!("http://{closed}"), ..setting.hub() };
    let (message, hint) = refused(&hub, "org/name");
    assert!(message.contains(&format!("http://{closed}/org/name/resolve/main/config.json")), "{message}");
    assert!(hint.contains("HF_ENDPOINT"), "{hint}");
    let hub = Hub { offline: true, ..hub };
    assert!(refused(&hub, "org/name").0.contains("HF_HUB_OFFLINE"));
    for endpoint in ["", "huggingface.co", "ftp://x", "http://", "file:///etc"] {
        let hub = Hub { endpoint: endpoint.to_owned(), ..setting.hub() };
        assert!(refused(&hub, "org/name").0.contains("HF_ENDPOINT"), "{endpoint}");
    }
}
