//! Studies in a queue, as the page's own storage keeps them over a reload, and the form that they came from.

use super::asking::Form;
use crate::words;
use engram_core::protocol::ModelRef;
use engram_core::record::Settings;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Longest text that is taken from the storage, which other pages of the same server may write to.
const LONGEST: usize = 100_000;
/// Most studies of a queue.
const MOST: usize = 100;

/// A study that is not finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queued {
    /// Its model.
    pub model: ModelRef,
    /// Its settings; those of its journal count when it has a key.
    pub settings: Settings,
    /// Name of its facts file; the bundled facts when there is none.
    pub facts: Option<String>,
    /// Its key, once it was begun.
    pub key: Option<String>,
}

/// What the form held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filled {
    /// The settings.
    pub form: Form,
    /// The models.
    pub models: Vec<ModelRef>,
    /// Name of the facts file; the bundled facts when there is none.
    pub facts: Option<String>,
}

/// Something as text for the storage.
pub fn written(kept: &impl Serialize) -> Option<String> {
    serde_json::to_string(kept).ok()
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    (text.len() <= LONGEST).then(|| serde_json::from_str(text).ok()).flatten()
}

/// What becomes of edits in force when these studies begin. A study is of the model as it was loaded; another model that is loaded
/// first ends them.
pub fn edits_beside(edits: usize, models: &[ModelRef], loaded: Option<&ModelRef>) -> Option<String> {
    let (loaded, first) = (loaded?, models.first()?);
    let (count, are, them) = match edits {
        0 => return None,
        1 => ("An edit".to_owned(), "is", "it"),
        edits => (format!("{edits} edits"), "are", "them"),
    };
    let name = words::visible(loaded.name());
    Some(match first == loaded {
        true => {
            format!("{count} of {name} {are} in force. The study is of the model as it was loaded, without {them}.")
        }
        false => format!("{count} of {name} {are} in force. The study loads another model, which ends {them}."),
    })
}

/// Reads a queue; `None` of anything else, and of an empty one.
pub fn read_queue(text: &str) -> Option<Vec<Queued>> {
    read::<Vec<Queued>>(text).filter(|queue| (1..=MOST).contains(&queue.len()))
}

/// Reads what the form held. Models that came from files are left out: a page may not open them by itself.
pub fn read_form(text: &str) -> Option<Filled> {
    let filled = read::<Filled>(text)?;
    let models = filled.models.iter().filter(|model| !matches!(model, ModelRef::Files { .. }));
    let models = models.take(MOST).cloned().collect();
    Some(Filled { models, ..filled })
}

/// What is offered after a reload. One study that was begun needs no queue: the note about it says more.
pub fn offer(queue: &[Queued]) -> Option<String> {
    let name = |one: &Queued| words::visible(one.model.name());
    let (begun, waits): (Vec<&Queued>, Vec<&Queued>) = queue.iter().partition(|one| one.key.is_some());
    if waits.is_empty() && begun.len() < 2 {
        return None;
    }
    let names = |all: &[&Queued]| all.iter().map(|one| name(one)).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !begun.is_empty() {
        parts.push(format!("{} stopped", names(&begun)));
    }
    if !waits.is_empty() {
        parts.push(format!("{} not begun", names(&waits)));
    }
    Some(format!("{} left in the queue: {}.", words::count(queue.len(), "study"), parts.join("; ")))
}

/// The facts file that must be chosen again before the queue can go on; `chosen` is the one that is open.
pub fn missing<'a>(queue: &'a [Queued], chosen: Option<&str>) -> Option<&'a str> {
    let needs = queue.iter().filter(|one| one.key.is_none()).filter_map(|one| one.facts.as_deref());
    needs.into_iter().find(|name| chosen != Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queued(name: &str, key: Option<&str>, facts: Option<&str>) -> Queued {
        Queued {
            model: ModelRef::Bundled { name: name.into() },
            settings: Form::default().settings().unwrap(),
            facts: facts.map(str::to_owned),
            key: key.map(str::to_owned),
        }
    }

    #[test]
    fn edits_are_told_of_before_a_study() {
        let [one, other] = ["engram-relay", "engram-llama"].map(|name| ModelRef::Bundled { name: name.into() });
        let said = |edits, models: &[ModelRef]| edits_beside(edits, models, Some(&one));
        assert_eq!(said(0, std::slice::from_ref(&one)), None);
        let without = said(1, &[one.clone(), other.clone()]);
        assert!(without.as_ref().is_some_and(|said| said.ends_with("without it.")), "{without:?}");
        let ends = said(2, &[other.clone(), one.clone()]);
        assert!(
            ends.as_ref().is_some_and(|said| said.starts_with("2 edits of") && said.ends_with("ends them.")),
            "{ends:?}"
        );
        assert_eq!(edits_beside(1, &[other], None), None);
    }

    #[test]
    fn a_queue_survives_and_nonsense_does_not() {
        let queue = vec![queued("engram-llama", Some("k"), None), queued("engram-phi", None, Some("mine.csv"))];
        assert_eq!(written(&queue).as_deref().and_then(read_queue), Some(queue.clone()));
        for wrong in ["", "1", "[]", "{}", "[{}]"] {
            assert_eq!(read_queue(wrong), None, "{wrong}");
        }
        assert_eq!(read_queue(&" ".repeat(LONGEST + 1)), None);
        let many = vec![queued("a", None, None); MOST + 1];
        assert_eq!(written(&many).as_deref().and_then(read_queue), None);
    }

    #[test]
    fn what_was_filled_in_survives() {
        let form = Form { n: "12".into(), noise: true, positions: vec![], ..Form::default() };
        let models = vec![ModelRef::Bundled { name: "engram-phi".into() }];
        let filled = Filled { form, models: models.clone(), facts: Some("mine.csv".into()) };
        assert_eq!(written(&filled).as_deref().and_then(read_form), Some(filled.clone()));
        let from_disk = ModelRef::Files { name: "my.gguf".into() };
        let with = Filled { models: vec![from_disk, models[0].clone()], ..filled };
        assert_eq!(written(&with).as_deref().and_then(read_form).map(|read| read.models), Some(models));
        // A form of another version of the page keeps what it knows.
        let old = r#"{"form":{"n":"7","gone":1},"models":[],"facts":null}"#;
        assert_eq!(read_form(old).map(|read| (read.form.n, read.form.maps)), Some(("7".into(), "3".into())));
    }

    #[test]
    fn what_is_left_is_told() {
        assert_eq!(offer(&[queued("engram-llama", Some("k"), None)]), None);
        let both = [queued("engram-llama", Some("k"), None), queued("engram-phi", None, Some("mine.csv"))];
        let said = offer(&both).unwrap_or_default();
        assert_eq!(said, "2 studies left in the queue: engram-llama stopped; engram-phi not begun.");
        assert_eq!(offer(&both[1..]).as_deref(), Some("1 study left in the queue: engram-phi not begun."));
        assert_eq!(missing(&both, None), Some("mine.csv"));
        assert_eq!(missing(&both, Some("other.csv")), Some("mine.csv"));
        assert_eq!(missing(&both, Some("mine.csv")), None);
        assert_eq!(missing(&both[..1], None), None, "a journal has its facts");
    }
}
