//! Edits of Stage 3: both answers before and after, and how far each edit got.

use super::prediction::is_swept;
use crate::words;
use engram_core::metrics::{EditOutcome, Mark, Verdict, edit_outcome, lines, shown_edits};
use engram_core::record::{EditRecord, Record, Shift};

/// One edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// `order` of the fact.
    pub fact: usize,
    /// Prompt, or its number where the record lacks the fact.
    pub prompt: String,
    /// Layer, steps and how far the output was moved.
    pub how: String,
    /// Both answers on the prompt itself, then means over paraphrases and neighbours.
    pub pairs: Vec<Pair>,
    /// All measures together, in a word.
    pub verdict: &'static str,
    /// The class of its badge.
    pub badge: &'static str,
    /// The verdict as a sentence.
    pub judgement: String,
    /// What was watched: whether it holds, `None` where it was not measured, and in words.
    pub checks: Vec<(Option<bool>, String)>,
    /// The paper's level, `L1` and so on, or why there is none.
    pub level: &'static str,
    /// The paper's success in a sentence.
    pub paper: String,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

/// A probability before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Whose.
    pub label: String,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
    /// It belongs to the new answer, which should rise.
    pub wanted: bool,
}

impl Pair {
    /// The pair in words.
    pub fn words(&self) -> String {
        let [before, after] = [self.before, self.after].map(words::probability);
        format!("{}: {before} before, {after} after", self.label)
    }
}

/// The class of a mark's badge.
pub fn badge(mark: Mark) -> &'static str {
    match mark {
        Mark::Good => "badge good",
        Mark::Neutral => "badge",
        Mark::Harm => "badge harm",
    }
}

/// The paper's level and its success in a sentence; `least` is the probability that the new answer must have had.
fn paper(outcome: &EditOutcome, least: f32) -> (&'static str, String) {
    match outcome.level() {
        _ if !outcome.editable => (
            "not counted",
            format!("Not counted by the paper: the new answer was too improbable to begin with (p not above {least})."),
        ),
        Some(level) => (level.name(), format!("A success by the paper's {}: {}.", level.name(), words::level(level))),
        None => ("none", "No success as the paper counts: no level is reached.".into()),
    }
}

/// The edits of a record that are shown; `None` when Stage 3 was not run.
pub fn all(record: &Record) -> Option<Vec<Edit>> {
    record.edits.as_ref()?;
    Some(shown_edits(record).into_iter().map(|edit| one(record, edit)).collect())
}

/// Which edits are shown, where facts are edited at several layers.
pub fn which(record: &Record) -> Option<&'static str> {
    is_swept(record)
        .then_some("Facts were edited at several layers; shown are the edits at each fact's dominant layer.")
}

/// How many edits ended how.
pub fn tally(edits: &[Edit]) -> String {
    let count = |verdict: &Verdict| edits.iter().filter(|edit| edit.verdict == verdict.name()).count();
    let ended = Verdict::ALL.iter().map(|verdict| (count(verdict), verdict.name())).filter(|(count, _)| *count > 0);
    let ended: Vec<String> = ended.map(|(count, name)| format!("{count} {name}")).collect();
    format!("{}, all measures together: {}.", words::count(edits.len(), "edit"), ended.join("; "))
}

/// The highest probability that any of these edits shows.
pub fn highest(edits: &[Edit]) -> f64 {
    let pairs = edits.iter().flat_map(|edit| &edit.pairs);
    pairs.flat_map(|pair| [pair.before, pair.after]).fold(0.0, f64::max)
}

fn one(record: &Record, edit: &EditRecord) -> Edit {
    let fact = record.facts.iter().find(|fact| fact.order == edit.fact);
    let prompt = fact.map_or_else(|| format!("fact {}", edit.fact), |fact| words::visible(&fact.prompt));
    let answers = fact.map(|fact| [fact.target_true.as_str(), fact.target_new.as_str()]);
    told(edit, prompt, answers, record.settings.edit.min_p_false)
}

