//! HTTP to a hub: which redirects are followed, who is shown the access token, and how long silence is borne.
//!
//! Not hf-hub: 0.5 fails on the hub's own redirects, and 1.0, with 280 crates below it, resumes nothing, waits without a
//! limit, checks no hash, and takes names of files from headers as they come. ureq has no opinion about all that.

use std::time::Duration;

use engram_core::Error;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};
use url::Url;

use super::names::{etag, said};
use super::{Hub, Token};

/// Redirects in a row that are followed; the hub needs two.
const REDIRECTS: usize = 10;
/// Bytes of the longest list of a repository's files that is read.
const MOST_LISTED: u64 = 16 << 20;
/// Hubs beside the one that is asked: mirrors send there, and the token may go along.
const HUBS: [&str; 3] = ["https://huggingface.co", "https://hub-ci.huggingface.co", "https://hf.co"];
/// Where a network with a certificate authority of its own says so.
const CERTIFICATES: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refused.
    Refused(Box<Refusal>),
    /// The connection failed or broke off: trying again may help. `reached`: there was a server.
    Passing { what: String, reached: bool },
    /// Trying again would bring the same.
    Final(Error),
}

/// A status that is no success, with the hub's own words.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// `X-Error-Code`.
    pub(super) code: String,
    /// `X-Error-Message`.
    pub(super) message: String,
    pub(super) url: String,
    /// `Retry-After`, in seconds.
    pub(super) after: Option<u64>,
}

/// What the hub says of a file before it sends it.
#[derive(Debug, Clone, Default)]
pub(super) struct Meta {
    /// `X-Repo-Commit`. Every hub sends it.
    pub(super) commit: Option<String>,
    /// Of the file itself, where it is on another host.
    pub(super) etag: Option<String>,
    pub(super) size: Option<u64>,
    /// Where it is to be had; empty until known.
    pub(super) location: Option<Url>,
    /// `Content-Type` of the last answer.
    pub(super) kind: String,
}

/// A client for one hub.
pub(super) struct Client {
    agent: Agent,
    endpoint: Url,
    token: Option<Token>,
    idle: Duration,
}

