//! What an edit cost, prompt by prompt: both answers before and after on the fact, its paraphrases, neighbours and unrelated
//! facts.

use super::{Case, given};
use crate::figures::facts::parts;
use crate::words;
use engram_core::metrics::{harms_neighbour, harms_unrelated};
use engram_core::record::{EditRecord, Record, Shift, Unrelated};

/// Prompts of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Which; empty for the fact itself.
    pub name: &'static str,
    /// What should become of them.
    pub note: String,
    /// The prompts.
    pub rows: Vec<Row>,
}

/// A prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The prompt: what stands before the subject, the subject, and what stands behind it. Of another subject all of it is the
    /// first piece.
    pub prompt: [String; 3],
    /// Its own answer, where that is not the edited fact's.
    pub answer: Option<String>,
    /// Probability of its true answer before and after.
    pub old: [f64; 2],
    /// The same of the new answer, where it was measured.
    pub new: Option<[f64; 2]>,
    /// What the model says before and after, where it is known.
    pub says: Option<String>,
    /// The edit has hurt it.
    pub hurt: bool,
    /// Its answer should stay, and lost so much that it must be seen.
    pub lost: bool,
}

impl Row {
    /// The prompt in one piece.
    pub fn text(&self) -> String {
        self.prompt.concat()
    }
}

fn wide(pair: [f32; 2]) -> [f64; 2] {
    pair.map(f64::from)
}

/// What the model says, before and after.
fn change(before: &str, after: &str) -> String {
    if before == after { format!("{before}, unchanged") } else { format!("{before} → {after}") }
}

/// An answer that stays: by how much it moved where that is a point or more, else in these words.
fn stays(same: &str, unchanged: &str, [before, after]: [f32; 2]) -> String {
    // As it will be written.
    let moved = (1000.0 * (f64::from(after) - f64::from(before))).round() / 10.0;
    match moved.abs() >= 1.0 {
        true => format!("{same}{}{} points", if moved > 0.0 { "+" } else { "−" }, words::fixed(moved.abs(), 1)),
        false => unchanged.to_owned(),
    }
}

/// An answer that lost much, with how much.
fn loss(answer: &str, [before, after]: [f32; 2]) -> String {
    format!("{answer} {:.0} → {:.0} %", before * 100.0, after * 100.0)
}

/// From this loss on a prompt is always shown, in units of probability.
const LOST: f64 = 0.1;

/// What an answer lost, in percentage points, where that is worth saying.
fn points(p: [f32; 2]) -> Option<String> {
    let lost = f64::from(p[0]) - f64::from(p[1]);
    (lost > LOST).then(|| format!("{} points", words::fixed(100.0 * lost, 1)))
}

/// The largest loss among answers, where it is worth saying.
pub(super) fn largest(all: impl Iterator<Item = [f32; 2]>) -> Option<String> {
    all.max_by(|a, b| (a[0] - a[1]).total_cmp(&(b[0] - b[1]))).and_then(points)
}

