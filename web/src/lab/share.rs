//! Taking something along: a link to the view, and one that brings a result.

use crate::components::{act, part};
use crate::take;
use crate::words;
use engram_core::Result;
use leptos::prelude::*;

/// A button that puts the page's address on the clipboard; where the browser allows none, it shows the address.
#[component]
pub(crate) fn CopyLink() -> impl IntoView {
    let said = RwSignal::new(None::<String>);
    let copy = move |_| {
        let address = window().location().href().unwrap_or_default();
        take::copy(address.clone(), move |copied| {
            said.set(Some(if copied { "The link is on the clipboard.".to_owned() } else { address }));
        });
    };
    view! {
        <button on:click=act(copy)>"Copy link"</button>
        <span class="faint address" role="status">
            {part(move || said.get())}
        </span>
    }
}

/// What came of making a link.
#[derive(Clone)]
enum Made {
    /// It is on the clipboard.
    Copied(usize),
    /// The browser copies nothing, so it is shown to be copied by hand.
    Shown(String),
    /// There is none: why, and what to do.
    Refused(String),
}

/// A button that copies a link with a result in it. Such a link is long, so it is not read out.
#[component]
pub(crate) fn CopyResult(
    /// Makes the link.
    #[prop(into)]
    make: Callback<(), Result<String>>,
) -> impl IntoView {
    let made = RwSignal::new(None::<Made>);
    let copy = move |_| match make.run(()) {
        Ok(link) => take::copy(link.clone(), move |copied| {
            made.set(Some(if copied { Made::Copied(link.len()) } else { Made::Shown(link) }));
        }),
        Err(error) => {
            let hint = error.next_step().map(|hint| format!("; {hint}")).unwrap_or_default();
            made.set(Some(Made::Refused(words::visible(&format!("No link: {}{hint}.", error.message())))));
        }
    };
    let said = move || match made.get()? {
        Made::Copied(length) => Some(format!("The link with the result is on the clipboard: {length} characters.")),
        Made::Shown(_) => Some("The browser does not let this page copy; take the link from here:".into()),
        Made::Refused(why) => Some(why),
    };
    let by_hand = move || match made.get()? {
        Made::Shown(link) => {
            Some(view! { <input type="text" readonly aria-label="Link with result" prop:value=link /> })
        }
        _ => None,
    };
    view! {
        <button on:click=act(copy) title="All numbers of this trace go into the link itself; nothing is uploaded">
            "Copy link with result"
        </button>
        <span class="faint" role="status">
            {part(said)}
        </span>
        {part(by_hand)}
    }
}
