//! What a model has learned: answers to the wordings it was trained on, and to those it never saw with the subject.

use super::forward;
use super::text::{Corpus, split};
use crate::error::{Error, Result};
use crate::model::Decoder;
use crate::tokens::Tokens;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// Prompts of a validation batch.
const BATCH: usize = 256;

/// Recall under greedy decoding (every token of the true answer is the most probable one).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Trained pairs of fact and wording asked.
    pub trained: usize,
    /// Share of them answered right.
    pub trained_right: f64,
    /// Held-out pairs asked.
    pub held_out: usize,
    /// Share of them answered right.
    pub held_out_right: f64,
    /// Mean probability of the true answer's first token on trained pairs.
    pub p_trained: f64,
    /// The same on held-out pairs.
    pub p_held_out: f64,
}

struct Asked {
    ids: Vec<u32>,
    /// Tokens of the prompt.
    prompt: usize,
    held_out: bool,
}

/// Asks every `stride`-th fact in one trained and in every held-out wording.
pub async fn recall(
    decoder: &dyn Decoder,
    tokens: &Tokens,
    device: &Device,
    corpus: &Corpus,
    held_out: usize,
    stride: usize,
) -> Result<Recall> {
    let mut asked = Vec::new();
    for (index, fact) in corpus.facts.iter().enumerate().step_by(stride.max(1)) {
        let (trained, held) = split(fact, index, held_out);
        for (wording, held_out) in trained.iter().take(1).map(|w| (w, false)).chain(held.iter().map(|w| (w, true))) {
            if let Ok(answer) = tokens.answer(wording, &fact.target_true)? {
                let mut ids = tokens.encode(wording)?.ids;
                let prompt = ids.len();
                ids.extend(answer);
                asked.push(Asked { ids, prompt, held_out });
            }
        }
    }
    asked.sort_by_key(|asked| asked.ids.len());
    let mut sums = [(0usize, 0usize, 0.0f64); 2];
    for group in asked.chunks(BATCH) {
        let length = group.iter().map(|asked| asked.ids.len() - 1).max().unwrap_or(1);
        let mut batch = forward::Batch { ids: Vec::new(), length, rows: Vec::new(), labels: Vec::new() };
        for (number, asked) in group.iter().enumerate() {
            batch.ids.extend(&asked.ids[..asked.ids.len() - 1]);
            batch.ids.resize((number + 1) * length, 0);
            for at in asked.prompt..asked.ids.len() {
                batch.rows.push((number * length + at - 1) as i32);
                batch.labels.push(asked.ids[at]);
            }
        }
        let keep = vec![true; decoder.shape().layers];
        let logits = forward::logits(decoder, &batch, &keep, device).into_data_async().await;
        let logits = logits.ok().and_then(|data| data.try_into_vec::<f32>().ok());
        let logits = logits.ok_or_else(|| Error::device("cannot read logits back from the device"))?;
        let mut rows = logits.chunks_exact(logits.len() / batch.labels.len()).zip(&batch.labels);
        for asked in group {
            let (count, right, p) = &mut sums[usize::from(asked.held_out)];
            let mut all = true;
            for at in asked.prompt..asked.ids.len() {
                let Some((row, &label)) = rows.next() else { break };
                let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                all &= row[label as usize] == max;
                if at == asked.prompt {
                    let sum: f64 = row.iter().map(|x| f64::from(x - max).exp()).sum();
                    *p += f64::from(row[label as usize] - max).exp() / sum;
                }
            }
            *count += 1;
            *right += usize::from(all);
        }
    }
    let share = |(count, right, _): (usize, usize, f64)| right as f64 / count.max(1) as f64;
    let mean = |(count, _, p): (usize, usize, f64)| p / count.max(1) as f64;
    Ok(Recall {
        trained: sums[0].0,
        trained_right: share(sums[0]),
        held_out: sums[1].0,
        held_out_right: share(sums[1]),
        p_trained: mean(sums[0]),
        p_held_out: mean(sums[1]),
    })
}
