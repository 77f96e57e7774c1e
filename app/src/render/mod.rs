//! Data to text for a terminal. Everything is pure: width and colours are passed in.

pub mod bars;
pub mod heatmap;
pub mod style;
pub mod table;
pub mod text;
