//! Which facts the table lists: a chip for each group, with its count, and a search.

use crate::figures::study::{Filter, Group, Line, counts};
use crate::words;
use leptos::prelude::*;

/// The chips and the search.
#[component]
pub fn Tools(
    /// All facts.
    lines: Memo<Vec<Line>>,
    /// Which are listed; the chips change it.
    filter: RwSignal<Filter>,
    /// How many are listed.
    #[prop(into)]
    listed: Signal<usize>,
) -> impl IntoView {
    let groups = Memo::new(move |_| lines.with(|lines| counts(lines)));
    let chip = move |(group, count): (Group, usize)| {
        view! {
            <button
                type="button"
                class="pill"
                title=group.meaning()
                aria-pressed=move || filter.with(|filter| filter.group == group).to_string()
                on:click=move |_| filter.update(|filter| filter.choose(group))
            >
                {group.name()} " " <b>{count}</b>
            </button>
        }
    };
    let narrowed = move || filter.with(|filter| filter.at.is_some() || !filter.text.trim().is_empty());
    let said = move || {
        let at = filter.with(|filter| filter.at);
        let at = at.map(|at| format!(" {}", at.words())).unwrap_or_default();
        narrowed().then(|| format!("{}{at}", words::count(listed.get(), "fact")))
    };
    let clear = move || {
        narrowed().then(|| {
            let all = move |_| filter.update(|filter| (filter.at, filter.text) = (None, String::new()));
            view! { <button type="button" class="link" on:click=all>"Clear"</button> }
        })
    };
    view! {
        <div class="fact-tools">
            <div class="pills" role="group" aria-label="Filters">
                {move || groups.get().into_iter().map(chip).collect_view()}
            </div>
            <input
                type="search"
                placeholder="Search facts"
                aria-label="Search facts"
                prop:value=move || filter.with(|filter| filter.text.clone())
                on:input:target=move |event| filter.update(|filter| filter.text = event.target().value())
            />
            <p class="listed"><span role="status">{said}</span> {clear}</p>
        </div>
    }
}
