//! Both answers of an edited fact, traced again.

use super::{FactRecord, Traced};
use serde::{Deserialize, Serialize};

/// Traces of an edit's prompt, beside the fact's own one, which is the old answer's before the edit. Second passes are without the
/// blocks that the fact's own is without.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Retrace {
    /// The new answer in the unedited model.
    pub new_before: Traced,
    /// The old answer with the edit in force.
    pub old_after: Traced,
    /// The new answer with the edit in force.
    pub new_after: Traced,
}

impl Retrace {
    /// All of them, with their names in records.
    pub fn parts(&self) -> [(&'static str, &Traced); 3] {
        [("new_before", &self.new_before), ("old_after", &self.old_after), ("new_after", &self.new_after)]
    }
}

/// Both answers of an edit, without it and with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Retraced {
    /// The fact with the old answer's trace before the edit.
    pub own: FactRecord,
    /// The other three traces.
    pub again: Retrace,
}
