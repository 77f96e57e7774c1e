//! A model as data: tables, blocks and a head, and the one function that computes a block, for every family.

use super::site::Site;
use super::{Heads, Shape};
use crate::tensor::gradients::Gradients;
use crate::tensor::vocabulary::Finish;
use crate::tensor::{Activation, Joined, LinearMap, Norm, Readout, Rope, Rows, Vector, Vocabulary};

/// A decoder-only language model. Layers are numbered `1..=L`.
#[derive(Debug, Clone)]
pub struct Transformer {
    /// Sizes.
    pub shape: Shape,
    /// Tokens to the stream.
    pub embedding: Embedding,
    /// Rotary tables, which blocks name.
    pub ropes: Vec<Rope>,
    /// The blocks, the first at 0.
    pub blocks: Vec<Block>,
    /// The stream to logits.
    pub head: Head,
}

/// Tokens to the stream.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// Token embeddings.
    pub tokens: Vocabulary,
    /// Gemma's factor.
    pub scale: Option<f64>,
    /// GPT-2's learned positions.
    pub positions: Option<Vocabulary>,
}

/// The stream to logits.
#[derive(Debug, Clone)]
pub struct Head {
    /// The last norm.
    pub norm: Norm,
    /// `None` when tied to the embedding.
    pub table: Option<Vocabulary>,
    /// Phi's.
    pub bias: Option<Vector>,
    /// Gemma-2's soft-cap.
    pub cap: Option<f64>,
}

/// One block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Of what attention reads.
    pub norm: Norm,
    /// Query projection.
    pub q: LinearMap,
    /// Key projection.
    pub k: LinearMap,
    /// Value projection.
    pub v: LinearMap,
    /// These three as one, on a device.
    pub(crate) qkv: Option<Joined>,
    /// Gemma-3 norms queries and keys head by head.
    pub qk_norm: Option<[Norm; 2]>,
    /// Which rotary table; none with learned positions.
    pub rope: Option<usize>,
    /// Its heads.
    pub heads: Heads,
    /// Output projection of attention.
    pub o: LinearMap,
    /// Gemma's norm of what attention adds.
    pub after_attention: Option<Norm>,
    /// The MLP's own norm; `None` where it reads what attention reads (Phi).
    pub mlp_norm: Option<Norm>,
    /// From what the MLP reads to its key.
    pub mlp: Mlp,
    /// From the key to the value.
    pub down: LinearMap,
    /// Gemma's norm of what the MLP adds.
    pub after_mlp: Option<Norm>,
}

/// From the stream that an MLP reads to its key.
#[derive(Debug, Clone)]
pub enum Mlp {
    /// `act(gate x) · up x`.
    Gated {
        /// `gate_proj`.
        gate: LinearMap,
        /// `up_proj`.
        up: LinearMap,
        /// Both as one, on a device.
        joined: Option<Joined>,
        /// The nonlinearity.
        act: Activation,
    },
    /// `act(up x)`.
    Plain {
        /// The first projection.
        up: LinearMap,
        /// The nonlinearity.
        act: Activation,
    },
}

/// What a block's backward pass needs of its forward pass. The rows of each are those that were there at its place.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The stream before the block.
    x: Rows,
    /// Queries and keys before their head norms.
    qk: Option<[Rows; 2]>,
    /// Mixed values, input of `o`.
    z: Rows,
    /// Output of `o`, where a norm follows.
    a: Option<Rows>,
    /// What the MLP's norm reads: the stream after attention, or before it where the two are parallel.
    mid: Rows,
    /// What the nonlinearity reads, and what it is multiplied with.
    gate: Rows,
    up: Option<Rows>,
    /// Output of `down`, where a norm follows.
    value: Option<Rows>,
}

impl Default for Kept {
    fn default() -> Self {
        let none = || Rows::empty(0);
        Self { x: none(), qk: None, z: none(), a: None, mid: none(), gate: none(), up: None, value: None }
    }
}

