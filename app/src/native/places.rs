//! Where the engine of this computer keeps what belongs to its owner.

use std::path::PathBuf;

/// The owner's data: studies and the token.
pub fn data() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_else(std::env::temp_dir);
    set("ENGRAM_DATA")
        .or_else(|| set("XDG_DATA_HOME").map(|data| data.join("engram")))
        .or_else(|| set("LOCALAPPDATA").map(|local| local.join("engram").join("data")))
        .unwrap_or_else(|| user().join(".local").join("share").join("engram"))
}
