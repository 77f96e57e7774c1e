//! Layers that the families share: linear maps, norms, vocabulary tables.

use super::ops;
use burn::tensor::{Int, Tensor, TensorData};

/// A weight matrix in the layout of its file, so that loading never transposes.
#[derive(Debug, Clone)]
pub enum Weight {
    /// `[out, in]`, as `nn.Linear` stores it.
    OutIn(Tensor<2>),
    /// `[in, out]`, as GPT-2's `Conv1D` stores it.
    InOut(Tensor<2>),
}

/// `x Wᵀ + b`.
#[derive(Debug, Clone)]
pub struct Linear {
    /// The matrix.
    pub weight: Weight,
    /// The bias `[out]`.
    pub bias: Option<Tensor<1>>,
}

impl Linear {
    /// `x` `[rows, in]` to `[rows, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = match &self.weight {
            Weight::OutIn(w) => x.matmul(w.clone().transpose()),
            Weight::InOut(w) => x.matmul(w.clone()),
        };
        match &self.bias {
            Some(bias) => y + bias.clone().unsqueeze::<2>(),
            None => y,
        }
    }

    /// The same map with `W + u vᵀ` (`u` `[out]`, `v` `[in]`) in place of `W`: a rank-one update.
    #[must_use]
    pub fn plus_rank_one(&self, u: Tensor<1>, v: Tensor<1>) -> Self {
        let weight = match &self.weight {
            Weight::OutIn(w) => Weight::OutIn(w.clone() + u.unsqueeze_dim::<2>(1) * v.unsqueeze::<2>()),
            Weight::InOut(w) => Weight::InOut(w.clone() + v.unsqueeze_dim::<2>(1) * u.unsqueeze::<2>()),
        };
        Self { weight, bias: self.bias.clone() }
    }

    /// The matrix as stored.
    pub fn stored(&self) -> &Tensor<2> {
        match &self.weight {
            Weight::OutIn(w) | Weight::InOut(w) => w,
        }
    }
}

/// RMSNorm or LayerNorm over the last dimension.
#[derive(Debug, Clone)]
pub struct Norm {
    weight: Tensor<1>,
    bias: Option<Tensor<1>>,
    eps: f64,
}

impl Norm {
    /// `x / sqrt(mean(x²) + ε) · w` (Zhang & Sennrich 2019).
    pub fn rms(weight: Tensor<1>, eps: f64) -> Self {
        Self { weight, bias: None, eps }
    }

    /// `(x - mean) / sqrt(var + ε) · w + b` (Ba et al. 2016).
    pub fn layer(weight: Tensor<1>, bias: Tensor<1>, eps: f64) -> Self {
        Self { weight, bias: Some(bias), eps }
    }

    /// `[rows, n]` to the same.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match &self.bias {
            None => ops::rms_norm(x, &self.weight, self.eps),
            Some(bias) => ops::layer_norm(x, &self.weight, bias, self.eps),
        }
    }
}

/// A vocabulary table `[vocab, d]`, split by rows.
#[derive(Debug, Clone)]
pub struct Table {
    shards: Vec<Tensor<2>>,
    d: usize,
}

impl Table {
    /// From its row shards.
    pub fn new(shards: Vec<Tensor<2>>, d: usize) -> Self {
        Self { shards, d }
    }

    /// Rows of the vocabulary.
    pub fn vocab(&self) -> usize {
        self.shards.iter().map(|shard| shard.dims()[0]).sum()
    }

    /// The rows of these ids: `[ids, d]`.
    pub fn lookup(&self, ids: &[u32]) -> Tensor<2> {
        let device = self.shards[0].device();
        let index = |ids: Vec<i32>| {
            let n = ids.len();
            Tensor::<1, Int>::from_data(TensorData::new(ids, [n]), &device)
        };
        if let [table] = self.shards.as_slice() {
            return table.clone().select(0, index(ids.iter().map(|&id| id as i32).collect()));
        }
        // Each shard gives its own ids' rows; `place` puts them in the asked order.
        let mut start = 0;
        let mut place = vec![0i32; ids.len()];
        let mut found = 0;
        let mut pieces = Vec::new();
        for shard in &self.shards {
            let rows = shard.dims()[0] as u32;
            let mut local = Vec::new();
            for (slot, &id) in ids.iter().enumerate() {
                if (start..start + rows).contains(&id) {
                    place[slot] = found;
                    found += 1;
                    local.push((id - start) as i32);
                }
            }
            if !local.is_empty() {
                pieces.push(shard.clone().select(0, index(local)));
            }
            start += rows;
        }
        Tensor::cat(pieces, 0).select(0, index(place))
    }

    /// As an output head: `h` `[rows, d]` to logits `[rows, vocab]`.
    pub fn logits(&self, h: Tensor<2>) -> Tensor<2> {
        debug_assert_eq!(h.dims()[1], self.d);
        let parts: Vec<_> = self.shards.iter().map(|shard| h.clone().matmul(shard.clone().transpose())).collect();
        match parts.len() {
            1 => parts.into_iter().next().unwrap_or(h),
            _ => Tensor::cat(parts, 1),
        }
    }
}

/// Query, key and value rows of a block, position embedding applied.
#[derive(Debug, Clone)]
pub struct Projected {
    /// `[rows, heads · head_dim]`.
    pub q: Tensor<2>,
    /// `[rows, kv_heads · head_dim]`.
    pub k: Tensor<2>,
    /// `[rows, kv_heads · head_dim]`.
    pub v: Tensor<2>,
}

/// The four projections of an attention layer.
#[derive(Debug, Clone)]
pub struct Attention {
    /// `q_proj`.
    pub q: Linear,
    /// `k_proj`.
    pub k: Linear,
    /// `v_proj`.
    pub v: Linear,
    /// `o_proj`.
    pub o: Linear,
}

impl Attention {
    /// Projects normed rows, without position embedding.
    pub fn project(&self, x: Tensor<2>) -> Projected {
        Projected { q: self.q.forward(x.clone()), k: self.k.forward(x.clone()), v: self.v.forward(x) }
    }
}

/// A gated MLP: `down(act(gate(x)) · up(x))`.
#[derive(Debug, Clone)]
pub struct GatedMlp {
    /// `gate_proj`.
    pub gate: Linear,
    /// `up_proj`.
    pub up: Linear,
    /// `down_proj`.
    pub down: Linear,
    /// The activation.
    pub act: ops::Gate,
}

impl GatedMlp {
    /// The key: input of the down projection.
    pub fn key(&self, x: Tensor<2>) -> Tensor<2> {
        ops::gated(self.act, self.gate.forward(x.clone()), self.up.forward(x))
    }
}
