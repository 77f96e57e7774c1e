//! The forward pass's figure: the stream of each token, what the model would say after each layer, and one layer in full.

mod after;
mod depths;
mod player;
mod streams;

pub use after::{After, AfterPanel};
pub use player::Player;
pub use streams::Streams;
