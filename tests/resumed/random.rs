//! Random runs on random prompts.

use super::{check, plain, prompts, width};
use engram_core::model::{Site, Transformer};
use engram_core::run::{Change, Columns, Intervention, PatchedRun, Read, Source};
use engram_tests::fixtures::MODELS;
use engram_tests::oracle::{Oracle, Random, SITES};

const RUNS: usize = 200;
const ROWS: usize = 8;

struct Sizes {
    net: Transformer,
    tokens: Vec<usize>,
}

/// A change somewhere on a prompt of `len` tokens; numbers from captured prompts only where there are any yet.
fn change(random: &mut Random, sizes: &Sizes, len: usize, captured: bool) -> Intervention {
    let layer = random.below(sizes.net.shape.layers + 1);
    let site = if layer == 0 { Site::Residual } else { SITES[random.below(SITES.len())] };
    let width = width(&sizes.net, layer, site);
    let start = random.below(len);
    let mut count = 1 + random.below((len - start).min(4));
    let source = match random.below(3) {
        0 if width == sizes.net.shape.width => Some(Source::Constant(random.below(ROWS + 1 - count))),
        1 if captured => {
            let prompt = random.below(sizes.tokens.len());
            let position = random.below(sizes.tokens[prompt]);
            count = count.min(sizes.tokens[prompt] - position);
            Some(Source::cached(prompt, position))
        }
        _ => None,
    };
    let mut positions = start..start + count;
    let made = match source {
        Some(source) if random.below(3) == 0 => Change::Add(source),
        Some(source) => Change::Replace(source),
        None => {
            if random.below(3) == 0 {
                positions = 0..len;
            }
            if random.below(2) == 0 { Change::Zero } else { Change::Scale(0.5) }
        }
    };
    let columns = match random.below(4) {
        0 => {
            let first = random.below(width);
            Columns::Range(first..first + 1 + random.below(width - first))
        }
        _ => Columns::All,
    };
    Intervention::new(layer, site, positions, made).columns(columns)
}

fn run(random: &mut Random, sizes: &Sizes) -> PatchedRun {
    let prompt = random.below(sizes.tokens.len());
    let len = sizes.tokens[prompt];
    let interventions = (0..1 + random.below(4)).map(|_| change(random, sizes, len, true)).collect();
    let mut read = || Read {
        position: random.below(len),
        tokens: (0..1 + random.below(3)).map(|_| random.below(sizes.net.shape.vocab) as u32).collect(),
    };
    let reads = (0..3).map(|_| read()).collect();
    PatchedRun { prompt, interventions, overlay: None, reads }
}

#[test]
fn random_runs() {
    for (family, name) in MODELS.into_iter().enumerate() {
        let mut random = Random::new(100 + family as u64);
        let mut base = plain(prompts(name));
        // The five prompts as they are, and each once more with changes of its own.
        for at in 0..base.len() {
            base.push(base[at].clone());
        }
        let model = engram_tests::fixtures::model(name, &engram_core::device::Compute::cpu("sizes"));
        let tokens: Vec<usize> = base.iter().map(|prompt| prompt.ids.len()).collect();
        let sizes = Sizes { net: (*model.net).clone(), tokens };
        for prompt in &mut base[5..] {
            let len = prompt.ids.len();
            prompt.interventions = (0..1 + random.below(3)).map(|_| change(&mut random, &sizes, len, false)).collect();
        }
        let kept = random.rows(ROWS, sizes.net.shape.width);
        let given = random.rows(ROWS, sizes.net.shape.width);
        let runs: Vec<PatchedRun> = (0..RUNS).map(|_| run(&mut random, &sizes)).collect();
        check("random", name, &Oracle::of(model, base, kept), &runs, &given, &[]);
    }
}
