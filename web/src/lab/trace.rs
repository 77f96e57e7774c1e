//! The trace screen: a prompt as tokens, where its answer comes from, and one cell of it in full.

mod actions;
mod answers;
mod finding;
mod link;
mod maps;
mod pinned;
mod prompt;
mod put_back;
mod run;
mod settings;
mod shown;
mod ways;

pub(crate) use self::finding::Notices;
use self::maps::Maps;
pub(crate) use self::run::Tracer;

use crate::figures::choice::Way;
use crate::lab::{Engine, Tab};
use crate::page::Page;
use leptos::prelude::*;

/// A trace and its maps: what the trace screen and the forward pass show. A handle: copies are the same.
#[derive(Clone, Copy)]
pub(crate) struct Tracing {
    /// What is asked, and what was answered.
    pub(crate) tracer: Tracer,
    /// What is drawn of it, and the cell that is looked at.
    pub(crate) maps: Maps,
}

impl Tracing {
    /// The trace that the address asks for.
    pub(crate) fn new(page: Page, engine: Engine) -> Self {
        let tracer = Tracer::new(page, engine);
        Self { tracer, maps: Maps::of(tracer) }
    }
}

/// The screen, in the order of its parts.
#[component]
pub(crate) fn Trace(tracing: Tracing) -> impl IntoView {
    let Tracing { tracer, maps } = tracing;
    let stale = Memo::new(move |_| tracer.stale());
    let put_back = put_back::says(tracer, maps);
    let open = RwSignal::new(false);
    let typing = RwSignal::new(tracer.draft.asked.with_untracked(|asked| asked.prompt.is_empty()));
    let go = Callback::new(move |()| {
        typing.set(false);
        match tracer.draft.way() {
            // A download is agreed to where it is told what it takes.
            Way::Consent(_) => tracer.page.lab.update(|lab| lab.tab = Tab::Models),
            Way::Run | Way::Fetch => tracer.run(),
        }
    });
    view! {
        <div class:is-stale=move || stale.with(Option::is_some)>
            <section class="ask cols" aria-label="Prompt">
                <prompt::Prompt tracer=tracer maps=maps settings=open typing=typing go=go />
                <answers::Answers tracer=tracer stale=stale />
            </section>
            <div class="cols">
                <div>
                    <finding::Finding tracer=tracer story=maps.story stale=stale />
                    <maps::MapsView tracer=tracer maps=maps />
                </div>
                <maps::Side tracer=tracer maps=maps says=put_back />
            </div>
            <settings::Settings tracer=tracer open=open pointer=maps.pointer go=go />
        </div>
    }
}
