//! The Edit screen's figures: what an edit did, its checks, its price prompt by prompt, and small maps.

mod checks;
mod finding;
mod price;

pub use checks::CheckBar;
pub use finding::EditFinding;
pub use price::Price;
