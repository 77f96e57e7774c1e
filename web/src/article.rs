//! A result page: studies as an article. The same views as the lab's, in another order and with what a reader needs who
//! has nothing but this page.

use crate::components::Study as StudyView;
use crate::state::ViewState;
use engram_core::metrics::summarize;
use engram_core::record::Record;
use leptos::prelude::*;
use std::sync::Arc;

/// The article.
#[component]
pub fn Article(
    /// The studies, at least one.
    records: Arc<Vec<Record>>,
    /// What is chosen.
    state: RwSignal<ViewState>,
    /// Somebody can click: scripting is there.
    live: bool,
) -> impl IntoView {
    let _ = live;
    let one = |record: &Record| view! { <section><StudyView summary=summarize(record, &state.get_untracked().view()) /></section> };
    records.iter().map(one).collect_view()
}
