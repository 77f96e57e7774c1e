//! First values: matrices normal, scaled by their fan-in; what writes into the stream smaller by the depth.

use super::recipe::Recipe;
use crate::error::Result;
use crate::memory;
use crate::model::loader::Loader;
use crate::model::{Parameters, build, survey};
use burn::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use sha2::{Digest, Sha256};

/// Standard deviation of token embeddings, as in transformers' defaults.
const EMBEDDING: f32 = 0.02;

/// Parameters of the recipe's model, drawn from its seed. Every tensor has its own stream, found by its name.
pub(super) async fn parameters(recipe: &Recipe, device: Option<&Device>) -> Result<Parameters> {
    // Parameters, their gradients and two moments.
    let survey = survey(&recipe.config, None).await?;
    memory::reserve(survey.bytes.saturating_mul(4), "training this model")?;
    let layers = recipe.config["num_hidden_layers"].as_u64().unwrap_or(1).max(1) as f32;
    let seed = recipe.seed;
    let draw = move |name: &str, [rows, columns]: [usize; 2]| {
        let writes = ["o_proj", "dense", "down_proj", "fc2"].iter().any(|part| name.contains(part));
        let deviation = match name.contains("embed") {
            true => EMBEDDING,
            // Glorot's gain for what follows; GPT-2's 1 / sqrt(2 L) for what adds to the stream.
            false => (3.0 * columns as f32).sqrt().recip() / if writes { (2.0 * layers).sqrt() } else { 1.0 },
        };
        let digest = Sha256::digest(format!("{seed} {name}"));
        let mut rng = ChaCha8Rng::from_seed(digest.into());
        let normal = Normal::new(0.0f32, deviation).expect("a positive deviation");
        normal.sample_iter(&mut rng).take(rows * columns).collect()
    };
    let parameters = Parameters::new(device, Box::new(draw));
    drop(build(&recipe.config, &Loader::training(&parameters)).await?);
    Ok(parameters)
}