/// The groups that an edit has prompts of.
pub fn price(case: &Case) -> Vec<Group> {
    let Case { record, answers, .. } = case;
    let of_shift = |shift: &Shift, keeps: bool| {
        let hurt = keeps && harms_neighbour(shift);
        let says = shift.answers.as_ref().map(|found| match given(found, answers) {
            [None, None] if hurt => loss(&answers[0], shift.p_true),
            [None, None] => "neither answer".to_owned(),
            [before, after] if before == after && hurt => loss(&before.unwrap_or_default(), shift.p_true),
            [Some(before), Some(after)] if before == after && before == answers[0] => {
                stays(&format!("{before}, "), &change(&before, &after), shift.p_true)
            }
            said => {
                let [before, after] = said.map(|said| said.unwrap_or_else(|| "another".into()));
                change(&before, &after)
            }
        });
        Row {
            prompt: parts(&shift.prompt, case.subject),
            answer: None,
            old: wide(shift.p_true),
            new: Some(wide(shift.p_false)),
            says: says.or_else(|| hurt.then(|| loss(&answers[0], shift.p_true))),
            hurt,
            lost: keeps && points(shift.p_true).is_some(),
        }
    };
    let of_unrelated = |(at, one): (usize, &Unrelated)| {
        let (prompt, answer) = case.unrelated.get(at).map_or(("", ""), |(prompt, answer)| (prompt, answer.trim()));
        let prompt = if prompt.is_empty() { format!("fact {}", one.fact) } else { words::visible(prompt) };
        let answer = Some(words::visible(answer)).filter(|answer| !answer.is_empty());
        let hurt = harms_unrelated(one);
        let says = match (one.flipped, hurt) {
            (true, _) => "another answer now".to_owned(),
            (false, true) => loss(answer.as_deref().unwrap_or("its answer"), one.p_true),
            (false, false) => stays("same answer, ", "unchanged", one.p_true),
        };
        Row {
            prompt: [prompt, String::new(), String::new()],
            answer,
            old: wide(one.p_true),
            new: None,
            says: Some(says),
            hurt,
            lost: points(one.p_true).is_some(),
        }
    };
    let fact = Row {
        prompt: parts(case.prompt, case.subject),
        answer: None,
        old: wide([record.p_true, record.p_true_after]),
        new: Some(wide([record.p_false, record.p_false_after])),
        says: case.says.as_ref().map(|[before, after]| match before == after {
            true => stays(&format!("still {before}, "), &change(before, after), [record.p_true, record.p_true_after]),
            false => change(before, after),
        }),
        hurt: false,
        lost: false,
    };
    let group = |name, note: String, rows: Vec<Row>| (!rows.is_empty()).then_some(Group { name, note, rows });
    let paraphrases = record.paraphrases.iter().map(|shift| of_shift(shift, false)).collect();
    let neighbours = record.neighbourhood.iter().map(|shift| of_shift(shift, true)).collect();
    let unrelated = record.unrelated.iter().enumerate().map(of_unrelated).collect();
    [
        group("", String::new(), vec![fact]),
        group("Paraphrases", "should follow the edit".into(), paraphrases),
        group("Neighbours", format!("other subjects with {}; should stay", answers[0]), neighbours),
        group("Unrelated facts", "should stay".into(), unrelated),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Column names and rows of the same as numbers.
pub fn numbers(groups: &[Group]) -> (Vec<String>, Vec<Vec<String>>) {
    let head = ["prompt", "true answer before", "after", "new answer before", "after"].map(str::to_owned).to_vec();
    let row = |row: &Row| {
        let new = row.new.map_or(["–".to_owned(), "–".into()], |new| new.map(words::percent_of));
        [row.text()].into_iter().chain(row.old.map(words::percent_of)).chain(new).collect()
    };
    (head, groups.iter().flat_map(|group| &group.rows).map(row).collect())
}

/// Prompts and answers of an edit's unrelated facts, where its record has them.
pub(crate) fn unrelated(record: &Record, edit: &EditRecord) -> Vec<(String, String)> {
    let of = |order: usize| record.facts.iter().find(|fact| fact.order == order);
    let text = |order| of(order).map(|fact| (fact.prompt.clone(), fact.target_true.clone())).unwrap_or_default();
    edit.unrelated.iter().map(|one| text(one.fact)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::{case, record};
    use super::*;
    use engram_core::record::Answers;

    fn whole(argmax_true: [usize; 2], argmax_new: [usize; 2]) -> Option<Answers> {
        Some(Answers { nll_true: [0.0; 2], nll_new: [0.0; 2], argmax_true, argmax_new, tokens: [1, 1], kept: 0 })
    }

    #[test]
    fn every_prompt_has_its_place() {
        let (record, known) = (record(), super::super::unrelated());
        let groups = price(&case(&record, &known));
        let names: Vec<(&str, usize)> = groups.iter().map(|group| (group.name, group.rows.len())).collect();
        assert_eq!(names, [("", 1), ("Paraphrases", 2), ("Neighbours", 2), ("Unrelated facts", 2)]);
        assert_eq!(groups[0].rows[0].prompt, ["The capital of ", "France", " is"]);
        assert_eq!(groups[0].rows[0].says.as_deref(), Some("Paris → Rome"));
        assert_eq!(groups[1].rows[0].prompt, ["", "France", "'s capital is"]);
        assert_eq!(groups[1].rows[0].says, None, "the record does not know");
        assert_eq!((groups[3].rows[0].text().as_str(), groups[3].rows[0].new), ("The capital of Peru is", None));
        assert_eq!(groups[3].rows[0].answer.as_deref(), Some("Lima"));
        let (head, rows) = numbers(&groups);
        assert_eq!((head.len(), rows.len()), (5, 7));
        assert_eq!(rows[0], ["The capital of France is", "90.0 %", "10.0 %", "1.0 %", "60.0 %"]);
        assert_eq!(rows[6][3], "–");
    }

    #[test]
    fn what_is_hurt_is_marked_and_told() {
        let mut one = record();
        one.paraphrases[0].answers = whole([1, 0], [0, 1]);
        one.paraphrases[1].answers = whole([1, 0], [0, 0]);
        one.neighbourhood[0].p_true = [0.89, 0.24];
        one.neighbourhood[0].answers = whole([1, 1], [0, 0]);
        one.neighbourhood[1].answers = whole([0, 0], [0, 0]);
        one.unrelated[0].flipped = true;
        one.unrelated[1].p_true = [0.7, 0.1];
        let groups = price(&case(&one, &[]));
        let says = |group: usize, row: usize| groups[group].rows[row].says.as_deref().unwrap_or_default();
        assert_eq!([says(1, 0), says(1, 1)], ["Paris → Rome", "Paris → another"]);
        assert_eq!([says(2, 0), says(2, 1)], ["Paris 89 → 24 %", "neither answer"]);
        assert_eq!([says(3, 0), says(3, 1)], ["another answer now", "its answer 70 → 10 %"]);
        let hurt: Vec<bool> = groups.iter().flat_map(|group| &group.rows).map(|row| row.hurt).collect();
        assert_eq!(hurt, [false, false, false, true, false, true, true]);
        assert_eq!(groups[3].rows[0].text(), "fact 2", "its prompt is not known");
    }

    #[test]
    fn an_answer_that_stays_says_what_it_lost() {
        let mut one = record();
        one.neighbourhood[0].p_true = [0.8, 0.55];
        one.neighbourhood[0].answers = whole([1, 1], [0, 0]);
        one.neighbourhood[1].answers = whole([1, 1], [0, 0]);
        one.unrelated[0].p_true = [0.897, 0.478];
        let groups = price(&case(&one, &[]));
        let says = |group: usize, row: usize| groups[group].rows[row].says.as_deref().unwrap_or_default();
        assert_eq!([says(2, 0), says(2, 1)], ["Paris, −25.0 points", "Paris, −2.0 points"]);
        assert_eq!([says(3, 0), says(3, 1)], ["same answer, −41.9 points", "same answer, −1.0 points"]);
        assert_eq!(stays("Paris, ", "Paris, unchanged", [0.5, 0.495]), "Paris, unchanged");
        assert_eq!(stays("Paris, ", "Paris, unchanged", [0.5, 0.55]), "Paris, +5.0 points");
        let rows = || groups.iter().flat_map(|group| &group.rows);
        assert!(rows().all(|row| !row.hurt));
        assert_eq!(rows().map(|row| row.lost).collect::<Vec<_>>(), [false, false, false, true, false, true, false]);
        assert_eq!(largest(one.unrelated.iter().map(|one| one.p_true)).as_deref(), Some("41.9 points"));
        assert_eq!(largest([[0.5, 0.45]].into_iter()), None);
    }

    #[test]
    fn a_record_knows_its_unrelated_facts() {
        let record = sample::record();
        let edit = record.edits.as_ref().and_then(|edits| edits.first()).expect("there is an edit");
        assert_eq!(unrelated(&record, edit), [("The capital of Peru is".to_owned(), "Lima".to_owned())]);
    }
}
