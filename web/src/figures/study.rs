//! The study screen as plain data: one line for each fact, what all of them say in a sentence, which of them are listed, and one fact
//! in full.

mod address;
mod ending;
mod filter;
mod line;
mod map;
mod meanings;
mod opened;
mod peaks;
mod told;

pub use ending::Ending;
pub use filter::{At, Filter, Group, SortBy, apply, counts};
pub use line::{Line, Place, lines, shown_fact};
pub use map::small_map;
pub use opened::{Mark, Marks, Opened};
pub use peaks::{Peaks, Run};
pub use told::{Told, title};
