//! Taking something along: a link to the view.

use crate::components::{act, part};
use crate::take;
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
