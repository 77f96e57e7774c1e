//! HTTP as this worker needs it: whole small files, and ranges of large ones as they stream in.

use crate::{host, js};
use engram_core::{Error, Result};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, ReadableStreamDefaultReader, RequestCache, RequestInit, Response};

/// Largest file that is read into memory as a whole.
const MOST_WHOLE: f64 = 1e9;

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
        let step =
            JsFuture::from(self.reader.read()).await.map_err(|error| js::io("the transfer broke off", &error))?;
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
    let response = JsFuture::from(js::scope().fetch_with_str_and_init(url, &init)).await;
    let response: Response = response.and_then(|value| value.dyn_into::<Response>()).map_err(|error| {
        failed(&format!("the server cannot be reached ({})", js::said(&error)))
            .hint("check the address and the connection; the server must allow other sites to read (CORS)")
    })?;
    match response.status() {
        200 | 206 => Ok(response),
        401 | 403 => Err(Error::input(format!("{url}: the server refuses access ({})", response.status()))
            .hint("the model needs a licence or an account: download it elsewhere and drop its folder here")),
        404 => Err(Error::input(format!("{url}: not found"))
            .hint("check the name; a model needs config.json, tokenizer.json and model.safetensors, or a .gguf file")),
        status => Err(failed(&format!("the server answers {status}")).hint("try again later")),
    }
}

fn controller() -> Result<AbortController> {
    AbortController::new().map_err(|error| js::io("a transfer", &error))
}

/// A whole file.
pub(crate) async fn whole(url: &str) -> Result<Vec<u8>> {
    let response = request(url, None, &controller()?).await?;
    let length = response.headers().get("Content-Length").ok().flatten().and_then(|text| text.parse::<f64>().ok());
    if length.is_some_and(|length| length > MOST_WHOLE) {
        return Err(Error::input(format!("{url}: too large to be read at once")));
    }
    let broken = |error: JsValue| js::io(&format!("{url}: the transfer broke off"), &error);
    let buffer = JsFuture::from(response.array_buffer().map_err(broken)?).await.map_err(broken)?;
    if host::cancelled() {
        return Err(Error::cancelled());
    }
    Ok(Uint8Array::new(&buffer).to_vec())
}

/// A range of a file; a server that knows no ranges sends it from its beginning.
pub(crate) async fn stream(url: &str, start: u64, end: u64) -> Result<Stream> {
    let abort = controller()?;
    let response = request(url, Some((start, end)), &abort).await?;
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let partial = response.status() == 206;
    let length = || header("Content-Length").and_then(|text| text.parse().ok());
    let all = match partial {
        true => header("Content-Range").and_then(|text| text.rsplit('/').next()?.parse().ok()),
        false => length(),
    };
    let all = all.ok_or_else(|| {
        Error::io(format!("{url}: the server does not tell how large the file is"))
            .hint("it must send Content-Length, and show Content-Range to other sites (CORS)")
    })?;
    let body = response.body().ok_or_else(|| Error::io(format!("{url}: the answer has no body")))?;
    let reader = body.get_reader().unchecked_into();
    let etag = header("ETag");
    Ok(Stream { start: if partial { start } else { 0 }, all, partial, etag, reader, abort })
}
