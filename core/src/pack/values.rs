//! The raw values of a record, one after the other. Their order is part of the packed format.

use crate::record::{Dropped, EditRecord, Outcome, Record, Shift, Traced};

/// Hands every raw value of a record to `take`.
pub(super) fn each(record: &mut Record, take: &mut dyn FnMut(&mut f32)) {
    for fact in &mut record.facts {
        match &mut fact.outcome {
            Outcome::Validated(found) => traced(found, take),
            Outcome::Dropped(Dropped { p_clean, p_corrupt, .. }) => {
                [p_clean, p_corrupt].into_iter().flatten().for_each(&mut *take);
            }
        }
    }
    record.edits.iter_mut().flatten().for_each(|one| edit(one, take));
}

fn traced(traced: &mut Traced, take: &mut dyn FnMut(&mut f32)) {
    let Traced { p_clean, p_corrupt, p_false, patched, redundancy, maps, lens, .. } = traced;
    [p_clean, p_corrupt, p_false].into_iter().for_each(&mut *take);
    patched.values_mut().flatten().for_each(&mut *take);
    [&mut traced.without_block, &mut traced.without_attention, &mut traced.without_mlp]
        .into_iter()
        .flatten()
        .for_each(&mut *take);
    redundancy.values_mut().flat_map(|curve| curve.patched.iter_mut().flatten()).for_each(&mut *take);
    if let Some(maps) = maps {
        [&mut maps.residual, &mut maps.mlp, &mut maps.attention].into_iter().flatten().flatten().for_each(&mut *take);
    }
    if let Some(lens) = lens {
        [&mut lens.p_true, &mut lens.p_false].into_iter().flatten().for_each(&mut *take);
    }
}

fn edit(edit: &mut EditRecord, take: &mut dyn FnMut(&mut f32)) {
    let EditRecord { p_true, p_false, p_true_after, p_false_after, relative_change, residual, .. } = edit;
    [p_true, p_false, p_true_after, p_false_after, relative_change, residual].into_iter().for_each(&mut *take);
    edit.loss.iter_mut().for_each(&mut *take);
    for Shift { p_true, p_false, .. } in edit.paraphrases.iter_mut().chain(&mut edit.neighbourhood) {
        p_true.iter_mut().chain(p_false).for_each(&mut *take);
    }
    edit.unrelated.iter_mut().flat_map(|one| &mut one.p_true).for_each(&mut *take);
}
