//! A model as data: tables, blocks and a head, and the one function that computes a block, for every family.

use super::site::Site;
use super::{Heads, Shape};
use crate::tensor::vocabulary::Finish;
use crate::tensor::{Activation, LinearMap, Norm, Readout, Rope, Rows, Vector, Vocabulary};

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

/// What whoever runs a block does between its operations.
pub(crate) trait Hooks {
    /// The map's outputs, with the terms of overlays.
    fn linear(&mut self, map: &LinearMap, x: &Rows) -> Rows;
    /// Rows that enter here join all of `live`; the last of these is the site's own activation, changed and captured.
    fn at<const N: usize>(&mut self, site: Site, live: [Rows; N]) -> [Rows; N];
    /// Attention from queries, keys and values before rotation: the stream of the rows that go on, and their mixed values.
    fn attend(&mut self, block: &Block, x: Rows, qkv: [Rows; 3]) -> [Rows; 2];
}

impl Block {
    /// Attention and MLP read the same normed rows (Phi).
    pub(crate) fn is_parallel(&self) -> bool {
        self.mlp_norm.is_none()
    }

    /// The stream before the block to the stream after it.
    pub(crate) fn forward(&self, x: Rows, h: &mut impl Hooks) -> Rows {
        let n = self.norm.forward(&x);
        let (mut q, mut k, v) = (h.linear(&self.q, &n), h.linear(&self.k, &n), h.linear(&self.v, &n));
        drop(n);
        if let Some([q_norm, k_norm]) = &self.qk_norm {
            q = q_norm.heads(&q, self.heads.dim);
            k = k_norm.heads(&k, self.heads.dim);
        }
        let [q] = h.at(Site::Query, [q]);
        let [k] = h.at(Site::Key, [k]);
        let [v] = h.at(Site::Value, [v]);
        let [x, z] = h.attend(self, x, [q, k, v]);
        let [x, z] = h.at(Site::Heads, [x, z]);
        let mut a = h.linear(&self.o, &z);
        drop(z);
        if let Some(norm) = &self.after_attention {
            a = norm.forward(&a);
        }
        let [x, a] = h.at(Site::Attention, [x, a]);
        let (mid, read) = match &self.mlp_norm {
            Some(norm) => {
                let mid = x.plus(&a);
                let read = norm.forward(&mid);
                (mid, read)
            }
            None => {
                let read = self.norm.forward(&x);
                (x.plus(&a), read)
            }
        };
        drop(a);
        let key = match &self.mlp {
            Mlp::Gated { gate, up, act } => act.gated(h.linear(gate, &read), &h.linear(up, &read)),
            Mlp::Plain { up, act } => act.plain(h.linear(up, &read)),
        };
        drop(read);
        let [mid, key] = h.at(Site::MlpKey, [mid, key]);
        let value = h.linear(&self.down, &key);
        drop(key);
        let [mid, value] = h.at(Site::MlpValue, [mid, value]);
        let m = match &self.after_mlp {
            Some(norm) => norm.forward(&value),
            None => value,
        };
        let [mid, m] = h.at(Site::Mlp, [mid, m]);
        let [x] = h.at(Site::Residual, [mid.plus(&m)]);
        x
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
}

impl Transformer {
    /// A block by its number.
    pub(crate) fn block(&self, layer: usize) -> &Block {
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

    fn table(&self) -> (&Vocabulary, Finish<'_>) {
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
