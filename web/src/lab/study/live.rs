//! The study that runs: how far it is, and what waits behind it. Its facts fill the table.

use super::runner::{Runner, State};
use crate::components::progress::Progress;
use crate::components::shown;
use crate::figures::live::Live;
use crate::figures::progress::{Bar, Track};
use crate::lab::engine::now;
use crate::words;
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
pub(super) fn unfinished(runner: Runner) -> bool {
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
        let loads = runner.queue.with(|queue| {
            queue.iter().find(|task| task.state == State::Loads).map(|task| words::visible(task.model.name()))
        });
        if let Some(name) = loads.filter(|_| busy.get()) {
            return format!("Loading {name}…");
        }
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
        </section>
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
