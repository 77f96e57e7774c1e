//! HTTP as this worker needs it: whole small files, and ranges of large ones as they stream in.

use crate::js;
use engram_core::{Error, Result, pause};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestCache, RequestInit, Response, Url};

/// Largest file that is read into memory as a whole: lists of files, and what a server names no size of.
const MOST_WHOLE: u64 = 256 << 20;
/// Milliseconds in which something has to come.
const IDLE_MS: i32 = 10_000;
/// Milliseconds between two looks at whether the request was cancelled meanwhile.
const LOOK_MS: i32 = 250;

/// An answer that streams in.
pub(crate) struct Stream {
    /// First byte of the file that it holds.
    pub(crate) start: u64,
    /// Size of the whole file.
    pub(crate) all: u64,
    /// The server obeyed the range.
    pub(crate) partial: bool,
    /// The file's version, as the server names it.
    pub(crate) etag: Option<String>,
    reader: ReadableStreamDefaultReader,
    abort: AbortController,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Stream {
    /// The next bytes, `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Uint8Array>> {
        let step = soon(&self.reader.read()).await?.map_err(|error| js::io("the transfer broke off", &error))?;
        if js::get(&step, "done").is_truthy() {
            return Ok(None);
        }
        Ok(Some(js::get(&step, "value").unchecked_into()))
    }
}

async fn request(url: &str, range: Option<(u64, u64)>, abort: &AbortController) -> Result<Response> {
    let failed = |what: &str| Error::io(format!("{url}: {what}"));
    let init = RequestInit::new();
    init.set_signal(Some(&abort.signal()));
    if let Some((start, end)) = range {
        let headers = web_sys::Headers::new().map_err(|_| failed("no headers"))?;
        let _ = headers.set("Range", &format!("bytes={start}-{}", end - 1));
        init.set_headers(&headers);
        // Parts are kept by ourselves; the browser's own copy would be a second one.
        init.set_cache(RequestCache::NoStore);
    }
    let response = soon(&js::scope().fetch_with_str_and_init(url, &init)).await.map_err(|error| error.at(url))?;
    let response: Response = response.and_then(|value| value.dyn_into::<Response>()).map_err(|error| {
        let host = Url::new(url).map_or_else(|_| url.to_owned(), |url| url.host());
        Error::io(format!("{host} cannot be reached ({})", js::said(&error))).hint(format!(
            "is this machine online, and is the address right ({url})? A server other than the Hub must also allow other sites to read (CORS)"
        ))
    })?;
    match response.status() {
        200 | 206 => Ok(response),
        status => Err(refusal(url, status, &response)),
    }
}

/// Why a server refuses; the hub says it in two headers, which it shows to other sites.
fn refusal(url: &str, status: u16, response: &Response) -> Error {
    let header = |name: &str| response.headers().get(name).ok().flatten().unwrap_or_default();
    let (code, message) = (header("X-Error-Code"), header("X-Error-Message"));
    let said: String = message.chars().filter(|c| !c.is_control()).take(200).collect();
    let because = if said.is_empty() { String::new() } else { format!(": {said}") };
    let elsewhere = "download it with an account elsewhere, and drop its folder here";
    match (code.as_str(), status) {
        ("GatedRepo", _) => Error::input(format!("{url}: the model is gated: its terms have to be accepted first"))
            .hint(format!("the tab has no account: accept them on the hub, {elsewhere}")),
        ("RevisionNotFound", _) => Error::input(format!("{url}: the model has no such revision"))
            .hint("its branches, tags and commits are listed on the hub, under \"Files\""),
        ("RepoNotFound", _) => Error::input(format!("{url}: there is no such model, or it is private"))
            .hint(format!("check the id; for a private model {elsewhere}")),
        (_, 401 | 403) => Error::input(format!("{url}: the server refuses access ({status}){because}"))
            .hint(format!("check the id; where the model needs an account, {elsewhere}")),
        (_, 404 | 410) => Error::input(format!("{url}: not found"))
            .hint("check the name; a model needs config.json, tokenizer.json and model.safetensors, or a .gguf file"),
        (_, 429) => {
            Error::io(format!("{url}: too many requests")).hint("wait a few minutes; the downloaded part is kept")
        }
        _ => Error::io(format!("{url}: the server answers {status}{because}")).hint("try again later"),
    }
}

