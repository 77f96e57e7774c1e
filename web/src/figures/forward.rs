//! The forward pass as plain data, one layer after the other: the stream of each token, what is to be said of a layer, and what
//! the heads of a layer attend to.

mod heads;
mod say;
mod streams;

pub use heads::{Head, heads};
pub use say::say;
pub use streams::{Link, ROW, Stream, link, streams};
