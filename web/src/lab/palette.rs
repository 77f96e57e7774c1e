//! Everything that can be done, in one list: Ctrl K opens it, typing finds, Enter runs. Its single keys work without it, too.

mod commands;

use crate::figures::palette;
use crate::lab::trace::Tracing;
use crate::lab::{Engine, Tab, browser};
use crate::page::Page;
use commands::{Action, KEYS, OF_TRACE, actions};
use leptos::{ev, html, prelude::*};
use wasm_bindgen::JsCast;

/// Commands of a group that are listed at a time.
const MOST: usize = 9;

/// The button in the bar, the list itself, and the keys.
#[component]
pub(crate) fn Palette(page: Page, engine: Engine, tracing: Tracing) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let all = RwSignal::new(Vec::<Action>::new());
    let (query, at) = (RwSignal::new(String::new()), RwSignal::new(0usize));
    let open = move || {
        let Some(dialog) = dialog.get_untracked().filter(|dialog| !dialog.open()) else { return };
        // What can be done depends on what is shown now.
        all.set(untrack(move || actions(page, engine, tracing)));
        query.set(String::new());
        at.set(0);
        if dialog.show_modal().is_ok()
            && let Some(input) = input.get_untracked()
        {
            let _ = input.focus();
        }
    };
    let shut = move || dialog.get_untracked().into_iter().for_each(|dialog| dialog.close());
    let places = Memo::new(move |_| {
        all.with(|all| {
            let found: Vec<_> = all.iter().map(|one| (one.group, one.words.as_str(), one.key.is_some())).collect();
            palette::shown(&query.get(), &found, MOST)
        })
    });
    let run = move |place: usize| {
        let action = all.with_untracked(|all| all.get(place).map(|one| one.run.clone()));
        shut();
        if let Some(action) = action {
            action();
        }
    };
    let key = move |event: ev::KeyboardEvent| {
        let count = places.with_untracked(Vec::len).max(1);
        match event.key().as_str() {
            "ArrowDown" => at.update(|at| *at = (*at + 1) % count),
            "ArrowUp" => at.update(|at| *at = (*at + count - 1) % count),
            "Enter" => {
                if let Some(place) = places.with_untracked(|places| places.get(at.get_untracked()).copied()) {
                    run(place);
                }
            }
            _ => return,
        }
        event.prevent_default();
        let chosen = document().get_element_by_id(&format!("command-{}", at.get_untracked()));
        if let Some(chosen) = chosen {
            chosen.scroll_into_view_with_bool(false);
        }
    };
    let keys = window_event_listener(ev::keydown, move |event| {
        let held = event.ctrl_key() || event.meta_key();
        if held && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            return open();
        }
        let wanted = event.key().to_uppercase();
        let ours = wanted.chars().count() == 1 && KEYS.contains(&wanted) && single_keys();
        if !ours || held || event.alt_key() || event.repeat() || event.default_prevented() || typing(&event) {
            return;
        }
        let traces = page.lab.with_untracked(|lab| matches!(lab.tab, Tab::Trace | Tab::Forward));
        if dialog.get_untracked().is_some_and(|dialog| dialog.open()) || (OF_TRACE.contains(&wanted) && !traces) {
            return;
        }
        if wanted == "?" {
            event.prevent_default();
            open();
            // The keys are listed.
            return query.set(wanted);
        }
        let found = untrack(move || actions(page, engine, tracing));
        if let Some(action) = found.into_iter().find(|one| one.key.is_some_and(|key| key.eq_ignore_ascii_case(&wanted)))
        {
            event.prevent_default();
            (action.run)();
        }
    });
    on_cleanup(move || keys.remove());
    let list = move || {
        let (places, all) = (places.get(), all.get());
        let mut groups: Vec<(&'static str, Vec<(usize, Action)>)> = Vec::new();
        for (number, place) in places.into_iter().enumerate() {
            let action = all[place].clone();
            match groups.last_mut().filter(|group| group.0 == action.group) {
                Some(group) => group.1.push((number, action)),
                None => groups.push((action.group, vec![(number, action)])),
            }
        }
        let none = groups
            .is_empty()
            .then(|| view! { <p class="faint">"Nothing found. Try a fact, a model or a command."</p> });
        let one = move |(number, action): (usize, Action)| {
            let Action { name, key, run, .. } = action;
            let press = move |_| {
                shut();
                run();
            };
            view! {
                <div
                    role="option"
                    id=format!("command-{number}")
                    aria-selected=move || (at.get() == number).to_string()
                    on:pointermove=move |_| at.set(number)
                    on:click=press
                >
                    <span>{name}</span>
                    {key.map(|key| view! { <kbd>{key}</kbd> })}
                </div>
            }
        };
        let group = |(name, actions): (&'static str, Vec<(usize, Action)>)| {
            view! {
                <div role="group" aria-label=name>
                    <p class="group" aria-hidden="true">{name}</p>
                    {actions.into_iter().map(one).collect_view()}
                </div>
            }
        };
        view! { {groups.into_iter().map(group).collect_view()} {none} }
    };
    view! {
        <button type="button" class="command" aria-haspopup="dialog" title="Search facts and models, or run a command" on:click=move |_| open()>
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><circle cx="7" cy="7" r="4.5"></circle><path d="M10.5 10.5 14 14"></path></svg>
            <span>"Search, run"</span>
            <kbd>"Ctrl K"</kbd>
        </button>
        <dialog class="palette" node_ref=dialog aria-label="Commands" on:click=move |event: ev::MouseEvent| {
            // A click beside the list shuts it.
            if event.target() == dialog.get_untracked().map(|dialog| dialog.unchecked_into::<web_sys::EventTarget>()) {
                shut();
            }
        }>
            <input
                type="text"
                node_ref=input
                role="combobox"
                aria-expanded="true"
                aria-controls="commands"
                aria-autocomplete="list"
                aria-activedescendant=move || places.with(|places| (!places.is_empty()).then(|| format!("command-{}", at.get())))
                aria-label="Search"
                placeholder="Search facts, models and commands"
                autocomplete="off"
                prop:value=query
                on:keydown=key
                on:input:target=move |event| {
                    query.set(event.target().value());
                    at.set(0);
                }
            />
            <div role="listbox" id="commands" aria-label="Commands">{list}</div>
        </dialog>
    }
}

/// Where the page keeps that single keys are off.
const SINGLE_KEYS: &str = "engram-single-keys";

/// Whether single keys do something: they do until somebody switches them off.
fn single_keys() -> bool {
    browser::stored(SINGLE_KEYS).is_none_or(|kept| kept != "off")
}

/// Somebody is typing, or chooses with the keyboard: single letters belong to that.
fn typing(event: &ev::KeyboardEvent) -> bool {
    let element = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    element.is_some_and(|element| {
        element.closest("input:not([type=checkbox], [type=range]), textarea, select, dialog").ok().flatten().is_some()
    })
}
