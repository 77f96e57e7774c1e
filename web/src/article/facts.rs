//! The facts of one study: a table that is sorted and filtered, and the fact that is looked at.

use super::Desk;
use crate::components::FactView;
use crate::figures::article::facts_table::filter::{Filter, SortBy, apply};
use crate::figures::article::facts_table::{Row, State, rows};
use crate::state::ViewState;
use crate::words;
use engram_core::facts::RelationKind;
use engram_core::metrics::MetricConvention;
use engram_core::record::Record;
use leptos::{ev, prelude::*};

/// Rows of a study that are printed.
const PRINTED: usize = 8;
/// Rows that are drawn before somebody asks for more, and how many more come.
const STEP: usize = 100;

/// The section.
pub(super) fn section(desk: &Desk) -> AnyView {
    if !desk.is_live() {
        let studies = desk.records.iter().zip(desk.names.iter());
        return studies.map(|(record, name)| printed(record, name)).collect_view().into_any();
    }
    let all = {
        let desk = desk.clone();
        Memo::new(move |_| {
            let view = desk.state.with(ViewState::view);
            rows(&desk.records[desk.shown()], &view)
        })
    };
    view! {
        {switches(desk)}
        {table(desk, all)}
        {one(desk)}
    }
    .into_any()
}

/// Goes to a place of the section.
pub(super) fn go() {
    // Another study's table may be shorter: only once it is drawn is the fact where it stays.
    request_animation_frame(|| {
        if let Some(place) = document().get_element_by_id("fact").or_else(|| document().get_element_by_id("facts")) {
            super::fold::unfolded(&place);
            place.scroll_into_view();
        }
    });
}

/// A button that shows a fact.
pub(super) fn link(desk: &Desk, place: usize, order: usize, words: String) -> AnyView {
    let state = desk.state;
    let click = move |_| {
        state.update(|state| (state.record, state.fact) = (place, Some(order)));
        go();
    };
    view! { <button type="button" class="link" on:click=click>{words}</button> }.into_any()
}

/// What becomes of a column in a cell.
fn cells(row: &Row) -> [String; 7] {
    let p = |p: Option<f64>| p.map(words::probability).unwrap_or_default();
    [
        row.outcome.clone(),
        p(row.p_clean),
        p(row.p_corrupt),
        p(row.effect),
        row.layer.map(|layer| layer.to_string()).unwrap_or_default(),
        p(row.largest),
        row.edited.clone().unwrap_or_default(),
    ]
}

/// Columns that are sorted by, and whether they hold numbers.
const COLUMNS: [(SortBy, bool); 7] = [
    (SortBy::Outcome, false),
    (SortBy::Clean, true),
    (SortBy::Corrupt, true),
    (SortBy::Effect, true),
    (SortBy::Layer, true),
    (SortBy::Largest, true),
    (SortBy::Edited, false),
];

/// The first rows of a study, for readers without scripting.
fn printed(record: &Record, name: &str) -> AnyView {
    let all = rows(record, &MetricConvention::default());
    let row = |row: &Row| {
        let cells: Vec<_> = cells(row)
            .into_iter()
            .zip(COLUMNS)
            .map(|(cell, (_, number))| view! { <td class=if number { "number" } else { "" }>{cell}</td> })
            .collect();
        let number = row.order.saturating_add(1);
        view! {
            <tr>
                <td class="number">{number}</td>
                <th scope="row">{row.prompt.clone()} " " <b>{row.answer.clone()}</b></th>
                {cells}
            </tr>
        }
    };
    let shown: Vec<_> = all.iter().take(PRINTED).map(row).collect();
    let more = (all.len() > PRINTED).then(|| {
        let said =
            format!("The first {PRINTED} of {}; with scripting this page lists all.", words::count(all.len(), "fact"));
        view! { <p class="faint">{said}</p> }
    });
    let head: Vec<_> = COLUMNS.iter().map(|(column, _)| view! { <th scope="col">{column.title()}</th> }).collect();
    view! {
        <h3>{name.to_owned()}</h3>
        <div class="scroll tall" tabindex="0" role="region" aria-label=format!("Facts of {name}")>
            <table class="outcomes">
                <thead><tr><th scope="col" class="number">"no."</th> <th scope="col">"fact"</th> {head}</tr></thead>
                <tbody>{shown}</tbody>
            </table>
        </div>
        {more}
    }
    .into_any()
}

