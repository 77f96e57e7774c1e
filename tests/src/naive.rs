//! The oracle: a full forward of one prompt at a time, in f64 and plain loops over a model's data, its changes made at every
//! site; nothing shared, nothing resumed, no kernel of the engine. Slow on purpose.

use engram_core::load::Model;
use engram_core::model::block::{Block, Mlp};
use engram_core::model::{Site, Transformer};
use engram_core::record::{PatchPosition, Traced};
use engram_core::run::{Change, Columns, Intervention, Prompt, Read, Sites, Source};
use engram_core::tensor::{Activation, LinearMap, Matrix, Norm, Overlay, Rope};
use engram_core::trace::TokenizedFact;
use pollster::block_on;
use std::collections::HashMap;

type Vecs = Vec<Vec<f64>>;

/// Activations of a full forward: `[positions][width]` by layer and site.
pub struct Run {
    sites: HashMap<(usize, Site), Vecs>,
    /// Logits by position.
    pub logits: Vec<Vec<f32>>,
    /// The same as they were computed.
    pub exact: Vec<Vec<f64>>,
}

impl Run {
    /// An activation.
    pub fn at(&self, layer: usize, site: Site, position: usize) -> &[f64] {
        &self.sites[&(layer, site)][position]
    }

    /// Softmax probability of a token at a position.
    pub fn p(&self, position: usize, token: u32) -> f32 {
        let row = &self.logits[position];
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&x| f64::from(x - max).exp()).sum();
        (f64::from(row[token as usize] - max).exp() / sum) as f32
    }
}

/// A linear map with its terms added to the matrix.
struct Map {
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    out: usize,
    input: usize,
}

impl Map {
    fn of(map: &LinearMap, overlays: &[Overlay]) -> Self {
        let mut weight = block_on(map.values()).expect("a matrix");
        for term in overlays.iter().flat_map(|overlay| &overlay.terms).filter(|term| term.tensor == map.tensor) {
            for (u, v) in term.u.iter().zip(&term.v) {
                for (row, u) in weight.chunks_exact_mut(map.input).zip(&u[map.rows.clone()]) {
                    row.iter_mut()
                        .zip(v)
                        .for_each(|(w, v)| *w = (f64::from(*w) + f64::from(*u) * f64::from(*v)) as f32);
                }
            }
        }
        Self { weight, bias: map.bias().map(<[f32]>::to_vec), out: map.out(), input: map.input }
    }

    fn table(weight: Vec<f32>, bias: Option<Vec<f32>>, input: usize) -> Self {
        Self { out: weight.len() / input, weight, bias, input }
    }

    fn apply(&self, x: &Vecs) -> Vecs {
        let mut out = vec![vec![0.0; self.out]; x.len()];
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let per = self.out.div_ceil(threads).max(1);
        let parts: Vec<Vecs> = std::thread::scope(|scope| {
            let work = |first: usize| {
                let rows = self.weight[first * self.input..].chunks_exact(self.input).take(per);
                rows.map(|row| x.iter().map(|x| dot(row, x)).collect()).collect::<Vecs>()
            };
            let started: Vec<_> = (0..self.out).step_by(per).map(|first| scope.spawn(move || work(first))).collect();
            started.into_iter().map(|part| part.join().expect("a part")).collect()
        });
        for (at, column) in parts.into_iter().flatten().enumerate() {
            let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[at]));
            out.iter_mut().zip(column).for_each(|(row, value)| row[at] = value + bias);
        }
        out
    }
}

fn dot(w: &[f32], x: &[f64]) -> f64 {
    let mut sums = [0.0f64; 8];
    let (w, w_rest) = w.as_chunks::<8>();
    let (x, x_rest) = x.as_chunks::<8>();
    for (w, x) in w.iter().zip(x) {
        for i in 0..8 {
            sums[i] += f64::from(w[i]) * x[i];
        }
    }
    sums.iter().sum::<f64>() + w_rest.iter().zip(x_rest).map(|(w, x)| f64::from(*w) * x).sum::<f64>()
}

