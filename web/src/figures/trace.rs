//! The trace screen as plain data: rows and cells of the maps, what they say in one sentence, the tracks beneath them, and one
//! cell in full.

mod answers;
mod beside;
mod cell;
mod difference;
mod maps;
mod pin;
mod redundancy;
mod rows;
mod sites;
mod story;
mod tracks;

pub use answers::{WEAKLY, edited, own_answer, weakly_known};
pub use beside::beside;
pub use cell::{Cell, Line, SAME};
pub use difference::{Unlike, told};
pub use maps::{Cursor, Peak, SITES, Scale, Standing, TraceMaps, ramp};
pub use pin::{Pin, Side, names};
pub use redundancy::redundancy;
pub use rows::{Role, Row, beyond_subject, role, rows};
pub use story::{CARRIES, Carries, Piece, Story, carried_from};
pub use tracks::{ROOM, Tracks};

#[cfg(test)]
pub(crate) mod machu;
