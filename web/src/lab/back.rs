//! Back and forward: the address follows what is shown, and a step of the browser's history is another prompt, screen, record or
//! fact, never a cursor that has moved.

use super::Tab;
use super::trace::Tracing;
use crate::figures::question::Asked;
use crate::figures::trace::Cursor;
use crate::files;
use crate::page::Page;
use crate::state::LessonPlace;
use leptos::{ev, prelude::*};
use std::collections::HashMap;

/// Where a reader is.
#[derive(Clone, PartialEq)]
struct Place {
    tab: Tab,
    record: usize,
    fact: Option<usize>,
    model: String,
    lesson: LessonPlace,
}

/// Keeps the address in step with the page, and the page with the history.
pub(crate) fn keep(page: Page, tracing: Tracing) {
    let Tracing { tracer, maps } = tracing;
    // Where the reader was, what the form asked, and whether that was what was shown: typing goes on in the same entry.
    let before = StoredValue::new(None::<(Place, Asked, bool)>);
    let returning = StoredValue::new(false);
    Effect::new(move || {
        let (state, lab, trace) = (page.state.get(), page.lab.get(), page.trace.get());
        let asked = tracer.draft.asked.get();
        let settled = tracer.stale().is_none() && tracer.running.get().is_none() && tracer.fact.with(Option::is_some);
        // A lesson loads the models that it asks by itself.
        let model = if lab.tab == Tab::Lessons { String::new() } else { lab.model.clone() };
        let place = Place { tab: lab.tab, record: state.record, fact: state.fact, model, lesson: lab.lesson };
        let returned = returning.try_update_value(std::mem::take).unwrap_or_default();
        let step = !returned
            && before.with_value(|before| {
                let Some((was, question, settled)) = before else { return false };
                *was != place || (*settled && *question != asked)
            });
        page.linked.with(|linked| files::write_address(linked, &state, &lab, trace.as_deref(), step));
        before.set_value(Some((place, asked, settled)));
    });
    let left = scrolling(page);
    window_event_listener(ev::popstate, move |_| {
        let (_, state, lab) = files::address();
        returning.set_value(true);
        left.set_value(page.lab.with_untracked(|now| now.tab) != lab.tab);
        // What has no place in the address stays as it is.
        page.state.set(state);
        let held = lab.layer.map(|layer| (lab.map.row, layer));
        page.lab.set(lab);
        page.trace.set(files::trace());
        tracer.recall();
        // Once the maps are those of the prompt that was gone back to: another prompt lets go of a held cell.
        request_animation_frame(move || match held {
            Some((row, layer)) => {
                let row = row.or_else(|| maps.cursor.get_untracked().map(|at| at.row)).unwrap_or(0);
                maps.pointer.hold(Cursor { row, layer });
            }
            None => maps.pointer.release(),
        });
    });
}

/// Another screen begins at its top, however far down the one before was read; a step back returns to where its screen was left. Gives
/// the switch for that: whether the next change of screens is such a step.
fn scrolling(page: Page) -> StoredValue<bool> {
    let (returns, seen) = (StoredValue::new(false), StoredValue::new(HashMap::<&str, f64>::new()));
    window_event_listener(ev::scroll, move |_| {
        let tab = page.lab.with_untracked(|lab| lab.tab.name());
        seen.update_value(|seen| {
            seen.insert(tab, window().scroll_y().unwrap_or_default());
        });
    });
    let tab = Memo::new(move |_| page.lab.with(|lab| lab.tab.name()));
    Effect::new(move |before: Option<&str>| {
        let tab = tab.get();
        if before.is_some_and(|before| before != tab) {
            let returns = returns.try_update_value(std::mem::take).unwrap_or_default();
            let top = seen.with_value(|seen| seen.get(tab).copied()).filter(|_| returns).unwrap_or_default();
            // The new screen is as high as it will be once it is drawn.
            request_animation_frame(move || window().scroll_to_with_x_and_y(0.0, top));
        }
        tab
    });
    returns
}