fn norm(norm: &Norm, row: &[f64]) -> Vec<f64> {
    let (weight, bias, eps) = norm.parts();
    let n = row.len() as f64;
    let mean = bias.map_or(0.0, |_| row.iter().sum::<f64>() / n);
    let scale = 1.0 / (row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n + eps).sqrt();
    let bias = |i: usize| bias.map_or(0.0, |bias| f64::from(bias[i]));
    row.iter().enumerate().map(|(i, x)| (x - mean) * scale * f64::from(weight[i]) + bias(i)).collect()
}

fn each(x: &Vecs, f: impl Fn(&[f64]) -> Vec<f64>) -> Vecs {
    x.iter().map(|row| f(row)).collect()
}

/// Norms heads of `dim` by themselves.
fn heads_normed(by: &Norm, x: &Vecs, dim: usize) -> Vecs {
    each(x, |row| row.chunks(dim).flat_map(|head| norm(by, head)).collect())
}

fn activated(act: Activation, x: f64) -> f64 {
    match act {
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::GeluTanh => {
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            0.5 * x * (1.0 + u.tanh())
        }
    }
}

/// A model's data, ready for plain loops.
pub struct Plain {
    net: Transformer,
    blocks: Vec<HashMap<&'static str, Map>>,
    head: Map,
    embedding: Vec<f32>,
    positions: Option<Vec<f32>>,
}

impl Plain {
    /// Of a model on the CPU, with edits merged into its matrices.
    pub fn of(model: &Model, overlays: &[Overlay]) -> Self {
        Self::of_net(&model.net, overlays)
    }

    /// The same of a model without a tokenizer.
    pub fn of_net(net: &Transformer, overlays: &[Overlay]) -> Self {
        let net = net.clone();
        let block = |block: &Block| {
            let mut maps =
                vec![("q", &block.q), ("k", &block.k), ("v", &block.v), ("o", &block.o), ("down", &block.down)];
            match &block.mlp {
                Mlp::Gated { gate, up, .. } => maps.extend([("gate", gate), ("up", up)]),
                Mlp::Plain { up, .. } => maps.push(("up", up)),
            }
            maps.into_iter().map(|(name, map)| (name, Map::of(map, overlays))).collect()
        };
        let blocks = net.blocks.iter().map(block).collect();
        let embedding = net.embedding.tokens.values();
        let table = net.head.table.as_ref().map_or_else(|| embedding.clone(), |table| table.values());
        let bias = net.head.bias.as_ref().map(|bias| bias.host().to_vec());
        let head = Map::table(table, bias, net.shape.width);
        let positions = net.embedding.positions.as_ref().map(|table| table.values());
        Self { net, blocks, head, embedding, positions }
    }

