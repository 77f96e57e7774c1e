//! One edit as it is shown: in force, undone, or stored. What was measured, on what, and what is left of it.

use super::edit::{self, Case, Check, Finding, Group};
use super::edits;
use super::history::{Fate, Past};
use super::loss::LossCurve;
use super::question::Asked;
use crate::words;
use engram_core::metrics::shown_edits;
use engram_core::protocol::{EditCommand, Edited};
use engram_core::record::{EditMethod, EditRecord, EditSettings, Record, Settings};

/// An edit with everything that is said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The prompt.
    pub prompt: String,
    /// The true answer and the new one.
    pub answers: [String; 2],
    /// What the model says before and after.
    pub says: [Says; 2],
    /// What the edit did.
    pub finding: Finding,
    /// Its five checks.
    pub checks: [Check; 5],
    /// Before and after, prompt by prompt.
    pub price: Vec<Group>,
    /// The paper's success in a sentence.
    pub paper: String,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// The search for v*.
    pub curve: LossCurve,
    /// The edited layer.
    pub layer: usize,
    /// The edit itself: names and values.
    pub facts: Vec<(&'static str, String)>,
    /// The prompt as it was written, and both continuations, where they were asked for.
    pub said: Option<(String, [String; 2])>,
}

/// A word that the model says, with its probability where the edit has measured it.
#[derive(Debug, Clone, PartialEq)]
pub struct Says {
    /// The word.
    pub word: String,
    /// Its probability.
    pub p: Option<f64>,
    /// Which of both answers it is.
    pub answer: Option<bool>,
}

/// An edit that was made here.
pub fn live(past: &Past) -> Shown {
    let Past { edited, ask, fate, .. } = past;
    let mut record = edited.record.clone();
    // Whether the weights come back bit for bit is known when it is undone.
    record.restored = true;
    let answers = [&edited.target, &edited.target_new].map(|text| words::visible(text.trim()));
    let case = Case {
        record: &record,
        prompt: &edited.prompt,
        subject: &edited.subject,
        unrelated: &edited.unrelated,
        says: edit::said(&edited.said, &answers),
        answers,
    };
    let tensor = words::visible(edited.tensor.trim_end_matches(".weight"));
    let layer = format!("{} ({tensor}, 0-based)", record.layer);
    let undone = match fate {
        Fate::InForce => "not undone yet",
        Fate::Undone { restored: true } => "bit for bit the same ✓",
        Fate::Undone { restored: false } => "✕ not the same: load the model again",
        Fate::Ended => "the model is no longer loaded",
    };
    let size = (Some(edited.relative_norm), Some(edited.seconds));
    let said = Some((edited.prompt.clone(), edited.said.clone()));
    let facts = facts(&record, layer, &ask.method, size, undone);
    Shown { said, facts, ..shown(&case, EditSettings::default().min_p_false) }
}

/// The stored edit of the fact with this prompt and subject; `None` where there is none with these answers.
pub fn stored(record: &Record, prompt: &str, subject: &str, new: &str) -> Option<Shown> {
    let fact = record.facts.iter().find(|fact| fact.prompt == prompt && fact.subject == subject)?;
    let edit = shown_edits(record).into_iter().find(|edit| edit.fact == fact.order)?;
    if !new.trim().is_empty() && new.trim() != fact.target_new.trim() {
        return None;
    }
    let answers = [&fact.target_true, &fact.target_new].map(|text| words::visible(text.trim()));
    let unrelated = edit::unrelated_of(record, edit);
    let says = edit.answers.as_ref().and_then(|found| {
        let [before, after] = edit::given(found, &answers);
        Some([before?, after?])
    });
    let case = Case { record: edit, prompt, subject, unrelated: &unrelated, says, answers };
    let settings = &record.settings.edit;
    let method = settings.methods.get(edit.method).copied().unwrap_or_default();
    let undone = if edit.restored { "bit for bit the same ✓" } else { "✕ not the same" };
    let size = (edit.relative_norm, None);
    let facts = facts(edit, edit.layer.to_string(), &method, size, undone);
    Some(Shown { facts, ..shown(&case, settings.min_p_false) })
}

/// What is said of a case. `least` is the probability that the new answer must have had for the edit to count.
fn shown(case: &Case, least: f32) -> Shown {
    let Case { record, answers, says, .. } = case;
    let [old, new] = answers.each_ref().map(String::as_str);
    let told = edits::told(record, String::new(), Some([old, new]), least);
    let of_word = |word: &str, after: bool| {
        let p = match after {
            false => [record.p_true, record.p_false],
            true => [record.p_true_after, record.p_false_after],
        };
        let answer = answers.iter().position(|answer| answer == word);
        Says { word: word.to_owned(), p: answer.map(|at| p[at].into()), answer: answer.map(|at| at == 1) }
    };
    let [before, after] = match says {
        Some([before, after]) => [before.as_str(), after.as_str()],
        // Nobody asked: the likelier one of both answers.
        None => [(record.p_true, record.p_false), (record.p_true_after, record.p_false_after)]
            .map(|(p_old, p_new)| if p_new > p_old { new } else { old }),
    };
    Shown {
        prompt: words::visible(case.prompt),
        says: [of_word(before, false), of_word(after, true)],
        finding: Finding::of(case),
        checks: edit::checks(case),
        price: edit::price(case),
        paper: told.paper,
        notes: told.notes,
        curve: LossCurve::whole(&record.loss, record.search.is_some()),
        layer: record.layer,
        facts: Vec::new(),
        said: None,
        answers: answers.clone(),
    }
}

