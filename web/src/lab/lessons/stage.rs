//! What is measured: both runs, and bars that are empty until a prediction is made.

use super::desk::{Desk, waits};
use crate::figures::lesson::{Ask, Bar, Group, Runs, Show};
use crate::words;
use leptos::prelude::*;

/// The stage.
#[component]
pub(super) fn Stage(desk: Desk) -> impl IntoView {
    let shown = move || {
        let Some(now) = desk.now.get() else { return ().into_any() };
        let ask = now.step.ask;
        let (runs, groups, marks) = match desk.found.get() {
            Some(outcome) => (Some(outcome.runs), outcome.stage, outcome.marks),
            None => (None, waiting(desk, &ask), [None; 2]),
        };
        let asked = runs.is_none();
        let mine = move |group: usize, bar: usize| {
            let chosen = desk.mine.with(|mine| mine.map(|mine| mine as usize));
            match marks[0] {
                Some(mark) => mark == (group, bar),
                None => asked && chosen == Some(bar),
            }
        };
        let best = marks[1];
        let one = move |(at, group): (usize, Group)| {
            let Group { title, note, ends, bars, expect } = group;
            let legend = (!expect.is_empty()).then(|| view! { <span class="expect-key">"for comparison"</span> });
            let own = (marks[0].is_some_and(|mark| mark.0 == at))
                .then(|| view! { <span class="mine-key">"your prediction"</span> });
            let bars = bars.into_iter().enumerate().map(|(place, bar)| {
                let class = move || if mine(at, place) { "bar-row mine" } else { "bar-row" };
                row(bar, class, asked, best == Some((at, place)), expect.get(place).copied())
            });
            view! {
                <div class="group" class:asked=asked>
                    <h4>{title} <span>{note}</span></h4>
                    <ul>{bars.collect_view()}</ul>
                    <p class="scale"><span>{ends[0]}</span> {own} {legend} <span>{ends[1]}</span></p>
                </div>
            }
        };
        let groups: Vec<_> = groups.into_iter().enumerate().map(one).collect();
        view! { {both(&ask, runs)} {groups} }.into_any()
    };
    view! { <section class="stage" aria-label="Measured">{shown}</section> }
}

/// Bars without a value, where they are what is predicted.
fn waiting(desk: Desk, ask: &Ask) -> Vec<Group> {
    let labels = desk.labels.get();
    if labels.is_empty() || !waits(ask) {
        return Vec::new();
    }
    let bar = |label: String| Bar { label, said: "?".into(), ..Bar::default() };
    let note = match (ask.of, &ask.beside) {
        (Some(of), Some(beside)) if of.is_beside() => words::visible(beside),
        (_, Some(_)) => words::visible(&ask.model),
        _ => String::new(),
    };
    let bars = labels.into_iter().map(bar).collect();
    vec![Group { title: "Not measured yet".into(), note, bars, ..Group::default() }]
}

fn row(
    bar: Bar,
    class: impl Fn() -> &'static str + Send + Sync + 'static,
    asked: bool,
    best: bool,
    expect: Option<f64>,
) -> impl IntoView {
    let Bar { label, from, value, said, subject, other } = bar;
    let width = |value: f64| format!("left:0;width:{:.2}%", value.clamp(0.0, 1.0) * 100.0);
    let fill = value.filter(|_| !asked).map(|value| view! { <i class:other=other style=width(value)></i> });
    let line =
        expect.filter(|_| !asked).map(|at| view! { <s style=format!("left:{:.2}%", at.clamp(0.0, 1.0) * 100.0)></s> });
    view! {
        <li class=class>
            <span class="from">{from}</span>
            <span class="name" class:s=subject>{label}</span>
            <span class="track" class:none=value.is_none()>{fill} {line}</span>
            <span class="num" class:best=best>{said}</span>
        </li>
    }
}

/// The clean and the corrupted run with the answer's probability, once that is measured.
fn both(ask: &Ask, runs: Option<Runs>) -> AnyView {
    let prompt =
        if ask.prompt.contains("{}") { ask.prompt.clone() } else { ask.prompt.replacen(&ask.subject, "{}", 1) };
    // A reader may be typing the subject.
    let Some((before, after)) = prompt.split_once("{}").filter(|_| !ask.subject.is_empty()) else {
        return ().into_any();
    };
    let (before, after) = (words::visible(before), words::visible(after));
    let model = words::visible(&ask.model);
    let title = match &runs {
        Some(runs) => format!("Probability of “{}”, {model}", runs.answer),
        None => model,
    };
    let instead = match &runs {
        Some(runs) => runs.instead.clone(),
        None if ask.instead.is_empty() => "another name".to_owned(),
        None => words::visible(&ask.instead),
    };
    let run = |name: &'static str, class: &'static str, subject: String, at: usize| {
        let p = runs.as_ref().map(|runs| runs.p[at]);
        let said = p.map_or("?".to_owned(), |p| words::percent_of(p.into()));
        let width = format!("width:{:.1}%", p.unwrap_or_default() * 100.0);
        view! {
            <div class="run">
                <b>{name}</b>
                <span class="line">{before.clone()}<span class=class>{subject}</span>{after.clone()}</span>
                <span class="p"><span class="meter"><i style=width></i></span><span class="num">{said}</span></span>
            </div>
        }
    };
    let note = if runs.is_some() { "computed here" } else { "" };
    let beside = runs.as_ref().and_then(|runs| runs.beside.clone()).map(|(name, p)| {
        let [clean, corrupt] = p.map(|p| words::percent_of(p.into()));
        view! { <p class="faint">{format!("{name}: {clean} in the clean run, {corrupt} in the corrupted run.")}</p> }
    });
    view! {
        <h4>{title} <span>{note}</span></h4>
        {run("Clean run", "s", words::visible(&ask.subject), 0)}
        // Where the next step asks for it, it is not told yet.
        {(ask.show.first() != Some(&Show::Clean)).then(|| run("Corrupted run", "r", instead, 1))}
        {beside}
    }
    .into_any()
}
