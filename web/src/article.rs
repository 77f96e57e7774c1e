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
mod tables;
mod text;

pub(crate) use desk::{Desk, Told};
#[cfg(feature = "print")]
pub(crate) use plate::{PLATES, Plate};

use leptos::prelude::*;

/// The article.
#[component]
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
pub(crate) fn Article(
    /// The studies, and what is chosen.
    desk: Desk,
) -> impl IntoView {
    let nothing = desk.records.is_empty();
    if nothing {
        return view! { <p>"This page carries no study."</p> }.into_any();
    }
    let section = |id: &'static str, title: &'static str, body: AnyView| {
        view! {
            <section id=id>
                <h2>{title}</h2>
                {body}
            </section>
        }
    };
    menu::provide();
    view! {
        {front::front(&desk)}
        {desk.live.then(|| front::controls(&desk))}
        {section("localization", "Where the facts are", localize::section(&desk))}
        {section("compression", "The models side by side", compress::section(&desk))}
        {section("editing", "What can be rewritten", edit::section(&desk))}
        {section("tables", "Tables", tables::section(&desk))}
        {section("facts", "Fact by fact", facts::section(&desk))}
        {section("maps", "Token by token", maps::section(&desk))}
        {section("dropped", "What fell out, and why", text::dropped(&desk))}
        {section("limits", "Limits", text::limits(&desk))}
        {section("method", "Method", text::method(&desk))}
        {section("reproduce", "Reproduce", text::reproduce(&desk))}
        {desk.live.then(menu::said)}
    }
    .into_any()
}
