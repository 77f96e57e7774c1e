//! The engine as a service: requests of [`crate::protocol`] in, events out, whoever carries them. A browser's worker and the
//! native program are hosts of the same [`Engine`]; what differs between them is a [`Host`].
//!
//! - [`Queue`] holds what waits, who asked, and what was cancelled. It is plain data, told the time, and shared with whatever
//!   carries messages.
//! - [`Engine`] takes commands one at a time, and studies one at a time; a study gives way to commands between two blocks of
//!   its model, and gets a turn of its own where they do not end.
//! - Each seat (a page) has a model and edits of its own; seats that load the same model share its weights.

mod away;
mod device;
mod engine;
mod host;
mod loading;
mod meter;
mod preflight;
mod queue;
mod studies;
mod turn;

pub use device::report;
pub use engine::Engine;
pub use host::{Host, KeptCopy, Later, Opened, Parts, Storage, Studies};
pub use meter::Meter;
pub use queue::{Address, Kind, Queue, SeatId};
pub use studies::{About, study};
