//! What was edited in this tab, and what became of it: edits that were undone stay readable.

use super::edited;
use crate::words;
use engram_core::metrics::judge;
use engram_core::protocol::{EditCommand, Edited, ModelRef};

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is in the weights.
    InForce,
    /// It was undone; the weights were compared with the loaded ones.
    Undone {
        /// They are bit for bit the same, but for edits that are still in force.
        restored: bool,
    },
    /// Its model was unloaded, or the engine lost.
    Ended,
}

/// An edit that was made here.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The edit.
    pub edited: Edited,
    /// What was asked for.
    pub ask: EditCommand,
    /// Of which model.
    pub model: ModelRef,
    /// What became of it.
    pub fate: Fate,
}

/// All edits of this tab, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History(Vec<Past>);

impl History {
    /// An edit was made: its place.
    pub fn made(&mut self, edited: Edited, ask: EditCommand, model: ModelRef) -> usize {
        self.0.push(Past { edited, ask, model, fate: Fate::InForce });
        self.0.len() - 1
    }

    /// Edits were undone; those of these numbers are left.
    pub fn undone(&mut self, left: &[u32], restored: bool) {
        let gone = |past: &&mut Past| past.fate == Fate::InForce && !left.contains(&past.edited.edit);
        self.0.iter_mut().filter(gone).for_each(|past| past.fate = Fate::Undone { restored });
    }

    /// The model is gone, and its edits with it.
    pub fn ended(&mut self) {
        self.0.iter_mut().filter(|past| past.fate == Fate::InForce).for_each(|past| past.fate = Fate::Ended);
    }

    /// The edits in force, or those that no longer are, with their places.
    pub fn list(&self, in_force: bool) -> impl Iterator<Item = (usize, &Past)> {
        self.0.iter().enumerate().filter(move |(_, past)| (past.fate == Fate::InForce) == in_force)
    }

    /// The edit at a place.
    pub fn get(&self, place: usize) -> Option<&Past> {
        self.0.get(place)
    }
}

impl Past {
    /// What was edited.
    pub fn what(&self) -> String {
        format!("{}, {}", edited::line(&self.edited), words::visible(self.model.name()))
    }

    /// What it did, and what became of it.
    pub fn words(&self) -> String {
        let verdict = words::sentence(judge(&self.edited.record).verdict.name());
        format!("{verdict} {}", self.fate.words())
    }
}

impl Fate {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::InForce => "In force in this tab.",
            Self::Undone { restored: true } => {
                "Undone: it is no longer in the weights, which were compared bit for bit."
            }
            Self::Undone { restored: false } => {
                "Undone, but the weights are not bit for bit the loaded ones: load the model again."
            }
            Self::Ended => "No longer in force: its model is no longer loaded.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::edited::sample_edit;
    use super::*;
    use crate::wish::EditWish;

    #[test]
    fn what_was_edited_and_undone_stays_readable() {
        let mut history = History::default();
        let edit = |number| Edited { edit: number, ..sample_edit() };
        let ask = || EditWish::default().ask("The capital of {} is", "France", "Paris", "Rome");
        let model = |name: &str| ModelRef::Bundled { name: name.into() };
        assert_eq!(history.made(edit(1), ask(), model("engram-llama")), 0);
        assert_eq!(history.made(edit(2), ask(), model("engram-llama")), 1);
        assert_eq!((history.list(true).count(), history.list(false).count()), (2, 0));
        history.undone(&[2], true);
        let past: Vec<(usize, &Past)> = history.list(false).collect();
        assert_eq!((past.len(), past[0].0), (1, 0));
        assert_eq!(past[0].1.what(), "The capital of France is Paris → Rome, layer 2, engram-llama");
        assert!(past[0].1.words().starts_with("Rewritten, not all checked. Undone: it is no longer"), "{past:?}");
        history.ended();
        // The next model counts from 1 again, and its edits have a fate of their own.
        history.made(edit(1), ask(), model("engram-phi"));
        history.undone(&[], false);
        let fates: Vec<Fate> = history.list(false).map(|(_, past)| past.fate).collect();
        assert_eq!(fates, [Fate::Undone { restored: true }, Fate::Ended, Fate::Undone { restored: false }]);
        assert_eq!(history.get(1).map(|past| past.fate), Some(Fate::Ended));
    }
}
