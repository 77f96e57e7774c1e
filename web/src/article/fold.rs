//! Sections that are folded. `<details>` needs no script: without one they open by a click, in print, and where the address names
//! them (article.css).

use leptos::prelude::*;

/// A folded section: its place in addresses, its heading, what is in it in a few words, and itself.
pub(super) fn fold(id: &'static str, title: &'static str, about: String, open: bool, body: AnyView) -> AnyView {
    view! {
        <details class="fold" id=id open=open>
            <summary>
                <h2>{title}</h2>
                <span>{about}</span>
            </summary>
            <div class="body">{body}</div>
        </details>
    }
    .into_any()
}

/// Opens what an element is in, and itself.
pub(crate) fn unfolded(element: &web_sys::Element) {
    let mut next = Some(element.clone());
    while let Some(one) = next {
        if one.local_name() == "details" {
            // It fails for no name that is written here.
            let _ = one.set_attribute("open", "");
        }
        next = one.parent_element();
    }
}
