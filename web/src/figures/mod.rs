//! What the views draw, as plain data made from records by pure functions: numbers, words and marks, but no pixels of
//! a page and no browser.

pub mod about;
pub mod article;
pub mod asking;
pub mod bars;
pub mod bundled;
pub mod bytes;
pub mod changed;
pub mod choice;
pub mod compare;
pub mod diagnostics;
pub mod edit;
pub mod edited;
pub mod edits;
pub mod facts;
pub mod finding;
pub mod forward;
pub mod heatmap;
pub mod histogram;
pub mod history;
pub mod kept;
pub mod kinds;
pub mod lens;
pub mod live;
pub mod loss;
pub mod palette;
pub mod panels;
pub mod partial;
pub mod pieces;
pub mod plate;
pub mod precision;
pub mod prediction;
pub mod preflight;
pub mod progress;
pub mod question;
pub mod queue;
#[cfg(test)]
pub(crate) mod sample;
pub mod scatter;
pub mod sheet;
pub mod small_map;
pub mod stale;
pub mod study;
pub mod trace;
pub mod trouble;