/// What whoever runs a block does between its operations.
pub(crate) trait Hooks {
    /// The map's outputs, with the terms of overlays.
    fn linear(&mut self, map: &LinearMap, x: &Rows) -> Rows;
    /// Rows that enter here join all of `live`; the last of these is the site's own activation, changed and captured.
    fn at<const N: usize>(&mut self, site: Site, live: [Rows; N]) -> [Rows; N];
    /// No terms are added to any of these maps.
    fn plain(&self, maps: &[&LinearMap]) -> bool;
    /// Rotated queries and keys, and values, of normed rows in one go, where nothing has to be done in between.
    fn project(&mut self, block: &Block, n: &Rows) -> Option<[Rows; 3]>;
    /// Rotated queries and keys.
    fn rotate(&mut self, block: &Block, qk: [Rows; 2]) -> [Rows; 2];
    /// Attention from rotated queries and keys, and values: the stream of the rows that go on, and their mixed values.
    fn attend(&mut self, block: &Block, x: Rows, qkv: [Rows; 3]) -> [Rows; 2];
}

/// The same of a backward pass: each undoes what its namesake of [`Hooks`] did.
pub(crate) trait BackHooks {
    /// Gradients of weights are wanted too.
    fn weights(&self) -> bool;
    /// Gradients on the map's inputs, from those on its outputs; `x`, its inputs, is there where weights are wanted.
    fn linear(&mut self, map: &LinearMap, g: &Rows, x: Option<&Rows>) -> Rows;
    /// Gradients on what a norm reads.
    fn norm(&mut self, norm: &Norm, x: &Rows, g: Rows) -> Rows;
    /// Gradients on the rows that were there before the site, its changes undone.
    fn at<const N: usize>(&mut self, site: Site, g: [Rows; N]) -> [Rows; N];
    /// Gradients on the stream, and on queries, keys and values before rotation.
    fn attend(&mut self, block: &Block, g: [Rows; 2]) -> [Rows; 4];
}

impl Block {
    /// Attention and MLP read the same normed rows (Phi).
    pub(crate) fn is_parallel(&self) -> bool {
        self.mlp_norm.is_none()
    }

    /// The stream before the block to the stream after it. `kept` takes what [`Self::backward`] needs.
    pub(crate) fn forward(&self, x: Rows, h: &mut impl Hooks, mut kept: Option<&mut Kept>) -> Rows {
        let n = self.norm.forward(&x);
        if let Some(kept) = &mut kept {
            kept.x = x.clone();
        }
        let projected = if kept.is_none() { h.project(self, &n) } else { None };
        let qkv = projected.unwrap_or_else(|| {
            let (mut q, mut k, v) = (h.linear(&self.q, &n), h.linear(&self.k, &n), h.linear(&self.v, &n));
            if let Some([q_norm, k_norm]) = &self.qk_norm {
                if let Some(kept) = &mut kept {
                    kept.qk = Some([q.clone(), k.clone()]);
                }
                q = q_norm.heads(&q, self.heads.dim);
                k = k_norm.heads(&k, self.heads.dim);
            }
            let [q] = h.at(Site::Query, [q]);
            let [k] = h.at(Site::Key, [k]);
            let [v] = h.at(Site::Value, [v]);
            let [q, k] = h.rotate(self, [q, k]);
            [q, k, v]
        });
        drop(n);
        let [x, z] = h.attend(self, x, qkv);
        let [x, z] = h.at(Site::Heads, [x, z]);
        let mut a = h.linear(&self.o, &z);
        if let Some(norm) = &self.after_attention {
            let normed = norm.forward(&a);
            if let Some(kept) = &mut kept {
                kept.a = Some(a);
            }
            a = normed;
        }
        match &mut kept {
            Some(kept) => kept.z = z,
            None => drop(z),
        }
        let [x, a] = h.at(Site::Attention, [x, a]);
        let keep_mid = |kept: &mut Option<&mut Kept>, mid: &Rows| {
            if let Some(kept) = kept {
                kept.mid = mid.clone();
            }
        };
        let (mid, read) = match &self.mlp_norm {
            Some(norm) => {
                let [mid, read] = norm.of_sum(x, &a);
                keep_mid(&mut kept, &mid);
                (mid, read)
            }
            None => {
                keep_mid(&mut kept, &x);
                let read = self.norm.forward(&x);
                (x.plus(&a), read)
            }
        };
        drop(a);
        let key = match &self.mlp {
            Mlp::Gated { gate, up, joined: Some(joined), act }
                if kept.is_none() && read.count() > 0 && h.plain(&[gate, up]) =>
            {
                joined.gated(*act, &read)
            }
            mlp => {
                let (gate, up) = match mlp {
                    Mlp::Gated { gate, up, .. } => (h.linear(gate, &read), Some(h.linear(up, &read))),
                    Mlp::Plain { up, .. } => (h.linear(up, &read), None),
                };
                if let Some(kept) = &mut kept {
                    (kept.gate, kept.up) = (gate.clone(), up.clone());
                }
                mlp.activate(gate, up.as_ref())
            }
        };
        drop(read);
        let [mid, key] = h.at(Site::MlpKey, [mid, key]);
        let value = h.linear(&self.down, &key);
        drop(key);
        let [mid, value] = h.at(Site::MlpValue, [mid, value]);
        let m = match &self.after_mlp {
            Some(norm) => {
                let m = norm.forward(&value);
                if let Some(kept) = &mut kept {
                    kept.value = Some(value);
                }
                m
            }
            None => value,
        };
        let [mid, m] = h.at(Site::Mlp, [mid, m]);
        let [x] = h.at(Site::Residual, [mid.plus(&m)]);
        x
    }