/// The same edit as a request, with the layer that it took and the name of its model.
pub fn stored_ask(record: &Record, asked: &Asked) -> Option<(EditCommand, usize, String)> {
    let prompt = asked.filled();
    let fact = record.facts.iter().find(|fact| fact.prompt == prompt && fact.subject == asked.subject)?;
    let edit = shown_edits(record).into_iter().find(|edit| edit.fact == fact.order)?;
    let Settings { edit: settings, seed, .. } = &record.settings;
    let ask = EditCommand {
        prompt: asked.prompt.clone(),
        subject: fact.subject.clone(),
        target: fact.target_true.trim().into(),
        target_new: fact.target_new.trim().into(),
        layer: settings.layers.only(),
        method: settings.methods.get(edit.method).copied().unwrap_or_default(),
        seed: *seed,
    };
    Some((ask, edit.layer, record.model.name.clone()))
}

/// The edit itself. `size` is the norm of the change over that of the matrix, and the seconds that it took.
fn facts(
    edit: &EditRecord,
    layer: String,
    method: &EditMethod,
    (norm, seconds): (Option<f32>, Option<f64>),
    undone: &str,
) -> Vec<(&'static str, String)> {
    // SPSA has a value before the first step, too.
    let steps = if edit.search.is_some() { edit.loss.len() } else { edit.loss.len().saturating_sub(1) };
    let steps = (steps > 0).then(|| format!(", {}", words::count(steps, "step")));
    let norm = norm.map(|norm| format!("{} % of its norm", words::fixed(f64::from(norm) * 100.0, 1)));
    let all = [
        ("Layer", Some(layer)),
        ("Method", Some(format!("{}{}", method.title(), steps.unwrap_or_default()))),
        ("‖Δv‖ / ‖v‖", Some(words::fixed(edit.relative_change.into(), 2))),
        ("Change of the matrix", norm),
        ("Residual", Some(format!("{:.1e}", edit.residual))),
        ("Seed", Some(edit.seed.to_string())),
        ("Time", seconds.map(|seconds| format!("{seconds:.1} s"))),
        ("Weights after undo", Some(undone.to_owned())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
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

/// What an undo did to the weights, in words.
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

    fn past(fate: Fate) -> Past {
        let ask = crate::wish::EditWish::default().ask("The capital of {} is", "France", "Paris", "Rome");
        let model = engram_core::protocol::ModelRef::Bundled { name: "engram-llama".into() };
        Past { edited: sample_edit(), ask, model, fate }
    }

    #[test]
    fn an_edit_in_force_is_told() {
        let shown = live(&past(Fate::InForce));
        assert_eq!((shown.finding.badge.as_str(), shown.answers[1].as_str()), ("– Unchecked", "Rome"));
        assert!(!shown.notes.iter().any(|note| note.contains("restored")), "it was not undone yet");
        let fact = |name: &str| shown.facts.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
        assert_eq!(fact("Layer"), Some("2 (model.layers.1.mlp.down_proj, 0-based)"));
        assert_eq!(fact("Change of the matrix"), Some("1.2 % of its norm"));
        assert_eq!(fact("Residual"), Some("1.0e-6"));
        assert_eq!((fact("Method"), fact("Time")), (Some("R-ROME, 2 steps"), Some("2.3 s")));
        assert_eq!(fact("Weights after undo"), Some("not undone yet"));
        assert_eq!((shown.price.len(), shown.curve.of), (3, 2));
        let words = shown.says.map(|says| (says.word, says.p.map(words::percent_of), says.answer));
        assert_eq!(words[0], ("Paris".into(), Some("90.0 %".into()), Some(false)));
        assert_eq!(words[1], ("Rome".into(), Some("50.0 %".into()), Some(true)));
        assert_eq!(line(&sample_edit()), "The capital of France is Paris → Rome, layer 2");
        let undone = live(&past(Fate::Undone { restored: true }));
        assert!(undone.facts.contains(&("Weights after undo", "bit for bit the same ✓".into())));
    }

    #[test]
    fn another_word_has_no_probability_of_the_edit() {
        let mut past = past(Fate::InForce);
        past.edited.said[1] = " Lyon, which".into();
        let shown = live(&past);
        assert_eq!(shown.says[1], Says { word: "Lyon".into(), p: None, answer: None });
    }

    #[test]
    fn a_stored_edit_is_found_by_its_question() {
        let record = sample::record();
        let found = |new| stored(&record, "The capital of France is", "France", new);
        assert!(found("").is_some_and(|shown| shown.said.is_none() && shown.facts.len() == 6 && shown.layer == 2));
        assert!(found("").is_some_and(|shown| shown.says[1].word == "Rome"), "the likelier one");
        assert!(found("Oslo").is_none());
        let asked = Asked { prompt: "The capital of {} is".into(), subject: "France".into(), ..Asked::default() };
        let found_ask = stored_ask(&record, &asked);
        let (ask, layer, model) = found_ask.unwrap_or_else(|| panic!("the sample has an edit"));
        assert_eq!((ask.target.as_str(), ask.method, layer), ("Paris", record.settings.edit.method(), 2));
        assert_eq!(model, record.model.name);
        assert!(stored(&record, "The capital of Peru is", "Peru", "").is_none());
    }

    #[test]
    fn an_undo_is_told() {
        assert!(undone(0, true).starts_with("No edit is in force. The weights are bit for bit"));
        assert!(undone(1, true).starts_with("1 edit is still in force. Without it"));
        assert!(undone(2, true).starts_with("2 edits are still in force. Without them"));
        assert!(undone(0, false).contains("Load the model again"));
    }
}
