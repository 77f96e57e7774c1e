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
    let mut whole: Vec<Term> = Vec::new();
    for Term { tensor, u, v } in &overlay.terms {
        match whole.iter_mut().find(|term| term.tensor == *tensor) {
            Some(term) => {
                term.u.extend(u.iter().cloned());
                term.v.extend(v.iter().cloned());
            }
            None => whole.push(Term { tensor: tensor.clone(), u: u.clone(), v: v.clone() }),
        }
    }
    for term in &whole {
        let mut maps = model.net.blocks.iter().flat_map(|block| block.maps());
        let (_, map) = maps.find(|(_, map)| map.tensor == term.tensor).expect("an edit is of the model's own tensors");
        let own: f64 = map.values().await?.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let share = (term.norm() / own.sqrt().max(f64::MIN_POSITIVE)) as f32;
        if largest.as_ref().is_none_or(|(_, most)| share > *most) {
            largest = Some((term.tensor.clone(), share));
        }
    }
    Ok(largest.expect("an edit changes something"))
}
