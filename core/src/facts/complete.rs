//! A counterfactual answer for facts that came without one.

use super::{Fact, first_few};
use std::collections::{HashMap, HashSet};

/// Fills each empty `target_new`: the next different true answer of the same relation in file order, cyclically; for a
/// relation with one answer only, the next different one of the whole file. No draws, so every reader gets the same.
/// Those in `without` stay as they are: an answer was there and could not be read.
pub(super) fn fill_target_new(facts: &mut [Fact], without: &HashSet<usize>, warnings: &mut Vec<String>) {
    let missing = (0..facts.len()).filter(|at| facts[*at].target_new.is_empty() && !without.contains(at));
    let missing: Vec<usize> = missing.collect();
    if missing.is_empty() {
        return;
    }
    let mut relations: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, fact) in facts.iter().enumerate() {
        relations.entry(&fact.relation).or_default().push(at);
    }
    let all: Vec<usize> = (0..facts.len()).collect();
    let mut next = next_different(facts, &all);
    for members in relations.values() {
        next.extend(next_different(facts, members));
    }
    let found: Vec<(usize, Option<String>)> =
        missing.iter().map(|at| (*at, next.get(at).map(|other| facts[*other].target_true.clone()))).collect();
    let mut hopeless = Vec::new();
    for (at, answer) in found {
        match answer {
            Some(answer) => facts[at].target_new = answer,
            None => hopeless.push(facts[at].id.as_str().to_owned()),
        }
    }
    let filled = missing.len() - hopeless.len();
    if filled > 0 {
        warnings.push(format!(
            "{filled} facts have no counterfactual answer; each takes the next different true answer of its relation"
        ));
    }
    if !hopeless.is_empty() {
        let ids: Vec<&str> = hopeless.iter().map(String::as_str).collect();
        warnings.push(format!("no other answer in the file for: {}", first_few(&ids, ids.len())));
    }
}

/// For each member with a true answer, the next one (cyclically) with another. Linear: backwards, twice around.
fn next_different(facts: &[Fact], members: &[usize]) -> HashMap<usize, usize> {
    let members: Vec<usize> = members.iter().copied().filter(|at| !facts[*at].target_true.is_empty()).collect();
    let mut next: HashMap<usize, usize> = HashMap::with_capacity(members.len());
    let count = members.len();
    for step in (0..2 * count).rev() {
        let (at, after) = (members[step % count], members[(step + 1) % count]);
        if facts[after].target_true != facts[at].target_true {
            next.insert(at, after);
        } else if let Some(found) = next.get(&after).copied() {
            next.insert(at, found);
        }
    }
    next
}
