//! What a record is made from.

use super::copied;
use crate::words;
use leptos::prelude::*;

/// Names and values as a list.
#[component]
pub fn About(
    /// What is told: [`crate::figures::about::lines`].
    lines: Vec<(&'static str, String)>,
) -> impl IntoView {
    let line = |(name, value): (&'static str, String)| view! { <dt>{name}</dt> <dd>{self::value(&value)}</dd> };
    view! { <dl>{lines.into_iter().map(line).collect_view()}</dl> }
}

/// A value: of a digest its beginning, with a button that copies the whole.
pub fn value(value: &str) -> AnyView {
    let short = words::short_digest(value);
    if short == value {
        return short.into_any();
    }
    let whole = value.to_owned();
    view! { <code class="hash" title=whole>{short}</code> " " {copied(value, "Copy the digest")} }.into_any()
}
