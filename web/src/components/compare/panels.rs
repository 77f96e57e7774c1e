//! The paper's Figure 4: a panel an index, a bar a study.

use super::super::px;
use super::marks::mark;
use crate::figures::panels::{Panel, Row};
use crate::scale::Scale;
use leptos::prelude::*;

const WIDTH: f64 = 230.0;
const ROW: f64 = 26.0;
const LEFT: f64 = 26.0;
const RIGHT: f64 = 18.0;

/// One panel.
#[component]
pub fn PanelChart(
    /// What is drawn.
    panel: Panel,
) -> impl IntoView {
    let values = panel.rows.iter().flat_map(|row| {
        let sem = row.sem.unwrap_or(0.0);
        [row.value.map(|value| value - sem), row.value.map(|value| value + sem), panel.line.map(|line| line.0)]
    });
    let scale = Scale::around_zero(values.flatten(), WIDTH);
    let bottom = ROW * panel.rows.len() as f64 + 4.0;
    let size = (LEFT + WIDTH + RIGHT, bottom + 20.0);
    let x = move |value: f64| LEFT + scale.along(value);
    let grid: Vec<_> = scale
        .ticks()
        .into_iter()
        .map(|tick| {
            let class = if tick.abs() < scale.step / 1e6 { "grid zero" } else { "grid" };
            view! {
                <line class=class x1=px(x(tick)) x2=px(x(tick)) y1="0" y2=px(bottom) />
                <text class="tick" x=px(x(tick)) y=px(bottom + 15.0) text-anchor="middle">
                    {scale.label(tick)}
                </text>
            }
        })
        .collect();
    let line = panel.line.map(|(value, meaning)| {
        view! {
            <g>
                <line class="held" x1=px(x(value)) x2=px(x(value)) y1="0" y2=px(bottom) stroke-dasharray="5 3" />
                <title>{meaning}</title>
            </g>
        }
    });
    let bars: Vec<_> = panel.rows.iter().enumerate().map(|(series, row)| bar(series, row, scale)).collect();
    let sentence: Vec<String> = panel.rows.iter().map(|row| format!("{}: {}", row.name, row.words)).collect();
    let told: Vec<_> =
        panel.rows.iter().map(|row| view! { <dt>{row.name.clone()}</dt> <dd>{row.words.clone()}</dd> }).collect();
    view! {
        <figure class="chart panel">
            <figcaption>{panel.title}</figcaption>
            <p class="faint">{panel.about}</p>
            <div class="scroll" tabindex="0">
                <svg
                    role="img"
                    aria-label=format!("{}. {}.", panel.title, sentence.join("; "))
                    width=px(size.0)
                    height=px(size.1)
                    viewBox=format!("0 0 {} {}", px(size.0), px(size.1))
                >
                    {grid}
                    {bars}
                    {line}
                </svg>
            </div>
            <dl class="reads">{told}</dl>
        </figure>
    }
}

fn bar(series: usize, row: &Row, scale: Scale) -> impl IntoView + use<> {
    let x = |value: f64| LEFT + scale.along(value);
    let y = ROW * series as f64 + 4.0;
    let middle = y + ROW / 2.0 - 2.0;
    let drawn = row.value.map(|value| {
        let (from, to) = (x(0.0).min(x(value)), x(0.0).max(x(value)));
        let class = format!("{} full", super::marks::class(series));
        let error = row.sem.map(|sem| {
            let [low, high] = [value - sem, value + sem].map(x);
            view! { <line class="error" x1=px(low) x2=px(high) y1=px(middle) y2=px(middle) /> }
        });
        view! {
            <rect class=class x=px(from) y=px(middle - 6.0) width=px((to - from).max(1.0)) height="12" />
            {error}
        }
    });
    let missing = row.value.is_none().then(|| {
        view! { <text class="tick" x=px(x(0.0) + 6.0) y=px(middle + 4.0)>"not defined"</text> }
    });
    view! {
        <g>
            {mark(series, 10.0, middle, 4.5, true)}
            {drawn}
            {missing}
            <title>{format!("{}: {}", row.name, row.words)}</title>
        </g>
    }
}
