//! A button that copies a text which stands in it. One listener on the page hears all of them, so that they work in what was printed,
//! too.

use leptos::prelude::*;

/// The button; `label` says what it copies.
pub fn copied(text: &str, label: &'static str) -> AnyView {
    view! { <button type="button" class="quiet" data-copy=text.to_owned() aria-label=label>"Copy"</button> }.into_any()
}
