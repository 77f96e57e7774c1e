//! Views of figures. A view takes plain data and view state and calls back with what a person chose; it never fetches,
//! and every text goes into the page as text, never as HTML.

pub mod about;
mod axes;
pub mod bars;
pub mod compare;
mod copied;
#[cfg(feature = "page")]
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
pub mod edit;
pub mod edits;
pub mod fact;
#[cfg(feature = "page")]
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
pub mod forward;
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
mod heat_grid;
pub mod heat_picture;
pub mod heatmap;
pub mod histogram;
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
mod keys;
#[cfg(any(feature = "viewer", feature = "print"))]
pub mod line_panels;
pub mod loss;
#[cfg(any(feature = "viewer", feature = "print"))]
pub mod multiples;
pub mod numbers;
pub mod progress;
pub mod said;
#[cfg(any(feature = "viewer", feature = "print"))]
pub mod shades;
#[cfg(feature = "page")]
mod shown;
#[cfg(feature = "page")]
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
mod small_map;
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
pub mod study;
pub mod switches;
pub mod tables;
#[cfg(feature = "page")]
#[expect(unreachable_pub, reason = "leptos makes the properties of every component public")]
pub mod trace;
mod walk;

pub use about::About;
pub use bars::{BarChart, shared_scale};
pub use compare::Compare;
pub use copied::{copied, hear};
pub use edits::Edits;
#[cfg(feature = "page")]
pub(crate) use shown::shown;
#[cfg(feature = "page")]
pub use small_map::SmallMapView;

pub use fact::FactView;
pub use heat_picture::HeatPictures;
pub use heatmap::Heatmaps;
pub use histogram::HistogramChart;
pub use loss::LossChart;
pub use numbers::Numbers;
pub use said::BeforeAfter;
pub use switches::Switches;
pub use tables::Tables;
pub(crate) use walk::STILL;

/// A length for an SVG attribute.
fn px(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
