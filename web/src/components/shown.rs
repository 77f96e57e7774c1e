//! A part of the page that comes and goes.

use leptos::prelude::*;

/// A part that is there as long as `when` holds. It is made again only when that changes.
pub(crate) fn shown<V: IntoView>(
    when: impl Fn() -> bool + Send + Sync + 'static,
    view: impl Fn() -> V + Send + 'static,
) -> impl Fn() -> Option<V> + Send {
    let when = Memo::new(move |_| when());
    move || when.get().then(&view)
}
