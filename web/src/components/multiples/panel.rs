//! One panel: its picture, the cell that is looked at, the numbers of its layers.

use super::super::axes::layer_axis;
use super::super::px;
use super::drawn::{bars, map};
use super::{Chosen, Sizes};
use crate::figures::multiples::{Cursor, Multiples, Panel, What};
use crate::scale::Layers;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Below a panel, for the numbers of layers.
const BELOW: f64 = 32.0;

/// The panel at a place.
pub(super) fn panel(
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
        What::Bars(found) => bars(found, figure.scale, columns, chosen, choose),
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
