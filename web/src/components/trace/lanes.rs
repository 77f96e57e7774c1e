//! The tracks beneath the map: restoration, ablations, logit lens.

use crate::components::Numbers;
use crate::figures::trace::{Cursor, ROOM, Standing, TraceMaps, Tracks};
use crate::words;
use leptos::prelude::*;

/// Heights of the tracks, in pixels.
const HEIGHTS: [u32; 4] = [54, 31, 31, 31];

/// What the bars of ablations are.
const UPWARDS: &str = "Bars downwards are lost without the layer’s part, bars upwards are gained.";

/// All tracks.
#[component]
pub(super) fn Lanes(
    maps: Memo<Option<TraceMaps>>,
    tracks: Memo<Option<Tracks>>,
    cursor: Memo<Option<Cursor>>,
) -> impl IntoView {
    let answer =
        Memo::new(move |_| maps.with(|maps| maps.as_ref().map(|maps| maps.answer.clone()).unwrap_or_default()));
    let layer = Memo::new(move |_| cursor.get().map(|at| at.layer));
    // Without an effect there is nothing that could be restored or lost.
    let effect =
        Memo::new(move |_| maps.with(|maps| maps.as_ref().is_some_and(|maps| maps.standing == Standing::Effect)));
    let at = move |values: &[f64]| layer.get().and_then(|layer| values.get(layer.checked_sub(1)?).copied());
    let percent = move |values: &[f64]| at(values).map(words::percent_of).unwrap_or_default();
    // As the bars: what the answer loses without it, in points of probability.
    let lost_points =
        move |p_clean: f64, values: &[f64]| at(values).map(|p| words::points(p - p_clean)).unwrap_or_default();
    move || {
        let tracks = tracks.get().filter(|_| effect.get())?;
        let (layers, answer) = (tracks.without_mlp.len(), words::short(&answer.get(), 9));
        let [subject, last] = tracks.restoration.clone();
        let paths = [("subject", &subject), ("last", &last)]
            .map(|(class, values)| (!values.is_empty()).then(|| view! { <path class=class d=curve(values)></path> }));
        let both = move || {
            let [subject, last] = [&subject, &last].map(|values| at(values).map(|value| words::fixed(value, 2)));
            let room = format!("axis to {}", words::fixed(ROOM[1], 1));
            view! { <span class="s">{subject}</span> <span>{last}</span> <span class="at">{room}</span> }
        };
        // A loss hangs from the line, a gain stands on it.
        let moved =
            |values: &[f64]| -> Vec<f64> { values.iter().map(|p| tracks.gained(*p) - tracks.lost(*p)).collect() };
        let [mlp, attention] = [moved(&tracks.without_mlp), moved(&tracks.without_attention)];
        let room = mlp.iter().chain(&attention).copied().fold(0.0, f64::max).min(2.0);
        let ablated = move || layer.get().map(|layer| format!("layer {layer}"));
        let [p_mlp, p_attention, lens] =
            [&tracks.without_mlp, &tracks.without_attention, &tracks.lens].map(Clone::clone);
        let (rank, p_clean) = (tracks.rank.clone(), tracks.p_clean);
        let (has_lens, bars) = (!lens.is_empty(), lens.clone());
        let of_lens = move || {
            let rank = layer.get().and_then(|layer| rank.get(layer.checked_sub(1)?).copied());
            view! { <span>{percent(&lens)}</span> <span>{rank.map(|rank| format!("rank {}", words::grouped(rank)))}</span> }
        };
        let beyond = tracks.beyond().into_iter().map(|found| beyond(found, layers)).collect_view();
        let (head, rows) = tracks.table(layers);
        let change = format!("change of {answer} without it");
        Some(view! {
            <div class="lane">
                <div class="name">
                    <b>"Restoration"</b>
                    <small><span class="s">"— last subject token"</span></small>
                    <small>"╌ last token"</small>
                </div>
                <Plot height=HEIGHTS[0] layers=layers marks=beyond.into_any()>
                    <line x1="0" x2=layers y1="94" y2="94"></line>
                    <line x1="0" x2=layers y1="10" y2="10"></line>
                    {paths.into_iter().collect_view()}
                </Plot>
                <p class="reads">{both}</p>
            </div>
            <div class="lane">
                <div class="name" title=UPWARDS><b>"MLP ablation"</b><small title=change.clone()>"change without it"</small></div>
                <Plot height=HEIGHTS[1] layers=layers>{hanging(&mlp, room)}</Plot>
                <p class="reads"><span>{move || lost_points(p_clean, &p_mlp)}</span><span class="at">{ablated}</span></p>
            </div>
            <div class="lane">
                <div class="name" title=UPWARDS><b>"Attention ablation"</b><small title=change.clone()>"change without it"</small></div>
                <Plot height=HEIGHTS[2] layers=layers>{hanging(&attention, room)}</Plot>
                <p class="reads"><span>{move || lost_points(p_clean, &p_attention)}</span><span class="at">{ablated}</span></p>
            </div>
            {has_lens.then(|| view! {
                <div class="lane lens">
                    <div class="name"><b>"Logit lens"</b><small>{format!("{answer}, read early")}</small></div>
                    <Plot height=HEIGHTS[3] layers=layers>{standing(&bars)}</Plot>
                    <p class="reads">{of_lens}</p>
                </div>
            })}
            <div class="lane"><div class="table"><Numbers head=head rows=Signal::stored(rows) name="Numbers of the tracks" /></div></div>
        })
    }
}