impl Client {
    pub(super) fn new(hub: &Hub) -> Result<Self, Error> {
        let endpoint = Url::parse(&hub.endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Error::input(format!("HF_ENDPOINT: `{}` is not the address of a hub", said(&hub.endpoint)))
                    .hint("it looks like https://huggingface.co")
            })?;
        if let Some(token) = hub.token.as_ref().filter(|token| !token.value.chars().all(|c| c.is_ascii_graphic())) {
            return Err(Error::input(format!("{}: no access token has such characters", token.from))
                .hint(format!("copy it again from {endpoint}settings/tokens")));
        }
        let idle = Some(hub.idle);
        let config = Agent::config_builder()
            .user_agent(concat!("engram/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(idle)
            .timeout_connect(idle)
            .timeout_send_request(idle)
            .timeout_recv_response(idle)
            .timeout_per_read(idle)
            .tls_config(tls()?)
            .build();
        Ok(Self { agent: config.into(), endpoint, token: hub.token.clone(), idle: hub.idle })
    }

    /// The address of a file of a model.
    pub(super) fn address(&self, name: &str, revision: &str, file: &str) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            // A revision is one segment: its slashes are escaped, as the hub wants them.
            path.pop_if_empty().extend(name.split('/')).push("resolve").push(revision).extend(file.split('/'));
        }
        url
    }

    /// The files of a revision with their sizes, as the hub lists them.
    pub(super) fn files(&self, name: &str, revision: &str) -> Result<Vec<(String, Option<u64>)>, Fault> {
        #[derive(serde::Deserialize)]
        struct Listing {
            #[serde(default)]
            siblings: Vec<File>,
        }
        #[derive(serde::Deserialize)]
        struct File {
            rfilename: String,
            size: Option<u64>,
        }
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            let models = (!name.starts_with(super::DATASETS)).then_some("models");
            path.pop_if_empty().push("api").extend(models).extend(name.split('/')).push("revision").push(revision);
        }
        url.set_query(Some("blobs=true"));
        let mut answer = self.open(&url, 0)?;
        let body = answer.body_mut().with_config().limit(MOST_LISTED).read_to_vec();
        let listing: Listing = serde_json::from_slice(&body.map_err(|error| self.fault(error, &url))?)
            .map_err(|error| Fault::Final(Error::io(format!("{url}: {error}")).hint("check HF_ENDPOINT")))?;
        Ok(listing.siblings.into_iter().map(|file| (file.rfilename, file.size)).collect())
    }

    /// Asks what a file is. The hub's redirects are followed to where its headers are; a redirect to another host that
    /// carries them already (a signed address of the storage behind the hub) is where the file is.
    pub(super) fn meta(&self, url: &Url) -> Result<Meta, Fault> {
        let (mut url, mut meta) = (url.clone(), Meta::default());
        let mut get = false;
        for _ in 0..=REDIRECTS {
            let response = self.send(&url, if get { Ask::Start } else { Ask::Head })?;
            let status = response.status().as_u16();
            if matches!(status, 405 | 501) && !get {
                // A mirror that knows no HEAD. The body of this GET is not read.
                get = true;
                continue;
            }
            if status >= 400 {
                return Err(Fault::refused(&response, &url));
            }
            meta.take(response.headers(), status);
            if status < 300 {
                meta.location = Some(url);
                return Ok(meta);
            }
            let target = target(&url, &response)?;
            if !self.trusts(&target) && target.origin() != url.origin() && meta.commit.is_some() && meta.etag.is_some()
            {
                meta.location = Some(target);
                return Ok(meta);
            }
            url = target;
        }
        Err(circle(&url))
    }

    /// Opens a file from a byte on. The answer may begin elsewhere: its status and headers say so.
    pub(super) fn open(&self, url: &Url, from: u64) -> Result<Response<Body>, Fault> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let response = self.send(&url, if from > 0 { Ask::From(from) } else { Ask::Start })?;
            match response.status().as_u16() {
                200 | 206 => return Ok(response),
                status @ 300..400 if status != 304 => url = target(&url, &response)?,
                _ => return Err(Fault::refused(&response, &url)),
            }
        }
        Err(circle(&url))
    }

    fn send(&self, url: &Url, ask: Ask) -> Result<Response<Body>, Fault> {
        let request =
            if matches!(ask, Ask::Head) { self.agent.head(url.as_str()) } else { self.agent.get(url.as_str()) };
        // Sizes and ranges are those of the file, not of a compressed copy of it.
        let mut request = request.header("Accept-Encoding", "identity");
        if let Ask::From(byte) = ask {
            request = request.header("Range", format!("bytes={byte}-"));
        }
        if let Some(token) = self.token.as_ref().filter(|_| self.trusts(url)) {
            request = request.header("Authorization", format!("Bearer {}", token.value));
        }
        log::debug!("{} {url}", if matches!(ask, Ask::Head) { "HEAD" } else { "GET" });
        request.call().map_err(|error| self.fault(error, url))
    }

    /// Whether an address belongs to a hub. Nobody else is shown the token: storage is asked with signed addresses.
    fn trusts(&self, url: &Url) -> bool {
        let origin = url.origin();
        origin == self.endpoint.origin()
            || HUBS.iter().any(|hub| Url::parse(hub).is_ok_and(|hub| hub.origin() == origin))
    }

    /// What an error of the connection means.
    pub(super) fn fault(&self, error: ureq::Error, url: &Url) -> Fault {
        use std::io::ErrorKind::{ConnectionRefused, InvalidData, TimedOut};
        let host = url.host_str().unwrap_or_default();
        let passing = |what: String, reached| Fault::Passing { what, reached };
        let insecure = |why: String| {
            Fault::Final(Error::io(format!("no secure connection to {host}: {}", said(&why))).hint(
                "where the network has a certificate authority of its own, name its file in SSL_CERT_FILE; check the clock",
            ))
        };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                passing(format!("{host} does not answer"), false)
            }
            ureq::Error::Timeout(_) => passing(self.silence(host), true),
            ureq::Error::Io(error) if error.kind() == TimedOut => passing(self.silence(host), true),
            ureq::Error::Io(error) if error.kind() == ConnectionRefused => passing(format!("{host}: {error}"), false),
            ureq::Error::HostNotFound => passing(format!("there is no host {host}"), false),
            ureq::Error::ConnectionFailed => passing(format!("no connection to {host}"), false),
            // What rustls says of a certificate comes so.
            ureq::Error::Io(error) if error.kind() == InvalidData => insecure(error.to_string()),
            ureq::Error::Io(error) => passing(format!("{host}: {error}"), true),
            ureq::Error::Protocol(_) | ureq::Error::BodyStalled | ureq::Error::Decompress(..) => {
                passing(format!("{host} does not answer as HTTP has it: {}", said(&error.to_string())), true)
            }
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Pem(_) => insecure(error.to_string()),
            other => Fault::Final(
                Error::io(format!("{host}: {}", said(&other.to_string())))
                    .hint("check HF_ENDPOINT and the proxy settings (HTTPS_PROXY)"),
            ),
        }
    }

    fn silence(&self, host: &str) -> String {
        format!("{host} sent nothing for {} s", self.idle.as_secs_f64())
    }
}

