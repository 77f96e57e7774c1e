//! Two or more studies side by side: the paper's Figures 2 to 6 over models, and how their settings differ.

pub mod curves;
pub mod depth;
pub mod dots;
pub mod marks;
pub mod panels;
pub mod settings;

use super::{BarChart, shared_scale};
use crate::figures::bars::{self, Bars};
use crate::figures::compare::{Quantity, edited_facts, settings as settings_of};
use crate::figures::panels::{editability, panels as panels_of, redundancy_by_size, verdicts};
use crate::figures::scatter::{both_answers, by_depth};
use crate::figures::study::{Told, lines};
use crate::words;
use curves::Curves;
use dots::Dots;
use engram_core::metrics::{MetricConvention, summarize};
use engram_core::record::Record;
use leptos::prelude::*;
use marks::Key;
use panels::PanelChart;
use settings::Settings;

/// The comparison.
#[component]
pub fn Compare(
    /// Names and records, in the order of the shelf.
    studies: Vec<(String, Record)>,
    /// The convention of their numbers.
    view: MetricConvention,
    /// Which quantity the curves show; outside, so that it survives when a record is opened.
    quantity: RwSignal<Quantity>,
    /// Where the cursor of the curves is.
    cursor: RwSignal<u32>,
) -> impl IntoView {
    let names: Vec<String> = studies.iter().map(|(name, _)| name.clone()).collect();
    let pairs: Vec<(String, &Record)> = studies.iter().map(|(name, record)| (name.clone(), record)).collect();
    let records: Vec<&Record> = studies.iter().map(|(_, record)| record).collect();
    let panels: Vec<_> =
        panels_of(&pairs, &view).into_iter().map(|panel| view! { <PanelChart panel=panel /> }).collect();
    let (size, editable) = (redundancy_by_size(&pairs, &view), editability(&pairs, &view));
    let (depth, both) = (by_depth(&pairs), both_answers(&pairs));
    let table = view! { <Settings names=names.clone() settings=settings_of(&records) /> };
    let alone = alone(&pairs, &view);
    let ended = verdicts(&pairs, &view).into_iter().map(|line| view! { <p class="faint">{line}</p> }).collect_view();
    let facts = edited_facts(&pairs);
    const NO_EDITS: &str = "None of these studies has edits.";
    let heads = pairs
        .iter()
        .map(|(name, record)| {
            let head = Told::of(record, &view, &lines(record, &view)).head;
            view! { <p><b>{name.clone()}</b> ": " {head}</p> }
        })
        .collect_view();
    view! {
        {heads}
        <Key names=names />
        <h3>"Layer by layer, aligned by relative depth"</h3>
        <Curves studies=studies view=view quantity=quantity cursor=cursor />
        <p class="faint">"The largest mark of a curve is its l*. Error bars are standard errors of the mean."</p>
        <details class="numbers">
            <summary>"Each study by itself, on one scale"</summary>
            <div class="beside">{alone}</div>
        </details>
        <h3>"Metrics of each model"</h3>
        <div class="panels">{panels}</div>
        <div class="beside">
            <Dots scatter=size nothing="R needs the second pass, which none of these studies has." />
            <Dots scatter=editable nothing="This needs studies with a second pass and edits." />
        </div>
        <h3>"Edits, fact by fact"</h3>
        <p class="faint">
            "Filled marks are edits that reached a level of the paper's success criterion; hollow marks are those that did not or are not \
             counted. Above the dashed line the new answer is the likelier."
        </p>
        {facts.map(|facts| view! { <p class="edited-facts">{facts}</p> })}
        {ended}
        <div class="beside">
            <Dots scatter=depth nothing=NO_EDITS />
            <Dots scatter=both nothing=NO_EDITS />
        </div>
        <h3>"Settings compared"</h3>
        {table}
    }
}

/// The paper's own form of Figures 2 and 3: bars a model, the dominant layer marked, here on one scale.
fn alone(pairs: &[(String, &Record)], view: &MetricConvention) -> Vec<impl IntoView + use<>> {
    let one = |(name, record): &(String, &Record)| {
        let bars = bars::study_sufficiency(&summarize(record, view));
        Bars { title: words::short(name, 60), ..bars }
    };
    let all: Vec<Bars> = pairs.iter().map(one).collect();
    let scale = shared_scale(&all);
    all.into_iter().map(|bars| view! { <BarChart bars=bars scale=scale narrow=true /> }).collect()
}
