//! Stage 2: the models side by side.

use super::Desk;
use super::plate::Plate;
use crate::components::compare::curves::Curves;
use crate::components::compare::depth::DepthChart;
use crate::components::compare::dots::Dots;
use crate::components::compare::marks::Key;
use crate::components::compare::panels::PanelChart;
use crate::components::compare::settings::Settings;
use crate::figures::compare::{Quantity, curves, settings};
use crate::figures::panels::{editability, panels, redundancy_by_size};
use engram_core::record::Record;
use leptos::prelude::*;

/// Where the cursor of the curves begins, in thousandths of the depth.
const MIDDLE: u32 = 500;

pub(super) const CURVES: Plate = Plate {
    id: "figure-c",
    title: "Figure C. Layer by layer, aligned by relative depth",
    still: false,
    draw: by_depth,
};

pub(super) const PANELS: Plate =
    Plate { id: "figure-4", title: "Figure 4. Per-model metrics", still: false, draw: all_panels };

/// The section; with one study there is nothing to compare, but its numbers are there.
pub(super) fn section(desk: &Desk) -> AnyView {
    let several = desk.records.len() > 1;
    let records: Vec<&Record> = desk.records.iter().collect();
    let table = several.then(|| {
        view! {
            <h3>"Settings compared"</h3>
            <Settings names=desk.names.to_vec() settings=settings(&records) />
        }
    });
    view! {
        {PANELS.show(desk)}
        {several.then(|| CURVES.show(desk))}
        {table}
    }
    .into_any()
}

fn by_depth(desk: &Desk) -> AnyView {
    let view = desk.told.with(|told| told.view);
    let key = view! { <Key names=desk.names.to_vec() /> };
    if desk.is_live() {
        let studies = desk.names.iter().cloned().zip(desk.records.iter().cloned()).collect();
        let (quantity, cursor) = (RwSignal::new(Quantity::default()), RwSignal::new(MIDDLE));
        return view! { {key} <Curves studies=studies view=view quantity=quantity cursor=cursor /> }.into_any();
    }
    let which = Quantity::default();
    let curves = curves(&desk.pairs(), &view, which);
    let cursor = RwSignal::new(MIDDLE);
    view! { {key} <DepthChart curves=curves title=which.about().to_owned() cursor=cursor /> }.into_any()
}

fn all_panels(desk: &Desk) -> AnyView {
    let view = desk.told.with(|told| told.view);
    let pairs = desk.pairs();
    let drawn: Vec<_> = panels(&pairs, &view).into_iter().map(|panel| view! { <PanelChart panel=panel /> }).collect();
    let (size, editable) = (redundancy_by_size(&pairs, &view), editability(&pairs, &view));
    let several = pairs.len() > 1;
    let dots = several.then(|| {
        view! {
            <div class="beside">
                <Dots scatter=size nothing="R needs the second pass, which none of these studies has." />
                <Dots scatter=editable nothing="This needs studies with a second pass and edits." />
            </div>
        }
    });
    view! {
        <Key names=desk.names.to_vec() />
        <div class="panels">{drawn}</div>
        {dots}
    }
    .into_any()
}
