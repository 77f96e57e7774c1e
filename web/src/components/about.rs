//! What a record is made from.

use leptos::prelude::*;

/// Names and values as a list.
#[component]
pub fn About(
    /// What is told: [`crate::figures::about::lines`].
    lines: Vec<(&'static str, String)>,
) -> impl IntoView {
    let line = |(name, value): (&'static str, String)| view! { <dt>{name}</dt> <dd>{value}</dd> };
    view! { <dl>{lines.into_iter().map(line).collect_view()}</dl> }
}
