//! Sentences to batches: tokens, padding, and which positions the loss counts.

use super::forward::Batch;
use super::text::Sentence;
use crate::error::Result;
use crate::tokens::Tokens;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Batches are cut from this many at a time, sorted by length, so that little is padded.
const POOL: usize = 8;

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
    batches.retain(|batch| !batch.rows.is_empty());
    Ok(batches)
}

fn batch(sentences: &[Row], counted: f64, rng: &mut ChaCha8Rng) -> Batch {
    // The last token predicts nothing, so it need not be read.
    let length = sentences.iter().map(|row| row.ids.len()).max().unwrap_or(2).max(2) - 1;
    let mut batch = Batch { ids: Vec::new(), length, rows: Vec::new(), labels: Vec::new() };
    for (number, row) in sentences.iter().enumerate() {
        let ids = &row.ids[..row.ids.len() - 1];
        for at in 0..ids.len() {
            let is_answer = row.answer.is_some_and(|answer| at + 1 >= answer);
            if is_answer || rng.random_bool(counted) {
                batch.rows.push((number * length + at) as i32);
                batch.labels.push(row.ids[at + 1]);
            }
        }
        batch.ids.extend(ids);
        batch.ids.resize((number + 1) * length, 0);
    }
    batch
}
