//! The trace screen's figure: maps with their tracks, what they say, and one cell in full.

mod axis;
mod figure;
mod grid;
mod inspector;
mod lanes;
mod pointer;
mod rows;
mod sheet;
mod story;
mod tabs;

pub(in crate::components) use axis::Brackets;
pub use figure::TraceFigure;
pub use inspector::Inspector;
pub(in crate::components) use inspector::meter;
pub use pointer::Pointer;
pub use sheet::CellSheet;
pub use story::StoryText;
pub use tabs::{Legend, MapTabs};
