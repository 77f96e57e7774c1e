//! Stage 3: edits, fact by fact.

use super::plate::Plate;
use super::{Desk, prediction, sequence};
use crate::components::Edits;
use crate::components::compare::dots::Dots;
use crate::components::compare::marks::Key;

use crate::figures::edits::{self, Edit};
use crate::figures::scatter::{Scatter, both_answers, by_depth};
use crate::words;
use engram_core::metrics::shown_edits;
use engram_core::record::Record;
use leptos::prelude::*;

const NO_EDITS: &str = "None of these studies has edits.";

pub(super) const DEPTH: Plate = Plate {
    id: "figure-5",
    title: "Figure 5. Edits by the depth of the edited layer",
    still: false,
    draw: |desk| dots(desk, by_depth(&desk.pairs())),
};

pub(super) const ANSWERS: Plate = Plate {
    id: "figure-6",
    title: "Figure 6. Both answers after the edits",
    still: false,
    draw: |desk| dots(desk, both_answers(&desk.pairs())),
};

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    if desk.records.iter().all(|record| record.edits.is_none()) {
        if sequence::wanted(desk) {
            let link = view! { <a href="#sequence">{sequence::TITLE}</a> };
            return view! { <p>"Facts were edited one after the other, none from the unedited model: " {link}</p> }
                .into_any();
        }
        return view! { <p>{NO_EDITS}</p> }.into_any();
    }
    let bars = desk.is_live().then(|| {
        let desk = desk.clone();
        move || before_after(&desk, desk.shown())
    });
    let swept = prediction::wanted(desk).then(|| {
        view! {
            <p>
                "Facts were edited at several layers; here are the edits at each fact's dominant layer. The others: "
                <a href="#prediction">{prediction::TITLE}</a>
            </p>
        }
    });
    view! {
        {swept}
        <p class="faint">
            "Filled marks are edits after which the new answer has replaced the old one; hollow marks are all others."
        </p>
        <div class="pairs">{DEPTH.show(desk)} {ANSWERS.show(desk)}</div>
        <h3>"Outcomes, edit by edit"</h3>
        {outcomes(desk)}
        {bars}
    }
    .into_any()
}

fn dots(desk: &Desk, scatter: Scatter) -> AnyView {
    view! {
        <Key names=desk.names.to_vec() />
        <Dots scatter=scatter nothing=NO_EDITS />
    }
    .into_any()
}

/// Before and after of each edit of one study; drawn when it is opened.
fn before_after(desk: &Desk, place: usize) -> AnyView {
    if desk.records.get(place).is_none_or(|record| record.edits.is_none()) {
        return view! { <p class="faint">"The chosen study has no edits."</p> }.into_any();
    }
    let state = desk.state;
    let choose = Callback::new(move |order: usize| {
        state.update(|state| state.fact = Some(order));
        super::facts::go();
    });
    let (opened, records) = (RwSignal::new(false), desk.records.clone());
    let drawn = move || {
        let edits = records.get(place).and_then(edits::all).filter(|_| opened.get());
        edits.map(|edits| view! { <Edits edits=edits on_choose=choose /> })
    };
    view! {
        <details class="more" on:toggle=move |_| opened.set(true)>
            <summary>{format!("Before and after of each edit of {}", desk.names[place])}</summary>
            {drawn}
        </details>
    }
    .into_any()
}

/// A line an edit, all studies.
fn outcomes(desk: &Desk) -> AnyView {
    let lines: Vec<_> = desk
        .records
        .iter()
        .zip(desk.names.iter())
        .enumerate()
        .flat_map(|(place, (record, name))| {
            let told = edits::all(record).unwrap_or_default();
            let raw = shown_edits(record).into_iter();
            raw.zip(told).map(move |(edit, told)| line(desk, place, name, record, edit.layer, told)).collect::<Vec<_>>()
        })
        .collect();
    view! {
        <div class="scroll tall" tabindex="0" role="region" aria-label="Outcomes, edit by edit">
            <table class="outcomes">
                <thead>
                    <tr>
                        <th scope="col">"model"</th>
                        <th scope="col">"fact"</th>
                        <th scope="col" class="number">"layer"</th>
                        <th scope="col" class="number">"p(new answer)"</th>
                        <th scope="col" class="number">"p(old answer)"</th>
                        <th scope="col">"all measures together"</th>
                        <th scope="col">"paper's level"</th>
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn line(desk: &Desk, place: usize, name: &str, record: &Record, layer: usize, edit: Edit) -> AnyView {
    let shift = |at: usize| {
        let pair = edit.pairs.get(at);
        pair.map(|pair| format!("{} → {}", words::probability(pair.before), words::probability(pair.after)))
    };
    let fact = record.facts.iter().find(|fact| fact.order == edit.fact);
    let answers =
        fact.map(|fact| format!(" {} → {}", words::visible(&fact.target_true), words::visible(&fact.target_new)));
    let prompt = format!("{}{}", edit.prompt, answers.unwrap_or_default());
    let prompt = match desk.is_live() {
        true => super::facts::link(desk, place, edit.fact, prompt),
        false => prompt.into_any(),
    };
    view! {
        <tr>
            <th scope="row">{name.to_owned()}</th>
            <td class="wide">{prompt}</td>
            <td class="number">{layer}</td>
            <td class="number">{shift(0)}</td>
            <td class="number">{shift(1)}</td>
            <td><span class=edit.badge>{edit.verdict}</span></td>
            <td>{edit.level}</td>
        </tr>
    }
    .into_any()
}
