//! Resumed lanes against naive full forwards, on every family, site and change, on the CPU and on a GPU device where
//! one can run. METHODS, section 5: the savings are exact.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

#[path = "resumed/errors.rs"]
mod errors;
#[path = "resumed/identities.rs"]
mod identities;
#[path = "resumed/random.rs"]
mod random;

use engram_core::run::{Action, Lane, Op, Prompt, Read, Site, Source};
use engram_tests::fixtures::{MODELS, Reference, devices, model};
use engram_tests::oracle::{Oracle, Random, Worst, against, between, resumed};

/// The sites of a block, in the order of computation.
const SITES: [Site; 5] = [Site::Attention, Site::Key, Site::Value, Site::Mlp, Site::Residual];

/// Probabilities, everywhere.
const P: f32 = 1e-5;
/// Logits relative to the largest of their position, on the CPU.
const LOGITS: f32 = 1e-5;
/// The same on a GPU device, whose own rounding differs from that of the CPU's naive run.
const LOGITS_GPU: f32 = 5e-5;
/// Probabilities between batches of different sizes, whose matrix kernels sum in another order.
const BATCHES: f32 = 1e-6;

/// Prompts of a family: the reference's three, one shorter than every sliding window, one much longer.
fn prompts(name: &str) -> Vec<Vec<u32>> {
    let reference = Reference::of(name);
    let mut prompts: Vec<Vec<u32>> = (0..3).map(|p| reference.ids(p)).collect();
    prompts.push(prompts[0][..3].to_vec());
    let long = prompts[2].iter().chain(&prompts[1]).chain(&prompts[2]).copied().take(31).collect();
    prompts.push(long);
    prompts
}

fn plain(ids: Vec<Vec<u32>>) -> Vec<Prompt> {
    ids.into_iter().map(|ids| Prompt { ids, ..Prompt::default() }).collect()
}

/// Several tokens of several positions.
fn reads(positions: &[usize]) -> Vec<Read> {
    let tokens = |position: usize| vec![273 + position as u32 % 7, 0, 17, 319];
    positions.iter().map(|&position| Read { position, tokens: tokens(position) }).collect()
}

fn lane(prompt: usize, actions: Vec<Action>, positions: &[usize]) -> Lane {
    Lane { prompt, from: None, actions, reads: reads(positions) }
}

fn places(layers: usize) -> impl Iterator<Item = (usize, Site)> {
    let blocks = (1..=layers).flat_map(|layer| SITES.map(|site| (layer, site)));
    std::iter::once((0, Site::Residual)).chain(blocks)
}

/// Holds lanes of one model against naive runs: one batch and many small ones, on every device.
fn check(what: &str, name: &str, oracle: &Oracle, lanes: &[Lane], given: &[Vec<f32>]) {
    let want = oracle.wanted(lanes, given);
    for compute in devices() {
        let model = model(name, &compute);
        let base = oracle.capture(&model);
        let large = resumed(&model, &base, lanes, given, 100_000);
        let mut worst = against(lanes, &large, &want);
        let mut apart = Worst::default();
        // Many small batches are slow on a software GPU: there, some of the lanes, and never one at a time.
        let software = compute.adapter.as_ref().is_some_and(|adapter| adapter.kind == "Cpu");
        let step = if software { 5 } else { 1 };
        for &rows in if compute.cpu { &[7, 40][..] } else { &[40] } {
            let some: Vec<Lane> = lanes.iter().step_by(step).cloned().collect();
            let want: Vec<_> = want.iter().step_by(step).cloned().collect();
            let large: Vec<_> = large.iter().step_by(step).cloned().collect();
            let small = resumed(&model, &base, &some, given, rows);
            let mut one = against(&some, &small, &want);
            one.lane *= step;
            worst = worst.max(one);
            apart = apart.max(between(&large, &small, &want));
        }
        let device = &compute.info.name;
        println!("{what}, {name} on {device}, {} lanes: {worst}; between batches {apart}", lanes.len());
        let logits = if compute.cpu { LOGITS } else { LOGITS_GPU };
        let bad = &lanes[worst.lane];
        assert!(worst.p <= P && worst.logits <= logits, "{what}, {name} on {device}: {worst} at {bad:?}");
        assert!(apart.p <= BATCHES && apart.logits <= logits, "{what}, {name} on {device}: {apart}");
    }
}

