//! What a study found, in one sentence and a second one: where the peaks are, which facts are excluded, what became of the edits.

use super::{Ending, Line, Peaks, Place, Run};
use crate::words;
use engram_core::metrics::MetricConvention;
use engram_core::record::{PatchPosition, Reason, Record};

/// The finding of a study.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Where the peaks are.
    pub head: String,
    /// The facts that the head leaves out: those without a peak, or with one where most have none.
    pub others: Option<String>,
    /// What is excluded, what has no peak, and what became of the edits.
    pub more: String,
}

/// The name of a record's facts, and how many there are.
pub fn title(record: &Record) -> (String, String) {
    let relation = record.facts.first().map(|fact| fact.relation.trim()).unwrap_or_default();
    let one = !relation.is_empty() && record.facts.iter().all(|fact| fact.relation.trim() == relation);
    let file = record.source.name.trim();
    let stem = file.split('.').next().unwrap_or_default();
    let name = match (one, record.is_question()) {
        (true, _) => format!("Relation {relation}"),
        (false, true) => "One prompt".into(),
        _ if stem.is_empty() => "Study".into(),
        _ => words::capital(stem),
    };
    // A file without an ending is a name of facts, which stands there already.
    let from = if file.contains('.') { format!(" from {file}") } else { String::new() };
    let about = format!("{}{from}, seed {}", words::count(record.facts.len(), "fact"), record.settings.seed);
    (words::visible(&words::short(&name, 40)), words::visible(&words::short(&about, 80)))
}

/// Whose states are meant where none restores a tenth.
pub(super) fn no_state(position: PatchPosition) -> &'static str {
    match position {
        PatchPosition::SubjectLast => "no state of the last subject token",
        PatchPosition::LastToken => "no state of the last token",
        PatchPosition::SameIndex => "no state of the subject at the same index",
    }
}

/// Where the state is put back, at the end of a sentence.
fn at(position: PatchPosition) -> &'static str {
    match position {
        PatchPosition::SubjectLast => "on the last token of the subject",
        PatchPosition::LastToken => "on the last token of the prompt",
        PatchPosition::SameIndex => "on the subject, at the same index",
    }
}

impl Told {
    /// The finding of a record, from its lines under the same view.
    pub fn of(record: &Record, view: &MetricConvention, lines: &[Line]) -> Self {
        let peaks = Peaks::of(lines, record.model.layers);
        let others = others(record, view, &peaks, lines.len());
        let more: Vec<String> = excluded(lines)
            .into_iter()
            .chain(others.clone())
            .chain(caution(view))
            .chain(edits(record, lines))
            .collect();
        Self { head: head(record, view, lines, &peaks), others, more: more.join(" ") }
    }
}

fn reasons(lines: &[Line], of: impl Fn(Reason) -> bool) -> usize {
    let excluded = |line: &&Line| matches!(line.place, Place::Excluded { reason, .. } if of(reason));
    lines.iter().filter(excluded).count()
}

fn head(record: &Record, view: &MetricConvention, lines: &[Line], peaks: &Peaks) -> String {
    let (layers, at) = (record.model.layers, at(view.position));
    if let [line] = lines {
        return match &line.place {
            Place::Peak { layer, value } => {
                format!("The peak is at layer {layer} of {layers}, {at}: recovery {}.", words::fixed(*value, 2))
            }
            Place::NoPeak(_) => {
                format!("{} restores a tenth of the answer: no peak.", words::capital(no_state(view.position)))
            }
            Place::Untraced => format!("The state was not restored {at}."),
            Place::Excluded { reason, .. } => format!("The fact is excluded, {}.", words::reason(*reason)),
        };
    }
    let traced = peaks.peaked() + peaks.none;
    if traced == 0 && lines.iter().any(|line| line.place == Place::Untraced) {
        return format!("No fact of this record has its state restored {at}.");
    }
    if traced == 0 {
        return format!(
            "None of {} is both known to the model and sensitive to its subject.",
            words::count(lines.len(), "fact")
        );
    }
    let sensitive = if reasons(lines, |reason| reason == Reason::NotSensitive) > 0 { ", sensitive" } else { "" };
    let known = format!("known{sensitive} {}", if traced == 1 { "fact" } else { "facts" });
    let Some(run) = peaks.run() else {
        let state = no_state(view.position).trim_start_matches("no ");
        return format!("In none of {traced} {known} does a {state} restore a tenth of the answer.");
    };
    match mostly_none(peaks) {
        true => {
            let state = no_state(view.position);
            format!("In {} of {traced} {known} {state} restores a tenth of the answer: no peak.", peaks.none)
        }
        false => format!("In {} of {traced} {known} the {}.", run.facts, peak(record, view, run)),
    }
}

