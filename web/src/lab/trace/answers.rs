//! What the model says: the answer's probability in the clean run, what else it might say, and what the corrupted run says.

use super::run::{Source, Tracer};
use super::ways::TraceInstead;
use crate::figures::trace::{WEAKLY, own_answer, weakly_known};
use crate::words;
use engram_core::protocol::Word;
use engram_core::record::{Corruption, Reason};
use leptos::prelude::*;

/// A word without the space before it.
fn bare(word: &Word) -> String {
    words::token(&word.text).trim_start_matches(['·', '▁', 'Ġ']).to_owned()
}

fn percent(p: f32) -> String {
    words::fixed(f64::from(p) * 100.0, 1)
}

/// The answers.
#[component]
pub(super) fn Answers(tracer: Tracer, stale: Memo<Option<String>>) -> impl IntoView {
    let runs = move || tracer.live.with(|live| live.as_ref().and_then(|live| live.runs.clone()));
    let shown = move || {
        if stale.with(Option::is_some) {
            return view! { <p class="then">"This prompt has not been run yet."</p> }.into_any();
        }
        let fact = tracer.fact.get();
        let Some((fact, traced)) = fact.as_ref().and_then(|fact| Some((fact, fact.traced()?))) else {
            return ().into_any();
        };
        let (answer, clean, corrupt) = (words::visible(fact.target_true.trim()), traced.p_clean, traced.p_corrupt);
        let runs = runs().filter(|_| tracer.source.get() == Source::Live);
        let then = runs.as_ref().and_then(|[clean, _]| {
            let others = clean.iter().filter(|word| !bare(word).is_empty() && !answer.starts_with(&bare(word)));
            let others: Vec<String> =
                others.take(4).map(|word| format!("{} {}", bare(word), percent(word.p))).collect();
            let own = |first: &Word| !bare(first).is_empty() && answer.starts_with(&bare(first));
            let how = if clean.first().is_some_and(own) { "then" } else { "The model says" };
            (!others.is_empty()).then(|| format!("{how} {}", others.join(", ")))
        });
        let replaced = || {
            tracer.with_record(|record| matches!(record.settings.corruption, Corruption::Replace { .. })) == Some(true)
        };
        let other = |word: &&Word| !bare(word).is_empty() && !answer.starts_with(&bare(word));
        let first = runs.as_ref().and_then(|[_, corrupt]| corrupt.first());
        let own = first.filter(other).filter(|_| replaced()).and_then(|word| own_answer(&bare(word), word.p.into()));
        let corrupted = match first {
            _ if own.is_some() => view! {
                <p class="then">"Corrupted: " {answer.clone()} " " {words::percent_of(corrupt.into())}</p>
                <p class="then whole">{own}</p>
            }
            .into_any(),
            Some(first) if !answer.starts_with(&bare(first)) => {
                let more = format!(" {} %, {answer} {}", percent(first.p), words::percent_of(corrupt.into()));
                view! { <p class="then">"Corrupted: " <b>{bare(first)}</b> {more}</p> }.into_any()
            }
            _ => view! { <p class="then">"Corrupted: " {answer.clone()} " " {words::percent_of(corrupt.into())}</p> }
                .into_any(),
        };
        let width = format!("width:{:.1}%", 100.0 * clean);
        let known = !matches!(fact.outcome.why(), Some((Reason::NotKnown, _)));
        let weak = weakly_known(clean.into()).filter(|_| known).map(|weak| {
            view! { <span class="tag weak" title=WEAKLY>{weak}<span class="unseen">". " {WEAKLY}</span></span> }
        });
        view! {
            <div class="answer">
                <b>{words::short(&answer, 18)}</b>
                <span class="meter" aria-hidden="true"><i style=width></i></span>
                <span class="num">{words::percent_of(clean.into())}</span>
                {weak}
            </div>
            {then.map(|then| view! { <p class="then">{then}</p> })}
            {corrupted}
        }
        .into_any()
    };
    let edited = move || {
        let (said, _) = tracer.edited_says()?;
        Some(view! { <p class="then whole">{said}</p> <TraceInstead tracer=tracer /> })
    };
    view! { <div class="answers" role="group" aria-label="Answers">{shown} {edited}</div> }
}
