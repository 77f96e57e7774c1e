//! The raw values of a record, one after the other. Their order is part of the packed format: values that METHODS says
//! are equal (section 2) follow each other.

use crate::record::{Dropped, EditRecord, Outcome, Record, Shift, Traced};

/// What is done to the raw values of a record.
pub(super) trait Visit {
    /// One value.
    fn value(&mut self, value: &mut f32);
    /// A curve, before its values: packing takes its length, unpacking gives it back.
    fn before(&mut self, curve: &mut Vec<f32>);
    /// The curve, after its values.
    fn after(&mut self, curve: &mut Vec<f32>);

    /// A curve with all of its values.
    fn curve(&mut self, curve: &mut Vec<f32>, reversed: bool) {
        self.before(curve);
        match reversed {
            false => curve.iter_mut().for_each(|value| self.value(value)),
            true => curve.iter_mut().rev().for_each(|value| self.value(value)),
        }
        self.after(curve);
    }
}

/// Visits every raw value of a record.
pub(super) fn each(record: &mut Record, visit: &mut dyn Visit) {
    for fact in &mut record.facts {
        match &mut fact.outcome {
            Outcome::Validated(found) => traced(found, visit),
            Outcome::NotValidated(found) => traced(&mut found.traced, visit),
            Outcome::Dropped(Dropped { p_clean, p_corrupt, .. }) => {
                [p_clean, p_corrupt].into_iter().flatten().for_each(|value| visit.value(value));
            }
        }
    }
    record.edits.iter_mut().flatten().for_each(|one| edit(one, visit));
}

fn traced(traced: &mut Traced, visit: &mut dyn Visit) {
    visit.value(&mut traced.p_false);
    // A patch after the last block changes nothing at the subject, and gives everything back at the last token.
    let mut ends = [&mut traced.p_corrupt, &mut traced.p_clean].into_iter();
    for curve in traced.patched.values_mut() {
        visit.curve(curve, false);
        ends.next().into_iter().for_each(|value| visit.value(value));
    }
    ends.for_each(|value| visit.value(value));
    visit.curve(&mut traced.without_attention, false);
    visit.curve(&mut traced.without_mlp, false);
    for curve in traced.redundancy.values_mut() {
        curve.patched.iter_mut().flatten().for_each(|value| visit.value(value));
    }
    // Where the last block is the removed one, a patch below it leaves the clean run without it.
    visit.curve(&mut traced.without_block, true);
    if let Some(maps) = &mut traced.maps {
        let rows = [&mut maps.residual, &mut maps.mlp, &mut maps.attention].into_iter().flatten();
        rows.for_each(|row| visit.curve(row, false));
    }
    if let Some(lens) = &mut traced.lens {
        [&mut lens.p_true, &mut lens.p_false].into_iter().for_each(|curve| visit.curve(curve, false));
    }
}

fn edit(edit: &mut EditRecord, visit: &mut dyn Visit) {
    let EditRecord { p_true, p_false, p_true_after, p_false_after, relative_change, residual, .. } = edit;
    let scalars = [p_true, p_false, p_true_after, p_false_after, relative_change, residual];
    scalars.into_iter().for_each(|value| visit.value(value));
    visit.curve(&mut edit.loss, false);
    let neighbours = edit.neighbourhood.iter_mut().chain(&mut edit.neighbourhood_plus);
    for Shift { p_true, p_false, .. } in edit.paraphrases.iter_mut().chain(neighbours) {
        p_true.iter_mut().chain(p_false).for_each(|value| visit.value(value));
    }
    edit.unrelated.iter_mut().flat_map(|one| &mut one.p_true).for_each(|value| visit.value(value));
}
