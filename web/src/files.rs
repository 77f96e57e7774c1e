//! The browser's side: files that were chosen or dropped, records on the page's own server, and the address.

use crate::link;
use crate::load::{self, Opened};
use crate::state::{LabState, Tab, ViewState};
use crate::wish::EditWish;
use engram_core::{Error, Result};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, FileList, RequestCache, RequestInit, RequestMode, Response, Url, UrlSearchParams};

/// The files of a list.
pub(crate) fn listed(list: Option<FileList>) -> Vec<File> {
    let Some(list) = list else { return Vec::new() };
    (0..list.length()).filter_map(|index| list.get(index)).collect()
}

/// Reads a file from this machine.
pub(crate) async fn open(file: File) -> Result<Vec<Opened>> {
    let name = file.name();
    if file.size() > load::MOST_BYTES {
        return Err(Error::input(format!("{name}: the file is larger than 512 MiB"))
            .hint("a browser tab cannot hold it; `engram compare` can"));
    }
    let buffer = JsFuture::from(file.array_buffer()).await;
    let buffer = buffer.map_err(|_| Error::io(format!("{name}: the browser could not read it")))?;
    load::open_all(&name, &js_sys::Uint8Array::new(&buffer).to_vec())
}

/// A file that lies beside the page. A `fresh` one is asked for anew: somebody may have edited it since.
pub(crate) async fn beside(name: &str, fresh: bool) -> Result<Vec<u8>> {
    let failed = || {
        Error::io(format!("{name}: it could not be fetched"))
            .hint("see that the file is in the page's folder, then reload the page")
    };
    let window = web_sys::window().ok_or_else(failed)?;
    let init = RequestInit::new();
    if fresh {
        init.set_cache(RequestCache::NoCache);
    }
    let response = JsFuture::from(window.fetch_with_str_and_init(&format!("./{name}"), &init)).await;
    let response = response.ok().and_then(|value| value.dyn_into::<Response>().ok());
    let response = response.filter(Response::ok).ok_or_else(failed)?;
    let buffer = JsFuture::from(response.array_buffer().map_err(|_| failed())?).await.map_err(|_| failed())?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}

/// Fetches a record or a result page from the page's own server, never from elsewhere: a link must not make the page call others.
pub(crate) async fn fetch(address: &str) -> Result<Vec<Opened>> {
    let failed = |what: &str| Error::io(format!("{address}: {what}"));
    let window = web_sys::window().ok_or_else(|| failed("there is no window"))?;
    let (here, origin) = (window.location().href(), window.location().origin());
    let url = here.ok().and_then(|here| Url::new_with_base(address, &here).ok());
    let url = url.ok_or_else(|| Error::input(format!("{address}: not an address")))?;
    if origin.is_err() || origin.is_ok_and(|origin| origin != url.origin()) {
        return Err(Error::input(format!("{address}: `?record=` opens records of this page's own server only"))
            .hint("download the file and drop it here"));
    }
    let init = RequestInit::new();
    init.set_mode(RequestMode::SameOrigin);
    let response = JsFuture::from(window.fetch_with_str_and_init(&url.href(), &init)).await;
    let response: Response =
        response.ok().and_then(|value| value.dyn_into().ok()).ok_or_else(|| failed("the server cannot be reached"))?;
    if !response.ok() {
        return Err(failed(&format!("the server answers {}", response.status())));
    }
    let buffer = response.array_buffer().map_err(|_| failed("the answer has no body"))?;
    let buffer = JsFuture::from(buffer).await.map_err(|_| failed("the transfer broke off"))?;
    let name = address.rsplit('/').next().unwrap_or(address);
    load::open_all(name, &js_sys::Uint8Array::new(&buffer).to_vec())
}

/// The records that the address names, and the view that it asks for.
pub(crate) fn address() -> (Vec<String>, ViewState, LabState) {
    let (mut state, mut lab) = (ViewState::default(), LabState::default());
    let search = web_sys::window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    let Ok(parameters) = UrlSearchParams::new_with_str(&search) else { return (Vec::new(), state, lab) };
    for name in ViewState::NAMES {
        if let Some(value) = parameters.get(name) {
            state.read(name, &value);
        }
    }
    for name in LabState::NAMES.into_iter().chain(EditWish::NAMES) {
        if let Some(value) = parameters.get(name) {
            lab.read(name, &value);
        }
    }
    if read_hash(&mut state) {
        lab.tab = Tab::Study;
    }
    read_lesson(&mut lab);
    let records = parameters.get_all("record").iter().filter_map(|value| value.as_string()).collect();
    (records, state, lab)
}

/// Takes over the view that stands behind the address's `#`, as in `#fact=17`; whether there was one. What is there may be a result,
/// too, which is no view.
fn read_hash(state: &mut ViewState) -> bool {
    let hash = web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
    let pairs = UrlSearchParams::new_with_str(hash.trim_start_matches('#'));
    let Some(pairs) = pairs.ok().filter(|_| link::text(&hash).is_none()) else { return false };
    let found = ViewState::NAMES.into_iter().filter_map(|name| Some((name, pairs.get(name)?)));
    found.map(|(name, value)| state.read(name, &value)).count() > 0
}

/// Takes over a lesson that stands behind the address's `#`, as in `#lesson=3&step=2`, with whatever else of the lab stands there.
fn read_lesson(lab: &mut LabState) {
    let hash = web_sys::window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
    let pairs = UrlSearchParams::new_with_str(hash.trim_start_matches('#')).ok();
    let Some(pairs) = pairs.filter(|pairs| pairs.has("lesson")) else { return };
    for name in LabState::NAMES {
        if let Some(value) = pairs.get(name) {
            lab.read(name, &value);
        }
    }
}

/// The result that the address carries, packed.
pub(crate) fn trace() -> Option<String> {
    let hash = web_sys::window()?.location().hash().ok()?;
    link::text(&hash).map(str::to_owned)
}

/// The page's address with a view of its own, without what stands after `#`.
pub(crate) fn page_address(records: &[String], state: &ViewState, lab: &LabState) -> Option<String> {
    let here = web_sys::window()?.location().href().ok()?;
    let page = here.split(['?', '#']).next().unwrap_or_default();
    let parameters = UrlSearchParams::new().ok()?;
    for record in records {
        parameters.append("record", record);
    }
    for (name, value) in lab.written().into_iter().chain(state.written()) {
        parameters.append(name, &value);
    }
    let query = parameters.to_string().as_string().unwrap_or_default();
    Some(if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") })
}

/// Keeps the address in step with the view; `step` makes it a new entry of the history. A result that the address carries stays in it.
pub(crate) fn write_address(records: &[String], state: &ViewState, lab: &LabState, trace: Option<&str>, step: bool) {
    let (Some(window), Some(mut address)) = (web_sys::window(), page_address(records, state, lab)) else { return };
    address.extend(trace.map(link::hash));
    if window.location().href().is_ok_and(|here| here == address) {
        return;
    }
    if let Ok(history) = window.history() {
        // A page opened from a file may not change its address; the view works all the same.
        let _ = match step {
            true => history.push_state_with_url(&JsValue::NULL, "", Some(&address)),
            false => history.replace_state_with_url(&JsValue::NULL, "", Some(&address)),
        };
    }
}

/// Shows the page's own words about a crash; they stand in index.html, so that they need nothing that has crashed.
pub(crate) fn show_crash() {
    let document = web_sys::window().and_then(|window| window.document());
    if let Some(words) = document.and_then(|document| document.get_element_by_id("crash")) {
        // Nothing is left to do where this fails.
        let _ = words.remove_attribute("hidden");
    }
}
