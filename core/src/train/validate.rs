//! What a model has learned: answers to the wordings it was trained on, and to those it never saw with the subject.

use super::text::{Corpus, split};
use crate::error::Result;
use crate::run::{Edited, Prompt, Read, Sites};
use crate::tensor::Matrix;
use crate::tokens::Tokens;
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
    model: Edited<'_>,
    tokens: &Tokens,
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
        let fed = |asked: &Asked| Prompt::plain(&asked.ids[..asked.ids.len() - 1]);
        let prompts: Vec<Prompt> = group.iter().map(fed).collect();
        let mut reads = Vec::new();
        for (number, asked) in group.iter().enumerate() {
            let read = |at: usize| (number, Read { position: at - 1, tokens: vec![asked.ids[at]] });
            reads.extend((asked.prompt..asked.ids.len()).map(read));
        }
        let cache = model.capture(&prompts, &Matrix::default(), &Sites::end()).await?;
        let mut readouts = model.read(&cache, &reads).await?.into_iter();
        for asked in group {
            let (count, right, p) = &mut sums[usize::from(asked.held_out)];
            let answer = &asked.ids[asked.prompt..];
            let found: Vec<_> = readouts.by_ref().take(answer.len()).collect();
            *p += found.first().map_or(0.0, |first| f64::from(first.p[0]));
            *count += 1;
            *right += usize::from(found.iter().zip(answer).all(|(found, token)| found.top == *token));
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
