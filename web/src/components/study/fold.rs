//! A section that is folded, and drawn when it is opened for the first time.

use leptos::prelude::*;

/// The section.
#[component]
pub fn Fold(
    /// Its heading.
    #[prop(into)]
    title: String,
    /// What the heading announces.
    #[prop(into, optional)]
    about: String,
    /// It begins open.
    #[prop(optional)]
    open: bool,
    /// Its id.
    #[prop(optional)]
    id: Option<&'static str>,
    /// What is in it.
    children: ChildrenFn,
) -> impl IntoView {
    let opened = RwSignal::new(open);
    let about = (!about.is_empty()).then(|| view! { <span class="faint">{about}</span> });
    view! {
        <details class="fold" id=id open=open on:toggle=move |_| opened.set(true)>
            <summary><h2>{title}</h2> {about}</summary>
            {move || opened.get().then(|| children())}
        </details>
    }
}
