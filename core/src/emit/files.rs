//! Where transformers finds a model, as owned texts, and what a reader should know of it.

use super::Source;
use crate::names::HubId;
use crate::record::Precision;

/// Said of models that are on no hub.
const BUNDLED: &str = "In a copy of Engram's repository, which has the bundled models as folders.";

/// Said of weights with a head that their config.json does not announce.
const OWN_HEAD: &str = "transformers ties the head to the embedding, as config.json says, and leaves the weights' own head out: its numbers differ.";

/// Said of numbers that were computed in f16.
const HALF: &str = "Engram held the matrices in f16, and this script holds them in f32.";

/// Said of a model that was opened from files of which only a name is known.
const NAMED: &str = "Write the model's folder here.";

/// What [`Source`] borrows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Files {
    /// `model_type` of its config.json.
    pub model_type: String,
    /// A hub id or a folder.
    pub name: String,
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// A GGUF file in there.
    pub gguf: Option<String>,
    notes: Vec<&'static str>,
}

impl Files {
    /// A folder of a model.
    pub fn folder(model_type: &str, name: impl Into<String>) -> Self {
        Self { model_type: model_type.to_owned(), name: name.into(), ..Self::default() }
    }

    /// A GGUF file in a folder.
    pub fn gguf(model_type: &str, folder: impl Into<String>, file: Option<String>) -> Self {
        Self { gguf: file, ..Self::folder(model_type, folder) }
    }

    /// A model of the hub: `owner/name`, with a revision and a GGUF file where the id has them.
    pub fn hub(model_type: &str, id: &str) -> Self {
        match HubId::parse(id) {
            Some(id) => Self {
                revision: id.revision.map(str::to_owned),
                ..Self::gguf(model_type, id.name, id.file.map(str::to_owned))
            },
            None => Self::folder(model_type, id),
        }
    }

    /// A bundled model.
    pub fn bundled(model_type: &str, name: &str) -> Self {
        Self { notes: vec![BUNDLED], ..Self::folder(model_type, format!("core/bundled/models/{name}")) }
    }

    /// Files of which only a name for people is known.
    pub fn named(model_type: &str, name: &str) -> Self {
        Self { notes: vec![NAMED], ..Self::folder(model_type, name) }
    }

    /// Says where transformers computes something else: a head of the weights' own that the config ties, matrices in f16.
    #[must_use]
    pub fn noting(mut self, own_head: bool, precision: Precision) -> Self {
        self.notes.extend(own_head.then_some(OWN_HEAD));
        self.notes.extend((precision == Precision::F16).then_some(HALF));
        self
    }

    /// The notes as one.
    pub fn note(&self) -> Option<String> {
        (!self.notes.is_empty()).then(|| self.notes.join(" "))
    }

    /// As a script names it; the note is [`Files::note`]'s.
    pub fn source<'a>(&'a self, note: Option<&'a str>) -> Source<'a> {
        let Self { model_type, name, revision, gguf, .. } = self;
        Source { model_type, name, revision: revision.as_deref(), gguf: gguf.as_deref(), note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_named_as_transformers_finds_it() {
        let hub = Files::hub("llama", "a/b@v1:c.gguf");
        assert_eq!(
            (hub.name.as_str(), hub.revision.as_deref(), hub.gguf.as_deref()),
            ("a/b", Some("v1"), Some("c.gguf"))
        );
        assert_eq!(hub.note(), None);
        let half = Files::bundled("phi", "engram-phi").noting(true, Precision::F16);
        let note = half.note().expect("notes");
        assert!([BUNDLED, OWN_HEAD, HALF].iter().all(|part| note.contains(part)), "{note}");
        assert_eq!(half.source(Some(&note)).name, "core/bundled/models/engram-phi");
    }
}
