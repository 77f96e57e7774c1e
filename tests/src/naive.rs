//! The oracle: a full forward of one prompt at a time with its changes applied at every site, nothing shared, nothing
//! resumed, attention written out. Slow on purpose.

use burn::tensor::{Int, Tensor, TensorData};
use engram_core::model::{Decoder, Model};
use engram_core::record::{Reading, Traced};
use engram_core::run::{Action, Op, Prompt, Read, Site, Source, capture, predict, read_base};
use engram_core::trace::Prepared;
use pollster::block_on;

/// Activations of a full forward: `[positions][width]` by layer and site.
pub struct Run {
    sites: std::collections::HashMap<(usize, Site), Vec<Vec<f32>>>,
    /// Logits by position.
    pub logits: Vec<Vec<f32>>,
}

impl Run {
    /// An activation.
    pub fn at(&self, layer: usize, site: Site, position: usize) -> &[f32] {
        &self.sites[&(layer, site)][position]
    }

    /// Softmax probability of a token at a position, in f64.
    pub fn p(&self, position: usize, token: u32) -> f32 {
        let row = &self.logits[position];
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = row.iter().map(|&x| f64::from(x - max).exp()).sum();
        (f64::from(row[token as usize] - max).exp() / sum) as f32
    }
}

fn tensor(rows: &[Vec<f32>], model: &Model) -> Tensor<2> {
    let shape = [rows.len(), rows[0].len()];
    Tensor::from_data(TensorData::new(rows.concat(), shape), &model.compute.device)
}

fn rows(x: Tensor<2>) -> Vec<Vec<f32>> {
    let width = x.dims()[1];
    let values = x.into_data().try_to_vec::<f32>().expect("f32");
    values.chunks(width).map(<[f32]>::to_vec).collect()
}

/// A full forward of `ids` under `actions`; captured sources come from `sources[prompt]`, given ones from `given`.
pub fn forward(model: &Model, ids: &[u32], actions: &[Action], sources: &[&Run], given: &[Vec<f32>]) -> Run {
    let decoder = model.decoder.as_ref();
    let positions: Vec<usize> = (0..ids.len()).collect();
    let index: Vec<i32> = positions.iter().map(|&p| p as i32).collect();
    let index: Tensor<1, Int> = Tensor::from_data(TensorData::new(index, [ids.len()]), &model.compute.device);
    let ropes: Vec<_> = decoder.ropes().iter().map(|rope| rope.rows(&index)).collect();
    let mut run = Run { sites: Default::default(), logits: Vec::new() };
    let act = |x: Vec<Vec<f32>>, layer: usize, site: Site, run: &mut Run| {
        let mut x = x;
        for action in actions.iter().filter(|a| a.layer == layer && a.site == site) {
            for (offset, position) in action.positions.clone().enumerate() {
                let (add, source) = match action.op {
                    Op::Replace(source) => (false, source),
                    Op::Add(source) => (true, source),
                };
                let value = match source {
                    Source::Zero => vec![0.0; x[position].len()],
                    Source::Captured { prompt, position } => {
                        sources[prompt].at(layer, site, position + offset).to_vec()
                    }
                    Source::Given(row) => given[row + offset].clone(),
                };
                for (x, value) in x[position].iter_mut().zip(value) {
                    *x = if add { *x + value } else { value };
                }
            }
        }
        run.sites.insert((layer, site), x.clone());
        x
    };
    let sum = |a: &[Vec<f32>], b: &[Vec<f32>]| -> Vec<Vec<f32>> {
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
    };
    let mut h = act(rows(decoder.embed(ids, &positions)), 0, Site::Residual, &mut run);
    for layer in 1..=decoder.shape().layers {
        let projected = decoder.project(layer, tensor(&h, model), &ropes);
        let mixed = attend(decoder, layer, &rows(projected.q), &rows(projected.k), &rows(projected.v));
        let attention = rows(decoder.attention(layer, tensor(&mixed, model)));
        let attention = act(attention, layer, Site::Attention, &mut run);
        let middle = sum(&h, &attention);
        let input = if decoder.shape().parallel { &h } else { &middle };
        let key = act(rows(decoder.mlp_key(layer, tensor(input, model))), layer, Site::Key, &mut run);
        let value = rows(decoder.mlp_value(layer, tensor(&key, model)));
        let value = act(value, layer, Site::Value, &mut run);
        let mlp = act(rows(decoder.mlp(layer, tensor(&value, model))), layer, Site::Mlp, &mut run);
        h = act(sum(&middle, &mlp), layer, Site::Residual, &mut run);
    }
    run.logits = rows(decoder.logits(tensor(&h, model)));
    run
}

fn attend(decoder: &dyn Decoder, layer: usize, q: &[Vec<f32>], k: &[Vec<f32>], v: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let heads = decoder.heads(layer);
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
                    let dot: f64 = products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    let score = dot * f64::from(heads.scale);
                    heads.soft_cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
                })
                .collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - max).exp()).sum();
            for (j, score) in (first..=at).zip(&scores) {
                let weight = (score - max).exp() / total;
                for (out, v) in row[own.clone()].iter_mut().zip(&v[j][shared.clone()]) {
                    *out += (weight * f64::from(*v)) as f32;
                }
            }
        }
    }
    out
}

/// Stage 1's cells of a fact the published tools' way on this engine: one full forward of one prompt a cell.
pub fn stage1_naive(model: &Model, fact: &Prepared) -> Traced {
    let decoder = model.decoder.as_ref();
    let device = &model.compute.device;
    let plain = |ids: &[u32]| Prompt { ids: ids.to_vec(), ..Prompt::default() };
    let clean = block_on(capture(decoder, device, &[plain(&fact.clean)], None, false)).expect("clean run");
    let score = |prompt: Prompt, given: Option<&Tensor<2>>| {
        let read = Read { position: prompt.ids.len() - 1, tokens: vec![fact.answer[0]] };
        let base = block_on(predict(decoder, device, &[prompt], given)).expect("forward");
        block_on(read_base(decoder, &base, &[(0, read)], &model.limits)).expect("readout")[0].p[0]
    };
    let (s, s2) = (fact.span.end - 1, fact.corrupt_span.end - 1);
    let (t, t2) = (fact.clean.len() - 1, fact.corrupt.len() - 1);
    let layers = 1..=model.layers();
    let patch = |from: usize, to: usize| {
        let one = |layer: usize| {
            let given = clean.activations(0, layer, Site::Residual).expect("captured");
            let op = Op::Replace(Source::Given(from));
            let actions = vec![Action { layer, site: Site::Residual, positions: to..to + 1, op }];
            score(Prompt { actions, ..plain(&fact.corrupt) }, Some(&given))
        };
        layers.clone().map(one).collect::<Vec<f32>>()
    };
    let ablate = |sites: &[Site]| {
        let one = |layer| {
            let actions = sites.iter().map(|&site| Action::zero(layer, site, 0..t + 1)).collect();
            score(Prompt { actions, ..plain(&fact.clean) }, None)
        };
        layers.clone().map(one).collect::<Vec<f32>>()
    };
    Traced {
        p_clean: score(plain(&fact.clean), None),
        p_corrupt: score(plain(&fact.corrupt), None),
        patched: [(Reading::SubjectLast, patch(s, s2)), (Reading::LastToken, patch(t, t2))].into(),
        without_block: ablate(&[Site::Attention, Site::Mlp]),
        without_attention: ablate(&[Site::Attention]),
        without_mlp: ablate(&[Site::Mlp]),
        ..Traced::default()
    }
}
