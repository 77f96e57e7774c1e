//! The rank-one update `W' = W + Λ uᵀ` with `Λ = (v* - v) / (kᵀ u)`, so that `W' k` is `v*`. With `u = k` it is the paper's
//! (eq. 4); with `u = C⁻¹ k` it changes as little as it can of what other keys give (ROME).

use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Transformer;
use crate::tensor::{Overlay, Rows};

/// `|kᵀu|` below this share of `‖k‖ ‖u‖` makes an update of noise.
const LEAST_DIVISION: f64 = 1e-6;

/// A key, the value that its layer's `down_proj` gives for it, the value to store, and the direction of the update.
#[derive(Debug, Clone, PartialEq)]
pub struct RankOne {
    /// Edited block, `1..=L`.
    pub layer: usize,
    /// Key `k`, `[ff]`.
    pub key: Vec<f32>,
    /// Direction `u`, `[ff]`.
    pub direction: Vec<f32>,
    /// Value `v = W k (+ bias)`, `[d]`.
    pub value: Vec<f32>,
    /// The value to store, v*, `[d]`.
    pub target: Vec<f32>,
}

impl RankOne {
    /// `kᵀ u`, in f64.
    pub fn division(&self) -> f64 {
        self.key.iter().zip(&self.direction).map(|(k, u)| f64::from(*k) * f64::from(*u)).sum()
    }

    /// `Λ`, `[d]`. The division is in f64.
    ///
    /// # Errors
    /// When the key is zero, or nothing of it lies along the direction.
    pub fn factor(&self) -> Result<Vec<f32>> {
        let division = self.division();
        if norm(&self.key) * norm(&self.direction) <= f64::from(f32::MIN_POSITIVE) {
            return Err(Error::numeric(format!("layer {}: the subject's key is zero", self.layer))
                .hint("choose another layer with --layer")
                .in_page("choose another layer"));
        }
        if division.is_nan() || division.abs() < LEAST_DIVISION * norm(&self.key) * norm(&self.direction) {
            return Err(Error::numeric(format!(
                "layer {}: the key has no part along the direction of the update (division factor {division:.1e})",
                self.layer
            ))
            .hint("take r-rome, which has one key for both, or another layer (--layer)")
            .in_page("take R-ROME, or another layer"));
        }
        let apart = self.target.iter().zip(&self.value);
        let factor: Vec<f32> =
            apart.map(|(new, old)| ((f64::from(*new) - f64::from(*old)) / division) as f32).collect();
        match factor.iter().all(|x| x.is_finite()) {
            true => Ok(factor),
            false => Err(Error::numeric(format!("layer {}: the update is no finite number", self.layer))
                .hint("choose another layer with --layer")
                .in_page("choose another layer")),
        }
    }

    /// The update that makes `W' k = v*`.
    ///
    /// # Errors
    /// As [`Self::factor`].
    pub fn overlay(&self, net: &Transformer) -> Result<Overlay> {
        Ok(Overlay::rank_one(&net.down(self.layer).tensor, &self.factor()?, &self.direction))
    }

    /// `‖v* - v‖ / ‖v‖`.
    pub fn relative_change(&self) -> f32 {
        let apart: Vec<f32> = self.target.iter().zip(&self.value).map(|(new, old)| new - old).collect();
        (norm(&apart) / norm(&self.value).max(f64::MIN_POSITIVE)) as f32
    }

    /// `max |W'k - v*| / max |v*|` with the edit in force, and those before it.
    pub(super) async fn residual(&self, model: &Model, own: &Overlay) -> Result<f32> {
        let down = model.net.down(self.layer);
        let key = Rows::new(self.key.clone(), self.key.len(), model.compute.device.as_ref());
        let terms = model.overlays.iter().chain([own]).flat_map(|overlay| &overlay.terms);
        let terms = terms.filter(|term| term.tensor == down.tensor);
        let got = terms.fold(down.forward(&key), |y, term| down.add_term(&key, y, term, None)).values().await?;
        let most = |values: &mut dyn Iterator<Item = f32>| values.fold(0.0f32, f32::max);
        let miss = most(&mut got.iter().zip(&self.target).map(|(got, want)| (got - want).abs()));
        Ok(miss / most(&mut self.target.iter().map(|x| x.abs())).max(f32::MIN_POSITIVE))
    }
}

/// `‖x‖`, in f64.
pub(super) fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}

/// How far an overlay moves what a map gives for a key, `‖ΔW k‖`, in f64.
pub(super) fn moved(overlay: &Overlay, tensor: &str, key: &[f32]) -> f64 {
    let mut added: Vec<f64> = Vec::new();
    let terms = overlay.terms.iter().filter(|term| term.tensor == tensor);
    for (u, v) in terms.flat_map(|term| term.u.iter().zip(&term.v)) {
        let along: f64 = key.iter().zip(v).map(|(k, v)| f64::from(*k) * f64::from(*v)).sum();
        added.resize(u.len(), 0.0);
        added.iter_mut().zip(u).for_each(|(sum, u)| *sum += along * f64::from(*u));
    }
    added.iter().map(|x| x * x).sum::<f64>().sqrt()
}
