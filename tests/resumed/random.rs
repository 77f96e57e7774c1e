//! Random lanes on random base runs.

use super::{SITES, check, plain, prompts};
use engram_core::run::{Action, Lane, Op, Read, Site, Source};
use engram_tests::fixtures::MODELS;
use engram_tests::oracle::{Oracle, Random};

const LANES: usize = 200;
const ROWS: usize = 8;

struct Sizes {
    layers: usize,
    vocab: usize,
    tokens: Vec<usize>,
}

/// A change somewhere on a prompt of `len` tokens; numbers from captured prompts only where there are any yet.
fn action(random: &mut Random, sizes: &Sizes, len: usize, captured: bool) -> Action {
    let layer = random.below(sizes.layers + 1);
    let site = if layer == 0 { Site::Residual } else { SITES[random.below(SITES.len())] };
    let start = random.below(len);
    let count = 1 + random.below((len - start).min(4));
    let mut source = match random.below(3) {
        0 if site != Site::Key => Source::Given(random.below(ROWS + 1 - count)),
        1 if captured => {
            let prompt = random.below(sizes.tokens.len());
            Source::Captured { prompt, position: random.below(sizes.tokens[prompt]) }
        }
        _ => Source::Zero,
    };
    let mut count = count;
    if let Source::Captured { prompt, position } = source {
        count = count.min(sizes.tokens[prompt] - position);
    }
    let mut positions = start..start + count;
    if source == Source::Zero && random.below(3) == 0 {
        positions = 0..len;
        source = Source::Zero;
    }
    let op = if random.below(3) == 0 { Op::Add(source) } else { Op::Replace(source) };
    Action { layer, site, positions, op }
}

fn lane(random: &mut Random, sizes: &Sizes) -> Lane {
    let prompt = random.below(sizes.tokens.len());
    let len = sizes.tokens[prompt];
    let from = (random.below(6) == 0).then(|| random.below(sizes.layers + 1));
    let fewest = usize::from(from.is_none());
    let actions = (0..fewest + random.below(4)).map(|_| action(random, sizes, len, true)).collect();
    let mut read = || Read {
        position: random.below(len),
        tokens: (0..1 + random.below(3)).map(|_| random.below(sizes.vocab) as u32).collect(),
    };
    let reads = (0..3).map(|_| read()).collect();
    Lane { prompt, from, actions, reads }
}

#[test]
fn random_lanes() {
    for (family, name) in MODELS.into_iter().enumerate() {
        let mut random = Random::new(100 + family as u64);
        let mut base = plain(prompts(name));
        // The five prompts as they are, and each once more with changes of its own.
        for at in 0..base.len() {
            base.push(base[at].clone());
        }
        let model = engram_tests::fixtures::model(name, &engram_core::device::Compute::cpu("sizes"));
        let shape = model.decoder.shape().clone();
        let tokens: Vec<usize> = base.iter().map(|prompt| prompt.ids.len()).collect();
        let sizes = Sizes { layers: shape.layers, vocab: shape.vocab, tokens };
        for prompt in &mut base[5..] {
            let len = prompt.ids.len();
            prompt.actions = (0..1 + random.below(3)).map(|_| action(&mut random, &sizes, len, false)).collect();
        }
        let kept = random.rows(ROWS, shape.width);
        let given = random.rows(ROWS, shape.width);
        let lanes: Vec<Lane> = (0..LANES).map(|_| lane(&mut random, &sizes)).collect();
        check("random", name, &Oracle::of(model, base, kept), &lanes, &given);
    }
}
