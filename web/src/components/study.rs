//! The study screen: bars of peaks, filters, the table of facts, one fact in full, and the figures of the whole study.

mod excluded;
mod figures;
mod fold;
mod opened;
mod peaks;
mod table;
mod tools;

pub use excluded::Excluded;
pub use figures::StudyFigures;
pub use fold::Fold;
pub use opened::OpenedFact;
pub use peaks::PeakBars;
pub use table::FactTable;
pub use tools::Tools;
