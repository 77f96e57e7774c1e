//! Scalars of predictions, and their gradients on the stream that the head reads.

use super::{ActivationCache, Readout};
use crate::model::Transformer;
use crate::tensor::gradients::{Gradients, bias_of};
use crate::tensor::{Buffer, MIXED, Rows, simd};
use burn::{Device, Int, Tensor, TensorData};
use std::collections::BTreeMap;

/// A scalar of one prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A token's logit, after the family's soft-cap.
    Logit {
        /// Token.
        token: u32,
    },
    /// A token's log-probability, in nats.
    LogProb {
        /// Token.
        token: u32,
    },
    /// The difference of two logits.
    LogitDifference {
        /// The first token.
        plus: u32,
        /// The token that is taken off.
        minus: u32,
    },
    /// `KL(run ‖ captured)`, in nats, to the prediction of a captured position.
    KlTo {
        /// Prompt of the cache.
        prompt: usize,
        /// Its position.
        position: usize,
    },
}

impl Metric {
    /// Tokens that it reads.
    pub(super) fn tokens(self) -> Vec<u32> {
        match self {
            Self::Logit { token } | Self::LogProb { token } => vec![token],
            Self::LogitDifference { plus, minus } => vec![plus, minus],
            Self::KlTo { .. } => Vec::new(),
        }
    }

    /// Its value, from what was read of `tokens`; `None` where that does not say it.
    pub(crate) fn of(self, readout: &Readout, tokens: &[u32]) -> Option<f32> {
        let place = |token: u32| tokens.iter().position(|&read| read == token);
        Some(match self {
            Self::Logit { token } => readout.logits[place(token)?],
            Self::LogProb { token } => f64::from(readout.p[place(token)?]).ln() as f32,
            Self::LogitDifference { plus, minus } => readout.logits[place(plus)?] - readout.logits[place(minus)?],
            Self::KlTo { .. } => return None,
        })
    }
}

/// A metric of one of a run's reads, as a term of a sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighted {
    /// Run of the request.
    pub run: usize,
    /// Which of its reads.
    pub read: usize,
    /// What of that prediction.
    pub metric: Metric,
    /// Factor.
    pub weight: f32,
}

/// A term of a pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    /// Its place in the objective.
    pub(super) at: usize,
    /// Row of the stream at the end.
    pub(super) row: u32,
    pub(super) metric: Metric,
    pub(super) weight: f32,
}

/// Metrics of a pass, still where they were computed: rows of numbers, and how each term's value comes from its row.
#[derive(Default)]
pub(super) struct Values {
    parts: Vec<Part>,
}

/// Rows of numbers, and the values that are made of them.
struct Part {
    rows: Rows,
    picks: Vec<Picked>,
}

/// A term's place in the objective, a row, and what of it.
type Picked = (usize, usize, Pick);

/// Which numbers of a row a value is made of.
#[derive(Debug, Clone, Copy)]
enum Pick {
    One(usize),
    Difference(usize, usize),
}

impl Values {
    /// Each term's place in the objective, and its value.
    pub(super) async fn read(self) -> crate::Result<Vec<(usize, f32)>> {
        let mut out = Vec::new();
        for Part { rows, picks } in self.parts {
            let (values, width) = (rows.values().await?, rows.width());
            let of = |&(at, row, pick): &Picked| {
                let row = &values[row * width..][..width];
                (
                    at,
                    match pick {
                        Pick::One(i) => row[i],
                        Pick::Difference(i, j) => row[i] - row[j],
                    },
                )
            };
            out.extend(picks.iter().map(of));
        }
        Ok(out)
    }
}

/// Bytes that the logits of a chunk of rows may take on the host.
const LOGITS: usize = 8 << 20;

