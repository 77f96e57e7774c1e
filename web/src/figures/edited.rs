//! One edit as it is shown: in force, or stored. What was measured, on what, and what is left of it.

use super::edits::{self, Edit};
use super::loss::LossCurve;
use super::question::Asked;
use super::shifts::{self, Group};
use crate::words;
use engram_core::names;
use engram_core::protocol::{EditCommand, Edited};
use engram_core::record::{EditRecord, EditSettings, Record, Settings};

/// An edit with everything that is said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its judgement.
    pub edit: Edit,
    /// The old and the new answer.
    pub answers: [String; 2],
    /// Before and after, kind by kind.
    pub groups: Vec<Group>,
    /// The search for v*.
    pub curve: LossCurve,
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// The prompt as it was written, and both continuations, where they were asked for.
    pub said: Option<(String, [String; 2])>,
}

/// An edit that was made here.
pub fn live(edited: &Edited) -> Shown {
    let mut record = edited.record.clone();
    // It is in force; whether the weights come back bit for bit is known when it is taken back.
    record.restored = true;
    let answers = [edited.target.as_str(), edited.target_new.as_str()];
    let mut facts = vec![
        ("edited tensor", words::visible(&names::tensor(&edited.tensor).to_string().replace('`', ""))),
        ("size of the change", format!("{} of the tensor's norm", percent(edited.relative_norm.into()))),
    ];
    facts.extend(numbers(&record));
    facts.push(("time", format!("{:.1} s", edited.seconds)));
    Shown {
        answers: answers.map(|text| words::visible(text.trim())),
        edit: edits::told(&record, words::visible(&edited.prompt), Some(answers), EditSettings::default().min_p_false),
        groups: shifts::groups(&record, answers, &edited.unrelated),
        curve: LossCurve::whole(&record.loss, record.search.is_some()),
        facts,
        said: Some((edited.prompt.clone(), edited.said.clone())),
    }
}

/// The stored edit of the fact with this prompt and subject; `None` where there is none with these answers.
pub fn stored(record: &Record, prompt: &str, subject: &str, new: &str) -> Option<Shown> {
    let fact = record.facts.iter().find(|fact| fact.prompt == prompt && fact.subject == subject)?;
    let edit = record.edits.iter().flatten().find(|edit| edit.fact == fact.order)?;
    if !new.trim().is_empty() && new.trim() != fact.target_new.trim() {
        return None;
    }
    let answers = [fact.target_true.as_str(), fact.target_new.as_str()];
    Some(Shown {
        answers: answers.map(|text| words::visible(text.trim())),
        edit: edits::told(edit, words::visible(prompt), Some(answers), record.settings.edit.min_p_false),
        groups: shifts::groups(edit, answers, &shifts::unrelated(record, edit)),
        curve: LossCurve::whole(&edit.loss, edit.search.is_some()),
        facts: numbers(edit),
        said: None,
    })
}

/// The same edit as a request, with the layer that it took and the name of its model.
pub fn stored_ask(record: &Record, asked: &Asked) -> Option<(EditCommand, usize, String)> {
    let prompt = asked.filled();
    let fact = record.facts.iter().find(|fact| fact.prompt == prompt && fact.subject == asked.subject)?;
    let edit = record.edits.iter().flatten().find(|edit| edit.fact == fact.order)?;
    let Settings { edit: settings, seed, .. } = &record.settings;
    let ask = EditCommand {
        prompt: asked.prompt.clone(),
        subject: fact.subject.clone(),
        target: fact.target_true.trim().into(),
        target_new: fact.target_new.trim().into(),
        layer: settings.layer,
        method: settings.methods.get(edit.method).copied().unwrap_or_default(),
        seed: *seed,
    };
    Some((ask, edit.layer, record.model.name.clone()))
}

fn numbers(edit: &EditRecord) -> Vec<(&'static str, String)> {
    vec![
        ("layer", edit.layer.to_string()),
        ("MLP output moved by", format!("{} of its length", percent(edit.relative_change.into()))),
        ("residual", format!("{:.1e}: how far the edited tensor misses the value that was searched", edit.residual)),
        ("seed", edit.seed.to_string()),
    ]
}

