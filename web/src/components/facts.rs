//! The list of facts: filtered, searched, and one of them chosen with the mouse or the arrow keys.

use crate::figures::facts::{Row, Which, chosen};
use crate::words;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

/// Lines that are drawn before somebody asks for all.
const FIRST: usize = 200;

/// The list.
#[component]
pub fn FactList(
    /// All facts.
    rows: Signal<Vec<Row>>,
    /// `order` of the fact that is looked at.
    #[prop(into)]
    selected: Signal<Option<usize>>,
    /// Called with the `order` of the fact that was chosen.
    on_choose: Callback<usize>,
) -> impl IntoView {
    let which = RwSignal::new(Which::default());
    let search = RwSignal::new(String::new());
    let all = RwSignal::new(false);
    let found = Memo::new(move |_| rows.with(|rows| chosen(rows, which.get(), &search.get())));
    let lines = move || {
        found.with(|found| {
            let most = if all.get() { usize::MAX } else { FIRST };
            let known = selected.get_untracked().filter(|order| found.iter().take(most).any(|row| row.order == *order));
            let reachable = known.or_else(|| found.first().map(|row| row.order));
            found.iter().take(most).map(|row| line(row, reachable, selected, on_choose)).collect_view()
        })
    };
    let more = move || {
        let count = found.with(Vec::len);
        let left = count > FIRST && !all.get();
        left.then(|| view! { <button on:click=move |_| all.set(true)>{format!("Show all {count}")}</button> })
    };
    let choice = move |one: Which| {
        view! {
            <button aria-pressed=move || (which.get() == one).to_string() on:click=move |_| which.set(one)>
                {one.name()}
            </button>
        }
    };
    view! {
        <div class="facts">
            <div class="choices" role="group" aria-label="Which facts">
                {Which::ALL.map(choice).into_iter().collect_view()}
            </div>
            <input
                type="search"
                placeholder="Search prompts and answers"
                aria-label="Search prompts and answers"
                on:input:target=move |event| search.set(event.target().value())
            />
            <p class="faint" role="status">
                {move || found.with(|found| words::count(found.len(), "fact"))}
            </p>
            <ul on:keydown=walk>{lines}</ul>
            {more}
        </div>
    }
}

fn line(
    row: &Row,
    reachable: Option<usize>,
    selected: Signal<Option<usize>>,
    on_choose: Callback<usize>,
) -> impl IntoView + use<> {
    let order = row.order;
    let class = if row.validated { "outcome" } else { "outcome dropped" };
    // One line is a stop of the Tab key; the arrow keys go on from there.
    let stop = if reachable == Some(order) { "0" } else { "-1" };
    view! {
        <li>
            <button
                tabindex=stop
                aria-current=move || (selected.get() == Some(order)).then_some("true")
                on:click=move |_| on_choose.run(order)
            >
                <span class="prompt">{row.prompt.clone()} " " <b>{row.answer.clone()}</b></span>
                <span class=class>
                    {row.outcome.clone()} {row.edited.then_some(" · edited")}
                </span>
            </button>
        </li>
    }
}

/// Arrow keys move the focus from line to line; Enter or Space chooses, as on any button.
fn walk(event: web_sys::KeyboardEvent) {
    let Some(here) = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) else { return };
    let line = here.closest("li").ok().flatten();
    let next = match event.key().as_str() {
        "ArrowDown" => line.and_then(|line| line.next_element_sibling()),
        "ArrowUp" => line.and_then(|line| line.previous_element_sibling()),
        _ => return,
    };
    event.prevent_default();
    let button = next.and_then(|line| line.first_element_child());
    if let Some(button) = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
        // Focus fails only on what is no longer on the page.
        let _ = button.focus();
    }
}