    /// A full forward of `ids` under interventions; captured sources come from `sources[prompt]`, those of runs from
    /// `earlier[run]`, constants from `given`.
    pub fn forward(
        &self,
        ids: &[u32],
        changes: &[Intervention],
        sources: &[&Run],
        earlier: &[Run],
        given: &[Vec<f32>],
    ) -> Run {
        let net = &self.net;
        let width = net.shape.width;
        let mut run = Run { sites: HashMap::new(), logits: Vec::new(), exact: Vec::new() };
        let mut act = |mut x: Vecs, layer: usize, site: Site| {
            for change in changes.iter().filter(|change| change.layer == layer && change.site == site) {
                let dim = net.heads(layer.max(1)).dim;
                let columns = match &change.columns {
                    Columns::All => 0..x[0].len(),
                    Columns::Range(range) => range.clone(),
                    Columns::Head(head) => head * dim..(head + 1) * dim,
                };
                for (offset, position) in change.positions.clone().enumerate() {
                    let source = |source: Source, own: &Vecs| -> Vec<f64> {
                        let row = match source {
                            Source::Cached { prompt, position, at } => {
                                let (layer, site) = at.unwrap_or((layer, site));
                                sources[prompt].at(layer, site, position + offset).to_vec()
                            }
                            Source::Constant(row) => given[row + offset].iter().map(|&x| f64::from(x)).collect(),
                            Source::Run { run, position } => earlier[run].at(layer, site, position + offset).to_vec(),
                        };
                        if row.len() == own[0].len() { row[columns.clone()].to_vec() } else { row }
                    };
                    let new: Vec<f64> = match change.change {
                        Change::Zero => vec![0.0; columns.len()],
                        Change::Scale(factor) => {
                            x[position][columns.clone()].iter().map(|x| x * f64::from(factor)).collect()
                        }
                        Change::Replace(from) => source(from, &x),
                        Change::Add(from) => {
                            x[position][columns.clone()].iter().zip(source(from, &x)).map(|(x, add)| x + add).collect()
                        }
                    };
                    x[position][columns.clone()].copy_from_slice(&new);
                }
            }
            run.sites.insert((layer, site), x.clone());
            x
        };
        let sum = |a: &Vecs, b: &Vecs| -> Vecs {
            a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
        };
        let scale = net.embedding.scale.unwrap_or(1.0);
        let embedded = ids.iter().enumerate().map(|(position, &id)| {
            let token = &self.embedding[id as usize * width..][..width];
            // The engine scales in f32, as transformers does.
            let token = token.iter().map(|&x| f64::from(x * scale as f32));
            match &self.positions {
                Some(table) => token.zip(&table[position * width..][..width]).map(|(x, p)| x + f64::from(*p)).collect(),
                None => token.collect(),
            }
        });
        let mut h = act(embedded.collect(), 0, Site::Residual);
        for (at, (block, maps)) in net.blocks.iter().zip(&self.blocks).enumerate() {
            let layer = at + 1;
            let heads = &block.heads;
            let n = each(&h, |row| norm(&block.norm, row));
            let (mut q, mut k, v) = (maps["q"].apply(&n), maps["k"].apply(&n), maps["v"].apply(&n));
            if let Some([q_norm, k_norm]) = &block.qk_norm {
                (q, k) = (heads_normed(q_norm, &q, heads.dim), heads_normed(k_norm, &k, heads.dim));
            }
            let (q, k, v) = (act(q, layer, Site::Query), act(k, layer, Site::Key), act(v, layer, Site::Value));
            let rope = block.rope.map(|rope| &net.ropes[rope]);
            let (q, k) = (rotated(rope, &q, heads.dim), rotated(rope, &k, heads.dim));
            let z = act(attended(block, &q, &k, &v), layer, Site::Heads);
            let mut a = maps["o"].apply(&z);
            if let Some(after) = &block.after_attention {
                a = each(&a, |row| norm(after, row));
            }
            let a = act(a, layer, Site::Attention);
            let middle = sum(&h, &a);
            let read = match &block.mlp_norm {
                Some(by) => each(&middle, |row| norm(by, row)),
                None => n,
            };
            let up = maps["up"].apply(&read);
            let key = match &block.mlp {
                Mlp::Plain { act, .. } => each(&up, |row| row.iter().map(|&x| activated(*act, x)).collect()),
                Mlp::Gated { act, .. } => {
                    let gate = maps["gate"].apply(&read);
                    let one = |(gate, up): (&Vec<f64>, &Vec<f64>)| {
                        gate.iter().zip(up).map(|(&gate, up)| activated(*act, gate) * up).collect()
                    };
                    gate.iter().zip(&up).map(one).collect()
                }
            };
            let key = act(key, layer, Site::MlpKey);
            let value = act(maps["down"].apply(&key), layer, Site::MlpValue);
            let mlp = match &block.after_mlp {
                Some(after) => each(&value, |row| norm(after, row)),
                None => value,
            };
            let mlp = act(mlp, layer, Site::Mlp);
            h = act(sum(&middle, &mlp), layer, Site::Residual);
        }
        let last = each(&h, |row| norm(&net.head.norm, row));
        let cap = |x: f64| net.head.cap.map_or(x, |cap| cap * (x / cap).tanh());
        run.exact = each(&self.head.apply(&last), |row| row.iter().map(|&x| cap(x)).collect());
        run.logits = run.exact.iter().map(|row| row.iter().map(|&x| x as f32).collect()).collect();
        run
    }
}