/// Values of terms, and gradients of their weighted sum on the rows of the stream at the end, `x`; those of the head's own
/// tensors are added to `weights`.
pub(super) fn metric_gradients(
    net: &Transformer,
    cache: Option<&ActivationCache>,
    x: &Rows,
    terms: &[Term],
    head_rows: usize,
    mut weights: Option<&mut Gradients>,
) -> (Values, Rows) {
    let mut by_row: BTreeMap<u32, Vec<Term>> = BTreeMap::new();
    for term in terms {
        by_row.entry(term.row).or_default().push(*term);
    }
    let rows: Vec<(u32, Vec<Term>)> = by_row.into_iter().collect();
    let device = x.device().map(Tensor::device);
    let at_once = match device {
        Some(_) => head_rows.max(1),
        None => (LOGITS / 4 / net.shape.vocab.max(1)).clamp(4, 64),
    };
    let (table, finish) = net.table();
    let (mut values, mut out) = (Values::default(), Rows::empty(x.width()));
    for chunk in rows.chunks(at_once) {
        let index: Vec<u32> = chunk.iter().map(|(row, _)| *row).collect();
        let x = x.gather(&index);
        let normed = net.head.norm.forward(&x);
        let logits = table.logits(&normed, finish);
        let references =
            |terms: &[Term]| -> Vec<u32> { terms.iter().filter_map(|term| reference(cache, term)).collect() };
        let index: Vec<u32> = chunk.iter().flat_map(|(_, terms)| references(terms)).collect();
        let reference = match cache.filter(|_| !index.is_empty()) {
            Some(cache) => net.logits(&cache.gather_end(&index)),
            None => Rows::empty(logits.width()),
        };
        let terms: Vec<&[Term]> = chunk.iter().map(|(_, terms)| terms.as_slice()).collect();
        let (value, on_logits) = match &device {
            None => on_host(logits, &reference, &terms, finish.cap),
            Some(device) => on_device(&logits, &reference, &terms, finish.cap, device),
        };
        values.parts.push(value);
        let on_normed = table.backward(&on_logits);
        if let Some(weights) = weights.as_deref_mut() {
            weights.add(&table.tensor, 0, 0, table.gradient(&on_logits, &normed));
            if finish.bias.is_some() {
                let name = net.head.table.as_ref().map_or("lm_head.weight", |table| &table.tensor);
                weights.add(&bias_of(name), 0, 0, on_logits.sum());
            }
            net.head.norm.add_gradient(&x, &on_normed, weights);
        }
        out = out.join(net.head.norm.backward(&x, on_normed));
    }
    let index: Vec<u32> = rows.iter().map(|(row, _)| *row).collect();
    let g = match index.is_empty() {
        true => Rows::zeros(x.count(), x.width(), device.as_ref()),
        false => out.scatter(&index, x.count()),
    };
    (values, g)
}

/// The captured row that a term compares with.
fn reference(cache: Option<&ActivationCache>, term: &Term) -> Option<u32> {
    match term.metric {
        Metric::KlTo { prompt, position } => cache.map(|cache| cache.row(prompt, position)),
        _ => None,
    }
}

/// Values of terms, and gradients on the logits of their rows.
type Found = (Part, Rows);

fn on_host(mut logits: Rows, reference: &Rows, terms: &[&[Term]], cap: Option<f64>) -> Found {
    let vocab = logits.width();
    let (mut values, mut picks) = (Vec::new(), Vec::new());
    let mut references = (0..reference.count()).map(|row| reference.row(row));
    // log p of every token.
    let mut log_p = Buffer::scratch(vocab);
    simd::vectorized(
        #[inline(always)]
        || {
            for (row, terms) in logits.host_mut().chunks_exact_mut(vocab).zip(terms) {
                log_probabilities(row, &mut log_p);
                let mut slopes = Buffer::scratch(vocab);
                slopes.fill(0.0);
                // What is taken of every token in proportion to its probability.
                let mut shared = 0.0;
                for term in *terms {
                    let w = term.weight;
                    let value = match term.metric {
                        Metric::Logit { token } => {
                            slopes[token as usize] += w;
                            row[token as usize]
                        }
                        Metric::LogitDifference { plus, minus } => {
                            slopes[plus as usize] += w;
                            slopes[minus as usize] -= w;
                            row[plus as usize] - row[minus as usize]
                        }
                        Metric::LogProb { token } => {
                            slopes[token as usize] += w;
                            shared += w;
                            log_p[token as usize]
                        }
                        Metric::KlTo { .. } => {
                            let other = references.next().expect("a row for each such term");
                            // What the logarithms are off by counts in full where two predictions hardly differ.
                            let level = log_sum(row) - log_sum(other);
                            let apart = |x: f32, y: f32| f64::from(x) - f64::from(y) - level;
                            let of = |((x, y), p): ((&f32, &f32), &f32)| f64::from(simd::exp(*p)) * apart(*x, *y);
                            let kl = row.iter().zip(other).zip(&*log_p).map(of).sum::<f64>();
                            for (((metric_gradients, x), y), p) in slopes.iter_mut().zip(&*row).zip(other).zip(&*log_p)
                            {
                                *metric_gradients += w * simd::exp(*p) * (apart(*x, *y) - kl) as f32;
                            }
                            kl as f32
                        }
                    };
                    picks.push((term.at, values.len(), Pick::One(0)));
                    values.push(value);
                }
                if shared != 0.0 {
                    slopes
                        .iter_mut()
                        .zip(&*log_p)
                        .for_each(|(metric_gradients, p)| *metric_gradients -= shared * simd::exp(*p));
                }
                match cap.map(|cap| 1.0 / cap as f32) {
                    Some(share) => {
                        for (x, metric_gradients) in row.iter_mut().zip(&*slopes) {
                            *x = metric_gradients * (1.0 - (*x * share) * (*x * share));
                        }
                    }
                    None => row.copy_from_slice(&slopes),
                }
            }
        },
    );
    (Part { rows: Rows::on_host(values, 1), picks }, logits)
}

