//! What the address says about the lab: which tab, which model, which prompt. Unknown names are ignored, and values that
//! make no sense change nothing.

pub(crate) use crate::state::Tab;
