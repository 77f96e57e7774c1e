//! What the views draw, as plain data made from records by pure functions: numbers, words and marks, but no pixels of
//! a page and no browser.

pub mod about;
pub mod bars;
pub mod changed;
pub mod choice;
pub mod edited;
pub mod edits;
pub mod facts;
pub mod finding;
pub mod heatmap;
pub mod histogram;
pub mod layer;
pub mod lens;
pub mod loss;
pub mod partial;
pub mod question;
#[cfg(test)]
pub(crate) mod sample;
pub mod shifts;
pub mod tokens;
