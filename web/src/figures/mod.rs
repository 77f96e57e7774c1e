//! What the views draw, as plain data made from records by pure functions: numbers, words and marks, but no pixels of
//! a page and no browser.

pub mod about;
pub mod bars;
pub mod edits;
pub mod facts;
pub mod finding;
pub mod heatmap;
pub mod histogram;
#[cfg(test)]
pub(crate) mod sample;
