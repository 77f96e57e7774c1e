//! The prompt as tokens: a click or a drag over some makes them the subject. What stands in their place in the corrupted run is
//! beneath them.

use super::browser::focus_soon;
use super::draft::Draft;
use super::tokens;
use crate::figures::pieces::{Place, places};
use crate::figures::question::Asked;
use crate::words;
use leptos::{ev, prelude::*};

/// A token that is drawn.
#[derive(Clone, PartialEq)]
pub(crate) struct Token {
    place: Place,
    subject: bool,
    instead: Instead,
}

/// What the corrupted run has in a token's place.
#[derive(Clone, PartialEq)]
pub(crate) enum Instead {
    /// The same, as far as is known.
    Same,
    /// Another token.
    Other(String),
    /// Another token, after further ones that stand against none.
    Longer(Vec<String>, String),
    /// The same with noise.
    Noise,
    /// Nothing.
    Nothing,
}

/// The tokens of a question's prompt: those of a result, with what stands in their place, else those of the loaded model's tokenizer,
/// else its words.
pub(crate) fn row_of(
    asked: &Asked,
    live: RwSignal<Option<tokens::Read>>,
    of_result: Option<(Vec<String>, Vec<Instead>)>,
) -> Vec<Token> {
    let prompt = asked.filled();
    let subject = asked.place();
    let texts = [asked.prompt.clone(), asked.subject.clone()];
    let of_tokenizer =
        || live.with(|live| live.as_ref().filter(|read| read.of == texts).map(|read| (read.texts.clone(), Vec::new())));
    let (pieces, instead) = of_result.or_else(of_tokenizer).unwrap_or_else(|| (words_of(&prompt), Vec::new()));
    let one = |place: Place| {
        let inside = |range: &std::ops::Range<usize>| place.at.start < range.end && range.start < place.at.end;
        let subject = subject.as_ref().is_some_and(inside);
        let instead = instead.get(place.tokens.start).cloned().unwrap_or(Instead::Same);
        Token { subject, instead, place }
    };
    // Special tokens are rows of the map; in the prompt there is nothing of them to choose.
    let special = |token: &Token| token.place.at.is_empty();
    places(&prompt, &pieces).into_iter().map(one).filter(|token| !special(token)).collect()
}

/// Words with the space before them, as most tokenizers cut.
fn words_of(prompt: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for c in prompt.chars() {
        match found.last_mut() {
            Some(last) if c != ' ' || last.trim().is_empty() => last.push(c),
            _ => found.push(c.to_string()),
        }
    }
    found
}

/// What the empty set beneath a token means.
const NOTHING: &str = "the replacement has no token here";

/// The row of tokens. A click or a drag over some makes them the subject.
#[component]
pub(crate) fn TokenRow(
    /// The tokens.
    all: Memo<Vec<Token>>,
    /// The question.
    draft: Draft,
    /// Set where somebody wants to type.
    typing: RwSignal<bool>,
    /// So that two screens have different ids.
    form: &'static str,
    /// Whether what the corrupted run has stands beneath.
    #[prop(optional)]
    runs: bool,
) -> impl IntoView {
    // Where a drag began, and where it is.
    let drag = RwSignal::new(None::<(usize, usize)>);
    let choose = move |(one, other): (usize, usize)| {
        let (first, last) = (one.min(other), one.max(other));
        let range = all.with_untracked(|all| Some(all.get(first)?.place.at.start..all.get(last)?.place.at.end));
        if let Some(range) = range {
            draft.choose(range);
            // The tokens are drawn anew.
            focus_soon(&format!("#panel-{form} [data-token=\"{other}\"]"));
        }
    };
    let over = move |event: &ev::PointerEvent| -> Option<usize> {
        let under = document().element_from_point(event.client_x() as f32, event.client_y() as f32)?;
        under.closest("[data-token]").ok()??.get_attribute("data-token")?.parse().ok()
    };
    let down = move |event: ev::PointerEvent| {
        if let Some(at) = over(&event).filter(|_| event.button() == 0) {
            drag.set(Some((at, at)));
        }
    };
    let moved = move |event: ev::PointerEvent| {
        if let (Some((from, to)), Some(at)) = (drag.get_untracked(), over(&event))
            && to != at
        {
            drag.set(Some((from, at)));
        }
    };
    let up = window_event_listener(ev::pointerup, move |_| {
        if let Some(dragged) = drag.get_untracked() {
            drag.set(None);
            choose(dragged);
        }
    });
    let cancelled = window_event_listener(ev::pointercancel, move |_| drag.set(None));
    on_cleanup(move || {
        up.remove();
        cancelled.remove();
    });
    let one = move |(at, token): (usize, Token)| {
        let Token { place, subject, instead } = token;
        let pressed = move || match drag.get() {
            Some((from, to)) => (from.min(to)..=from.max(to)).contains(&at),
            None => subject,
        };
        // A click is a drag over one; the keyboard has no drag.
        let click = move |event: ev::MouseEvent| {
            if event.detail() == 0 {
                choose((at, at));
            }
        };
        let (space, text) = match place.text.strip_prefix(' ') {
            Some(rest) => (Some(view! { <span class="space" aria-hidden="true">"·"</span> }), rest.to_owned()),
            None => (None, place.text.clone()),
        };
        let label = text.trim().is_empty().then_some("space");
        let instead = runs.then(|| match instead {
            Instead::Other(other) => {
                view! { <span class="instead">{other.trim_start_matches('·').to_owned()}</span> }.into_any()
            }
            Instead::Longer(beyond, other) => {
                let bare = |token: &String| token.trim_start_matches('·').to_owned();
                let names = beyond.iter().map(bare).collect::<Vec<_>>().join(", ");
                let said = format!("{} of the replacement before it, with no counterpart: {names}", words::count(beyond.len(), "token"));
                view! {
                    <span class="instead">
                        <abbr class="beyond" title=said.clone()>{format!("+{}", beyond.len())}<span class="unseen">{said.clone()}</span></abbr>
                        " " {bare(&other)}
                    </span>
                }
                .into_any()
            }
            Instead::Same => {
                view! { <span class="same" role="img" aria-label="the same token" title="the same token"></span> }
                    .into_any()
            }
            Instead::Noise => {
                view! { <span class="instead" title="the same token with noise">"+ noise"</span> }.into_any()
            }
            Instead::Nothing => {
                view! { <span class="instead" role="img" aria-label=NOTHING title=NOTHING>"∅"</span> }.into_any()
            }
        });
        view! {
            <li>
                <button type="button" data-token=at aria-label=label aria-pressed=move || pressed().to_string() on:click=click>
                    {space} {words::visible(&text)}
                </button>
                {instead}
            </li>
        }
    };
    view! {
        <ol
            class="prompt-tokens"
            aria-label="Prompt tokens. Press one to make it the subject."
            on:pointerdown=down
            on:pointermove=moved
        >
            {move || all.get().into_iter().enumerate().map(one).collect_view()}
            <li class="type">
                <button type="button" aria-label="Edit the prompt" title="Type another prompt" id=format!("{form}-edit-prompt") on:click=move |_| typing.set(true)><span aria-hidden="true">"✎"</span>" edit"</button>
            </li>
        </ol>
    }
}
