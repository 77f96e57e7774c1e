//! The finding in a sentence, whose numbers these are, and why they may not belong to the prompt above.

use super::run::{Source, Tracer};
use super::ways::{TraceInstead, TryAnother};
use crate::components::shown;
use crate::components::trace::StoryText;
use crate::figures::about;
use crate::figures::bundled;
use crate::figures::choice::Way;
use crate::figures::partial;
use crate::figures::question::Asked;
use crate::figures::trace::Story;
use crate::lab::Tab;
use crate::lab::place::Place;
use crate::words;
use engram_core::record::Outcome;
use leptos::prelude::*;

/// The finding.
#[component]
pub(super) fn Finding(tracer: Tracer, story: Memo<Option<Story>>, stale: Memo<Option<String>>) -> impl IntoView {
    let dropped = move || {
        tracer.fact.with(|fact| match fact.as_ref().map(|fact| (&fact.outcome, fact.traced())) {
            Some((Outcome::Dropped(dropped), None)) => {
                let said = format!(
                    "It cannot be traced: {}. {}",
                    words::reason(dropped.reason),
                    words::visible(&dropped.detail)
                );
                Some(view! { <h2>{said}</h2> })
            }
            _ => None,
        })
    };
    let empty = move || {
        if tracer.fact.with(Option::is_some) {
            return None;
        }
        let place = tracer.engine.place.get().told();
        let (head, more) = match (tracer.source.get() == Source::Live, tracer.draft.way()) {
            (true, _) => ("Tracing…", "The values of each layer come first, then the maps row by row.".to_owned()),
            (false, Way::Consent(_)) => (
                "This prompt has not been run yet.",
                format!("It asks a model that is not loaded. Load it first; then Trace runs the prompt {place}."),
            ),
            (false, _) => {
                let more = match tracer.engine.place.get() {
                    Place::Tab => "Press Trace to run it in this tab; nothing is sent anywhere.".to_owned(),
                    Place::Computer => format!("Press Trace to run it {place}."),
                };
                ("This prompt has not been run yet.", more)
            }
        };
        Some(view! { <h2>{head}</h2> <p class="more">{more}</p> })
    };
    let warned = move |what: &'static str| {
        let warned = story.with(|story| story.as_ref().is_some_and(|story| story.warning == Some(what)));
        warned && stale.with(Option::is_none)
    };
    // Beside the answer, where an edit is why the model says something else.
    let unknown = move || warned("Not known") && tracer.edited_says().is_none();
    let another = move || warned("Not sensitive") || warned("Weakly known");
    view! {
        <Notices tracer=tracer stale=stale />
        <section class="finding" aria-label="Finding">
            <StoryText story=story />
            {shown(unknown, move || view! { <TraceInstead tracer=tracer /> })}
            {shown(another, move || view! { <TryAnother tracer=tracer /> })}
            {dropped}
            {empty}
            <Origin tracer=tracer />
        </section>
    }
}

/// Whose numbers these are: a stored result, one from a link, or one of this tab.
#[component]
fn Origin(tracer: Tracer) -> impl IntoView {
    let made = Memo::new(move |_| tracer.with_record(about::made));
    let said = move || {
        let made = made.get()?;
        let (from, more) = match tracer.source.get() {
            Source::Live => {
                let cost = tracer.live.with(|live| live.as_ref()?.cost.map(|cost| partial::cost(&cost)));
                ("Computed here", cost.map(|cost| format!(", {cost}")).unwrap_or_default())
            }
            Source::Linked => ("From a link", String::new()),
            Source::Handed => ("From the study", String::new()),
            _ => ("Stored result", String::new()),
        };
        let own = tracer.said().filter(|_| tracer.source.get() == Source::Live);
        let own = own.and_then(|said| tracer.fact.with(|fact| partial::by_itself(&said, &fact.as_ref()?.target_true)));
        Some(format!("{from}: {made}{more}. {}", own.unwrap_or_default()))
    };
    let model = Memo::new(move |_| tracer.with_record(|record| bundled::told(&record.model.name)).flatten());
    let models = move |_| tracer.page.lab.update(|lab| lab.tab = Tab::Models);
    let toy = move || {
        model.get().map(|told| {
            view! {
                <p class="origin">
                    {told} " " <button type="button" class="link" on:click=models>"All models"</button>
                </p>
            }
        })
    };
    view! { <p class="origin">{said}</p> {toy} }
}

/// What a reader must know first.
#[component]
pub(crate) fn Notices(tracer: Tracer, stale: Memo<Option<String>>) -> impl IntoView {
    let restore = move |_| {
        let asked = tracer
            .record_now()
            .and_then(|record| Some(Asked::of_fact(record.facts.first()?, &record.settings, record.model.layers)));
        if let Some(asked) = asked {
            tracer.draft.fill(asked);
        }
    };
    // Edits that were made or undone since are not brought back by a prompt.
    let restores = Memo::new(move |_| stale.with(Option::is_some).then(|| tracer.asks_otherwise()).flatten());
    let old = move || {
        stale.get().map(|said| {
            let button = restores.get().map(|label| view! { <button type="button" on:click=restore>{label}</button> });
            view! { <p class="notice"><span>"⚠ " {said}</span> {button}</p> }
        })
    };
    // Above results of the edited model, and nowhere else.
    let edited = move || {
        let count = tracer.live.with(|live| live.as_ref().map_or(0, |live| live.edits.len()));
        let live = tracer.source.get() == Source::Live;
        (live && count > 0 && stale.with(Option::is_none)).then(|| {
            let go = move |_| tracer.page.lab.update(|lab| lab.tab = Tab::Edit);
            view! {
                <p class="notice">
                    {format!("{} in force: this is a result of the edited model.", words::count(count, "edit"))}
                    <button type="button" on:click=go>"See the edits"</button>
                </p>
            }
        })
    };
    let asks_edited = move || {
        let count = tracer.engine.edits.with(Vec::len);
        let shown = tracer.source.get() == Source::Live
            && tracer.live.with(|live| live.as_ref().is_some_and(|live| !live.edits.is_empty()));
        (count > 0 && !shown && tracer.draft.way() == Way::Run).then(|| {
            let (edits, are) = (words::count(count, "edit"), if count == 1 { "is" } else { "are" });
            view! { <p class="notice">{format!("{edits} {are} in force: what runs now asks the edited model.")}</p> }
        })
    };
    let linked = move || {
        (tracer.source.get() == Source::Linked).then(|| {
            view! {
                <p class="notice">
                    "These numbers came with the link, and nobody has checked them. Trace computes them "
                    {tracer.engine.place.get().told()} "."
                </p>
            }
        })
    };
    let stopped = move || {
        let idle = tracer.running.get().is_none() && tracer.source.get() == Source::Live;
        let said = tracer.live.with(|live| live.as_ref()?.progress());
        said.filter(|_| idle).map(|said| view! { <p class="notice">{format!("This trace was {said}.")}</p> })
    };
    view! { <div role="status">{old} {edited} {asks_edited} {linked} {stopped}</div> }
}
