//! Views of figures. A view takes plain data and view state and calls back with what a person chose; it never fetches,
//! and every text goes into the page as text, never as HTML.

pub mod about;
mod axes;
pub mod bars;
pub mod compare;
pub mod edits;
pub mod fact;
pub mod facts;
pub mod heatmap;
pub mod histogram;
pub mod numbers;
pub mod progress;
pub mod study;
pub mod switches;
pub mod tables;
pub mod welcome;

pub use about::About;
pub use bars::{BarChart, shared_scale};
pub use compare::Compare;
pub use edits::Edits;
pub use fact::FactView;
pub use facts::FactList;
pub use heatmap::Heatmaps;
pub use histogram::HistogramChart;
pub use numbers::Numbers;
pub use study::Study;
pub use switches::Switches;
pub use tables::Tables;
pub use welcome::Welcome;

/// A length for an SVG attribute.
fn px(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
