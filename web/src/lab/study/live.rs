//! The study that runs: how far it is, where its facts sit so far, and each fact with what became of it.

use super::runner::{Runner, State};
use crate::components::progress::Progress;
use crate::components::shown;
use crate::components::{FactList, FactView, HistogramChart};
use crate::figures::facts::{Row, rows};
use crate::figures::histogram::Histogram;
use crate::figures::live::Live;
use crate::figures::progress::{Bar, Track};
use crate::lab::engine::now;
use crate::words;
use engram_core::metrics::MetricConvention;
use engram_core::protocol::StudyPhase;
use leptos::prelude::*;
use std::time::Duration;

/// The queue and the study at hand; nothing while there is neither.
#[component]
pub(crate) fn Running(runner: Runner) -> impl IntoView {
    let any = Memo::new(move |_| runner.busy.get() || unfinished(runner));
    view! {
        {shown(move || any.get(), move || view! {
            <Now runner=runner />
        })}
    }
}

/// Something of the queue is left.
fn unfinished(runner: Runner) -> bool {
    let left = |state: &State| matches!(state, State::Paused | State::Waits);
    runner.queue.with(|queue| queue.iter().any(|task| left(&task.state)))
}

#[component]
fn Now(runner: Runner) -> impl IntoView {
    let Runner { live, busy, .. } = runner;
    let tick = RwSignal::new(now());
    let clock = set_interval_with_handle(move || tick.set(now()), Duration::from_secs(1)).ok();
    on_cleanup(move || {
        if let Some(clock) = clock {
            clock.clear();
        }
    });
    let title = move || {
        let name = live.with(|live| live.as_ref().map(|live| words::visible(&live.record.model.name)));
        match (busy.get(), name) {
            (true, Some(name)) => format!("Studying {name}"),
            (false, Some(name)) => format!("The study of {name} is paused"),
            (_, None) => "The study begins".into(),
        }
    };
    let bar = move |phase: StudyPhase| {
        let bar = Memo::new(move |_| {
            let now = busy.get().then(|| tick.get() / 1e3);
            let bar = live.with(|live| live.as_ref().map(|live| live.bar(phase, now)));
            bar.unwrap_or_else(|| Track::default().bar(phase, now))
        });
        view! { <Progress bar=Signal::derive(move || -> Bar { bar.get() }) /> }
    };
    let phases = Memo::new(move |_| live.with(|live| Live::phases(live.as_ref().map(|live| &live.record))));
    let bars = move || phases.get().into_iter().map(bar).collect_view();
    let milestone = Memo::new(move |_| live.with(|live| live.as_ref().map(Live::milestone)).unwrap_or_default());
    let pace = move || {
        let now = tick.get() / 1e3;
        busy.get().then(|| live.with(|live| live.as_ref().map(|live| live.pace(now)))).flatten()
    };
    view! {
        <section class="live" aria-label="The study that runs">
            <h2>{title}</h2>
            <Queue runner=runner />
            <p class="unseen" role="status">
                {move || milestone.get()}
            </p>
            {bars}
            <p class="choices">
                {move || {
                    if busy.get() {
                        view! {
                            <button type="button" on:click=move |_| runner.pause()>
                                "Pause"
                            </button>
                        }
                        .into_any()
                    } else {
                        view! {
                            <button type="button" class="primary" on:click=move |_| runner.go()>
                                "Resume"
                            </button>
                        }
                        .into_any()
                    }
                }} <span class="faint">{pace}</span>
            </p>
            <SoFar runner=runner />
        </section>
    }
}

/// What the record has so far.
#[component]
fn SoFar(runner: Runner) -> impl IntoView {
    let live = runner.live;
    let histogram: Memo<Option<Histogram>> =
        Memo::new(move |_| live.with(|live| live.as_ref().map(|live| live.histogram(&MetricConvention::default()))));
    let counts = Memo::new(move |_| live.with(|live| live.as_ref().map(Live::counts)).unwrap_or_default());
    let list = RwSignal::new(Vec::<Row>::new());
    // A list that is made anew loses the focus, so it stands still while somebody is in it.
    Effect::new(move || {
        let found = live.with(|live| live.as_ref().map(|live| rows(&live.record, &MetricConvention::default())));
        let busy = document().active_element().and_then(|at| at.closest(".live .facts ul").ok().flatten()).is_some();
        if !busy || list.with_untracked(Vec::is_empty) {
            list.set(found.unwrap_or_default());
        }
    });
    let chosen = RwSignal::new(None::<usize>);
    let fact = Memo::new(move |_| {
        let order = chosen.get()?;
        live.with(|live| live.as_ref()?.record.facts.iter().find(|fact| fact.order == order).cloned())
    });
    let any = Memo::new(move |_| list.with(|list| !list.is_empty()));
    let count = |(name, count): (String, usize)| view! { <dt>{name}</dt> <dd>{count}</dd> };
    view! {
        {shown(move || any.get(), move || view! {
            <div class="so-far">
                <div>
                    {move || histogram.get().map(|histogram| view! { <HistogramChart histogram=histogram /> })}
                    <p class="faint">"Reading subject-last, facts so far."</p>
                </div>
                <dl class="counts">{move || counts.get().into_iter().map(count).collect_view()}</dl>
            </div>
            <div class="split">
                <FactList rows=list.into() selected=chosen on_choose=Callback::new(move |order| chosen.set(Some(order))) />
                {move || match fact.get() {
                    Some(fact) => view! { <FactView fact=fact view=MetricConvention::default() /> }.into_any(),
                    None => view! { <p class="faint">"Choose a fact to see its layers, and its map where it has one."</p> }.into_any(),
                }}
            </div>
        })}
    }
}

/// The models of the queue, where there are several or something is to be told of one.
#[component]
fn Queue(runner: Runner) -> impl IntoView {
    let line = move |(name, state): (String, State)| {
        let (said, why) = match state {
            State::Waits => ("waits", None),
            State::Loads => ("is loaded", None),
            State::Runs => ("runs", None),
            State::Paused => ("is paused", None),
            State::Done => ("is done", None),
            State::Failed(why) => ("failed", Some(words::visible(&why))),
        };
        view! { <li>{words::visible(&name)} " " <span class="faint">{said}</span> {why.map(|why| format!(", {why}"))}</li> }
    };
    move || {
        let all: Vec<_> = runner
            .queue
            .with(|queue| queue.iter().map(|task| (task.model.name().to_owned(), task.state.clone())).collect());
        (all.len() > 1).then(|| view! { <ol class="queue">{all.into_iter().map(line).collect_view()}</ol> })
    }
}
