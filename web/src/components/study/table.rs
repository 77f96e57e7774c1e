//! The table of facts: a strip of recovery, the peak and the edit of each; one of them is opened with the mouse or the keys.

use crate::components::STILL;
use crate::figures::small_map::bands;
use crate::figures::study::{Ending, Filter, Line, Place, SortBy};
use crate::words;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;

/// Rows that are drawn before somebody asks for more.
const FIRST: usize = 200;
/// How many more come at a time: all of most studies.
const STEP: usize = 2000;

/// The table.
#[component]
pub fn FactTable(
    /// All facts.
    lines: Memo<Vec<Line>>,
    /// The places of those that are listed, in their order.
    found: Memo<Vec<usize>>,
    /// Layers of the model.
    #[prop(into)]
    layers: Signal<usize>,
    /// The order of the rows; a press on a column changes it.
    filter: RwSignal<Filter>,
    /// `order` of the fact that is open.
    #[prop(into)]
    chosen: Signal<Option<usize>>,
    /// Called with the `order` of the fact that shall be.
    on_choose: Callback<usize>,
) -> impl IntoView {
    let most = RwSignal::new(FIRST);
    let listed = Memo::new(move |_| {
        let most = most.get();
        lines.with(|lines| {
            let rows = found.with(|found| found.iter().take(most).filter_map(|at| lines.get(*at)).cloned().collect());
            let rows: Vec<Line> = rows;
            rows
        })
    });
    let edits = Memo::new(move |_| lines.with(|lines| lines.iter().any(|line| line.ending.is_some())));
    // One row is a stop of the Tab key; the arrow keys go on from there.
    let stop = Memo::new(move |_| {
        let open = chosen.get();
        listed.with(|listed| {
            let there = listed.iter().any(|line| Some(line.order) == open);
            open.filter(|_| there).or(listed.first().map(|line| line.order))
        })
    });
    let more = move || {
        let (count, shown) = (found.with(Vec::len), most.get());
        let words = if count <= shown + STEP { format!("Show all {count}") } else { format!("Show {STEP} more") };
        let press = move |_| most.update(|most| *most += STEP);
        (count > shown).then(|| view! { <button type="button" on:click=press>{words}</button> })
    };
    let head = move |column: SortBy, name: &'static str, class: &'static str| {
        let turned = move || {
            filter.with(|filter| match (filter.sort == column, filter.falling) {
                (false, _) => None,
                (true, false) => Some("ascending"),
                (true, true) => Some("descending"),
            })
        };
        if STILL {
            return view! { <th scope="col" class=class>{name}</th> }.into_any();
        }
        view! {
            <th scope="col" class=class aria-sort=turned>
                <button type="button" title=column.meaning() on:click=move |_| filter.update(|filter| filter.sort_by(column))>{name}</button>
            </th>
        }
        .into_any()
    };
    let none =
        move || found.with(Vec::is_empty).then(|| view! { <p class="faint nothing">"No fact is like that."</p> });
    view! {
        <table class="fact-table" class:edited=move || edits.get() aria-label="Facts">
            <thead>
                <tr>
                    {head(SortBy::Number, "#", "c-n")} {head(SortBy::Fact, "fact", "c-fact")}
                    {head(SortBy::Clean, "clean → corrupted", "c-p")}
                    <th scope="col" class="c-strip" title="recovery with one layer’s state put back: dark restores the answer">
                        <span class="wide">"recovery, "</span>
                        {move || format!("layers 1–{}", layers.get())}
                    </th>
                    {head(SortBy::Peak, "peak", "c-peak")} {head(SortBy::Edit, "edit", "c-edit")}
                </tr>
            </thead>
            <tbody on:keydown=walk>
                <For
                    each=move || listed.get()
                    key=|line| line.key
                    children=move |line| row(line, stop, chosen, on_choose)
                />
            </tbody>
        </table>
        {none}
        {more}
    }
}

fn row(
    line: Line,
    stop: Memo<Option<usize>>,
    chosen: Signal<Option<usize>>,
    on_choose: Callback<usize>,
) -> impl IntoView {
    let Line { order, number, parts: [before, subject, after], answer, p, place, strip, ending, .. } = line;
    let excluded = matches!(place, Place::Excluded { .. });
    let shown = match place.why() {
        Some(why) => {
            // A phone has room for what the model says only.
            let (reason, says) = match why.split_once(": ") {
                Some((reason, says)) => (format!("{reason}: "), says.to_owned()),
                None => (String::new(), why.clone()),
            };
            view! {
                <span class="why-not" title=why>
                    <span aria-hidden="true">"⚠"</span>
                    <span><span class="wide">{reason}</span> {says}</span>
                </span>
            }
            .into_any()
        }
        None if strip.is_empty() => ().into_any(),
        None => {
            let style = format!("background:{}", bands(strip.into_iter().map(Some)));
            view! { <i class="strip" aria-hidden="true" style=style></i> }.into_any()
        }
    };
    let means = place.meaning();
    let peak = match place {
        Place::Peak { layer, value } => {
            view! { <b>{layer}</b> <span class="value">{words::fixed(value, 2)}</span> }.into_any()
        }
        Place::NoPeak(_) => view! { <span class="value">"none"</span> }.into_any(),
        Place::Untraced => view! { <span class="value">"not traced"</span> }.into_any(),
        Place::Excluded { .. } => ().into_any(),
    };
    let p = match p {
        [Some(clean), Some(corrupt)] => format!("{} → {}", words::percent_of(clean), words::percent_of(corrupt)),
        [Some(clean), None] => words::percent_of(clean),
        _ => String::new(),
    };
    let fact =
        view! { <span>{before} <span class="s">{subject}</span> {after} " " <span class="a">{answer}</span></span> };
    let fact = match STILL {
        true => fact.into_any(),
        false => view! {
            <button type="button" tabindex=move || if stop.get() == Some(order) { "0" } else { "-1" }>{fact}</button>
        }
        .into_any(),
    };
    view! {
        <tr
            class:excluded=excluded
            data-order=order
            aria-current=move || (chosen.get() == Some(order)).then_some("true")
            on:click=move |_| on_choose.run(order)
        >
            <td class="c-n">{number}</td>
            <th scope="row" class="c-fact">
                {fact}
                // A phone has no room for a column of edits.
                {ending.map(ended)}
            </th>
            <td class="c-p">{p}</td>
            <td class="c-strip">{shown}</td>
            <td class="c-peak" title=means>{peak}</td>
            <td class="c-edit" title=ending.map(Ending::meaning)>{ending.map(ended)}</td>
        </tr>
    }
}

/// How an edit ended, as a sign and a word.
pub(super) fn ended(ending: Ending) -> impl IntoView {
    view! {
        <span class="ending" class:harm=ending.is_harm() title=ending.meaning()>
            <span aria-hidden="true">{ending.sign()}</span>
            {ending.word()}
        </span>
    }
}

/// Arrow keys move the focus from row to row; Enter or Space opens, as on any button.
fn walk(event: ev::KeyboardEvent) {
    let Some(here) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) else { return };
    let row = here.closest("tr").ok().flatten();
    let next = match event.key().as_str() {
        "ArrowDown" => row.and_then(|row| row.next_element_sibling()),
        "ArrowUp" => row.and_then(|row| row.previous_element_sibling()),
        _ => return,
    };
    event.prevent_default();
    let button = next.and_then(|row| row.query_selector("th button").ok().flatten());
    if let Some(button) = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Focus fails only on what is no longer on the page.
        let _ = button.focus();
    }
}
