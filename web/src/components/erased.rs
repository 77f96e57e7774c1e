//! Closures of one type. A view is generic over each closure within it, and WebAssembly would carry the same code for
//! every one; in a box they share it.

use leptos::prelude::*;

/// A part of a view that follows its signals.
pub(crate) fn part<V: IntoAny>(mut view: impl FnMut() -> V + Send + 'static) -> Box<dyn FnMut() -> AnyView + Send> {
    Box::new(move || view().into_any())
}

/// An attribute's value that follows its signals.
pub(crate) fn held<V>(value: impl FnMut() -> V + Send + 'static) -> Box<dyn FnMut() -> V + Send> {
    Box::new(value)
}

/// A part of a view that is there as long as `when` holds. It is made again only when that changes.
#[cfg(feature = "page")]
pub(crate) fn shown<V: IntoAny>(
    when: impl Fn() -> bool + Send + Sync + 'static,
    view: impl Fn() -> V + Send + 'static,
) -> Box<dyn FnMut() -> AnyView + Send> {
    let when = Memo::new(move |_| when());
    part(move || when.get().then(|| view().into_any()))
}

/// What is done about an event.
pub(crate) fn act<E: 'static>(act: impl FnMut(E) + 'static) -> Box<dyn FnMut(E)> {
    Box::new(act)
}