#[inline(always)]
fn log_probabilities(logits: &[f32], out: &mut [f32]) {
    let log = log_sum(logits);
    out.iter_mut().zip(logits).for_each(|(out, x)| *out = (f64::from(*x) - log) as f32);
}

/// The logarithm of the sum under a softmax.
#[inline(always)]
fn log_sum(logits: &[f32]) -> f64 {
    // A comparison, not `f32::max`: NaN must not vanish.
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, |max, x| if x <= max { max } else { x });
    f64::from(max) + logits.chunks(1024).map(|tile| simd::sum_exp(tile, max)).sum::<f64>().ln()
}

/// On a device, slot by slot: as many tokens a row as the row with most of them has.
fn on_device(logits: &Rows, reference: &Rows, terms: &[&[Term]], cap: Option<f64>, device: &Device) -> Found {
    let x = logits.device().expect(MIXED).clone();
    let [n, vocab] = x.dims();
    let column = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [n, 1]), device);
    let max = x.clone().max_dim(1);
    let log = (x.clone() - max.clone()).exp().sum_dim(1).log() + max;
    let log_p = x.clone() - log.clone();
    let p = log_p.clone().exp();
    // Per row: tokens with their factors, the factor of p, references with theirs.
    let mut tokens: Vec<Vec<(u32, f32)>> = vec![Vec::new(); n];
    let mut references: Vec<Vec<(u32, f32)>> = vec![Vec::new(); n];
    let mut shared = vec![0.0f32; n];
    let mut next = 0;
    for (row, terms) in terms.iter().enumerate() {
        for term in *terms {
            match term.metric {
                Metric::Logit { token } => tokens[row].push((token, term.weight)),
                Metric::LogProb { token } => {
                    tokens[row].push((token, term.weight));
                    shared[row] += term.weight;
                }
                Metric::LogitDifference { plus, minus } => {
                    tokens[row].extend([(plus, term.weight), (minus, -term.weight)]);
                }
                Metric::KlTo { .. } => {
                    references[row].push((next, term.weight));
                    next += 1;
                }
            }
        }
    }
    let slots = |all: &[Vec<(u32, f32)>]| all.iter().map(Vec::len).max().unwrap_or(0);
    let slot = |all: &[Vec<(u32, f32)>], at: usize| -> (Vec<i32>, Vec<f32>) {
        all.iter().map(|row| row.get(at).map_or((0, 0.0), |&(index, weight)| (index as i32, weight))).unzip()
    };
    let all = Tensor::<1, Int>::arange(0..vocab as i64, device).unsqueeze_dim::<2>(0);
    let mut slopes = p.clone() * column(shared.iter().map(|x| -x).collect());
    // Per row: the logits of its tokens, the logarithm of the softmax' sum, divergences.
    let mut found = Vec::new();
    for at in 0..slots(&tokens) {
        let (index, weight) = slot(&tokens, at);
        let index = Tensor::<2, Int>::from_data(TensorData::new(index, [n, 1]), device);
        found.push(x.clone().gather(1, index.clone()));
        slopes = slopes + all.clone().equal(index).float() * column(weight);
    }
    let kl_from = found.len() + 1;
    found.push(log);
    for at in 0..slots(&references) {
        let (index, weight) = slot(&references, at);
        let index: Vec<u32> = index.into_iter().map(|at| at as u32).collect();
        let q = reference.gather(&index).device().expect(MIXED).clone();
        let max = q.clone().max_dim(1);
        let log_q = q.clone() - ((q - max.clone()).exp().sum_dim(1).log() + max);
        let apart = log_p.clone() - log_q;
        let kl = (p.clone() * apart.clone()).sum_dim(1);
        slopes = slopes + p.clone() * (apart - kl.clone()) * column(weight);
        found.push(kl);
    }
    if let Some(cap) = cap {
        slopes = slopes * ((x / cap).square() * -1.0 + 1.0);
    }
    let mut picks = Vec::new();
    for (row, terms) in terms.iter().enumerate() {
        let (mut token, mut kl) = (0, kl_from);
        for term in *terms {
            let pick = match term.metric {
                Metric::Logit { .. } => Pick::One(token),
                Metric::LogProb { .. } => Pick::Difference(token, kl_from - 1),
                Metric::LogitDifference { .. } => Pick::Difference(token, token + 1),
                Metric::KlTo { .. } => Pick::One(kl),
            };
            match term.metric {
                Metric::KlTo { .. } => kl += 1,
                _ => token += term.metric.tokens().len(),
            }
            picks.push((term.at, row, pick));
        }
    }
    (Part { rows: Rows::on_device(Tensor::cat(found, 1)), picks }, Rows::on_device(slopes))
}