/// Facts without a peak are more than those with one: that is the finding.
fn mostly_none(peaks: &Peaks) -> bool {
    peaks.none > peaks.peaked()
}

/// Where most peaks are.
fn peak(record: &Record, view: &MetricConvention, Run { from, to, .. }: Run) -> String {
    let at_layers = match (view.argmax_always, from == to) {
        (false, true) => format!("peak is at layer {from}"),
        (false, false) => format!("peak is at layers {from}–{to}"),
        (true, true) => format!("assigned layer is {from}"),
        (true, false) => format!("assigned layer is one of {from}–{to}"),
    };
    format!("{at_layers} of {}, {}", record.model.layers, at(view.position))
}

fn excluded(lines: &[Line]) -> Option<String> {
    let not_known = reasons(lines, |reason| reason == Reason::NotKnown);
    let not_sensitive = reasons(lines, |reason| reason == Reason::NotSensitive);
    let others = reasons(lines, |_| true) - not_known - not_sensitive;
    let mut parts: Vec<String> = Vec::new();
    let mut add = |count: usize, said: [&str; 2]| {
        let of = if parts.is_empty() { format!(" of {}", words::count(lines.len(), "fact")) } else { String::new() };
        let said = if count == 1 { said[0] } else { said[1] };
        parts.extend((count > 0).then(|| format!("{count}{of} {said}")));
    };
    add(not_known, ["is not known to the model", "are not known to the model"]);
    add(not_sensitive, ["is not sensitive to its subject", "are not sensitive to their subjects"]);
    add(others, ["cannot be traced", "cannot be traced"]);
    let together = not_known + not_sensitive + others;
    // A record of one fact has said it already.
    (together > 0 && lines.len() > 1).then(|| format!("{}: excluded.", parts.join(", ")))
}

/// What the first sentence leaves out: facts without a peak, or where they are most of them, those with one.
fn others(record: &Record, view: &MetricConvention, peaks: &Peaks, of: usize) -> Option<String> {
    let run = peaks.run().filter(|_| of > 1)?;
    if mostly_none(peaks) {
        let facts = match (run.facts, peaks.peaked()) {
            (1, 1) => "In the other one".to_owned(),
            (facts, of) if facts == of => format!("In the other {of}"),
            (facts, of) => format!("In {facts} of the other {of}"),
        };
        return Some(format!("{facts} the {}.", peak(record, view, run)));
    }
    let state = no_state(view.position);
    (peaks.none > 0).then(|| format!("In {} {state} restores a tenth of the answer: no peak.", peaks.none))
}

/// What is so by definition.
fn caution(view: &MetricConvention) -> Option<String> {
    match view.position {
        PatchPosition::LastToken => Some(
            "The last layer of the last token restores everything by definition: a late peak is no finding.".into(),
        ),
        _ if view.argmax_always => {
            Some("Every fact is assigned a layer, also where no state restores a tenth: the paper’s convention.".into())
        }
        _ => None,
    }
}