/// Waits for a promise, but not for ever: a server that falls silent is an error, and so is a request that nobody wants
/// any more. The inner error is the promise's own.
async fn soon(promise: &Promise) -> Result<Result<JsValue, JsValue>> {
    for _ in 0..IDLE_MS / LOOK_MS {
        let mut timer = 0;
        let time = Promise::new(&mut |resolve, _| {
            let set = js::scope().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, LOOK_MS);
            timer = set.unwrap_or_default();
        });
        let first = JsFuture::from(Promise::race(&js_sys::Array::of2(promise, &time))).await;
        js::scope().clear_timeout_with_handle(timer);
        match first {
            // The clock resolves with nothing, what is waited for here never does.
            Ok(value) if value.is_undefined() => {}
            settled => return Ok(settled),
        }
        if pause::is_cancelled() {
            return Err(Error::cancelled());
        }
    }
    Err(Error::io(format!("the server sent nothing for {} s", IDLE_MS / 1000)).hint("check the connection"))
}

fn controller() -> Result<AbortController> {
    AbortController::new().map_err(|error| js::io("a transfer", &error))
}

/// A whole small file.
pub(crate) async fn whole(url: &str) -> Result<Vec<u8>> {
    let abort = controller()?;
    let response = request(url, None, &abort).await?;
    let reader = response.body().map(|body| body.get_reader().unchecked_into());
    let Some(reader) = reader else { return Ok(Vec::new()) };
    let mut stream = Stream { start: 0, all: 0, partial: false, etag: None, reader, abort };
    let mut bytes = Vec::new();
    while let Some(more) = stream.next().await.map_err(|error| error.at(url))? {
        if bytes.len() as u64 + u64::from(more.length()) > MOST_WHOLE {
            return Err(Error::input(format!("{url}: the server sends more than {} MB", MOST_WHOLE >> 20))
                .hint("this file is small on a hub: check the address"));
        }
        bytes.extend(more.to_vec());
        pause::point().await?;
    }
    Ok(bytes)
}

/// The size of a file and its version, and whether the server can resume it.
pub(crate) async fn size(url: &str) -> Result<(u64, Option<String>, bool)> {
    let abort = controller()?;
    let response = request(url, Some((0, 1)), &abort).await?;
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let (partial, etag) = (response.status() == 206, header("ETag"));
    if let Some(size) = told(&response) {
        abort.abort();
        return Ok((size, etag, partial));
    }
    abort.abort();
    // A part whose Content-Range is missing, or not shown to other sites: the length of the whole is shown to all.
    let asked = if partial { head(url).await } else { None };
    let size = match asked {
        Some(size) => size,
        // Sent in chunks: what is small enough is counted.
        None => whole(url).await.map_err(|error| {
            error.hint("the server does not tell how large the file is; it must send Content-Length, or show Content-Range")
        })?.len() as u64,
    };
    Ok((size, etag, partial))
}

/// What an answer tells of the size of the whole file.
fn told(response: &Response) -> Option<u64> {
    let header = |name: &str| response.headers().get(name).ok().flatten();
    match response.status() {
        206 => header("Content-Range").and_then(|text| text.rsplit('/').next()?.parse().ok()),
        _ if header("Content-Encoding").is_some_and(|coding| coding != "identity") => None,
        _ => header("Content-Length").and_then(|text| text.parse().ok()),
    }
}

/// Content-Length by a request for the headers alone, where the server answers such.
async fn head(url: &str) -> Option<u64> {
    let init = RequestInit::new();
    init.set_method("HEAD");
    let response = soon(&js::scope().fetch_with_str_and_init(url, &init)).await.ok()?.ok()?;
    let response: Response = response.dyn_into().ok()?;
    told(&response).filter(|_| response.status() == 200)
}

/// A range of a file whose size is known; a server that knows no ranges sends it from its beginning.
pub(crate) async fn stream(url: &str, start: u64, end: u64, size: u64) -> Result<Stream> {
    let abort = controller()?;
    let response = request(url, Some((start, end)), &abort).await?;
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let partial = response.status() == 206;
    let first = || header("Content-Range")?.strip_prefix("bytes ")?.split('-').next()?.trim().parse::<u64>().ok();
    if partial && first().is_some_and(|first| first != start) {
        return Err(Error::io(format!("{url}: the server sent another part than it was asked for")));
    }
    let all = told(&response).unwrap_or(size);
    let body = response.body().ok_or_else(|| Error::io(format!("{url}: the answer has no body")))?;
    let reader = body.get_reader().unchecked_into();
    let etag = header("ETag");
    Ok(Stream { start: if partial { start } else { 0 }, all, partial, etag, reader, abort })
}
