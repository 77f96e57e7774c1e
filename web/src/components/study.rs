//! The study screen: bars of peaks, filters, the table of facts, one fact in full, and the figures of the whole study.

#[cfg(feature = "page")]
mod figures;
#[cfg(feature = "page")]
mod fold;
#[cfg(feature = "page")]
mod opened;
#[cfg(feature = "page")]
mod peaks;
mod table;
mod tools;

#[cfg(feature = "page")]
pub use figures::StudyFigures;
#[cfg(feature = "page")]
pub use fold::Fold;
#[cfg(feature = "page")]
pub use opened::OpenedFact;
#[cfg(feature = "page")]
pub use peaks::PeakBars;
pub use table::FactTable;
pub use tools::Tools;