fn edits(record: &Record, lines: &[Line]) -> Option<String> {
    let ended = |ending: Ending| lines.iter().filter(|line| line.ending == Some(ending)).count();
    let all = lines.iter().filter(|line| line.ending.is_some()).count();
    let method = record.settings.edit.methods.first();
    let how = method
        .map(|method| format!(" ({}, {})", method.title(), words::count(method.steps(), "step")))
        .unwrap_or_default();
    let held = match ended(Ending::Held) {
        0 => "none held".to_owned(),
        held => format!("{held} held"),
    };
    let rest = Ending::ALL.into_iter().filter(|ending| *ending != Ending::Held && ended(*ending) > 0);
    let rest = rest.map(|ending| format!("{} {}", ended(ending), ending.word()));
    let ended = std::iter::once(held).chain(rest).collect::<Vec<_>>().join(", ");
    let were = if all == 1 { "was" } else { "were" };
    (all > 0).then(|| format!("{all} {were} edited{how}: {ended}."))
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::lines;
    use super::*;
    use engram_core::record::FactRecord;

    fn told(record: &Record, view: MetricConvention) -> Told {
        Told::of(record, &view, &lines(record, &view))
    }

    /// Four known facts with peaks at layers 2, 2, 3 and none.
    fn study() -> Record {
        let curves: [&[f32]; 4] =
            [&[0.1, 0.9, 0.2, 0.1], &[0.1, 0.8, 0.2, 0.1], &[0.1, 0.2, 0.7, 0.1], &[0.12, 0.12, 0.12, 0.1]];
        sample::study("tiny", PatchPosition::SubjectLast, &curves)
    }

    #[test]
    fn a_study_is_told_in_two_sentences() {
        let mut record = study();
        let found = told(&record, MetricConvention::default());
        assert_eq!(
            found.head,
            "In 3 of 4 known facts the peak is at layers 2–3 of 4, on the last token of the subject."
        );
        assert_eq!(found.more, "In 1 no state of the last subject token restores a tenth of the answer: no peak.");
        record.facts[0] = sample::not_validated(&record.facts[0], Reason::NotKnown);
        record.facts[1] = sample::not_validated(&record.facts[1], Reason::NotSensitive);
        sample::edited(&mut record, 2, &[[0.9, 0.01], [1e-6, 0.01], [0.2, 0.5]]);
        let found = told(&record, MetricConvention::default());
        assert_eq!(
            found.head,
            "In 1 of 2 known, sensitive facts the peak is at layer 3 of 4, on the last token of the subject."
        );
        assert!(
            found.more.starts_with(
                "1 of 4 facts is not known to the model, 1 is not sensitive to its subject: excluded. In 1 no state"
            ),
            "{}",
            found.more
        );
        assert!(
            found.more.contains("3 were edited (") && found.more.ends_with("1 no change, 1 silenced."),
            "{}",
            found.more
        );
    }

    #[test]
    fn the_view_decides() {
        let record = study();
        let paper = told(&record, MetricConvention { argmax_always: true, ..MetricConvention::default() });
        assert!(paper.head.contains("3 of 4 known facts the assigned layer is one of 1–2 of 4"), "{}", paper.head);
        assert!(paper.more.starts_with("Every fact is assigned a layer"), "{}", paper.more);
        let last = told(&record, MetricConvention::default().with_position(PatchPosition::LastToken));
        assert_eq!(last.head, "No fact of this record has its state restored on the last token of the prompt.");
    }

    #[test]
    fn small_and_empty_records_are_told_too() {
        let mut record = study();
        record.facts.truncate(1);
        assert_eq!(
            told(&record, MetricConvention::default()).head,
            "The peak is at layer 2 of 4, on the last token of the subject: recovery 1.00."
        );
        record.facts[0] = sample::not_validated(&record.facts[0], Reason::NotKnown);
        let found = told(&record, MetricConvention::default());
        assert!(found.head.starts_with("The fact is excluded, not known") && found.more.is_empty(), "{found:?}");
        let mut mostly = study();
        mostly.facts.drain(..2);
        mostly.facts.push(mostly.facts[1].clone());
        let found = told(&mostly, MetricConvention::default());
        assert_eq!(
            found.head,
            "In 2 of 3 known facts no state of the last subject token restores a tenth of the answer: no peak."
        );
        assert_eq!(found.more, "In the other one the peak is at layer 3 of 4, on the last token of the subject.");
        let mut none = study();
        let excluded: Vec<FactRecord> =
            none.facts.iter().map(|fact| sample::not_validated(fact, Reason::NotKnown)).collect();
        none.facts = excluded;
        let found = told(&none, MetricConvention::default());
        assert_eq!(found.head, "None of 4 facts is both known to the model and sensitive to its subject.");
        let mut flat = study();
        flat.facts.drain(..3);
        flat.facts.push(flat.facts[0].clone());
        let found = told(&flat, MetricConvention::default());
        assert_eq!(
            found.head,
            "In none of 2 known facts does a state of the last subject token restore a tenth of the answer."
        );
        assert!(found.more.is_empty(), "{found:?}");
    }

    #[test]
    fn a_record_has_a_name() {
        let mut record = study();
        record.source.name = "places.json".into();
        record.source.sha256 = "of a file".into();
        record.facts[0].relation = "P17".into();
        let named = |record: &Record| title(record).0;
        assert_eq!(
            title(&record),
            ("Places".into(), format!("4 facts from places.json, seed {}", record.settings.seed))
        );
        record.facts.iter_mut().for_each(|fact| fact.relation = "P17".into());
        assert_eq!(named(&record), "Relation P17");
        record.facts.iter_mut().for_each(|fact| fact.relation.clear());
        record.source = Default::default();
        assert_eq!(named(&record), "One prompt");
    }
}
