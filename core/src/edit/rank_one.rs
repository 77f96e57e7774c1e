//! The rank-one update (eq. 4): `W' = W + u kᵀ` with `u = (v* - v) / (kᵀ k)`, so that `W' k` is `v*`.

use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Transformer;
use crate::tensor::{Overlay, Rows};

/// A key, the value that its layer's `down_proj` gives for it, and the value to store.
#[derive(Debug, Clone, PartialEq)]
pub struct RankOne {
    /// Edited block, `1..=L`.
    pub layer: usize,
    /// Key `k`, `[ff]`.
    pub key: Vec<f32>,
    /// Value `v = W k (+ bias)`, `[d]`.
    pub value: Vec<f32>,
    /// The value to store, v*, `[d]`.
    pub target: Vec<f32>,
}

impl RankOne {
    /// The update that makes `W' k = v*`. The division is in f64.
    ///
    /// # Errors
    /// When the key is zero.
    pub fn overlay(&self, net: &Transformer) -> Result<Overlay> {
        let squared: f64 = self.key.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        if squared <= f64::from(f32::MIN_POSITIVE) {
            return Err(Error::numeric(format!("layer {}: the subject's key is zero", self.layer))
                .hint("choose another layer with --layer")
                .in_page("choose another layer"));
        }
        let apart = self.target.iter().zip(&self.value);
        let u: Vec<f32> = apart.map(|(new, old)| ((f64::from(*new) - f64::from(*old)) / squared) as f32).collect();
        Ok(Overlay::rank_one(&net.down(self.layer).tensor, &u, &self.key))
    }

    /// `‖v* - v‖ / ‖v‖`.
    pub fn relative_change(&self) -> f32 {
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
        let apart = self.target.iter().zip(&self.value);
        let change = norm(&mut apart.map(|(a, b)| f64::from(*a) - f64::from(*b)));
        let size = norm(&mut self.value.iter().map(|&x| f64::from(x)));
        (change / size.max(f64::MIN_POSITIVE)) as f32
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