    /// Gradients on the stream after the block to those on the stream before it: [`Self::forward`] read from below.
    pub(crate) fn backward(&self, kept: &Kept, g: Rows, h: &mut impl BackHooks) -> Rows {
        let weights = h.weights();
        let [g] = h.at(Site::Residual, [g]);
        let [mid, m] = h.at(Site::Mlp, [g.clone(), g]);
        let value = match (&self.after_mlp, &kept.value) {
            (Some(norm), Some(value)) => h.norm(norm, value, m),
            _ => m,
        };
        let [mid, value] = h.at(Site::MlpValue, [mid, value]);
        let key = weights.then(|| self.mlp.activate(kept.gate.clone(), kept.up.as_ref()));
        let key = h.linear(&self.down, &value, key.as_ref());
        let [mid, key] = h.at(Site::MlpKey, [mid, key]);
        let norm = self.mlp_norm.as_ref().unwrap_or(&self.norm);
        let read = weights.then(|| norm.forward(&kept.mid));
        let read = match (&self.mlp, &kept.up) {
            (Mlp::Gated { gate, up, act, .. }, Some(kept_up)) => {
                let [on_gate, on_up] = act.gated_backward(&kept.gate, kept_up, key);
                h.linear(gate, &on_gate, read.as_ref()).plus(&h.linear(up, &on_up, read.as_ref()))
            }
            (Mlp::Plain { up, act } | Mlp::Gated { up, act, .. }, _) => {
                h.linear(up, &act.plain_backward(&kept.gate, key), read.as_ref())
            }
        };
        let read = h.norm(norm, &kept.mid, read);
        let (x, a) = match self.is_parallel() {
            true => (mid.clone().plus(&read), mid),
            false => {
                let mid = mid.plus(&read);
                (mid.clone(), mid)
            }
        };
        let [x, a] = h.at(Site::Attention, [x, a]);
        let a = match (&self.after_attention, &kept.a) {
            (Some(norm), Some(kept)) => h.norm(norm, kept, a),
            _ => a,
        };
        let z = h.linear(&self.o, &a, weights.then_some(&kept.z));
        let [x, z] = h.at(Site::Heads, [x, z]);
        let [x, q, k, v] = h.attend(self, [x, z]);
        let [v] = h.at(Site::Value, [v]);
        let [mut k] = h.at(Site::Key, [k]);
        let [mut q] = h.at(Site::Query, [q]);
        if let (Some([q_norm, k_norm]), Some([kept_q, kept_k])) = (&self.qk_norm, &kept.qk) {
            q = h.norm(q_norm, kept_q, q);
            k = h.norm(k_norm, kept_k, k);
        }
        let n = weights.then(|| self.norm.forward(&kept.x));
        let n = n.as_ref();
        let on_n = h.linear(&self.q, &q, n).plus(&h.linear(&self.k, &k, n)).plus(&h.linear(&self.v, &v, n));
        x.plus(&h.norm(&self.norm, &kept.x, on_n))
    }