/// Which rows are shown.
fn switches(desk: &Desk) -> AnyView {
    let filter = desk.filter;
    let layers = desk.records.iter().map(|record| record.model.layers).max().unwrap_or(1);
    let pick = |label: &'static str,
                options: Vec<&'static str>,
                chosen: fn(&Filter) -> Option<&'static str>,
                name: &'static str,
                clear: fn(&mut Filter)| {
        let change = move |event: ev::Event| {
            let value = event_target_value(&event);
            filter.update(|filter| {
                clear(filter);
                filter.read(name, &value);
            });
        };
        let option = move |option: &'static str| {
            let selected = move || filter.with(chosen) == Some(option);
            view! { <option value=option prop:selected=selected>{option}</option> }
        };
        let none = move || filter.with(chosen).is_none();
        view! {
            <label>
                {label} " "
                <select on:change=change>
                    <option value="" prop:selected=none>"all"</option>
                    {options.into_iter().map(option).collect_view()}
                </select>
            </label>
        }
    };
    let layer = |label: &'static str, of: fn(&mut Filter) -> &mut Option<usize>, read: fn(&Filter) -> Option<usize>| {
        let change = move |event: ev::Event| {
            let value = event_target_value(&event).parse().ok().filter(|layer| (1..=layers).contains(layer));
            filter.update(|filter| *of(filter) = value);
        };
        let value = move || filter.with(read).map(|layer| layer.to_string()).unwrap_or_default();
        view! {
            <label>
                {label} " "
                <input type="number" min="1" max=layers prop:value=value on:change=change />
            </label>
        }
    };
    let any = move || filter.with(|filter| *filter != Filter::default());
    let clear = move || {
        any().then(|| {
            view! { <button type="button" on:click=move |_| filter.set(Filter::default())>"Show all facts"</button> }
        })
    };
    let states = State::ALL.map(State::name).to_vec();
    let kinds = RelationKind::ALL.map(RelationKind::name).to_vec();
    view! {
        <div class="filter" role="group" aria-label="Which facts">
            <input
                type="search"
                placeholder="Search prompts and answers"
                aria-label="Search prompts and answers"
                prop:value=move || filter.with(|filter| filter.text.clone())
                on:input:target=move |event| filter.update(|filter| filter.text = event.target().value())
            />
            {pick("outcome", states, |filter| filter.state.map(State::name), "state", |filter| filter.state = None)}
            {pick("kind", kinds, |filter| filter.kind.map(RelationKind::name), "kind", |filter| filter.kind = None)}
            {layer("argmax layer from", |filter| &mut filter.from, |filter| filter.from)}
            {layer("to", |filter| &mut filter.to, |filter| filter.to)}
            <label>
                <input
                    type="checkbox"
                    prop:checked=move || filter.with(|filter| filter.edited)
                    on:change:target=move |event| filter.update(|filter| filter.edited = event.target().checked())
                />
                " edited"
            </label>
            {clear}
        </div>
    }
    .into_any()
}

/// The table under the filter.
fn table(desk: &Desk, all: Memo<Vec<Row>>) -> AnyView {
    let (state, filter) = (desk.state, desk.filter);
    let most = RwSignal::new(STEP);
    let found = Memo::new(move |_| all.with(|rows| filter.with(|filter| apply(rows, filter))));
    let lines = move || {
        let most = most.get();
        all.with(|rows| {
            found.with(|found| {
                found.iter().take(most).filter_map(|at| rows.get(*at)).map(|row| line(row, state)).collect_view()
            })
        })
    };
    let head = |(column, number): (SortBy, bool)| {
        let turned = move || {
            filter.with(|filter| match (filter.sort == column, filter.descending) {
                (false, _) => "none",
                (true, false) => "ascending",
                (true, true) => "descending",
            })
        };
        let click = move |_| filter.update(|filter| *filter = filter.clone().sorted(column));
        view! {
            <th scope="col" class=if number { "number" } else { "" } aria-sort=turned>
                <button type="button" class="link" on:click=click>{column.title()}</button>
            </th>
        }
    };
    let more = move || {
        let left = found.with(Vec::len).saturating_sub(most.get());
        (left > 0).then(|| {
            let click = move |_| most.update(|most| *most += STEP);
            view! { <button type="button" on:click=click>{format!("Show {} more", left.min(STEP))}</button> }
        })
    };
    let said = move || filter.with(|filter| filter.sentence(found.with(Vec::len), all.with(Vec::len)));
    view! {
        <p class="faint" role="status">{said}</p>
        <div class="scroll tall" tabindex="0" role="region" aria-label="Facts">
            <table class="outcomes">
                <thead>
                    <tr>
                        <th scope="col" class="number">"no."</th>
                        {head((SortBy::Prompt, false))} {COLUMNS.map(head).into_iter().collect_view()}
                    </tr>
                </thead>
                <tbody>{lines}</tbody>
            </table>
            {more}
        </div>
    }
    .into_any()
}

fn line(row: &Row, state: RwSignal<ViewState>) -> AnyView {
    let order = row.order;
    let cells: Vec<_> = cells(row)
        .into_iter()
        .zip(COLUMNS)
        .map(|(cell, (_, number))| view! { <td class=if number { "number" } else { "" }>{cell}</td> })
        .collect();
    let chosen = move || state.with(|state| state.fact == Some(order)).then_some("true");
    let click = move |_| state.update(|state| state.fact = Some(order));
    view! {
        <tr aria-current=chosen>
            <td class="number">{order.saturating_add(1)}</td>
            <th scope="row">
                <button type="button" class="link" on:click=click>
                    {row.prompt.clone()} " " <b>{row.answer.clone()}</b>
                </button>
            </th>
            {cells}
        </tr>
    }
    .into_any()
}

/// The fact that is looked at.
fn one(desk: &Desk) -> AnyView {
    let desk = desk.clone();
    let fact = move || {
        let record = &desk.records[desk.shown()];
        let wanted = desk.state.with(|state| state.fact);
        let chosen = wanted.and_then(|order| record.facts.iter().find(|fact| fact.order == order));
        let fact = chosen.or_else(|| record.validated().next().map(|found| found.0)).or(record.facts.first())?.clone();
        let view = desk.state.with(ViewState::view);
        Some(view! { <FactView fact=fact view=view /> })
    };
    view! { <div id="fact">{fact}</div> }.into_any()
}
