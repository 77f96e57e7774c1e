//! Checks of a record's edits (METHODS, section 4).

use super::tally::Tally;
use super::{Check, place};
use crate::metrics::edited_layers;
use crate::record::{Answer, EditRecord, FactRecord, Record, Search, Traced};
use std::collections::{HashMap, HashSet};

/// An edit and its fact's raw values, where the record has them.
type Pair<'a> = (&'a EditRecord, Option<(&'a FactRecord, &'a Traced)>);

/// SPSA's loss is the difference of two logits; of the probabilities of one softmax it is the logarithm's.
const LOSS: f64 = 1e-2;

pub(super) fn checks(record: &Record) -> Vec<Check> {
    let facts: HashMap<usize, (&FactRecord, &Traced)> =
        record.validated().map(|(fact, traced)| (fact.order, (fact, traced))).collect();
    let pairs: Vec<Pair<'_>> =
        record.edits.iter().flatten().map(|edit| (edit, facts.get(&edit.fact).copied())).collect();
    vec![
        known(record, &pairs),
        layers(record, &pairs),
        before(&pairs),
        losses(record, &pairs),
        restored(&pairs),
        unrelated(&pairs, &facts),
        retraced(record, &pairs),
        sequences(record, &facts),
    ]
}

/// Edits one after the other: each fact once a sequence, and checkpoints over just those that came before.
fn sequences(record: &Record, facts: &HashMap<usize, (&FactRecord, &Traced)>) -> Check {
    let mut tally = Tally::new("sequences edit validated facts once each, and measure all that came before", "values");
    for (at, sequence) in record.sequences.iter().enumerate() {
        let place = |what: &str| format!("sequence {}, {what}", at + 1);
        let edited: Vec<usize> =
            sequence.steps.iter().flat_map(|step| step.edits.iter().map(|edit| edit.fact)).collect();
        let once: HashSet<usize> = edited.iter().copied().collect();
        tally.see(once.len() == edited.len(), || place("a fact is edited twice"));
        for fact in &edited {
            tally.see(facts.contains_key(fact), || place(&format!("fact of order {fact}: it is not validated")));
        }
        for checkpoint in &sequence.checkpoints {
            if checkpoint.broken.is_some() {
                continue;
            }
            let measured = checkpoint.edited.iter().map(|edit| edit.fact);
            let before = edited.get(..checkpoint.edits).unwrap_or_default();
            tally.see(measured.eq(before.iter().copied()), || {
                place(&format!("after {} edits: others are measured than were edited", checkpoint.edits))
            });
            for edit in &checkpoint.edited {
                let Some((_, traced)) = facts.get(&edit.fact) else { continue };
                tally.agree(edit.p_true, traced.p_clean, || place(&format!("fact of order {}, p_true", edit.fact)));
            }
            for other in &checkpoint.untouched {
                let known = facts.get(&other.fact).filter(|_| !once.contains(&other.fact));
                match known {
                    Some((_, traced)) => tally.agree(other.p_true[0], traced.p_clean, || {
                        place(&format!("untouched fact of order {}", other.fact))
                    }),
                    None => tally.see(false, || place(&format!("fact of order {} is not untouched", other.fact))),
                }
            }
        }
    }
    tally.done("no edits one after the other")
}

