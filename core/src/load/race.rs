//! Whether a model is quicker on a GPU than on the CPU, measured: both compute the same prompts by two of its blocks, with
//! random weights. A small model spends more time on telling a GPU what to do than on doing it.

use super::Looked;
use crate::device::{Compute, complaints};
use crate::error::Result;
use crate::memory;
use crate::model::loader::Loader;
use crate::model::spec::Spec;
use crate::model::{Parameters, assemble, weigh};
use crate::run::{Edited, Plan, Prompt, Read, Sites};
use crate::tensor::Matrix;
use burn::Device;
use web_time::Instant;

/// Blocks that are raced.
const BLOCKS: usize = 2;
/// Tokens of their vocabulary, and positions.
const SMALL: usize = 64;
/// Prompts, each of so many tokens: a few facts' worth.
const PROMPTS: usize = 32;
const TOKENS: usize = 8;
/// Bytes of these blocks in f32 beyond which the GPU is taken without a race: they keep it busy.
const MOST_BYTES: u64 = 64 << 20;
/// Times that each may run. The first one compiles kernels, or starts threads.
const RUNS: usize = 4;

/// Seconds of the same work.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Race {
    gpu: f64,
    cpu: f64,
}

impl Race {
    /// Why the CPU is taken, where it is quicker.
    fn won_by_cpu(&self, gpu: &str) -> Option<String> {
        let ms = |seconds: f64| format!("{:.1} ms", 1e3 * seconds);
        let Self { gpu: slow, cpu } = *self;
        (cpu < slow).then(|| {
            format!(
                "a model of this size is quicker here: {} for {PROMPTS} prompts in {BLOCKS} blocks, {} on {gpu}",
                ms(cpu),
                ms(slow)
            )
        })
    }
}

impl Compute {
    /// The CPU in a GPU's place, where it is quicker for a model, or the GPU fails: what `auto` takes.
    pub async fn or_quicker_cpu(self, looked: &Looked) -> Self {
        let why = match race(&looked.spec, &self).await {
            Ok(race) => race.and_then(|race| race.won_by_cpu(&self.info.name)),
            Err(error) => Some(format!("no usable GPU: {}", error.message())),
        };
        let Some(why) = why else { return self };
        // What was said of a device that is not taken is nothing to those that read from the CPU.
        complaints::forget();
        Self::cpu(&why)
    }
}

/// Races a GPU against the CPU. `None` where there is no GPU, or the model is so large that it needs no race.
async fn race(spec: &Spec, compute: &Compute) -> Result<Option<Race>> {
    let Some(device) = &compute.device else { return Ok(None) };
    let spec = shortened(spec.clone());
    let bytes = weigh(spec.clone(), None).await?.bytes;
    // The CPU holds drawn weights, a copy of them, and what it makes of them.
    if bytes > MOST_BYTES || memory::reserve(3 * bytes, "racing the devices").is_err() {
        return Ok(None);
    }
    let gpu = seconds(&spec, Some(device), compute.binding_bytes(), 0.0).await?;
    let cpu = seconds(&spec, None, u64::MAX, gpu).await?;
    Ok(Some(Race { gpu, cpu }))
}

/// The first blocks of a model, with a small vocabulary.
fn shortened(mut spec: Spec) -> Spec {
    spec.heads.truncate(BLOCKS);
    spec.shape.layers = spec.heads.len();
    spec.shape.vocab = spec.shape.vocab.min(SMALL);
    spec.shape.positions = spec.shape.positions.min(SMALL);
    spec.longest = spec.longest.min(SMALL);
    spec
}

/// The quickest of a few times. Whoever takes four times as long as a rival's time is not timed again.
async fn seconds(spec: &Spec, device: Option<&Device>, binding: u64, rival: f64) -> Result<f64> {
    let draw = |name: &str, [rows, columns]: [usize; 2]| {
        let mut state = name.len() as u32;
        let scale = (columns as f32).sqrt().recip();
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * scale
        };
        (0..rows * columns).map(next).collect()
    };
    let parameters = Parameters::new(device, Box::new(draw));
    let net = assemble(spec.clone(), &Loader::drawn(&parameters, binding.min(usize::MAX as u64) as usize)).await?;
    let plan = Plan::of(&net, device.is_none(), memory::free() / 4, binding);
    let edited = Edited { net: &net, device, plan, overlays: &[] };
    let vocab = net.shape.vocab as u32;
    let prompt = |at: usize| {
        let ids = (0..TOKENS).map(|token| (at * 7 + token * 13 + at * token) as u32 % vocab).collect();
        Prompt { ids, interventions: Vec::new() }
    };
    let prompts: Vec<Prompt> = (0..PROMPTS).map(prompt).collect();
    let reads: Vec<(usize, Read)> =
        (0..PROMPTS).map(|prompt| (prompt, Read { position: TOKENS - 1, tokens: vec![0] })).collect();
    let mut best = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        let cache = edited.capture(&prompts, &Matrix::default(), &Sites::end()).await?;
        edited.read(&cache, &reads).await?;
        best = best.min(start.elapsed().as_secs_f64());
        if rival > 0.0 && best > 4.0 * rival {
            break;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quicker_one_is_taken_and_said_with_numbers() {
        assert_eq!(Race { gpu: 0.001, cpu: 0.004 }.won_by_cpu("a card"), None);
        let why = Race { gpu: 0.0213, cpu: 0.0042 }.won_by_cpu("a card").expect("the CPU is quicker");
        assert!(why.contains("4.2 ms") && why.ends_with("21.3 ms on a card"), "{why}");
    }

    #[test]
    fn blocks_of_every_family_can_be_raced() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/models");
        for family in ["gpt2", "llama", "qwen2", "gemma2", "gemma3", "phi"] {
            let config = std::fs::read_to_string(folder.join(family).join("config.json")).expect("a fixture");
            let config = serde_json::from_str(&config).expect("a configuration");
            let spec = shortened(Spec::read(&config).expect("a model"));
            let seconds = pollster::block_on(seconds(&spec, None, u64::MAX, 0.0)).expect("a time");
            assert!(seconds > 0.0 && seconds.is_finite());
        }
    }
}