/// What is asked of a file.
#[derive(Clone, Copy)]
enum Ask {
    Head,
    Start,
    From(u64),
}

impl Meta {
    /// Takes what the headers of one answer tell. What a later answer does not repeat stays.
    fn take(&mut self, headers: &HeaderMap, status: u16) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
        let number = |name: &str| text(name).and_then(|text| text.trim().parse().ok());
        if let Some(commit) = text("x-repo-commit") {
            self.commit = Some(commit.trim().to_owned());
        }
        let own = text("etag").filter(|_| status < 300 || self.etag.is_none());
        if let Some(tag) = text("x-linked-etag").or(own) {
            self.etag = Some(etag(tag).to_owned()).filter(|tag| !tag.is_empty());
        }
        // The length of a redirect is that of its own few words, and a compressed length says nothing of the file.
        let plain = status == 200 && text("content-encoding").is_none_or(|coding| coding == "identity");
        let length = || number("content-length").filter(|_| plain);
        if let Some(size) = number("x-linked-size").or_else(length) {
            self.size = Some(size);
        }
        self.kind = text("content-type").unwrap_or_default().to_owned();
    }
}

impl Fault {
    fn refused<B>(response: &Response<B>, url: &Url) -> Self {
        let text = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Self::Refused(Box::new(Refusal {
            status: response.status().as_u16(),
            code: said(text("x-error-code")),
            message: said(text("x-error-message")),
            url: url.to_string(),
            after: text("retry-after").trim().parse().ok(),
        }))
    }
}

/// Where a redirect leads.
fn target<B>(from: &Url, response: &Response<B>) -> Result<Url, Fault> {
    let status = response.status().as_u16();
    let location = response.headers().get("location").and_then(|location| location.to_str().ok());
    let target = location.and_then(|location| from.join(location).ok());
    target.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host()).ok_or_else(|| {
        let to = location.map_or("nowhere".to_owned(), |location| format!("`{}`", said(location)));
        Fault::Final(
            Error::io(format!("{from} answers with a redirect (HTTP {status}) to {to}"))
                .hint("that is no hub, or a broken one: check HF_ENDPOINT and the proxy settings"),
        )
    })
}

fn circle(url: &Url) -> Fault {
    Fault::Final(
        Error::io(format!("more than {REDIRECTS} redirects, the last one to {}", said(url.as_str())))
            .hint("they seem to lead in a circle: check HF_ENDPOINT and the proxy settings"),
    )
}

/// The certificates that connections are checked with: Mozilla's, or those of a file that the environment names.
fn tls() -> Result<TlsConfig, Error> {
    let named = CERTIFICATES.iter().find_map(|name| {
        let file = std::env::var_os(name).filter(|file| !file.is_empty())?;
        Some((name, std::path::PathBuf::from(file)))
    });
    let Some((name, file)) = named else { return Ok(TlsConfig::default()) };
    let failed = |why: &str| {
        Error::input(format!("{name}: {}: {why}", file.display())).hint("name a file of certificates in PEM form")
    };
    let pem = std::fs::read(&file).map_err(|error| failed(&error.to_string()))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match certificates.is_empty() {
        true => Err(failed("it holds no certificate")),
        false => Ok(TlsConfig::builder().root_certs(RootCerts::from(certificates)).build()),
    }
}