fn rotated(rope: Option<&Rope>, x: &Vecs, dim: usize) -> Vecs {
    let Some(rope) = rope else { return x.clone() };
    let turn = |(position, row): (usize, &Vec<f64>)| {
        let [cos, sin] = rope.angles(position);
        let half = cos.len();
        let mut row = row.clone();
        for head in row.chunks_mut(dim) {
            for i in 0..half {
                let (a, b) = (head[i], head[half + i]);
                let (cos, sin) = (f64::from(cos[i]), f64::from(sin[i]));
                head[i] = a * cos - b * sin;
                head[half + i] = b * cos + a * sin;
            }
        }
        row
    };
    x.iter().enumerate().map(turn).collect()
}

fn attended(block: &Block, q: &Vecs, k: &Vecs, v: &Vecs) -> Vecs {
    let heads = &block.heads;
    let dim = heads.dim;
    let mut out = vec![vec![0.0; heads.count * dim]; q.len()];
    for (at, row) in out.iter_mut().enumerate() {
        let first = heads.window.map_or(0, |window| (at + 1).saturating_sub(window));
        for head in 0..heads.count {
            let own = head * dim..(head + 1) * dim;
            let group = head / (heads.count / heads.kv);
            let shared = group * dim..(group + 1) * dim;
            let scores: Vec<f64> = (first..=at)
                .map(|j| {
                    let products = q[at][own.clone()].iter().zip(&k[j][shared.clone()]);
                    let score = products.map(|(a, b)| a * b).sum::<f64>() * f64::from(heads.scale);
                    heads.soft_cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
                })
                .collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - max).exp()).sum();
            for (j, score) in (first..=at).zip(&scores) {
                let weight = (score - max).exp() / total;
                row[own.clone()].iter_mut().zip(&v[j][shared.clone()]).for_each(|(out, v)| *out += weight * v);
            }
        }
    }
    out
}

/// Stage 1's cells of a fact the published tools' way on this engine: one full forward of one prompt a cell.
pub fn stage1_naive(model: &Model, fact: &TokenizedFact) -> Traced {
    let engine = model.edited();
    let capture = |prompt: Prompt, constants: &Matrix, keep: Sites| {
        block_on(engine.capture(&[prompt], constants, &keep)).expect("a forward")
    };
    let layers = model.layers();
    let residual = Sites::to_resume();
    let clean = capture(Prompt::plain(&fact.clean), &Matrix::default(), residual);
    let score = |prompt: Prompt, constants: &Matrix| {
        let read = Read { position: prompt.ids.len() - 1, tokens: vec![fact.answer[0]] };
        let cache = capture(prompt, constants, Sites::end());
        block_on(engine.read(&cache, &[(0, read)])).expect("readout")[0].p[0]
    };
    let none = Matrix::default();
    let (s, s2) = (fact.span.end - 1, fact.corrupt_span.end - 1);
    let (t, t2) = (fact.clean.len() - 1, fact.corrupt.len() - 1);
    let patch = |from: usize, to: usize| {
        let one = |layer: usize| {
            let given = block_on(clean.values(0, layer, Site::Residual, from..from + 1)).expect("captured");
            let change = Change::Replace(Source::Constant(0));
            let interventions = vec![Intervention::new(layer, Site::Residual, to..to + 1, change)];
            score(Prompt { interventions, ..Prompt::plain(&fact.corrupt) }, &given)
        };
        (1..=layers).map(one).collect::<Vec<f32>>()
    };
    let ablate = |sites: &[Site]| {
        let one = |layer| {
            let interventions = sites.iter().map(|&site| Intervention::zero(layer, site, 0..t + 1)).collect();
            score(Prompt { interventions, ..Prompt::plain(&fact.clean) }, &none)
        };
        (1..=layers).map(one).collect::<Vec<f32>>()
    };
    Traced {
        p_clean: score(Prompt::plain(&fact.clean), &none),
        p_corrupt: score(Prompt::plain(&fact.corrupt), &none),
        patched: [(PatchPosition::SubjectLast, patch(s, s2)), (PatchPosition::LastToken, patch(t, t2))].into(),
        without_block: ablate(&[Site::Attention, Site::Mlp]),
        without_attention: ablate(&[Site::Attention]),
        without_mlp: ablate(&[Site::Mlp]),
        ..Traced::default()
    }
}