/// One change a lane: every layer, site and operation, on short and long prompts, read before and after it.
#[test]
fn every_site_and_change() {
    for name in MODELS {
        let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
        let shape = oracle.model.decoder.shape();
        let mut random = Random::new(1);
        let (rows, keys) = (random.rows(6, shape.width), random.rows(6, shape.ff));
        let (mut lanes, mut key_lanes) = (Vec::new(), Vec::new());
        for (at, (layer, site)) in places(shape.layers).enumerate() {
            let to = [1, 4, 2, 0, 3][at % 5];
            let len = oracle.prompts[to].ids.len();
            let middle = len / 2;
            let (last, all) = (len - 1, 0..len);
            let change = |positions: std::ops::Range<usize>, op| vec![Action { layer, site, positions, op }];
            let captured = |prompt, position| Source::Captured { prompt, position };
            // Another prompt, of another length, at another position; its last position; two at once.
            lanes.push(lane(to, vec![Action::patch(layer, site, middle, 2, 5)], &[last]));
            lanes.push(lane(to, vec![Action::patch(layer, site, last, 4, 30)], &[last, 0]));
            lanes.push(lane(to, change(1..3, Op::Replace(captured(4, 7))), &[last, 1]));
            lanes.push(lane(to, change(1..2, Op::Add(captured(0, 2))), &[last]));
            lanes.push(lane(to, vec![Action::zero(layer, site, all)], &[last, middle]));
            lanes.push(lane(to, vec![Action::zero(layer, site, middle..middle + 1)], &[last, 0, middle]));
            let given = if site == Site::Key { &mut key_lanes } else { &mut lanes };
            given.push(lane(to, change(0..2, Op::Replace(Source::Given(3))), &[last]));
            given.push(lane(to, change(1..len, Op::Add(Source::Given(1))), &[last, 0]).take_rows(5));
        }
        check("one change", name, &oracle, &lanes, &rows);
        check("given keys", name, &oracle, &key_lanes, &keys);
    }
}

/// Shortens a change to as many positions as there are rows to give.
trait TakeRows {
    fn take_rows(self, rows: usize) -> Self;
}

impl TakeRows for Lane {
    fn take_rows(mut self, rows: usize) -> Self {
        for action in &mut self.actions {
            action.positions.end = action.positions.end.min(action.positions.start + rows);
        }
        self
    }
}

