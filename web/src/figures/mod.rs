//! What the views draw, as plain data made from records by pure functions: numbers, words and marks, but no pixels of
//! a page and no browser.

pub mod about;
pub mod asking;
pub mod bars;
<<<<<<< HEAD
pub mod changed;
pub mod choice;
pub mod edited;
=======
pub mod bundled;
pub mod bytes;
pub mod compare;
pub mod diagnostics;
>>>>>>> h-study
pub mod edits;
pub mod facts;
pub mod finding;
pub mod heatmap;
pub mod histogram;
<<<<<<< HEAD
pub mod layer;
pub mod lens;
pub mod loss;
pub mod partial;
pub mod question;
#[cfg(test)]
pub(crate) mod sample;
pub mod shifts;
pub mod tokens;
=======
pub mod kept;
pub mod kinds;
pub mod live;
pub mod panels;
pub mod preflight;
pub mod progress;
#[cfg(test)]
pub(crate) mod sample;
pub mod scatter;
pub mod trouble;
>>>>>>> h-study
