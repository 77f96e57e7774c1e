//! A study on any number of machines, by way of files on a disk that all of them see. A [`Plan`] fixes everything that decides the
//! numbers; the study is cut into [`Unit`]s, each a function of the plan and of earlier units; a shard computes those that it owns and
//! writes them into a [`Segment`], a file that nobody else ever opens for writing, so no lock is needed; whoever reads all segments
//! ([`Known`]) has the record, without a model.
//!
//! A unit has the same bytes whoever computes it, so computing one twice is waste and no fault; two results that differ are refused.
//! Which units a study needs follows from the results of the wave before: which facts pass decides where the study ends, and their curves
//! decide which blocks are removed and what is edited.

mod known;
mod plan;
mod run;
mod segment;
mod unit;

pub use known::{Known, Missing, Share};
pub use plan::{Plan, PlannedModel, plan, probe};
pub use run::{Told, work};
pub use segment::{Header, Segment};
pub use unit::{Shard, Unit};
