//! Sentences to batches: tokens, and which positions the loss counts.

use super::text::Sentence;
use crate::error::Result;
use crate::run::{Label, Prompt};
use crate::tokens::Tokens;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Batches are cut from this many at a time, sorted by length.
const POOL: usize = 8;

/// Sentences of a step.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    /// Their tokens but the last, which predicts nothing.
    pub(super) prompts: Vec<Prompt>,
    /// What the loss counts.
    pub(super) labels: Vec<Label>,
}

impl Batch {
    /// Tokens of the longest sentence.
    pub(super) fn longest(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.ids.len()).max().unwrap_or(0)
    }
}

struct Row {
    ids: Vec<u32>,
    /// First token of the answer.
    answer: Option<usize>,
}

/// Batches of `size` sentences. The loss counts every answer token and the share `counted` of the others.
pub(super) fn batches(
    sentences: &[Sentence],
    tokens: &Tokens,
    size: usize,
    counted: f64,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Batch>> {
    let mut batches = Vec::new();
    for pool in sentences.chunks(size * POOL) {
        let mut rows = Vec::with_capacity(pool.len());
        for sentence in pool {
            let encoded = tokens.encode(&sentence.text)?;
            let answer = sentence.answer.and_then(|at| encoded.offsets.iter().position(|&(_, end)| end > at));
            rows.push(Row { ids: encoded.ids, answer });
        }
        rows.sort_by_key(|row| row.ids.len());
        batches.extend(rows.chunks(size).map(|rows| batch(rows, counted, rng)));
    }
    batches.shuffle(rng);
    batches.retain(|batch| !batch.labels.is_empty());
    Ok(batches)
}

fn batch(sentences: &[Row], counted: f64, rng: &mut ChaCha8Rng) -> Batch {
    let mut batch = Batch::default();
    for row in sentences {
        let [ids @ .., _] = row.ids.as_slice() else { continue };
        for position in 0..ids.len() {
            let is_answer = row.answer.is_some_and(|answer| position + 1 >= answer);
            if is_answer || rng.random_bool(counted) {
                batch.labels.push(Label { prompt: batch.prompts.len(), position, token: row.ids[position + 1] });
            }
        }
        if !ids.is_empty() {
            batch.prompts.push(Prompt::plain(ids));
        }
    }
    batch
}