/// An edit with its fact's prompt and its old and new answer, where they are known. `least` is the probability that the
/// new answer must have had for the edit to count.
pub fn told(edit: &EditRecord, prompt: String, answers: Option<[&str; 2]>, least: f32) -> Edit {
    let answer =
        |text: Option<&str>, other: &str| text.map_or(other.to_owned(), |text| format!("“{}”", words::visible(text)));
    let old = answer(answers.map(|both| both[0]), "the old answer");
    let new = answer(answers.map(|both| both[1]), "the new answer");
    let pair = |label: String, before: f32, after: f32, wanted| Pair {
        label,
        before: before.into(),
        after: after.into(),
        wanted,
    };
    let mut pairs = vec![
        pair(format!("{new}, new"), edit.p_false, edit.p_false_after, true),
        pair(format!("{old}, old"), edit.p_true, edit.p_true_after, false),
    ];
    let paraphrases = words::count(edit.paraphrases.len(), "paraphrase");
    pairs.extend(averaged(&edit.paraphrases, format!("new, {paraphrases}"), true, |shift| shift.p_false));
    let neighbours = words::count(edit.neighbourhood.len(), "neighbour");
    pairs.extend(averaged(&edit.neighbourhood, format!("old, {neighbours}"), false, |shift| shift.p_true));

    let outcome = edit_outcome(edit, least);
    let judged = outcome.judgement;
    let (level, paper) = paper(&outcome, least);
    let mut notes = Vec::new();
    if let Some(side) = outcome.side_effects {
        notes.push(format!(
            "Unrelated facts: mean |Δp| {}, largest {}; the most probable token changes for {} of {}.",
            words::number(side.mean),
            words::number(side.worst),
            side.flips.count,
            side.flips.of
        ));
    }
    notes.extend(lines(edit).iter().map(|line| format!("{}.", words::sentence(line).trim_end_matches('.'))));
    if !edit.restored {
        notes.push("The weights were not restored exactly.".into());
    }
    Edit {
        fact: edit.fact,
        prompt,
        how: how(edit),
        pairs,
        verdict: judged.verdict.name(),
        badge: badge(judged.mark()),
        judgement: words::sentence(judged.verdict.meaning()),
        checks: judged.checks().into(),
        level,
        paper,
        notes,
    }
}

fn how(edit: &EditRecord) -> String {
    let mut parts = vec![format!("layer {}", edit.layer)];
    if let (Some(first), Some(last)) = (edit.loss.first(), edit.loss.last()) {
        let (first, last) = (words::fixed((*first).into(), 2), words::fixed((*last).into(), 2));
        let what = if edit.search.is_some() { "loss" } else { "logit margin" };
        parts.push(format!("{what} {first} → {last} in {} steps", edit.loss.len() - 1));
    }
    parts.push(format!("‖Δv‖/‖v‖ = {:.2}", edit.relative_change));
    parts.join(" · ")
}

/// Mean of one answer over some prompts; `None` without prompts.
fn averaged(shifts: &[Shift], label: String, wanted: bool, of: fn(&Shift) -> [f32; 2]) -> Option<Pair> {
    let count = shifts.len();
    let mean = |at: usize| shifts.iter().map(|shift| f64::from(of(shift)[at])).sum::<f64>() / count as f64;
    (count > 0).then(|| Pair { label, before: mean(0), after: mean(1), wanted })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn an_edit_is_told_and_judged() {
        let record = sample::record();
        let Some(edits) = all(&record) else { panic!("the sample has an edit") };
        let edit = &edits[0];
        assert_eq!(edit.prompt, "The capital of France is");
        assert_eq!((edit.verdict, edit.badge, edit.level), ("rewritten, not all checked", "badge", "L1"));
        assert_eq!(edit.judgement.split(';').next(), Some("The new answer replaced the old one"));
        assert_eq!(edit.checks[0], (Some(true), "1 of 1 other wording follows".to_owned()));
        assert_eq!(edit.checks[1].0, None);
        assert_eq!(edit.pairs[0].words(), "“Rome”, new: 0.0100 before, 0.5000 after");
        assert_eq!(edit.pairs.len(), 3);
        assert!((edit.pairs[2].after - 0.4).abs() < 1e-6);
        assert_eq!(tally(&edits), "1 edit, all measures together: 1 rewritten, not all checked.");
        assert!((highest(&edits) - 0.9).abs() < 1e-6);
        assert_eq!(edit.how, "layer 2 · logit margin 4.00 → −1.00 in 2 steps · ‖Δv‖/‖v‖ = 0.80");
    }

    #[test]
    fn silence_is_no_success() {
        let mut record = sample::record();
        if let Some(edit) = record.edits.iter_mut().flatten().next() {
            (edit.p_true_after, edit.p_false_after) = (1e-7, 0.005);
        }
        let Some(edits) = all(&record) else { panic!("the sample has an edit") };
        assert_eq!((edits[0].verdict, edits[0].badge, edits[0].level), ("silenced", "badge harm", "L1"));
        assert_eq!(edits[0].judgement, "The old answer is gone, but the new one did not rise.");
        assert!(edits[0].paper.starts_with("A success by the paper's L1"), "{}", edits[0].paper);
        assert_eq!(edits[0].pairs[1].words(), "“Paris”, old: 0.9000 before, <0.0001 after");
    }

    #[test]
    fn what_did_not_work_says_so() {
        let mut record = sample::record();
        if let Some(edit) = record.edits.iter_mut().flatten().next() {
            edit.p_false = 1e-6;
            edit.restored = false;
            edit.fact = 99;
        }
        let Some(edits) = all(&record) else { panic!("the sample has an edit") };
        assert!(edits[0].level == "not counted" && edits[0].paper.starts_with("Not counted by the paper"));
        assert_eq!(edits[0].prompt, "fact 99");
        assert!(edits[0].notes.iter().any(|note| note.contains("not restored")));
        assert_eq!(which(&record), None);
        record.edits = None;
        assert!(all(&record).is_none());
        let several = sample::swept("a");
        assert_eq!(all(&several).map(|edits| edits.len()), Some(4), "one a fact");
        assert!(which(&several).is_some_and(|said| said.contains("dominant layer")));
    }
}
