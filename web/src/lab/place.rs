//! Where the page computes: in its own tab, or with the engine of the computer that serves it. Who may use that one has a token, which
//! comes with the link that `engram lab` prints, and is kept for this address.

use super::browser;
use engram_core::protocol::frame::{self, Offer};
use std::cell::RefCell;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::RequestInit;

/// Where the token and the choice are kept.
const TOKEN: &str = "engram.engine";
const CHOICE: &str = "engram.place";
/// Before the token in the address, after `#`, which no server sees.
const IN_LINK: &str = "#engine=";

thread_local! {
    /// A ticket that came with the link.
    static TICKET: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Where the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a worker of this tab.
    Tab,
    /// In the program that serves the page.
    Computer,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Tab => "tab",
            Self::Computer => "computer",
        }
    }

    /// Where that is, in a sentence.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Tab => "in this tab",
            Self::Computer => "on the computer that serves this page",
        }
    }

    /// A name under which something is kept that belongs to one of both.
    pub(crate) fn kept(self, name: &str) -> String {
        match self {
            Self::Tab => name.to_owned(),
            Self::Computer => format!("{name}.computer"),
        }
    }
}

/// Takes the token out of the address, where it came with a link, before anything else reads it.
pub(crate) fn take_token() {
    let Some(window) = web_sys::window() else { return };
    let hash = window.location().hash().unwrap_or_default();
    let Some(token) = hash.strip_prefix(IN_LINK) else { return };
    match token.strip_prefix(frame::TICKET) {
        Some(ticket) => TICKET.set(Some(ticket.to_owned())),
        None => browser::store(TOKEN, Some(token)),
    }
    let address = window.location().href().unwrap_or_default();
    let bare = address.split('#').next().unwrap_or_default();
    if let Ok(history) = window.history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(bare));
    }
}

/// Gets the token for a ticket, where the page came with one.
async fn redeem() -> Option<()> {
    let ticket = TICKET.take()?;
    let ask = RequestInit::new();
    ask.set_method("POST");
    ask.set_body(&JsValue::from_str(&ticket));
    let response = JsFuture::from(web_sys::window()?.fetch_with_str_and_init("engine/key", &ask)).await.ok()?;
    let response: web_sys::Response = response.dyn_into().ok()?;
    let token = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    if response.ok() {
        browser::store(TOKEN, Some(&token));
    }
    Some(())
}

/// The token, where there is one.
pub(crate) fn token() -> Option<String> {
    browser::stored(TOKEN)
}

/// Where a visitor with a token computes: what was chosen last, else the computer, which is quicker than a tab.
pub(crate) fn chosen() -> Place {
    match token().or_else(|| TICKET.with_borrow(Clone::clone)) {
        Some(_) if browser::stored(CHOICE).as_deref() != Some(Place::Tab.name()) => Place::Computer,
        _ => Place::Tab,
    }
}

/// Remembers a choice.
pub(crate) fn choose(place: Place) {
    browser::store(CHOICE, Some(place.name()));
}

/// The engine that the server has, if it still has one.
pub(crate) async fn offered() -> Option<Offer> {
    redeem().await;
    token()?;
    let response = JsFuture::from(web_sys::window()?.fetch_with_str("engine")).await.ok()?;
    let response: web_sys::Response = response.dyn_into().ok()?;
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    engram_core::protocol::from_json(&text).ok().filter(|_| response.ok())
}

/// The socket's address: beside the page, with whatever path it has.
pub(crate) fn socket() -> Option<String> {
    let here = web_sys::window()?.location().href().ok()?;
    let here = here.split(['?', '#']).next()?;
    let url = web_sys::Url::new_with_base("engine/socket", here).ok()?;
    url.set_protocol(if url.protocol() == "https:" { "wss:" } else { "ws:" });
    Some(url.href())
}
