//! Corruption by noise (Meng et al. 2022): the same Gaussian draws for every cell of a fact.

use super::TokenizedFact;
use crate::error::Result;
use crate::facts::Fact;
use crate::generate::generator;
use crate::load::Model;
use crate::model::Site;
use crate::record::{Corruption, Settings};
use crate::run::{Change, Intervention, Prompt, Source};
use crate::tensor::Matrix;
use rand_distr::{Distribution, StandardNormal};

/// Noise rows of several facts in one matrix, `[rows, d]`.
#[derive(Default)]
pub(super) struct NoiseRows {
    values: Vec<f32>,
    rows: usize,
}

impl NoiseRows {
    pub(super) fn matrix(self, width: usize) -> Matrix {
        Matrix::new(self.values, width)
    }
}

/// A fact's corrupted prompts, one for each draw, with `ids` in place of the prompt's tokens (answer tokens may follow).
pub(super) fn corrupted(
    fact: &TokenizedFact,
    ids: &[u32],
    settings: &Settings,
    width: usize,
    noise: &mut NoiseRows,
) -> Vec<Prompt> {
    let mut prompts = vec![Prompt::plain(ids); fact.draws];
    if let Corruption::Noise { sigmas, sigma, .. } = settings.corruption {
        let mut generator = generator(settings.seed, "noise", &fact.id);
        for prompt in &mut prompts {
            let add = Change::Add(Source::Constant(noise.rows));
            prompt.interventions.push(Intervention::new(0, Site::Residual, fact.corrupt_span.clone(), add));
            noise.rows += fact.corrupt_span.len();
            noise.values.extend((0..fact.corrupt_span.len() * width).map(|_| {
                let z: f32 = StandardNormal.sample(&mut generator);
                z * sigmas * sigma
            }));
        }
    }
    prompts
}

/// σ: standard deviation over all scalars of the subjects' token embeddings, as they enter the stream.
pub async fn measure_sigma(model: &Model, facts: &[Fact]) -> Result<f32> {
    let (mut n, mut sum, mut squares) = (0.0f64, 0.0f64, 0.0f64);
    for chunk in facts.chunks(256) {
        let mut ids = Vec::new();
        for fact in chunk {
            let encoded = model.tokens.encode(&fact.prompt())?;
            if let Some(span) = encoded.span(&fact.subject_chars()) {
                // Facts with a token that has no embedding are dropped when their turn comes.
                let known = encoded.ids[span].iter().copied().filter(|&id| (id as usize) < model.net.shape.vocab);
                ids.extend(known);
            }
        }
        if ids.is_empty() {
            continue;
        }
        for x in model.net.embedding.tokens(&ids).values().await? {
            n += 1.0;
            sum += f64::from(x);
            squares += f64::from(x) * f64::from(x);
        }
    }
    let mean = sum / n.max(1.0);
    Ok((squares / n.max(1.0) - mean * mean).max(0.0).sqrt() as f32)
}