/// Both answers traced again: with the probabilities that the edit itself was measured with.
fn retraced(record: &Record, pairs: &[Pair<'_>]) -> Check {
    let mut tally = Tally::new("edits are traced again with the probabilities that they were measured with", "values");
    for (edit, _) in pairs {
        let Some(again) = edit.retrace.as_deref() else { continue };
        tally.see(record.settings.edit.retrace, || format!("{}: it was not asked for", of(edit)));
        let both = [
            ("p_false", edit.p_false, again.new_before.p_clean),
            ("p_true_after", edit.p_true_after, again.old_after.p_clean),
            ("p_false_after", edit.p_false_after, again.new_after.p_clean),
        ];
        // A whole answer's p is another number than its first token's.
        let first = record.settings.answer != Answer::Sequence;
        for (name, measured, traced) in both.into_iter().filter(|(name, ..)| first || *name == "p_true_after") {
            tally.agree(traced, measured, || format!("{}, {name}", of(edit)));
        }
    }
    tally.done("no edits traced again")
}

fn of(edit: &EditRecord) -> String {
    format!("edit of the fact of order {}", edit.fact)
}

const NONE: &str = "no edits";

fn known(record: &Record, pairs: &[Pair<'_>]) -> Check {
    let mut tally = Tally::new("edited facts are validated, editable, once each", "edits");
    let mut seen = HashSet::new();
    let least = record.settings.edit.min_p_false;
    for (edit, fact) in pairs {
        let once = seen.insert((edit.method, edit.fact, edit.layer));
        tally.see(fact.is_some() && once && record.settings.edit.editable(edit.p_false), || {
            format!("{}: p_false is {}, more than {least} is editable", of(edit), edit.p_false)
        });
    }
    tally.done(NONE)
}

fn layers(record: &Record, pairs: &[Pair<'_>]) -> Check {
    let mut tally = Tally::new("edits are at the layer that the settings ask for", "edits");
    for (edit, fact) in pairs {
        let wanted = fact.map(|(_, traced)| edited_layers(record, traced)).unwrap_or_default();
        tally.see(wanted.contains(&edit.layer), || {
            let listed: Vec<String> = wanted.iter().map(usize::to_string).collect();
            let wanted = if listed.is_empty() { "none: the fact is not localized".into() } else { listed.join(", ") };
            format!("{}: layer {}, asked for is {wanted}", of(edit), edit.layer)
        });
    }
    tally.done(NONE)
}

fn before(pairs: &[Pair<'_>]) -> Check {
    let mut tally = Tally::new("edits start from the traced probabilities", "values");
    for (edit, fact) in pairs {
        let Some((fact, traced)) = fact else { continue };
        tally.agree(edit.p_true, traced.p_clean, || format!("{}, p_true", place(fact)));
        tally.agree(edit.p_false, traced.p_false, || format!("{}, p_false", place(fact)));
    }
    tally.done(NONE)
}

fn losses(record: &Record, pairs: &[Pair<'_>]) -> Check {
    let mut tally = Tally::new("a loss per step, from the traced probabilities", "edits");
    for (edit, _) in pairs {
        let Some(method) = record.settings.edit.methods.get(edit.method) else { continue };
        // An extract says so, and has none at all.
        if edit.without_losses && edit.loss.is_empty() {
            continue;
        }
        let steps = method.steps();
        if method.has_gradients() {
            // A search ends where its loss is small enough.
            let found = edit.loss.len();
            // Only a search over contexts weighs a divergence.
            let divergences = if method.needs_contexts() { found } else { 0 };
            let whole = |search: &Search| search.nll.len() == found && search.kl.len() == divergences;
            // A search that broke off has its losses alone, or none.
            let parts = edit.search.as_ref().map_or(edit.failed.is_some(), whole);
            let least = usize::from(edit.failed.is_none());
            tally.see((least..=steps).contains(&found) && parts, || {
                format!("{}: {found} losses for at most {steps} steps, with their parts", of(edit))
            });
            continue;
        }
        // `steps` comes from the file too, so nothing is added to it.
        let complete = edit.loss.len().checked_sub(1) == Some(steps);
        let start = edit.loss.first().copied().map_or(f64::NAN, f64::from);
        let logits = (f64::from(edit.p_true) / f64::from(edit.p_false)).ln();
        // SPSA reads first tokens, whatever the answer is.
        let agrees = record.settings.answer == Answer::Sequence || (start - logits).abs() <= LOSS;
        tally.see(complete && agrees, || {
            let found = edit.loss.len();
            format!(
                "{}: {found} losses for {steps} steps, from {start:.4}; ln(p_true / p_false) is {logits:.4}",
                of(edit)
            )
        });
    }
    tally.done(NONE)
}

fn restored(pairs: &[Pair<'_>]) -> Check {
    let mut tally = Tally::new("weights were restored bit for bit", "edits");
    for (edit, _) in pairs {
        tally.see(edit.restored, || of(edit));
    }
    tally.done(NONE)
}

fn unrelated(pairs: &[Pair<'_>], facts: &HashMap<usize, (&FactRecord, &Traced)>) -> Check {
    let mut tally = Tally::new("unrelated facts are other facts, as they were traced", "values");
    for (edit, own) in pairs {
        for other in &edit.unrelated {
            let place = || format!("{}, unrelated fact of order {}", of(edit), other.fact);
            match (own, facts.get(&other.fact)) {
                (Some((own, _)), Some((fact, traced))) => {
                    let apart = own.relation != fact.relation && own.subject != fact.subject && own.order != fact.order;
                    if apart {
                        tally.agree(other.p_true[0], traced.p_clean, place);
                    } else {
                        tally.see(false, || format!("{}: the same fact, relation or subject", place()));
                    }
                }
                _ => tally.see(false, || format!("{}: not among the validated facts", place())),
            }
        }
    }
    tally.done("no unrelated facts")
}
