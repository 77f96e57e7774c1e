//! Result pages as text: the article's views drawn without a browser, with the records beside it.

use crate::article::Article;
use crate::shell::{Mark, filled};
use crate::state::ViewState;
use engram_core::record::Record;
use engram_core::{Error, Result, pack};
use leptos::prelude::*;
use std::sync::Arc;

/// A page over records, in a frame from [`crate::shell`]. Equal records and frames give equal pages.
///
/// # Errors
/// When there is no record, one holds a number that is not finite, or the frame is not one.
pub fn page(frame: &str, records: &[Record]) -> Result<String> {
    let packed = pack::pack(records)?;
    let article = article(records);
    let title = "Engram";
    let marks = [
        (Mark::Title, title),
        (Mark::Version, env!("CARGO_PKG_VERSION")),
        (Mark::Article, &article),
        (Mark::Records, &pack::in_page(&packed)),
    ];
    filled(frame, &marks).ok_or_else(|| Error::input("the frame of the result page is damaged"))
}

/// The article as HTML.
fn article(records: &[Record]) -> String {
    let records = Arc::new(records.to_vec());
    let owner = Owner::new();
    let html = owner.with(|| {
        let state = RwSignal::new(ViewState::default());
        view! { <Article records=records state=state live=false /> }.to_html()
    });
    owner.cleanup();
    // Where a viewer would take hold of texts; ours draws anew.
    html.replace("<!>", "")
}
