//! Buttons that copy a text, and buttons that ask once more before they do what cannot be undone.

use crate::take;
use leptos::prelude::*;

/// A button that copies what `text` gives when it is pressed, and says so.
#[component]
pub(crate) fn Copy(
    /// The text.
    #[prop(into)]
    text: Callback<(), String>,
    /// The button's words.
    #[prop(into)]
    label: String,
    /// Its name for those who do not see what stands beside it; the same words when absent.
    #[prop(into, optional)]
    name: Option<String>,
) -> impl IntoView {
    let said = RwSignal::new("");
    let press = move |_| {
        take::copy(text.run(()), move |copied| {
            said.set(if copied { "copied" } else { "the browser does not let this page copy" });
            set_timeout(move || said.set(""), std::time::Duration::from_secs(4));
        });
    };
    view! {
        <span class="copy">
            <button type="button" aria-label=name on:click=press>
                {label}
            </button>
            <span class="faint" role="status">
                {move || said.get()}
            </span>
        </span>
    }
}

/// Copies what a button carries, and says on the button whether that went well.
pub(crate) fn told(button: web_sys::Element, text: String) {
    let before = button.text_content();
    take::copy(text, move |copied| {
        button.set_text_content(Some(if copied { "Copied" } else { "Not copied" }));
        set_timeout(move || button.set_text_content(before.as_deref()), std::time::Duration::from_secs(4));
    });
}

/// A button that asks before it acts, in its own place rather than in a window over the page.
#[component]
pub(crate) fn Sure(
    /// The button's words.
    #[prop(into)]
    label: String,
    /// Its name for those who do not see what stands beside it.
    #[prop(into)]
    name: String,
    /// What is asked.
    #[prop(into)]
    question: String,
    /// What is done after a yes.
    on_yes: Callback<()>,
) -> impl IntoView {
    let asked = RwSignal::new(false);
    let no = NodeRef::<leptos::html::Button>::new();
    let again = NodeRef::<leptos::html::Button>::new();
    // The focus goes to the harmless answer, and back to the button that asked.
    Effect::new(move |before: Option<bool>| {
        let now = asked.get();
        let target = if now { no.get() } else { again.get().filter(|_| before == Some(true)) };
        if let Some(button) = target {
            let _ = button.focus();
        }
        now
    });
    let yes = label.clone();
    move || {
        if asked.get() {
            let sure = move |_| {
                asked.set(false);
                on_yes.run(());
            };
            view! {
                <span class="sure" role="group" aria-label=question.clone()>
                    <span>{question.clone()}</span>
                    <button type="button" on:click=sure>
                        {yes.clone()}
                    </button>
                    <button type="button" node_ref=no on:click=move |_| asked.set(false)>
                        "Keep"
                    </button>
                </span>
            }
            .into_any()
        } else {
            view! {
                <button type="button" node_ref=again aria-label=name.clone() on:click=move |_| asked.set(true)>
                    {label.clone()} "…"
                </button>
            }
            .into_any()
        }
    }
}
