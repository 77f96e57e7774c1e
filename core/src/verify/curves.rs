//! Checks of a record's curves: lengths, the removed block, the two identities of METHODS section 2, maps and lens.

use super::tally::Tally;
use super::{Check, place};
use crate::metrics::{Distribution, dominant};
use crate::record::{Answer, PatchPosition, Record, Traced};

pub(super) fn checks(record: &Record) -> Vec<Check> {
    vec![
        lengths(record),
        removed(record),
        second_pass(record),
        last_token(record),
        subject_last(record),
        map_sizes(record),
        map_rows(record),
        lens(record),
    ]
}

/// [`crate::journal`] lets a curve be empty; a study leaves none so.
fn lengths(record: &Record) -> Check {
    let mut tally = Tally::new("a value per layer", "facts");
    let layers = record.model.layers;
    for (fact, traced) in record.traced() {
        let ablations = [&traced.without_block, &traced.without_attention, &traced.without_mlp];
        let patched =
            |position: &PatchPosition| traced.patched.get(position).is_some_and(|curve| curve.len() == layers);
        let complete =
            ablations.iter().all(|curve| curve.len() == layers) && record.settings.positions.iter().all(patched);
        tally.see(complete && layers > 0, || format!("{}: a curve is missing or has not {layers} values", place(fact)));
    }
    tally.done("no fact is traced")
}

/// The study removes the global dominant layer of the patch position, under the default view.
fn removed(record: &Record) -> Check {
    let mut tally = Tally::new("the removed block is l*", "curves");
    let positions = [PatchPosition::SubjectLast, PatchPosition::LastToken, PatchPosition::SameIndex];
    for position in positions {
        let mut l_star = None;
        for (fact, traced) in record.traced() {
            let Some(curve) = traced.redundancy.get(&position) else { continue };
            let l_star = *l_star.get_or_insert_with(|| {
                let facts = record.traced().filter_map(|(_, traced)| dominant(traced, position, false));
                Distribution::of(record.model.layers, facts).l_star()
            });
            tally.see(l_star == Some(curve.ablated), || {
                let l_star = l_star.map_or_else(|| "not defined".into(), |layer| layer.to_string());
                format!("{}, {}: layer {} was removed, l* is {l_star}", place(fact), position.name(), curve.ablated)
            });
        }
    }
    tally.done("no second pass")
}

fn second_pass(record: &Record) -> Check {
    let mut tally = Tally::new("no value at the removed block", "curves");
    for (fact, traced) in record.traced() {
        for (position, curve) in &traced.redundancy {
            let others = || curve.patched.iter().enumerate().filter(|(at, _)| at + 1 != curve.ablated);
            let own = curve.ablated.checked_sub(1).and_then(|at| curve.patched.get(at));
            // Where the corrupted prompt is too short for the same index nothing can be patched.
            let rest = others().all(|(_, p)| p.is_some())
                || (*position == PatchPosition::SameIndex && others().all(|(_, p)| p.is_none()));
            tally.see(own == Some(&None) && rest, || {
                format!(
                    "{}, {}: the entry of layer {} is to be the only empty one",
                    place(fact),
                    position.name(),
                    curve.ablated
                )
            });
        }
    }
    tally.done("no second pass")
}

/// A patch of the last token after the last block gives the clean prediction back.
fn last_token(record: &Record) -> Check {
    let mut tally = Tally::new("last-token at the last layer is p_clean", "facts");
    if record.settings.answer == Answer::Sequence {
        return tally.done("the answer's later tokens are read at positions that are not patched");
    }
    for (fact, traced) in record.traced() {
        if let Some(last) = traced.patched.get(&PatchPosition::LastToken).and_then(|curve| curve.last()) {
            tally.agree(*last, traced.p_clean, || place(fact));
        }
    }
    tally.done("no patch position last-token")
}

/// A patch of the subject's last token after the last block changes nothing, for no block is left to read it.
fn subject_last(record: &Record) -> Check {
    let mut tally = Tally::new("subject-last at the last layer is p_corrupt", "facts");
    for (fact, traced) in record.traced() {
        let ends =
            traced.subject_span[1] == traced.tokens.len() || traced.corrupt_span[1] == traced.corrupt_tokens.len();
        if let Some(last) = traced.patched.get(&PatchPosition::SubjectLast).and_then(|curve| curve.last())
            && !ends
        {
            tally.agree(*last, traced.p_corrupt, || place(fact));
        }
    }
    tally.done("no patch position subject-last, or every subject ends its prompt")
}

fn map_sizes(record: &Record) -> Check {
    let mut tally = Tally::new("maps have a cell per token and layer", "facts");
    let layers = record.model.layers;
    for (fact, traced) in record.traced() {
        let Some(maps) = &traced.maps else { continue };
        let fits =
            |map: &Vec<Vec<f32>>| map.len() == traced.corrupt_tokens.len() && map.iter().all(|row| row.len() == layers);
        let all = [&maps.residual, &maps.mlp, &maps.attention].into_iter().all(fits);
        let window = record.settings.window_of(layers);
        tally.see(all && maps.window == window, || {
            let tokens = traced.corrupt_tokens.len();
            format!("{}: not {tokens} × {layers} cells with a window of {window}", place(fact))
        });
    }
    tally.done("no maps")
}

/// The index of a patch position in the corrupted prompt, where the map's alignment patches the same clean position.
fn row_of(traced: &Traced, position: PatchPosition) -> Option<usize> {
    match position {
        PatchPosition::SubjectLast => traced.corrupt_span[1].checked_sub(1),
        PatchPosition::LastToken => traced.corrupt_tokens.len().checked_sub(1),
        PatchPosition::SameIndex => None,
    }
}

fn map_rows(record: &Record) -> Check {
    let mut tally = Tally::new("maps agree with the curves", "cells");
    for (fact, traced) in record.traced() {
        let Some(maps) = &traced.maps else { continue };
        for (curves, map) in [(&traced.patched, &maps.residual), (&traced.patched_mlp, &maps.mlp)] {
            for (position, curve) in curves {
                let Some(row) = row_of(traced, *position).and_then(|at| map.get(at)) else { continue };
                for (at, (cell, p)) in row.iter().zip(curve).enumerate() {
                    tally.agree(*cell, *p, || format!("{}, {}, layer {}", place(fact), position.name(), at + 1));
                }
            }
        }
    }
    tally.done("no maps")
}

/// At the last layer the lens reads the model's own prediction.
fn lens(record: &Record) -> Check {
    let mut tally = Tally::new("the lens ends at the prediction", "values");
    if record.settings.answer == Answer::Sequence {
        return tally.done("the lens reads first tokens, the answers here are sequences");
    }
    for (fact, traced) in record.traced() {
        let Some(lens) = &traced.lens else { continue };
        if let (Some(p_true), Some(p_false)) = (lens.p_true.last(), lens.p_false.last()) {
            tally.agree(*p_true, traced.p_clean, || format!("{}, p_true", place(fact)));
            tally.agree(*p_false, traced.p_false, || format!("{}, p_false", place(fact)));
        }
    }
    tally.done("no logit lens")
}
