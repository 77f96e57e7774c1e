//! What the model would say after each layer, and how probable the answer is there.

use crate::figures::trace::{TraceMaps, Tracks};
use crate::words;
use leptos::prelude::*;

/// A word that is longer stands on its end.
const WIDE: usize = 2;
/// Layers that are so few that words lie.
const FEW: usize = 12;

/// Both tracks; nothing where the record has no logit lens.
#[component]
pub(super) fn Depths(maps: Memo<Option<TraceMaps>>, tracks: Memo<Option<Tracks>>, layer: Memo<usize>) -> impl IntoView {
    move || {
        let tracks = tracks.get().filter(|tracks| !tracks.lens.is_empty())?;
        let answer = maps.with(|maps| maps.as_ref().map(|maps| maps.answer.clone()))?;
        let layers = tracks.lens.len();
        let word = |(at, top): (usize, &String)| {
            let bare = top.trim_start_matches('·');
            let shown = if bare.is_empty() { "␣".to_owned() } else { words::short(bare, 9) };
            let own = !bare.is_empty() && answer.starts_with(bare);
            let long = layers > FEW && shown.chars().count() > WIDE;
            view! {
                <span
                    class="word"
                    class:long=long
                    class:own=own
                    class:now=move || layer.get() == at + 1
                    class:later=move || { layer.get() < at + 1 }
                    style=format!("grid-column:{}", at + 2)
                >
                    {shown}
                </span>
            }
        };
        let bar = |(at, p): (usize, &f64)| {
            let height = (86.0 * p).max(1.0);
            view! {
                <rect
                    class:later=move || { layer.get() < at + 1 }
                    x=format!("{:.2}", at as f64 + 0.14)
                    width="0.72"
                    y=format!("{:.1}", 96.0 - height)
                    height=format!("{height:.1}")
                ></rect>
            }
        };
        let name = words::short(&answer, 9);
        let (p, rank) = (tracks.lens.clone(), tracks.rank.clone());
        let reads = move || {
            let at = layer.get().checked_sub(1)?;
            let p = p.get(at).map(|p| words::percent_of(*p));
            let rank = rank.get(at).map(|rank| format!("rank {}", words::grouped(*rank)));
            Some(view! { <span>{p}</span> <span>{rank}</span> })
        };
        Some(view! {
            <div class="lane says-lane" aria-hidden="true">
                <div class="name"><b>"Would say"</b><small>"logit lens, first word"</small></div>
                {tracks.top.iter().enumerate().map(word).collect_view()}
            </div>
            <div class="lane lens">
                <div class="name"><b>{format!("{name} so far")}</b><small>"logit lens"</small></div>
                <div class="plot">
                    <svg viewBox=format!("0 0 {layers} 100") preserveAspectRatio="none" aria-hidden="true">
                        {tracks.lens.iter().enumerate().map(bar).collect_view()}
                    </svg>
                </div>
                <p class="reads">{reads}</p>
            </div>
        })
    }
}
