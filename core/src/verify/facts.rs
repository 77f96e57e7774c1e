//! Checks of a record's facts: format, probabilities, filters, order, prompts and spans (METHODS, section 1).

use super::tally::Tally;
use super::{Check, State, place};
use crate::record::{Dropped, EditRecord, FactRecord, Outcome, Reason, Record, Traced, VERSION};

/// Screening and tracing compute a fact in batches of different shapes, so a fact at the threshold may be this far
/// below it afterwards.
const NOISE: f64 = 1e-5;

pub(super) fn checks(record: &Record) -> Vec<Check> {
    vec![
        format(record),
        probabilities(record),
        validated(record),
        others(record),
        count(record),
        order(record),
        prompts(record),
        spans(record),
    ]
}

fn format(record: &Record) -> Check {
    let known = (1..=VERSION).contains(&record.engram);
    let state = if known { State::Ok } else { State::Failed };
    let detail = match known {
        true => format!("version {}", record.engram),
        false => format!("version {} is unknown; this program knows 1 to {VERSION}", record.engram),
    };
    Check::new("format", state, detail)
}

/// A part's name and its probabilities.
type Part<'a> = (&'static str, Box<dyn Iterator<Item = f32> + 'a>);

fn of_traced(traced: &Traced) -> Vec<Part<'_>> {
    fn all(values: &[f32]) -> Box<dyn Iterator<Item = f32> + '_> {
        Box::new(values.iter().copied())
    }
    let mut parts: Vec<Part<'_>> = vec![
        ("p_clean, p_corrupt, p_false", Box::new([traced.p_clean, traced.p_corrupt, traced.p_false].into_iter())),
        ("without_block", all(&traced.without_block)),
        ("without_attention", all(&traced.without_attention)),
        ("without_mlp", all(&traced.without_mlp)),
        ("patched", Box::new(traced.patched.values().flatten().copied())),
        ("patched_mlp", Box::new(traced.patched_mlp.values().flatten().copied())),
        ("redundancy", Box::new(traced.redundancy.values().flat_map(|curve| curve.patched.iter().flatten()).copied())),
    ];
    if let Some(maps) = &traced.maps {
        for (name, map) in
            [("maps.residual", &maps.residual), ("maps.mlp", &maps.mlp), ("maps.attention", &maps.attention)]
        {
            parts.push((name, Box::new(map.iter().flatten().copied())));
        }
    }
    if let Some(lens) = &traced.lens {
        parts.extend([("lens.p_true", all(&lens.p_true)), ("lens.p_false", all(&lens.p_false))]);
    }
    parts.push(("units", Box::new(traced.units.iter().flat_map(|effects| &effects.patched).flatten().copied())));
    parts
}

fn of_edit(edit: &EditRecord) -> Vec<Part<'_>> {
    let own = [edit.p_true, edit.p_false, edit.p_true_after, edit.p_false_after];
    let shifts = edit.paraphrases.iter().chain(&edit.neighbourhood).chain(&edit.neighbourhood_plus);
    vec![
        ("p_true, p_false", Box::new(own.into_iter())),
        (
            "paraphrases, neighbourhood",
            Box::new(shifts.flat_map(|shift| shift.p_true.into_iter().chain(shift.p_false))),
        ),
        ("unrelated", Box::new(edit.unrelated.iter().flat_map(|one| one.p_true))),
    ]
}

fn probabilities(record: &Record) -> Check {
    let mut tally = Tally::new("probabilities within 0 to 1", "values");
    let within = |p: f32| (0.0..=1.0).contains(&p);
    let mut see = |owner: &dyn Fn() -> String, parts: Vec<Part<'_>>| {
        for (name, values) in parts {
            for p in values {
                tally.see(within(p), || format!("{}: {name}: {p}", owner()));
            }
        }
    };
    for fact in &record.facts {
        match &fact.outcome {
            Outcome::Validated(traced) => see(&|| place(fact), of_traced(traced)),
            Outcome::NotValidated(found) => see(&|| place(fact), of_traced(&found.traced)),
            Outcome::Dropped(Dropped { p_clean, p_corrupt, .. }) => {
                see(&|| place(fact), vec![("p_clean, p_corrupt", Box::new(p_clean.iter().chain(p_corrupt).copied()))]);
            }
        }
    }
    let checkpoints = || record.sequences.iter().flat_map(|sequence| &sequence.checkpoints);
    for edit in record.edits.iter().flatten().chain(checkpoints().flat_map(|one| &one.edited)) {
        let owner = || format!("edit of the fact of order {}", edit.fact);
        see(&owner, of_edit(edit));
        for (name, again) in edit.retrace.iter().flat_map(|retrace| retrace.parts()) {
            see(&|| format!("{}, {name}", owner()), of_traced(again));
        }
    }
    for one in checkpoints().flat_map(|one| &one.untouched) {
        see(&|| format!("untouched fact of order {}", one.fact), vec![("p_true", Box::new(one.p_true.into_iter()))]);
    }
    tally.done("there are none")
}

