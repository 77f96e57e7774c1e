//! Small multiples as a grid: studies one way, what is measured the other, headers and axes once. On a phone both ways are
//! exchanged (article.css).
//!
//! A panel is a picture that stretches sideways. What it needs only where it stands alone (names and numbers of its axes) lies in
//! its margins, which the page cuts off: there names and numbers are text beside it, of one size on every screen.

mod drawn;
mod panel;

use super::walk::STILL;
use super::{Numbers, px};
use crate::figures::multiples::{Cursor, Multiples};
use leptos::{ev, prelude::*};
use panel::panel;

/// Width of a row of panels in a picture.
const WIDTH: f64 = 1040.0;
/// Between two of them.
const GAP: f64 = 20.0;
/// Left of a map, for the names of its rows.
const NAMES: f64 = 128.0;
/// Most studies that have columns; more have rows.
const ACROSS: usize = 6;

/// A layer of a study, both from what a click says.
pub type Chosen = (usize, usize);

/// Sizes that all panels of a figure share.
#[derive(Clone, Copy)]
struct Sizes {
    /// Left margin of a picture.
    left: f64,
    /// Width of a plot in a picture.
    width: f64,
    /// Height of a plot.
    height: f64,
    /// Height of a map's row.
    row: f64,
}

impl Sizes {
    fn of(figure: &Multiples) -> Self {
        let (studies, sites) = (figure.studies.len(), figure.sites.len());
        let columns = if sites == 1 { studies } else { sites };
        let left = figure.scale.map_or(NAMES, |scale| scale.margin(40.0));
        let width = (WIDTH / columns.max(1) as f64 - GAP - left).clamp(60.0, 600.0);
        let row = if studies == 1 { 26.0 } else { 13.0 };
        let height = figure.scale.map_or(row * figure.names.len() as f64, |scale| scale.pixels);
        Self { left, width, height, row }
    }
}

/// The height of bars: less where there are many panels.
pub(crate) fn bar_height(studies: usize, sites: usize) -> f64 {
    if studies > 1 && sites > 1 { 60.0 } else { 104.0 }
}

/// The figure.
#[component]
pub fn MultiplesView(
    /// What is drawn.
    figure: Multiples,
    /// The layer of a study that is looked at.
    #[prop(optional, into)]
    layer: Signal<Option<Chosen>>,
    /// Called with the layer of a study whose column was clicked.
    #[prop(optional, into)]
    on_layer: Option<Callback<Chosen>>,
) -> impl IntoView {
    let sizes = Sizes::of(&figure);
    let (studies, sites) = (figure.studies.len(), figure.sites.len());
    let cursor = RwSignal::new(None::<Cursor>);
    let mut cells: Vec<AnyView> = Vec::new();
    for (at, (name, about)) in figure.sites.iter().enumerate() {
        let place = format!("--m:0;--s:{at}");
        let gutter = gutter(&figure);
        cells.push(
            view! {
                <p class="site" style=place.clone()><b>{name.clone()}</b> " " <span>{about.clone()}</span></p>
                <div class="gutter of-site" style=place aria-hidden="true">{gutter}</div>
            }
            .into_any(),
        );
    }
    for (study, name) in figure.studies.iter().enumerate() {
        let place = format!("--m:{study};--s:0");
        // Where there is one panel a study its name is the panel's.
        let head =
            (studies > 1 && sites > 1).then(|| view! { <h3 class="study" style=place.clone()>{name.clone()}</h3> });
        let alone = (studies > 1 && sites == 1)
            .then(|| view! { <p class="study" style=place.clone()><b>{name.clone()}</b></p> });
        let gutter = gutter(&figure);
        cells.push(
            view! { {head} {alone} <div class="gutter of-study" style=place aria-hidden="true">{gutter}</div> }
                .into_any(),
        );
        for site in 0..sites {
            let at = Cursor { study, site, row: 0, layer: 0 };
            cells.push(panel(&figure, at, sizes, cursor, layer, on_layer));
        }
    }
    let class = match studies {
        1 => "multiples one",
        2..=ACROSS => "multiples",
        _ => "multiples many",
    };
    let stretch = (sizes.left + sizes.width) / sizes.width;
    let layers = figure.panels.iter().flatten().map(|panel| panel.layers).max().unwrap_or_default();
    let style = format!(
        "--studies:{studies};--sites:{sites};--layers:{layers};--k:{stretch:.4};--h:{}px;--row:{}px",
        px(sizes.height),
        px(sizes.row)
    );
    let (head, rows) = figure.numbers();
    let kept = StoredValue::new(figure);
    let key = move |event: ev::KeyboardEvent| {
        let plain = !(event.ctrl_key() || event.alt_key() || event.meta_key());
        let found = kept.with_value(|figure| figure.walked(&event.key(), cursor.get_untracked()));
        if let Some(found) = found.filter(|_| plain) {
            event.prevent_default();
            cursor.set(Some(found));
        }
    };
    let said = move || match cursor.get() {
        Some(at) => kept.with_value(|figure| figure.said(at)),
        None => "Point at a layer, or use the arrow keys.".into(),
    };
    view! {
        <div
            class=class
            style=style
            tabindex=(!STILL).then_some("0")
            role="group"
            aria-label=(!STILL).then_some("Panels; arrow keys read their values")
            on:keydown=key
        >
            {cells}
        </div>
        {(!STILL).then(|| view! { <p class="reads" role="status">{said}</p> })}
        <Numbers head=head rows=rows />
    }
}

/// What stands beside the panels of a row: names of a map's rows, or the numbers of the value axis.
fn gutter(figure: &Multiples) -> Vec<AnyView> {
    if let Some(scale) = figure.scale {
        let ticks = scale.ticks();
        // Numbers of neighbouring ticks must not touch.
        let every = (15.0 / (scale.pixels / (ticks.len().max(2) - 1) as f64)).ceil().max(1.0) as usize;
        let tick = |tick: f64| {
            let style = format!("top:{}px", px(scale.down(tick)));
            view! { <span class="value" style=style>{scale.label(tick)}</span> }.into_any()
        };
        let zero = ticks.iter().position(|tick| tick.abs() < scale.step / 1e6).unwrap_or_default();
        return ticks
            .into_iter()
            .enumerate()
            .filter(|(at, _)| at.abs_diff(zero).is_multiple_of(every))
            .map(|one| tick(one.1))
            .collect();
    }
    let name = |(name, subject): &(String, bool)| {
        let (short, rest) = name.split_at(name.find(' ').unwrap_or(name.len()));
        view! { <span class:subject=*subject>{short.to_owned()} <i>{rest.to_owned()}</i></span> }.into_any()
    };
    figure.names.iter().map(name).collect()
}
