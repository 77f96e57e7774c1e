//! The Edit screen: what the model shall say, what an edit did to it and at what price, the map of states before and after, and
//! the edits in force.

mod again;
mod answers;
mod form;
mod history;
mod maps;
mod prompt;
mod result;
mod run;
mod search;
mod settings;
mod shown;
mod side;

use self::run::Editor;
use crate::components::shown as part;
use crate::figures::edited::Shown;
use crate::lab::Engine;
use crate::page::Page;
use leptos::prelude::*;

/// The screen, in the order of its parts.
#[component]
pub(crate) fn Edit(page: Page, engine: Engine) -> impl IntoView {
    let editor = Editor::new(page, engine);
    // The edit that is shown, and whether it is a stored one.
    let shown: Memo<Option<(Shown, bool)>> = Memo::new(move |_| editor.shown());
    let stale = Memo::new(move |_| editor.stale());
    // What was undone is no longer so, though it is what the form asks for.
    let over = Memo::new(move |_| {
        stale.with(Option::is_some)
            || shown.with(|shown| matches!(shown, Some((_, false)))) && editor.in_force().is_none()
    });
    let asks = Memo::new(move |_| editor.fresh() && editor.running.get().is_none());
    view! {
        <div class:is-stale=move || over.get()>
            <section class="ask cols" aria-label="Prompt">
                <prompt::Prompt editor=editor />
                <answers::Answers editor=editor shown=shown stale=stale />
            </section>
            {part(move || asks.get(), move || view! {
                <section class="edit-ask" aria-label="Edit this fact"><form::Form editor=editor /></section>
            })}
            <div class="cols">
                <div>
                    <result::Notices editor=editor stale=stale />
                    <search::Search editor=editor />
                    <result::Result editor=editor shown=shown />
                </div>
                <side::Side editor=editor shown=shown />
            </div>
            <settings::Settings editor=editor />
            <history::HistoryDrawer editor=editor />
        </div>
    }
}