/// The model's own first choice, as far as the lens tells: two tokens may be this close.
fn ranks_first(traced: &Traced) -> bool {
    let Some(lens) = &traced.lens else { return true };
    let last = |ranks: &[u32]| ranks.last().copied();
    let close = || {
        let p = |curve: &[f32]| f64::from(curve.last().copied().unwrap_or_default());
        last(&lens.rank_false) == Some(1) && p(&lens.p_false) - p(&lens.p_true) <= NOISE
    };
    match last(&lens.rank_true) {
        None | Some(1) => true,
        Some(2) => close(),
        Some(_) => false,
    }
}

fn validated(record: &Record) -> Check {
    let mut tally = Tally::new("validated facts pass the filter", "facts");
    let least = record.settings.min_effect;
    for (fact, traced) in record.validated() {
        let effect = f64::from(traced.p_clean) - f64::from(traced.p_corrupt);
        tally.see(effect >= f64::from(least) - NOISE && ranks_first(traced), || match ranks_first(traced) {
            true => format!("{}: p_clean - p_corrupt is {effect:.6}, less than {least}", place(fact)),
            false => format!("{}: another token ranks first where the lens reads the answer", place(fact)),
        });
    }
    tally.done("no fact is validated")
}

/// Facts that are not validated fail a filter, as far as their numbers tell.
fn others(record: &Record) -> Check {
    let mut tally = Tally::new("other facts fail the filter", "facts");
    let least = record.settings.min_effect;
    for fact in &record.facts {
        let (reason, p_clean, p_corrupt, noise) = match &fact.outcome {
            Outcome::Validated(_) => continue,
            // In f32, as it was decided.
            Outcome::Dropped(Dropped { reason, p_clean, p_corrupt, .. }) => (*reason, *p_clean, *p_corrupt, 0.0),
            Outcome::NotValidated(found) => {
                if !record.is_question() {
                    let reason = found.reason.name();
                    tally.see(false, || format!("{}: {reason}, and traced in a study all the same", place(fact)));
                    continue;
                }
                let (clean, corrupt) = (found.traced.p_clean, found.traced.p_corrupt);
                (found.reason, Some(clean), Some(corrupt), NOISE as f32)
            }
        };
        match (reason, p_clean, p_corrupt) {
            (Reason::NotSensitive, Some(clean), Some(corrupt)) => {
                tally.see(clean - corrupt < least + noise, || {
                    format!(
                        "{}: not-sensitive, but p_clean - p_corrupt is {}, not less than {least}",
                        place(fact),
                        clean - corrupt
                    )
                });
            }
            (Reason::NotSensitive, ..) => {
                tally.see(false, || format!("{}: not-sensitive without the probabilities that decided", place(fact)));
            }
            _ => {}
        }
    }
    tally.done("no fact is not-sensitive")
}

fn count(record: &Record) -> Check {
    const NAME: &str = "number of facts";
    let (found, wanted, seen) = (record.validated().count(), record.settings.n, record.facts.len());
    let all = record.source.count;
    if found > wanted {
        return Check::new(NAME, State::Failed, format!("{found} facts are validated, {wanted} were wanted"));
    }
    if all > 0 && seen > all {
        return Check::new(NAME, State::Failed, format!("{seen} facts, the source has {all}"));
    }
    match found == wanted || seen == all {
        true => Check::new(NAME, State::Ok, format!("{found} validated of {seen} screened, {wanted} wanted")),
        false => Check::new(
            NAME,
            State::NotApplicable,
            format!("the study is unfinished: {found} of {wanted} wanted facts, {seen} of {all} screened"),
        ),
    }
}

fn order(record: &Record) -> Check {
    let mut tally = Tally::new("orders without a gap", "facts");
    for (at, fact) in record.facts.iter().enumerate() {
        tally.see(fact.order == at, || {
            format!("{} stands at place {at}: facts are missing, twice or out of order", place(fact))
        });
    }
    tally.done("there are no facts")
}

fn prompts(record: &Record) -> Check {
    let mut tally = Tally::new("prompts contain their subjects", "facts");
    let empty =
        |fact: &FactRecord| matches!(&fact.outcome, Outcome::Dropped(dropped) if dropped.reason == Reason::Empty);
    for fact in record.facts.iter().filter(|fact| !empty(fact)) {
        tally.see(!fact.subject.is_empty() && fact.prompt.contains(&fact.subject), || place(fact));
    }
    tally.done("there are no facts")
}

fn spans(record: &Record) -> Check {
    let mut tally = Tally::new("subject spans within the tokens", "facts");
    for (fact, traced) in record.traced() {
        let spans = [(traced.subject_span, traced.tokens.len()), (traced.corrupt_span, traced.corrupt_tokens.len())];
        let holds = spans.iter().all(|([begin, end], tokens)| begin < end && end <= tokens);
        let most = record.settings.max_tokens;
        tally.see(holds && traced.tokens.len() <= most, || {
            let [[begin, end], [corrupt_begin, corrupt_end]] = [traced.subject_span, traced.corrupt_span];
            let (clean, corrupt) = (traced.tokens.len(), traced.corrupt_tokens.len());
            format!(
                "{}: [{begin}, {end}) of {clean} tokens, corrupted [{corrupt_begin}, {corrupt_end}) of {corrupt}; at most {most}",
                place(fact)
            )
        });
    }
    tally.done("no fact is traced")
}
