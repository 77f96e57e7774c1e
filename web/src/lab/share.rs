//! A link to what is shown.

use crate::take;
use leptos::prelude::*;

/// A button that puts the address of what is shown on the clipboard; where the browser allows none, it shows the address.
#[component]
pub(crate) fn CopyLink(
    /// The address of what is shown; `None` where nothing is, and the page's own address is taken.
    address: Callback<(), Option<String>>,
    /// The button's words.
    #[prop(default = "Copy link")]
    label: &'static str,
) -> impl IntoView {
    let said = RwSignal::new(None::<String>);
    let copy = move |_| {
        let address = address.run(()).or_else(|| window().location().href().ok()).unwrap_or_default();
        take::copy(address.clone(), move |copied| {
            said.set(Some(if copied { "The link is on the clipboard.".to_owned() } else { address }));
        });
    };
    view! {
        <button type="button" on:click=copy>{label}</button>
        <span class="faint address" role="status">
            {move || said.get()}
        </span>
    }
}
