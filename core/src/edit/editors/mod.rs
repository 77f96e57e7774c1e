//! The editors, one a file. Each turns the targets of a batch into changes of weights.

mod memit;
mod neighbour;
mod rome;
mod search;
mod spsa;
mod taught;
mod tuning;
mod ultra;

pub(super) use search::Searched;
