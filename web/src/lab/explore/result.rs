//! What is found: the fact in sentences, whose numbers these are, and the maps.

use super::actions::Actions;
use super::run::{Explorer, Source};
use crate::components::shown;
use crate::components::{Heatmaps, Switches};
use crate::figures::choice::Way;
use crate::figures::heatmap::MapSet;
use crate::figures::{about, facts, finding, partial};
use crate::lab::Tab;
use crate::lab::share::Stale;
use crate::words;
use engram_core::record::{Outcome, PatchPosition};
use leptos::prelude::*;

/// The fact and what is said about it.
#[component]
pub(super) fn Finding(explorer: Explorer, stale: Memo<Option<String>>) -> impl IntoView {
    let (fact, view) = (explorer.fact, explorer.view);
    let head = Memo::new(move |_| {
        fact.with(|fact| {
            let fact = fact.as_ref()?;
            Some((facts::parts(fact), words::visible(&fact.target_true)))
        })
    });
    let lines = Memo::new(move |_| {
        fact.with(|fact| match fact.as_ref().map(|fact| (fact, &fact.outcome, fact.traced())) {
            None => Vec::new(),
            Some((fact, _, Some(traced))) => {
                let view = view.get();
                let mut lines = finding::fact(fact, traced, &view);
                lines.push(format!("Patched position: {}.", words::position(view.position)));
                let live = explorer.source.get() == Source::Live;
                let greedy = explorer.live.with(|live| live.as_ref().and_then(|live| live.greedy.clone()));
                lines.extend(greedy.filter(|_| live).and_then(|said| partial::by_itself(&said, &fact.target_true)));
                lines
            }
            Some((_, Outcome::Dropped(dropped), _)) => {
                vec![
                    format!("It cannot be traced: {}.", words::reason(dropped.reason)),
                    words::visible(&dropped.detail),
                ]
            }
            Some(_) => Vec::new(),
        })
    });
    let positions = Signal::derive(move || -> Vec<PatchPosition> {
        fact.with(|fact| {
            let traced = fact.as_ref().and_then(|fact| fact.traced());
            traced.map(|traced| traced.patched.keys().copied().collect()).unwrap_or_default()
        })
    });
    let heading = move || match head.get() {
        Some(([before, subject, after], answer)) => {
            view! { <h2 class="fact">{before} <mark>{subject}</mark> {after} " " <b>{answer}</b></h2> }.into_any()
        }
        None => view! { <h2>"Nothing computed yet"</h2> }.into_any(),
    };
    let empty = move || {
        let waiting = explorer.source.get() == Source::Live;
        let consent = matches!(explorer.draft.way(), Way::Consent(_));
        let said = match waiting {
            true => "The values of each layer come first, then the maps row by row.",
            false if consent => {
                "The address brought a question, and a model that is not loaded. Load it first; then the button runs the \
                 question in this tab."
            }
            false => {
                "The address brought a question, and nothing was computed for it yet. Press the button to run it in this \
                 tab; nothing is sent anywhere."
            }
        };
        fact.with(Option::is_none).then(|| view! { <p>{said}</p> })
    };
    let more = move || positions.with(|positions| !positions.is_empty());
    view! {
        <section class="finding" aria-label="Result">
            <Stale said=stale />
            <Origin explorer=explorer />
            {heading}
            <p>{move || lines.get().join(" ")}</p>
            {empty}
            <div class="bar-of-result">
                {shown(more, move || view! {
                    <Switches positions=positions state=explorer.page.state />
                })}
                <Actions explorer=explorer />
            </div>
        </section>
    }
}

/// Whose numbers these are: a stored result, or one of this tab.
#[component]
fn Origin(explorer: Explorer) -> impl IntoView {
    let made = Memo::new(move |_| explorer.record().map(|record| about::made(&record)));
    let hidden = Memo::new(move |_| {
        let corruption = explorer.record().map(|record| about::corruption(&record.settings.corruption));
        corruption.map(|how| words::visible(&how))
    });
    let said = move || {
        let made = made.get()?;
        let hidden = hidden.get().unwrap_or_default();
        let (badge, more) = match explorer.source.get() {
            Source::Live => {
                let cost = explorer.live.with(|live| live.as_ref()?.cost.map(|cost| partial::cost(&cost)));
                ("computed here", cost.map(|cost| format!(", {cost}")).unwrap_or_default())
            }
            Source::Linked => ("from a link", String::new()),
            _ => ("stored result", String::new()),
        };
        Some(view! {
            <p class="faint">
                <span class="badge">{badge}</span>
                " "
                {format!("{made}{more}. Hidden: {hidden}.")}
            </p>
        })
    };
    // Above results of the edited model, and nowhere else.
    let edited = move || {
        let count = explorer.live.with(|live| live.as_ref().map_or(0, |live| live.edits.len()));
        let live = explorer.source.get() == Source::Live;
        (live && count > 0).then(|| {
            let go = move |_| explorer.page.lab.update(|lab| lab.tab = Tab::Edit);
            view! {
                <p class="notice">
                    {format!("{} active: this is a result of the edited model. ", words::count(count, "edit"))}
                    <button on:click=go>"See the edits"</button>
                </p>
            }
        })
    };
    let linked = move || {
        (explorer.source.get() == Source::Linked).then(|| {
            view! {
                <p class="notice">
                    "These numbers came with the link, and nobody has checked them. “Run it here” computes them in this tab."
                </p>
            }
        })
    };
    let stopped = move || {
        let idle = explorer.running.get().is_none() && explorer.source.get() == Source::Live;
        let said = explorer.live.with(|live| live.as_ref()?.progress());
        said.filter(|_| idle).map(|said| view! { <p class="notice">{format!("This trace was {said}.")}</p> })
    };
    view! {
        {edited}
        {said}
        {linked}
        {stopped}
    }
}

/// The maps, row by row while they are computed.
#[component]
pub(super) fn Maps(explorer: Explorer) -> impl IntoView {
    let set = Memo::new(move |_| explorer.fact.with(|fact| MapSet::of(fact.as_ref()?)));
    let has = Memo::new(move |_| set.with(Option::is_some));
    let maps = Signal::derive(move || set.get().unwrap_or_default());
    let layer = Signal::derive(move || explorer.layer.get());
    view! {
        {shown(move || has.get(), move || view! {
            <section class="maps-of-fact">
                <h3>"Token by token"</h3>
                <Heatmaps
                    set=maps
                    layer=layer
                    on_layer=Callback::new(move |layer| explorer.choose_layer(layer))
                />
            </section>
        })}
    }
}