    /// Its linear maps, with the site before which a change of the map is felt first.
    pub fn maps(&self) -> impl Iterator<Item = (Site, &LinearMap)> {
        let mlp = match &self.mlp {
            Mlp::Gated { gate, up, .. } => [Some(gate), Some(up)],
            Mlp::Plain { up, .. } => [Some(up), None],
        };
        let attention =
            [(Site::Query, &self.q), (Site::Query, &self.k), (Site::Query, &self.v), (Site::Heads, &self.o)];
        let mlp = mlp.into_iter().flatten().map(|map| (Site::Attention, map));
        attention.into_iter().chain(mlp).chain([(Site::MlpKey, &self.down)])
    }
}

impl Mlp {
    /// The key, from what its projections give.
    fn activate(&self, gate: Rows, up: Option<&Rows>) -> Rows {
        match (self, up) {
            (Self::Gated { act, .. }, Some(up)) => act.gated(gate, up),
            (Self::Gated { act, .. } | Self::Plain { act, .. }, _) => act.plain(gate),
        }
    }
}

impl Embedding {
    /// Token embeddings as they enter the stream, without positions.
    pub(crate) fn tokens(&self, ids: &[u32]) -> Rows {
        let x = self.tokens.lookup(ids);
        match self.scale {
            Some(scale) => x.map(|x| x.iter_mut().for_each(|x| *x *= scale as f32), |x| x * scale),
            None => x,
        }
    }

    /// The stream before the first block: these tokens at these positions.
    pub(crate) fn forward(&self, ids: &[u32], positions: &[u32]) -> Rows {
        let x = self.tokens(ids);
        match &self.positions {
            Some(table) => x.plus(&table.lookup(positions)),
            None => x,
        }
    }

    /// Adds the gradients of its tables, from those on the stream before the first block.
    pub(crate) fn add_gradient(&self, ids: &[u32], positions: &[u32], g: Rows, to: &mut Gradients) {
        if let Some(table) = &self.positions {
            to.add(&table.tensor, 0, 0, table.lookup_gradient(positions, &g));
        }
        let g = match self.scale {
            Some(scale) => g.map(|g| g.iter_mut().for_each(|g| *g *= scale as f32), |g| g * scale),
            None => g,
        };
        to.add(&self.tokens.tensor, 0, 0, self.tokens.lookup_gradient(ids, &g));
    }
}

impl Transformer {
    /// A block by its number.
    pub fn block(&self, layer: usize) -> &Block {
        &self.blocks[layer - 1]
    }

    /// Attention heads of a layer.
    pub fn heads(&self, layer: usize) -> &Heads {
        &self.block(layer).heads
    }

    /// The down projection of a layer.
    pub fn down(&self, layer: usize) -> &LinearMap {
        &self.block(layer).down
    }

    /// Sliding windows that there are.
    pub(crate) fn windows(&self) -> Vec<Option<usize>> {
        let mut windows: Vec<_> = self.blocks.iter().map(|block| block.heads.window).collect();
        windows.sort_unstable();
        windows.dedup();
        windows
    }

    pub(crate) fn table(&self) -> (&Vocabulary, Finish<'_>) {
        let table = self.head.table.as_ref().unwrap_or(&self.embedding.tokens);
        (table, Finish { bias: self.head.bias.as_ref(), cap: self.head.cap })
    }

    /// Logits from the stream after the last block: `[rows, vocab]`.
    pub(crate) fn logits(&self, x: &Rows) -> Rows {
        let (table, finish) = self.table();
        table.logits(&self.head.norm.forward(x), finish)
    }

    /// On the host: what is asked of rows of the stream after the last block, and the sum under each softmax.
    pub(crate) fn read(&self, x: &Rows, asked: &[&[u32]], ranks: bool) -> Vec<(Readout, f32)> {
        let (table, finish) = self.table();
        table.read(&self.head.norm.forward(x), asked, ranks, finish)
    }
}
