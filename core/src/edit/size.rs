//! How large an edit is beside what it changes.

use crate::error::Result;
use crate::load::Model;
use crate::record::EditMethod;
use crate::tensor::{Overlay, Term};

/// Share of the memory for activations that finished edits may take until they are measured.
const KEPT: u64 = 4;

/// How many edits by a method are made before they are measured. Most are a few vectors; some are as large as the matrix.
pub fn at_once(model: &Model, method: &EditMethod) -> usize {
    let EditMethod::FtM(_) = method else { return usize::MAX };
    let shape = &model.net.shape;
    // The change, its other factor, and a copy of both.
    let each = 8 * (shape.width * (shape.ff + shape.width)) as u64;
    (model.plan.bytes / KEPT / each.max(1)).max(1) as usize
}

/// The tensor that an edit changes most, and `‖ΔW‖ / ‖W‖` (Frobenius) of it.
///
/// # Errors
/// When the device fails.
///
/// # Panics
/// For an edit of nothing.
pub async fn size_of(model: &Model, overlay: &Overlay) -> Result<(String, f32)> {
    let mut largest: Option<(String, f32)> = None;
    for term in by_tensor(&overlay.terms) {
        // GPT-2's query, key and value are parts of one tensor.
        let maps = model.net.blocks.iter().flat_map(|block| block.maps()).map(|(_, map)| map);
        let mut own = 0.0f64;
        for map in maps.filter(|map| map.tensor == term.tensor) {
            own += map.values().await?.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        }
        let share = (term.norm() / own.sqrt().max(f64::MIN_POSITIVE)) as f32;
        if largest.as_ref().is_none_or(|(_, most)| share > *most) {
            largest = Some((term.tensor.clone(), share));
        }
    }
    Ok(largest.expect("an edit changes something"))
}

/// The terms of each tensor as one, tensors and terms in their order.
pub(super) fn by_tensor(terms: &[Term]) -> Vec<Term> {
    let mut whole: Vec<Term> = Vec::new();
    for Term { tensor, u, v } in terms {
        match whole.iter_mut().find(|term| term.tensor == *tensor) {
            Some(term) => {
                term.u.extend(u.iter().cloned());
                term.v.extend(v.iter().cloned());
            }
            None => whole.push(Term { tensor: tensor.clone(), u: u.clone(), v: v.clone() }),
        }
    }
    whole
}