/// A track's drawing, `layers` wide and 100 high, stretched over the layers of the map.
#[component]
fn Plot(
    height: u32,
    layers: usize,
    /// Marks that keep their shape.
    #[prop(optional)]
    marks: Option<AnyView>,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="plot" style=format!("height:calc({height}px * var(--lane))")>
            <svg viewBox=format!("0 0 {layers} 100") preserveAspectRatio="none" aria-hidden="true">
                {children()}
            </svg>
            {marks}
        </div>
    }
}

/// A caret at the edge of the track, where a restoration is beyond it.
fn beyond((curve, layer, value): (usize, usize, f64), layers: usize) -> impl IntoView {
    let token = ["last subject token", "last token"][curve];
    let said = format!("Layer {layer}, {token}: recovery {}", words::fixed(value, 2));
    let (over, label) = (value > ROOM[1], said.clone());
    let left = format!("left:{:.2}%", 100.0 * (layer as f64 - 0.5) / layers as f64);
    view! {
        <i class="beyond" class:over=over class:s={curve == 0} role="img" aria-label=label title=said style=left>
            {if over { "▴" } else { "▾" }}
        </i>
    }
}

/// A line through the middles of the layers, from recovery 0 at the bottom to 1 at the top.
fn curve(values: &[f64]) -> String {
    let y = |value: f64| 94.0 - 84.0 * value.clamp(ROOM[0], ROOM[1]);
    let point = |(at, value): (usize, &f64)| format!("{:.1} {:.2}", at as f64 + 0.5, y(*value));
    format!("M{}", values.iter().enumerate().map(point).collect::<Vec<_>>().join("L"))
}

/// Bars that hang from a line, what hangs is lost; what stands on it is gained. `room` is the highest gain.
fn hanging(moved: &[f64], room: f64) -> impl IntoView + use<> {
    let whole = 88.0 / (1.0 + room);
    let line = 6.0 + whole * room;
    let bar = |(at, moved): (usize, &f64)| {
        let height = (whole * moved.abs().min(1.0_f64.max(room))).max(1.5);
        let y = if *moved > 0.0 { line - height } else { line };
        view! {
            <rect x=format!("{:.2}", at as f64 + 0.14) width="0.72" y=format!("{y:.1}") height=format!("{height:.1}")></rect>
        }
    };
    moved.iter().enumerate().map(bar).collect_view()
}

/// Bars that stand.
fn standing(p: &[f64]) -> impl IntoView + use<> {
    let bar = |(at, p): (usize, &f64)| {
        let height = (86.0 * p).max(1.0);
        let y = 96.0 - height;
        view! {
            <rect x=format!("{:.2}", at as f64 + 0.14) width="0.72" y=format!("{y:.1}") height=format!("{height:.1}")></rect>
        }
    };
    p.iter().enumerate().map(bar).collect_view()
}