fn percent(share: f64) -> String {
    let decimals = if share < 0.1 { 2 } else { 0 };
    format!("{} %", words::fixed(share * 100.0, decimals))
}

/// One line of the list of edits in force.
pub fn line(edited: &Edited) -> String {
    let text = |text: &str| words::visible(text.trim());
    format!(
        "{} {} → {}, layer {}",
        words::visible(&edited.prompt),
        text(&edited.target),
        text(&edited.target_new),
        edited.record.layer
    )
}

/// What taking edits back did to the weights, in words.
pub fn undone(left: usize, restored: bool) -> String {
    match (left, restored) {
        (0, true) => "No edit is in force. The weights are bit for bit the loaded ones.".into(),
        (left, true) => {
            let are = if left == 1 { "is" } else { "are" };
            let them = if left == 1 { "it" } else { "them" };
            let count = words::count(left, "edit");
            format!("{count} {are} still in force. Without {them} the weights are bit for bit the loaded ones.")
        }
        (_, false) => "The weights are not bit for bit the loaded ones. Load the model again before you go on.".into(),
    }
}

/// An edit for tests, of the sample's fact.
#[cfg(test)]
pub(crate) fn sample_edit() -> Edited {
    let record = super::sample::record().edits.and_then(|edits| edits.into_iter().next()).unwrap_or_default();
    Edited {
        edit: 1,
        tensor: "model.layers.1.mlp.down_proj.weight".into(),
        prompt: "The capital of France is".into(),
        subject: "France".into(),
        target: "Paris".into(),
        target_new: " Rome".into(),
        record: EditRecord { restored: false, ..record },
        unrelated: vec![("The capital of Peru is".into(), "Lima".into())],
        said: [" Paris".into(), " Rome".into()],
        relative_norm: 0.0123,
        seconds: 2.34,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn an_edit_in_force_is_told() {
        let shown = live(&sample_edit());
        assert_eq!((shown.edit.level, shown.answers[1].as_str()), ("L1", "Rome"));
        assert!(!shown.edit.notes.iter().any(|note| note.contains("restored")), "it was not taken back yet");
        assert_eq!(shown.facts[0].1, "model.layers.1.mlp.down_proj.weight (layer 2 = model.layers.1)");
        assert_eq!(shown.facts[1].1, "1.23 % of the tensor's norm");
        assert!(shown.facts.iter().any(|(name, value)| *name == "residual" && value.starts_with("1.0e-6")));
        assert_eq!((shown.groups.len(), shown.curve.of), (3, 2));
        assert_eq!(line(&sample_edit()), "The capital of France is Paris → Rome, layer 2");
    }

    #[test]
    fn a_stored_edit_is_found_by_its_question() {
        let record = sample::record();
        let found = |new| stored(&record, "The capital of France is", "France", new);
        assert!(found("").is_some_and(|shown| shown.said.is_none() && shown.facts.len() == 4));
        assert!(found("Oslo").is_none());
        let asked = Asked { prompt: "The capital of {} is".into(), subject: "France".into(), ..Asked::default() };
        let found_ask = stored_ask(&record, &asked);
        let (ask, layer, model) = found_ask.unwrap_or_else(|| panic!("the sample has an edit"));
        assert_eq!((ask.target.as_str(), ask.method, layer), ("Paris", record.settings.edit.method(), 2));
        assert_eq!(model, record.model.name);
        assert!(stored(&record, "The capital of Peru is", "Peru", "").is_none());
    }

    #[test]
    fn taking_back_is_told() {
        assert!(undone(0, true).starts_with("No edit is in force. The weights are bit for bit"));
        assert!(undone(1, true).starts_with("1 edit is still in force. Without it"));
        assert!(undone(2, true).starts_with("2 edits are still in force. Without them"));
        assert!(undone(0, false).contains("Load the model again"));
    }
}