/// Several changes a lane: windows of layers, whole blocks, different layers, `from`, the same place twice.
#[test]
fn combined_changes() {
    for name in MODELS {
        let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
        let shape = oracle.model.decoder.shape();
        let layers = shape.layers;
        let rows = Random::new(2).rows(4, shape.width);
        let mut lanes = Vec::new();
        for to in [1, 3, 4] {
            let len = oracle.prompts[to].ids.len();
            let last = len - 1;
            for layer in 1..=layers {
                let window = layer.saturating_sub(1).max(1)..=(layer + 1).min(layers);
                for site in [Site::Attention, Site::Mlp] {
                    let patches = window.clone().map(|l| Action::patch(l, site, len / 2, 2, 6)).collect();
                    lanes.push(lane(to, patches, &[last]));
                }
                let block = |at: std::ops::Range<usize>| {
                    [Site::Attention, Site::Mlp].map(|site| Action::zero(layer, site, at.clone())).to_vec()
                };
                lanes.push(lane(to, block(0..len), &[last, 0]));
                lanes.push(lane(to, block(1..2), &[last, 0]));
                // The MLP zeroed at fewer positions than the attention, and at more.
                for (attention, mlp) in [(0..len, 1..2), (1..2, 0..len), (0..2, 1..3)] {
                    let actions = vec![
                        Action::zero(layer, Site::Attention, attention),
                        Action::zero(layer, Site::Mlp, mlp),
                        Action::patch(layer, Site::Residual, last, 4, 9),
                    ];
                    lanes.push(lane(to, actions, &[last, 1, 2]));
                }
                // Far apart: a patch here, an ablation above, an addition at the embedding.
                let add = |layer, site, at, row| Action {
                    layer,
                    site,
                    positions: at..at + 1,
                    op: Op::Add(Source::Given(row)),
                };
                let mut far = vec![Action::patch(layer, Site::Residual, 1, 4, 12), add(0, Site::Residual, 2, 1)];
                far.extend([Action::zero(layers, Site::Attention, 0..len), add(layers, Site::Mlp, last, 2)]);
                lanes.push(lane(to, far, &[0, last, 1]));
                // Several at one place, in their order.
                for site in SITES.into_iter().filter(|&site| site != Site::Key) {
                    let twice = vec![add(layer, site, 1, 0), add(layer, site, 1, 3)];
                    let mut again = twice.clone();
                    again.extend([Action::patch(layer, site, 1, 2, 3), add(layer, site, 1, 2)]);
                    lanes.extend([lane(to, twice, &[last]), lane(to, again, &[last])]);
                }
            }
            for from in 0..=layers {
                let change = vec![Action::patch(layers.min(2), Site::Mlp, 1, 4, 3)];
                lanes.push(Lane { from: Some(from), ..lane(to, change, &[last, 0]) });
                lanes.push(Lane { from: Some(from), ..lane(to, Vec::new(), &[last, 1]) });
            }
        }
        check("combined", name, &oracle, &lanes, &rows);
    }
}

/// The redundancy pass and its like: lanes on prompts that were captured with changes of their own.
#[test]
fn changes_on_changed_prompts() {
    for name in MODELS {
        let shape = model(name, &engram_core::device::Compute::cpu("sizes")).decoder.shape().clone();
        let layers = shape.layers;
        let mut random = Random::new(3);
        let (kept, rows) = (random.rows(3, shape.width), random.rows(2, shape.width));
        let mut prompts = plain(prompts(name));
        // Block a without effect, for every a; then additions and replacements at every site of block 2.
        for block in 1..=layers {
            let ids = prompts[1].ids.clone();
            let actions = [Site::Attention, Site::Mlp].map(|site| Action::zero(block, site, 0..ids.len())).to_vec();
            prompts.push(Prompt { ids, shared: None, actions });
        }
        let ablated = 5..prompts.len();
        for op in [Op::Add(Source::Given(1)), Op::Replace(Source::Given(1))] {
            for site in [Site::Attention, Site::Value, Site::Mlp, Site::Residual] {
                let actions = vec![Action { layer: 2, site, positions: 1..3, op }];
                prompts.push(Prompt { ids: prompts[4].ids.clone(), shared: None, actions });
            }
        }
        let own = ablated.end..prompts.len();
        let oracle = Oracle::new(name, prompts, kept);
        let mut lanes = Vec::new();
        for to in ablated {
            let last = oracle.prompts[to].ids.len() - 1;
            for layer in 0..=layers {
                lanes.push(lane(to, vec![Action::patch(layer, Site::Residual, last - 1, 0, 4)], &[last]));
                lanes.push(lane(to, vec![Action::patch(layer, Site::Residual, last, 0, 5)], &[last]));
            }
        }
        for to in own {
            for (layer, site) in places(layers.min(3)) {
                let op = if layer % 2 == 0 {
                    Op::Replace(Source::Zero)
                } else {
                    Op::Add(Source::Captured { prompt: 2, position: 4 })
                };
                let action = Action { layer, site, positions: 2..5, op };
                lanes.push(lane(to, vec![action], &[30, 2]));
            }
            let given = Action { layer: 2, site: Site::Mlp, positions: 2..4, op: Op::Add(Source::Given(0)) };
            lanes.push(lane(to, vec![given], &[30]));
            lanes.push(Lane { from: Some(1), ..lane(to, Vec::new(), &[30, 2]) });
        }
        check("changed prompts", name, &oracle, &lanes, &rows);
    }
}
