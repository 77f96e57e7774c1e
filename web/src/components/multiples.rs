//! Small multiples as a grid: studies one way, what is measured the other, headers and axes once. On a phone both ways are
//! exchanged (article.css).
//!
//! A panel is a picture that stretches sideways. What it needs only where it stands alone (names and numbers of its axes) lies in
//! its margins, which the page cuts off: there names and numbers are text beside it, of one size on every screen.

use super::axes::{layer_axis, value_axis};
use super::walk::STILL;
use super::{Numbers, px};
use crate::figures::bars::{Bar, Bars};
use crate::figures::multiples::{Cells, Cursor, Multiples, Panel, What, step};
use crate::scale::{Layers, Scale};
use leptos::{ev, prelude::*};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wasm_bindgen::JsCast;

/// Width of a row of panels in a picture.
const WIDTH: f64 = 1040.0;
/// Between two of them.
const GAP: f64 = 20.0;
/// Below a panel, for the numbers of layers.
const BELOW: f64 = 32.0;
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
    let style = format!(
        "--studies:{studies};--sites:{sites};--k:{stretch:.4};--h:{}px;--row:{}px",
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

fn panel(
    figure: &Multiples,
    at: Cursor,
    sizes: Sizes,
    cursor: RwSignal<Option<Cursor>>,
    layer: Signal<Option<Chosen>>,
    on_layer: Option<Callback<Chosen>>,
) -> AnyView {
    let Some(panel) = figure.panel(at) else { return ().into_any() };
    let place = format!("--m:{};--s:{}", at.study, at.site);
    let name = if figure.sites.len() == 1 && figure.studies.len() > 1 {
        figure.studies[at.study].clone()
    } else {
        figure.sites[at.site].0.clone()
    };
    if panel.layers == 0 {
        return view! { <figure class="chart" style=place><p class="words">{panel.words.clone()}</p></figure> }
            .into_any();
    }
    let columns = Layers { count: panel.layers, left: sizes.left, step: sizes.width / panel.layers as f64 };
    let choose = move |layer: usize| {
        if let Some(on_layer) = on_layer {
            on_layer.run((at.study, layer));
        }
    };
    let chosen = move |one: usize| layer.get() == Some((at.study, one));
    let drawn = match &panel.what {
        What::Map(cells) => map(cells, &figure.names, columns, sizes),
        What::Bars(bars) => bars_of(bars, figure.scale, columns, chosen, choose),
    };
    let (layers, rows) = (panel.layers, panel.rows());
    let moved = move |event: ev::PointerEvent| {
        let target = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let Some(place) = target.map(|target| target.get_bounding_client_rect()) else { return };
        let share =
            |at: f64, of: f64, count: usize| ((at / of.max(1.0) * count as f64).max(0.0) as usize).min(count - 1);
        let layer = share(f64::from(event.client_x()) - place.left(), place.width(), layers) + 1;
        let row = share(f64::from(event.client_y()) - place.top(), place.height(), rows.max(1));
        cursor.set(Some(Cursor { row, layer, ..at }));
    };
    let here = move || {
        let now = cursor.get().filter(|now| now.study == at.study)?;
        let column = format!("left:{:.3}%;width:{:.3}%", share(now.layer - 1, layers), share(1, layers));
        let row = match now.site == at.site {
            true => format!(";top:{:.3}%;height:{:.3}%", share(now.row, rows), share(1, rows)),
            false => ";top:0;height:100%".to_owned(),
        };
        let class = if now.site == at.site { "here" } else { "here band" };
        (now.layer <= layers).then(|| view! { <i class=class style=format!("{column}{row}")></i> })
    };
    let size = (columns.right(), sizes.height + BELOW);
    let both = figure.sites.len() > 1 && figure.studies.len() > 1;
    let study = if both { format!("{}, ", figure.studies[at.study]) } else { String::new() };
    let label = format!("{study}{name}: {}", sentence(panel));
    view! {
        <figure class="chart" class:choosable=on_layer.is_some() style=place>
            <figcaption>{name}</figcaption>
            <div class="plot" on:pointermove=moved>
                <svg
                    role="img"
                    aria-label=label
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                    preserveAspectRatio="none"
                >
                    {drawn}
                    {layer_axis(columns, sizes.height)}
                </svg>
                {here}
            </div>
            <div class="layers" aria-hidden="true">{ticks(panel)}</div>
            <p class="words">{panel.words.clone()}</p>
        </figure>
    }
    .into_any()
}

fn share(at: usize, of: usize) -> f64 {
    at as f64 / of.max(1) as f64 * 100.0
}

/// A panel in words, for those who do not see it.
fn sentence(panel: &Panel) -> String {
    match &panel.what {
        What::Bars(bars) => bars.sentence.clone(),
        What::Map(_) => match panel.mark {
            Some(layer) => format!("highest at layer {layer} of {}: {}", panel.layers, panel.words),
            None => format!("{} layers, {}", panel.layers, panel.words),
        },
    }
}

/// Numbers of layers below a panel: the first, the last, round ones, and the one that is pointed at, none too near another.
fn ticks(panel: &Panel) -> Vec<AnyView> {
    let (layers, every) = (panel.layers, if panel.layers > 15 { 10 } else { 5 });
    let near = |a: usize, b: usize| a.abs_diff(b) * 8 < layers.max(8) && a != b;
    let free = |layer: &usize| !panel.mark.is_some_and(|mark| near(mark, *layer) || mark == *layer);
    let round = (1..layers).filter(|layer| layer.is_multiple_of(every) && !near(*layer, 1) && !near(*layer, layers));
    let mut shown: Vec<usize> = [1, layers].into_iter().chain(round).filter(free).chain(panel.mark).collect();
    shown.sort_unstable();
    shown.dedup();
    let one = |layer: usize| {
        let style = format!("left:{:.2}%", share(2 * layer - 1, 2 * layers));
        let class = match layer {
            layer if panel.mark == Some(layer) => "pk",
            layer if layer == 1 || layer == layers => "",
            _ => "round",
        };
        view! { <span class=class style=style>{layer}</span> }.into_any()
    };
    shown.into_iter().map(one).collect()
}

/// A map: neighbours of one colour are one rectangle, rectangles of one colour one path, so that a page stays small.
fn map(cells: &Cells, names: &[(String, bool)], columns: Layers, sizes: Sizes) -> AnyView {
    let mut paths: BTreeMap<&'static str, String> = BTreeMap::new();
    for (row, values) in cells.iter().enumerate() {
        let colours: Vec<Option<&'static str>> =
            values.iter().map(|value| value.map(|value| step(value.mean))).collect();
        let mut at = 0;
        for run in colours.chunk_by(|a, b| a == b) {
            if let Some(class) = run[0] {
                let (x, y) = (columns.x(at + 1), sizes.row * row as f64);
                let (width, height) = (columns.step * run.len() as f64, sizes.row - 1.0);
                let path = paths.entry(class).or_default();
                let _ = write!(path, "M{} {}h{}v{}h-{}z", px(x), px(y), px(width), px(height), px(width));
            }
            at += run.len();
        }
    }
    let cells: Vec<_> = paths.into_iter().map(|(class, path)| view! { <path class=class d=path /> }).collect();
    let lines: String =
        (2..=columns.count).map(|layer| format!("M{} 0V{}", px(columns.x(layer)), px(sizes.height))).collect();
    let name = |(row, (name, subject)): (usize, &(String, bool))| {
        let y = sizes.row * (row as f64 + 0.5) + 4.0;
        let class = if *subject { "token subject" } else { "tick" };
        view! { <text class=class x=px(sizes.left - 6.0) y=px(y) text-anchor="end">{name.clone()}</text> }
    };
    view! {
        {cells}
        <path class="apart" d=lines />
        {names.iter().enumerate().map(name).collect_view()}
    }
    .into_any()
}

fn bars_of(
    bars: &Bars,
    scale: Option<Scale>,
    columns: Layers,
    chosen: impl Fn(usize) -> bool + Copy + Send + Sync + 'static,
    choose: impl Fn(usize) + Copy + Send + Sync + 'static,
) -> AnyView {
    let scale = scale.unwrap_or_else(|| Scale::around_zero(bars.values(), 104.0));
    let zero = scale.down(0.0);
    let column = |(layer, bar): (usize, &Bar)| {
        let drawn = bar.value.map(|value| {
            let y = scale.down(value);
            let class = match (bars.mark.as_ref().is_some_and(|mark| mark.0 == layer), value < 0.0) {
                (true, _) => "bar marked",
                (false, true) => "bar below",
                (false, false) => "bar",
            };
            let (x, width) = (columns.x(layer) + columns.step * 0.08, columns.step * 0.84);
            view! { <rect class=class x=px(x) y=px(y.min(zero)) width=px(width) height=px((y - zero).abs()) /> }
        });
        let error = bar.reach().map(|(low, high)| {
            let x = px(columns.centre(layer));
            view! { <line class="error" x1=x.clone() x2=x y1=px(scale.down(low)) y2=px(scale.down(high)) /> }
        });
        view! {
            <g class="column" class:chosen=move || chosen(layer) on:click=move |_| choose(layer)>
                <rect class="hover" x=px(columns.x(layer)) y="0" width=px(columns.step) height=px(scale.pixels) />
                {drawn}
                {error}
                <title>{format!("Layer {layer}: {}", bar.words())}</title>
            </g>
        }
    };
    let all: Vec<_> = (1..).zip(&bars.bars).map(column).collect();
    view! { {value_axis(scale, 0.0, (columns.left, columns.right()))} {all} }.into_any()
}
