//! Lessons: Markdown files of steps, each of which asks for a prediction and holds it against what the engine measures.
//!
//! [`file`] reads a file, [`ask`] the block in it that says what is measured and predicted, [`values`] are the numbers that
//! its texts can name, [`outcome`] holds the prediction against them, and [`stage`] is what is drawn. Everything here is
//! pure: the page asks the engine and hands the records in.

mod ask;
mod file;
mod markdown;
mod outcome;
mod stage;
#[cfg(test)]
mod tests;
mod values;

pub use ask::{Ask, Predict, Show};
pub use file::{Flaw, INDEX, Lesson, Step, names, read};
pub use markdown::{Block, Piece, Style};
pub use outcome::{Outcome, Runs, Verdict, outcome};
pub use stage::{Bar, Group, stage, waiting};
pub use values::{Expression, Measured, filled};
