//! Traces in links: the one that the address brings, and the button that makes another.

use super::run::{Source, Tracer, record_of};

use crate::figures::partial::{Partial, Stage};
use crate::lab::Tab;
use crate::state::{LabState, ViewState};
use crate::{files, link, take, words};
use engram_core::record::Record;
use engram_core::{Error, Result};
use leptos::prelude::*;

impl Tracer {
    /// Shows the result that the address carries. Nothing is run.
    pub(super) fn follow_link(self) {
        // Whatever else the address had there gives way to what is shown.
        let Some(text) = self.page.trace.get_untracked() else { return self.text.notify() };
        let same = self.text.with_untracked(|known| known.as_ref() == Some(&text));
        if let (true, Some(record)) = (same, self.linked.with_untracked(record_of)) {
            // It was read before: the screen on which it is looked at stays.
            self.ask(&record);
            return self.source.set(Source::Linked);
        }
        match link::read(&text) {
            Ok(record) => {
                self.ask(&record);
                self.page.lab.update(|lab| {
                    lab.model = link::model(&record, &lab.model);
                    if lab.tab != Tab::Forward {
                        lab.tab = Tab::Trace;
                    }
                });
                self.linked.set(Some(Partial { stage: Stage::Done, record: Some(record), ..Partial::default() }));
                self.text.set(Some(text));
                self.source.set(Source::Linked);
            }
            Err(error) => {
                self.page.complain(&error);
                self.text.notify();
            }
        }
    }

    /// The shown record as something to pass on.
    ///
    /// # Errors
    /// While it is not whole, and where others would take its numbers for those of another model.
    pub(super) fn given(self) -> Result<Record> {
        let record = self.record_now().ok_or_else(|| Error::input("there is no result yet"))?;
        if self.source.get_untracked() != Source::Live {
            return Ok(record);
        }
        let (whole, edits) = self.live.with_untracked(|live| {
            live.as_ref().map_or((false, 0), |live| (matches!(live.stage, Stage::Done), live.edits.len()))
        });
        if !whole {
            return Err(Error::input("this trace is not whole").hint("let it run to its end"));
        }
        if edits > 0 {
            return Err(Error::input(
                "this trace was made with edits in force, and its record names the model without them",
            )
            .hint("undo the edits and run it again"));
        }
        Ok(record)
    }
}

/// A button that copies a link with the result in it. Such a link is long, so it is not read out.
#[component]
pub(super) fn CopyResult(tracer: Tracer) -> impl IntoView {
    let (said, by_hand) = (RwSignal::new(None::<String>), RwSignal::new(None::<String>));
    let copy = move |_| {
        by_hand.set(None);
        match linked(tracer) {
            Ok(link) => take::copy(link.clone(), move |copied| {
                said.set(Some(match copied {
                    true => format!("The link with the result is on the clipboard: {} characters.", link.len()),
                    false => "The browser does not let this page copy; take the link from here:".into(),
                }));
                by_hand.set((!copied).then_some(link));
            }),
            Err(error) => {
                let hint = error.page_step().map(|hint| format!("; {hint}")).unwrap_or_default();
                said.set(Some(words::visible(&format!("No link: {}{hint}.", error.message()))));
            }
        }
    };
    let field = |link: String| view! { <input type="text" readonly aria-label="Link with result" prop:value=link /> };
    view! {
        <button on:click=copy title="All numbers of this trace go into the link itself; nothing is uploaded">
            "Copy link with result"
        </button>
        <span class="faint" role="status">
            {move || said.get()}
        </span>
        {move || by_hand.get().map(field)}
    }
}

/// A link to the shown trace with its numbers, and how it is looked at.
fn linked(tracer: Tracer) -> Result<String> {
    let (record, page) = (tracer.given()?, tracer.page);
    let (state, lab) = (page.state.get_untracked(), page.lab.get_untracked());
    // The question comes with the record.
    let lab =
        LabState { model: link::model(&record, &lab.model), layer: lab.layer, map: lab.map, ..LabState::default() };
    let state = ViewState { position: state.position, argmax_always: state.argmax_always, ..ViewState::default() };
    let here = files::page_address(&[], &state, &lab);
    link::to(&here.ok_or_else(|| Error::input("this page has no address to link to"))?, &record)
}
