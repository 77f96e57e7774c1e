//! Corruption by noise (Meng et al. 2022): the same Gaussian draws for every cell of a fact.

use super::Prepared;
use crate::error::Result;
use crate::facts::Fact;
use crate::model::Model;
use crate::record::{Corruption, Settings};
use crate::run::{Action, Op, Prompt, Site, Source, device_error, heard};
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

/// A generator of its own for each fact, so that facts can be traced in any order.
pub(crate) fn generator(seed: u64, purpose: &str, id: &str) -> ChaCha8Rng {
    let mut digest = Sha256::new();
    digest.update(seed.to_le_bytes());
    digest.update(purpose.as_bytes());
    digest.update([0]);
    digest.update(id.as_bytes());
    ChaCha8Rng::from_seed(digest.finalize().into())
}

/// Noise rows of several facts in one matrix, `[rows, d]`.
#[derive(Default)]
pub(super) struct NoiseRows {
    values: Vec<f32>,
    rows: usize,
}

impl NoiseRows {
    pub(super) fn tensor(self, model: &Model) -> Option<Tensor<2>> {
        let width = model.decoder.shape().width;
        (self.rows > 0)
            .then(|| Tensor::from_data(TensorData::new(self.values, [self.rows, width]), &model.compute.device))
    }
}

/// A fact's corrupted prompts, one for each draw, with `ids` in place of the prompt's tokens (answer tokens may follow).
/// The first `shared` positions are those of prompt `clean`, when there is one.
pub(super) fn corrupted(
    fact: &Prepared,
    ids: &[u32],
    clean: Option<usize>,
    settings: &Settings,
    width: usize,
    noise: &mut NoiseRows,
) -> Vec<Prompt> {
    let shared = clean.map(|clean| (clean, fact.shared)).filter(|(_, shared)| *shared > 0);
    let mut prompts = vec![Prompt { ids: ids.to_vec(), shared, actions: Vec::new() }; fact.draws];
    if let Corruption::Noise { sigmas, sigma, .. } = settings.corruption {
        let mut generator = generator(settings.seed, "noise", &fact.id);
        for prompt in &mut prompts {
            let op = Op::Add(Source::Given(noise.rows));
            prompt.actions.push(Action { layer: 0, site: Site::Residual, positions: fact.corrupt_span.clone(), op });
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
                let known = encoded.ids[span].iter().copied().filter(|&id| (id as usize) < model.decoder.shape().vocab);
                ids.extend(known);
            }
        }
        if ids.is_empty() {
            continue;
        }
        let rows = heard(model.decoder.embed_tokens(&ids).into_data_async()).await?;
        for &x in rows.as_slice::<f32>().map_err(device_error)? {
            n += 1.0;
            sum += f64::from(x);
            squares += f64::from(x) * f64::from(x);
        }
    }
    let mean = sum / n.max(1.0);
    Ok((squares / n.max(1.0) - mean * mean).max(0.0).sqrt() as f32)
}
