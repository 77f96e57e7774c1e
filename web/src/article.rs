//! A result page: studies as an article. The views are the lab's, in the order in which a reader needs them who has
//! nothing but this page; everything that is said comes from [`crate::figures::article`].

mod compress;
mod desk;
mod edit;
mod facts;
pub(crate) mod fold;
mod front;
mod localize;
mod maps;
mod menu;
mod plate;
mod prediction;
mod retrace;
mod said;
mod sequence;
mod tables;
#[cfg(feature = "print")]
mod text;

pub(crate) use desk::{Desk, Told};
#[cfg(feature = "print")]
pub(crate) use plate::{PLATES, Plate};
pub(crate) use said::Words;

use crate::words;
use fold::fold;
use leptos::prelude::*;

/// Sections that a viewer leaves as they were printed, by their place in addresses.
#[cfg(all(target_family = "wasm", feature = "viewer"))]
pub(crate) const PRINTED: [&str; 5] = ["front", "dropped", "limits", "method", "reproduce"];

/// The article.
#[component]
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
pub(crate) fn Article(
    /// The studies, and what is chosen.
    desk: Desk,
) -> impl IntoView {
    menu::provide();
    let section = |id, title, about: &str, body| fold(id, title, about.to_owned(), false, body);
    let printed = |id, title, about| text(&desk, id).map_or_else(|| left(id), |body| section(id, title, about, body));
    let front = text(&desk, "front").map(|body| view! { <header id="front">{body}</header> }.into_any());
    let several = desk.records.len() > 1;
    let sides = if several { "The models side by side" } else { "The model in numbers" };
    let facts: usize = desk.records.iter().map(|record| record.facts.len()).sum();
    view! {
        {front::top(&desk)}
        {front.unwrap_or_else(|| left("front"))}
        {front::dek(&desk)}
        <div class="leads">{localize::lead(&desk).show(&desk)}</div>
        {desk.is_live().then(|| front::controls(&desk))}
        {fold("findings", "Findings", String::new(), true, front::findings(&desk))}
        {section("localization", "Where the facts are", "what each layer restores, and what is lost without it", localize::section(&desk))}
        {section("compression", sides, "metrics by model, and what differs between the studies", compress::section(&desk))}
        {section("editing", "What can be rewritten", "edits of single facts, one by one", edit::section(&desk))}
        {retrace::wanted(&desk).then(|| section("retrace", retrace::TITLE, "both answers, before and after", retrace::section(&desk)))}
        {prediction::wanted(&desk)
            .then(|| section("prediction", prediction::TITLE, "edits at several layers", prediction::section(&desk)))}
        {sequence::wanted(&desk).then(|| section("sequence", sequence::TITLE, "none of them undone", sequence::section(&desk)))}
        {section("tables", "Tables", "every number of the figures and more", tables::section(&desk))}
        {section("facts", "Fact by fact", &words::count(facts, "fact"), facts::section(&desk))}
        {section("maps", "Causal trace", "token × layer maps of chosen facts", maps::section(&desk))}
        {printed("dropped", "Excluded facts", "which, and why")}
        {printed("limits", "Limits", "what these numbers do not say")}
        {printed("method", "Method", "corruption, positions, windows, what is left out")}
        {printed("reproduce", "Check it", "the records inside, the commands, how to cite it")}
        {desk.is_live().then(menu::said)}
    }
}

/// A section of text; `None` where the page has it already.
#[cfg(feature = "print")]
fn text(desk: &Desk, id: &'static str) -> Option<AnyView> {
    (!desk.is_live()).then(|| text::section(id, desk))
}

#[cfg(not(feature = "print"))]
fn text(_: &Desk, _: &'static str) -> Option<AnyView> {
    None
}

/// Where a printed section goes.
fn left(id: &'static str) -> AnyView {
    view! { <div data-printed=id></div> }.into_any()
}
