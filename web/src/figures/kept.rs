//! Studies that the browser keeps, in words, and the note about the last one that stays in the page's own storage: it
//! is there before any engine, so an unfinished study can be offered without starting one.

use super::bytes::ago;
use crate::words;
use engram_core::protocol::{ModelRef, Saved};
use serde::{Deserialize, Serialize};

/// The note about the last study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its key.
    pub key: String,
    /// Where its model came from.
    pub model: ModelRef,
    /// The model's name.
    pub name: String,
    /// Validated facts so far.
    pub done: usize,
    /// Wanted.
    pub of: usize,
    /// Nothing is left to do.
    pub finished: bool,
}

/// Longest name that is taken from the storage, which other pages of the same server may write to.
const LONGEST: usize = 500;

impl Note {
    /// Reads a note; `None` of anything else.
    pub fn read(text: &str) -> Option<Self> {
        serde_json::from_str::<Self>(text).ok().filter(|note| note.name.len() <= LONGEST && note.key.len() <= LONGEST)
    }

    /// The note as text.
    pub fn written(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// What is offered after a reload.
    pub fn words(&self) -> String {
        stopped(&self.name, self.done, self.of)
    }
}

impl From<&Saved> for Note {
    fn from(saved: &Saved) -> Self {
        Self {
            key: saved.key.clone(),
            model: saved.model.clone(),
            name: saved.info.name.clone(),
            done: saved.validated,
            of: saved.n,
            finished: saved.finished,
        }
    }
}

/// Where a study stopped.
fn stopped(name: &str, done: usize, of: usize) -> String {
    let name = words::visible(name);
    if done >= of {
        format!("A study of {name} stopped after its {}, before it was finished.", words::count(of, "fact"))
    } else {
        format!("A study of {name} stopped at {done} of {}.", words::count(of, "fact"))
    }
}

/// How far a kept study is.
pub fn state(saved: &Saved) -> String {
    let facts = format!("{} of {}", saved.validated, words::count(saved.n, "fact"));
    let edits = (saved.edits > 0).then(|| format!(", {}", words::count(saved.edits, "edit")));
    let end = if saved.finished { ", finished" } else { ", not finished" };
    format!("{facts}{}{end}", edits.unwrap_or_default())
}

/// On which facts it is, and when it was last written.
pub fn origin(saved: &Saved, now_ms: f64) -> String {
    format!("{}, {}", words::visible(&saved.facts), ago(saved.changed_ms, now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::record::ModelInfo;

    fn saved() -> Saved {
        Saved {
            key: "abc".into(),
            model: ModelRef::Bundled { name: "engram-llama".into() },
            info: ModelInfo { name: "engram-llama".into(), ..ModelInfo::default() },
            facts: "bundled".into(),
            validated: 31,
            n: 50,
            edits: 0,
            finished: false,
            running: false,
            changed_ms: 0.0,
        }
    }

    #[test]
    fn a_note_survives_and_nonsense_does_not() {
        let note = Note::from(&saved());
        assert_eq!(note.words(), "A study of engram-llama stopped at 31 of 50 facts.");
        assert_eq!(note.written().as_deref().and_then(Note::read), Some(note.clone()));
        for wrong in ["", "1", "{}", "<script>"] {
            assert_eq!(Note::read(wrong), None);
        }
        let long = Note { name: "x".repeat(600), ..note };
        assert_eq!(long.written().as_deref().and_then(Note::read), None);
    }

    #[test]
    fn kept_studies_are_told() {
        let mut saved = saved();
        assert_eq!(state(&saved), "31 of 50 facts, not finished");
        assert_eq!(origin(&saved, 7_300_000.0), "bundled, 2 hours ago");
        (saved.validated, saved.edits) = (50, 3);
        assert!(Note::from(&saved).words().contains("stopped after its 50 facts"));
        saved.finished = true;
        assert_eq!(state(&saved), "50 of 50 facts, 3 edits, finished");
    }
}
