//! What an edit did, prompt by prompt: the prompt itself, paraphrases, neighbours and unrelated facts.

use super::edits::Pair;
use crate::words;
use engram_core::record::{EditRecord, Record, Shift};

/// Prompts of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Which.
    pub name: String,
    /// What an edit should do to them, in a sentence.
    pub hope: &'static str,
    /// Means over the prompts, or the prompt's own values.
    pub mean: Vec<Pair>,
    /// Each prompt with its values; empty for the prompt itself.
    pub each: Vec<(String, Vec<Pair>)>,
}

/// All kinds that an edit has prompts of. `answers` are the old and the new one, `unrelated` the prompts of the unrelated
/// facts with their answers, in the record's order.
pub fn groups(edit: &EditRecord, answers: [&str; 2], unrelated: &[(String, String)]) -> Vec<Group> {
    let [old, new] = answers.map(|text| format!("“{}”", words::visible(text.trim())));
    let pairs = |shift: &Shift| {
        vec![pair(format!("{new}, new"), shift.p_false, true), pair(format!("{old}, old"), shift.p_true, false)]
    };
    let itself = Shift {
        prompt: String::new(),
        p_true: [edit.p_true, edit.p_true_after],
        p_false: [edit.p_false, edit.p_false_after],
        answers: edit.answers,
    };
    let mut found = vec![Group {
        name: "The prompt".into(),
        hope: "The new answer should rise above the old one.",
        mean: pairs(&itself),
        each: Vec::new(),
    }];
    let of_shifts = |name: &str, hope, shifts: &[Shift]| {
        let each = shifts.iter().map(|shift| (words::visible(&shift.prompt), pairs(shift))).collect();
        group(name, hope, each)
    };
    let hope = "The same question in other words: the new answer should rise here, too.";
    found.extend(of_shifts("paraphrase", hope, &edit.paraphrases));
    let hope = "Other subjects with the old answer: nothing should change.";
    found.extend(of_shifts("neighbour", hope, &edit.neighbourhood));
    let one = |(at, shift): (usize, &engram_core::record::Unrelated)| {
        let (prompt, answer) = unrelated.get(at).map_or(("", ""), |(prompt, answer)| (prompt, answer));
        let prompt = if prompt.is_empty() { format!("fact {}", shift.fact) } else { words::visible(prompt) };
        let flipped = if shift.flipped { ", another answer now" } else { "" };
        let label = match answer.trim() {
            "" => format!("its answer{flipped}"),
            answer => format!("“{}”{flipped}", words::visible(answer)),
        };
        (prompt, vec![pair(label, shift.p_true, false)])
    };
    let hope = "Facts that have nothing to do with it: nothing should change.";
    found.extend(group("unrelated fact", hope, edit.unrelated.iter().enumerate().map(one).collect()));
    found
}

/// Prompts and answers of an edit's unrelated facts, where its record has them.
pub fn unrelated(record: &Record, edit: &EditRecord) -> Vec<(String, String)> {
    let of = |order: usize| record.facts.iter().find(|fact| fact.order == order);
    let text = |order| of(order).map(|fact| (fact.prompt.clone(), fact.target_true.clone())).unwrap_or_default();
    edit.unrelated.iter().map(|one| text(one.fact)).collect()
}

fn pair(label: String, [before, after]: [f32; 2], wanted: bool) -> Pair {
    Pair { label, before: before.into(), after: after.into(), wanted }
}

fn group(name: &str, hope: &'static str, each: Vec<(String, Vec<Pair>)>) -> Option<Group> {
    let kinds = each.first()?.1.len();
    let mean = (0..kinds).filter_map(|kind| mean(name, kind, &each)).collect();
    let mut name = words::count(each.len(), name);
    if let Some(first) = name.get(..1).map(str::to_uppercase) {
        name.replace_range(..1, &first);
    }
    Some(Group { name, hope, mean, each })
}

fn mean(name: &str, kind: usize, each: &[(String, Vec<Pair>)]) -> Option<Pair> {
    let pairs: Vec<&Pair> = each.iter().filter_map(|(_, pairs)| pairs.get(kind)).collect();
    let first = pairs.first()?;
    let count = pairs.len() as f64;
    let label = if name == "unrelated fact" { "their answers, mean".into() } else { format!("{}, mean", first.label) };
    Some(Pair {
        label,
        before: pairs.iter().map(|pair| pair.before).sum::<f64>() / count,
        after: pairs.iter().map(|pair| pair.after).sum::<f64>() / count,
        wanted: first.wanted,
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_prompt_has_its_place() {
        let record = sample::record();
        let Some(edit) = record.edits.as_ref().and_then(|edits| edits.first()) else { panic!("there is an edit") };
        let known = unrelated(&record, edit);
        assert_eq!(known, [("The capital of Peru is".to_owned(), "Lima".to_owned())]);
        let groups = groups(edit, ["Paris", "Rome"], &known);
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["The prompt", "1 paraphrase", "1 unrelated fact"], "there are no neighbours");
        assert_eq!(groups[0].mean[0].words(), "“Rome”, new: 0.0100 before, 0.5000 after");
        assert_eq!(groups[1].mean[1].words(), "“Paris”, old, mean: 0.8000 before, 0.3000 after");
        assert_eq!(groups[2].each[0].0, "The capital of Peru is");
        assert_eq!(groups[2].each[0].1[0].label, "“Lima”");
    }

    #[test]
    fn unknown_facts_have_numbers() {
        let record = sample::record();
        let Some(edit) = record.edits.as_ref().and_then(|edits| edits.first()) else { panic!("there is an edit") };
        let groups = groups(edit, ["Paris", "Rome"], &[]);
        assert_eq!(groups.last().map(|group| group.each[0].0.as_str()), Some("fact 2"));
    }
}
