//! A result page: studies as an article. The views are the lab's, in the order in which a reader needs them who has
//! nothing but this page; everything that is said comes from [`crate::figures::article`].

mod compress;
mod desk;
mod edit;
mod facts;
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
    let section = |id: &'static str, title: &'static str, body: AnyView| {
        view! {
            <section id=id>
                <h2>{title}</h2>
                {body}
            </section>
        }
        .into_any()
    };
    let printed = |id, title| text(&desk, id).map_or_else(|| left(id), |body| section(id, title, body));
    let front = text(&desk, "front").map(|body| view! { <header id="front">{body}</header> }.into_any());
    view! {
        {front.unwrap_or_else(|| left("front"))}
        {front::abstracted(&desk)}
        {desk.live.then(|| front::controls(&desk))}
        {section("localization", "Where the facts are", localize::section(&desk))}
        {section("compression", "The models side by side", compress::section(&desk))}
        {section("editing", "What can be rewritten", edit::section(&desk))}
        {retrace::wanted(&desk).then(|| section("retrace", retrace::TITLE, retrace::section(&desk)))}
        {prediction::wanted(&desk).then(|| section("prediction", prediction::TITLE, prediction::section(&desk)))}
        {sequence::wanted(&desk).then(|| section("sequence", sequence::TITLE, sequence::section(&desk)))}
        {section("tables", "Tables", tables::section(&desk))}
        {section("facts", "Fact by fact", facts::section(&desk))}
        {section("maps", "Causal trace", maps::section(&desk))}
        {printed("dropped", "Excluded facts")}
        {printed("limits", "Limits")}
        {printed("method", "Method")}
        {printed("reproduce", "Reproduce")}
        {desk.live.then(menu::said)}
    }
}

/// A section of text; `None` where the page has it already.
#[cfg(feature = "print")]
fn text(desk: &Desk, id: &'static str) -> Option<AnyView> {
    (!desk.live).then(|| text::section(id, desk))
}

#[cfg(not(feature = "print"))]
fn text(_: &Desk, _: &'static str) -> Option<AnyView> {
    None
}

/// Where a printed section goes.
fn left(id: &'static str) -> AnyView {
    view! { <div data-printed=id></div> }.into_any()
}
