//! Patched runs against naive full forwards, on every family, site and change, on the CPU and on a GPU device where one can
//! run. METHODS, section 5: the savings are exact.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

#[path = "resumed/errors.rs"]
mod errors;
#[path = "resumed/identities.rs"]
mod identities;
#[path = "resumed/overlays.rs"]
mod overlays;
#[path = "resumed/random.rs"]
mod random;

use engram_core::model::{Shape, Site, Transformer};
use engram_core::run::{Change, Columns, Intervention, PatchedRun, Prompt, Read, Sites, Source};
use engram_core::tensor::Overlay;
use engram_tests::fixtures::{MODELS, Reference, devices, model};
use engram_tests::oracle::{Oracle, Random, SITES, Worst, against, between, places, resumed};
use std::collections::BTreeMap;

/// Probabilities, everywhere.
const P: f32 = 1e-5;
/// Logits relative to the largest of their position, on the CPU.
const LOGITS: f32 = 1e-5;
/// The same on a GPU device, whose own rounding differs from that of the CPU's naive run.
const LOGITS_GPU: f32 = 5e-5;
/// Probabilities between batches of different sizes on a GPU device, whose matrix kernels sum in another order.
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
    ids.iter().map(|ids| Prompt::plain(ids)).collect()
}

/// Several tokens of several positions.
fn reads(positions: &[usize]) -> Vec<Read> {
    let tokens = |position: usize| vec![273 + position as u32 % 7, 0, 17, 319];
    positions.iter().map(|&position| Read { position, tokens: tokens(position) }).collect()
}

fn run(prompt: usize, interventions: Vec<Intervention>, positions: &[usize]) -> PatchedRun {
    PatchedRun { prompt, interventions, overlay: None, reads: reads(positions) }
}

fn width(net: &Transformer, layer: usize, site: Site) -> usize {
    site.width(&net.shape, net.heads(layer.max(1)))
}

/// Holds patched runs of one model against naive ones: one batch and many small ones, on every device, with everything
/// captured that they could enter at and, where they need no more, with what is captured for resuming alone.
fn check(what: &str, name: &str, oracle: &Oracle, runs: &[PatchedRun], given: &[Vec<f32>], overlays: &[Overlay]) {
    let want = oracle.wanted(runs, given, overlays);
    for compute in devices() {
        let model = model(name, &compute);
        let cache = oracle.capture(&model);
        let large = resumed(&model, &cache, runs, given, overlays, 100_000);
        let mut worst = against(runs, &large, &want);
        let mut apart = Worst::default();
        // Many small batches are slow on a software GPU: there, some of the runs, and never one at a time.
        let software = compute.adapter.as_ref().is_some_and(|adapter| adapter.kind == "Cpu");
        let step = if software { 5 } else { 1 };
        // Runs that take numbers from each other need all that come before them.
        let some = |list: &[PatchedRun]| -> Vec<PatchedRun> { list.iter().step_by(step).cloned().collect() };
        let linked = runs.iter().any(takes_from_runs);
        for &rows in if compute.is_cpu() { &[7, 40][..] } else { &[40] } {
            let step = if linked { 1 } else { step };
            let some = if linked { runs.to_vec() } else { some(runs) };
            let want: Vec<_> = want.iter().step_by(step).cloned().collect();
            let large: Vec<_> = large.iter().step_by(step).cloned().collect();
            let small = resumed(&model, &cache, &some, given, overlays, rows);
            let mut one = against(&some, &small, &want);
            one.run *= step;
            worst = worst.max(one);
            apart = apart.max(between(&large, &small, &want));
            if compute.is_cpu() {
                assert_eq!(small, large, "{what}, {name}: on the CPU batches move no bit");
            }
        }
        // With less captured, runs enter earlier.
        let lean: Vec<PatchedRun> = runs.iter().filter(|run| !takes_more(run)).cloned().collect();
        if !lean.is_empty() && !linked {
            let less = oracle.capture_with(&model, &Sites::to_resume());
            let got = resumed(&model, &less, &lean, given, overlays, 100_000);
            let kept = |list: &[Vec<_>]| -> Vec<Vec<_>> {
                runs.iter().zip(list).filter(|(run, _)| !takes_more(run)).map(|(_, one)| one.clone()).collect()
            };
            worst = worst.max(Worst { run: 0, ..against(&lean, &got, &kept(&want)) });
            if compute.is_cpu() {
                let large: Vec<_> =
                    runs.iter().zip(&large).filter(|(run, _)| !takes_more(run)).map(|(_, one)| one.clone()).collect();
                assert_eq!(got, large, "{what}, {name}: on the CPU it moves no bit where a run enters");
            }
        }
        let device = &compute.info.name;
        println!("{what}, {name} on {device}, {} runs: {worst}; between batches {apart}", runs.len());
        let logits = if compute.is_cpu() { LOGITS } else { LOGITS_GPU };
        let bad = &runs[worst.run];
        assert!(worst.p <= P && worst.logits <= logits, "{what}, {name} on {device}: {worst} at {bad:?}");
        assert!(apart.p <= BATCHES && apart.logits <= logits, "{what}, {name} on {device}: {apart}");
    }
}

fn sources(run: &PatchedRun) -> impl Iterator<Item = (Source, &Intervention)> {
    run.interventions.iter().filter_map(|change| match change.change {
        Change::Replace(source) | Change::Add(source) => Some((source, change)),
        _ => None,
    })
}

/// It takes numbers from sites that are not captured for resuming alone.
fn takes_more(run: &PatchedRun) -> bool {
    sources(run).any(|(source, change)| match source {
        Source::Cached { at, .. } => {
            let site = at.map_or(change.site, |(_, site)| site);
            !matches!(site, Site::Attention | Site::Mlp | Site::Residual)
        }
        Source::Run { .. } => true,
        Source::Constant(_) => false,
    })
}

fn takes_from_runs(run: &PatchedRun) -> bool {
    sources(run).any(|(source, _)| matches!(source, Source::Run { .. }))
}

/// One change a run: every layer, site and operation, on short and long prompts, read before and after it.
#[test]
fn every_site_and_change() {
    for name in MODELS {
        let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
        let net = oracle.model.net.clone();
        let mut without = Vec::new();
        // Constants have one width a request.
        let mut with: BTreeMap<usize, Vec<PatchedRun>> = BTreeMap::new();
        for (at, (layer, site)) in places(net.shape.layers).enumerate() {
            let to = [1, 4, 2, 0, 3][at % 5];
            let len = oracle.prompts[to].ids.len();
            let middle = len / 2;
            let (last, all) = (len - 1, 0..len);
            let change =
                |positions: std::ops::Range<usize>, change| vec![Intervention::new(layer, site, positions, change)];
            // Another prompt, of another length, at another position; its last position; two at once.
            without.push(run(to, vec![Intervention::patch(layer, site, middle, 2, 5)], &[last]));
            without.push(run(to, vec![Intervention::patch(layer, site, last, 4, 30)], &[last, 0]));
            without.push(run(to, change(1..3, Change::Replace(Source::cached(4, 7))), &[last, 1]));
            without.push(run(to, change(1..2, Change::Add(Source::cached(0, 2))), &[last]));
            without.push(run(to, vec![Intervention::zero(layer, site, all)], &[last, middle]));
            without.push(run(to, vec![Intervention::zero(layer, site, middle..middle + 1)], &[last, 0, middle]));
            without.push(run(to, change(1..3, Change::Scale(-0.5)), &[last, 2]));
            let given = with.entry(width(&net, layer, site)).or_default();
            given.push(run(to, change(0..2, Change::Replace(Source::Constant(3))), &[last]));
            let until = len.min(1 + 5);
            given.push(run(to, change(1..until, Change::Add(Source::Constant(1))), &[last, 0]));
        }
        check("one change", name, &oracle, &without, &[], &[]);
        for (width, runs) in with {
            check("given rows", name, &oracle, &runs, &Random::new(1).rows(6, width), &[]);
        }
    }
}

/// Neurons, dimensions, heads; rows from another layer and site.
#[test]
fn columns_heads_and_other_places() {
    for name in MODELS {
        let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
        let net = oracle.model.net.clone();
        let Shape { layers, width: d, .. } = net.shape;
        let mut runs = Vec::new();
        let mut narrow = Vec::new();
        for (at, (layer, site)) in places(layers).enumerate() {
            let to = [1, 4, 0][at % 3];
            let last = oracle.prompts[to].ids.len() - 1;
            let heads = net.heads(layer.max(1));
            let width = width(&net, layer, site);
            let mut columns = vec![Columns::Range(3..7), Columns::Range(width - 1..width)];
            if site.heads(heads) > 1 || matches!(site, Site::Query | Site::Key | Site::Value | Site::Heads) {
                columns.extend([Columns::Head(0), Columns::Head(site.heads(heads) - 1)]);
            }
            for columns in columns {
                let one = |change| Intervention::new(layer, site, 2..4, change).columns(columns.clone());
                runs.push(run(to, vec![one(Change::Zero)], &[last, 2]));
                runs.push(run(to, vec![one(Change::Scale(3.0))], &[last]));
                runs.push(run(to, vec![one(Change::Replace(Source::cached(4, 11)))], &[last, 0]));
                runs.push(run(to, vec![one(Change::Add(Source::cached(2, 1))), one(Change::Scale(0.5))], &[last]));
                if columns == Columns::Range(3..7) {
                    narrow.push(run(to, vec![one(Change::Replace(Source::Constant(1)))], &[last]));
                    narrow.push(run(to, vec![one(Change::Add(Source::Constant(0)))], &[last, 3]));
                }
            }
            if width == d {
                // A state put where another one belongs (Patchscopes).
                for from in [(layers, Site::Residual), (1, Site::Attention), (0, Site::Residual)] {
                    let source = Source::Cached { prompt: 4, position: 9, at: Some(from) };
                    runs.push(run(to, vec![Intervention::new(layer, site, 1..3, Change::Replace(source))], &[last]));
                }
            }
        }
        check("columns", name, &oracle, &runs, &[], &[]);
        check("given columns", name, &oracle, &narrow, &Random::new(6).rows(4, 4), &[]);
    }
}

/// Several changes a run: windows of layers, whole blocks, different layers, the same place twice.
#[test]
fn combined_changes() {
    for name in MODELS {
        let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
        let net = oracle.model.net.clone();
        let layers = net.shape.layers;
        let rows = Random::new(2).rows(4, net.shape.width);
        let mut runs = Vec::new();
        for to in [1, 3, 4] {
            let len = oracle.prompts[to].ids.len();
            let last = len - 1;
            for layer in 1..=layers {
                let window = layer.saturating_sub(1).max(1)..=(layer + 1).min(layers);
                for site in [Site::Attention, Site::Mlp] {
                    let patches = window.clone().map(|l| Intervention::patch(l, site, len / 2, 2, 6)).collect();
                    runs.push(run(to, patches, &[last]));
                }
                let block = |at: std::ops::Range<usize>| {
                    [Site::Attention, Site::Mlp].map(|site| Intervention::zero(layer, site, at.clone())).to_vec()
                };
                runs.push(run(to, block(0..len), &[last, 0]));
                runs.push(run(to, block(1..2), &[last, 0]));
                // The MLP zeroed at fewer positions than the attention, and at more.
                for (attention, mlp) in [(0..len, 1..2), (1..2, 0..len), (0..2, 1..3)] {
                    let changes = vec![
                        Intervention::zero(layer, Site::Attention, attention),
                        Intervention::zero(layer, Site::Mlp, mlp),
                        Intervention::patch(layer, Site::Residual, last, 4, 9),
                    ];
                    runs.push(run(to, changes, &[last, 1, 2]));
                }
                let add = |layer, site, at, row| {
                    Intervention::new(layer, site, at..at + 1, Change::Add(Source::Constant(row)))
                };
                // Within a block: what comes first decides where a row enters, what overwrites the rest.
                for pair in [
                    [Site::MlpKey, Site::Mlp],
                    [Site::MlpKey, Site::MlpValue],
                    [Site::Attention, Site::MlpValue],
                    [Site::Attention, Site::MlpKey],
                    [Site::Heads, Site::Mlp],
                    [Site::Query, Site::Residual],
                    [Site::Key, Site::Attention],
                    [Site::Value, Site::Mlp],
                ] {
                    let zero = |at: usize, site| Intervention::zero(layer, site, at..at + 1);
                    runs.push(run(to, vec![zero(1, pair[0]), zero(1, pair[1])], &[last, 1]));
                    runs.push(run(to, vec![zero(1, pair[0]), zero(2, pair[1])], &[last, 2]));
                    let scaled = Intervention::new(layer, pair[1], 1..2, Change::Scale(0.5));
                    runs.push(run(to, vec![zero(1, pair[0]), scaled], &[last]));
                }
                // Far apart: a patch here, an ablation above, an addition at the embedding.
                let mut far = vec![Intervention::patch(layer, Site::Residual, 1, 4, 12), add(0, Site::Residual, 2, 1)];
                far.extend([Intervention::zero(layers, Site::Attention, 0..len), add(layers, Site::Mlp, last, 2)]);
                runs.push(run(to, far, &[0, last, 1]));
                // Several at one place, in their order.
                for site in SITES.into_iter().filter(|&site| width(&net, layer, site) == net.shape.width) {
                    let twice = vec![add(layer, site, 1, 0), add(layer, site, 1, 3)];
                    let mut again = twice.clone();
                    again.extend([Intervention::patch(layer, site, 1, 2, 3), add(layer, site, 1, 2)]);
                    runs.extend([run(to, twice, &[last]), run(to, again, &[last])]);
                }
            }
        }
        check("combined", name, &oracle, &runs, &rows, &[]);
    }
}

/// A run takes what an earlier one has, changed there or not yet reached by its changes.
#[test]
fn runs_that_take_from_each_other() {
    for name in MODELS {
        let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
        let layers = oracle.model.layers();
        let mut runs = Vec::new();
        for (layer, site) in places(layers) {
            let first = runs.len();
            let last = |prompt: usize| oracle.prompts[prompt].ids.len() - 1;
            let from = |run, position| Change::Replace(Source::Run { run, position });
            // Its source is changed below, at the place itself, or above it only.
            runs.push(run(1, vec![Intervention::patch(1, Site::Residual, 1, 2, 4)], &[last(1)]));
            runs.push(run(4, vec![Intervention::zero(layer, site, 3..6)], &[last(4)]));
            runs.push(run(0, vec![Intervention::zero(layers, Site::Residual, 2..3)], &[last(0)]));
            for (source, position) in [(first, 2), (first + 1, 4), (first + 2, 2), (first + 1, 1)] {
                runs.push(run(1, vec![Intervention::new(layer, site, 2..3, from(source, position))], &[last(1), 2]));
            }
            // A chain.
            let chained = Intervention::new(layer, site, 1..2, from(first + 3, 2));
            runs.push(run(4, vec![chained], &[last(4)]));
        }
        check("from runs", name, &oracle, &runs, &[], &[]);
    }
}

/// The redundancy pass and its like: runs on prompts that were captured with changes of their own.
#[test]
fn changes_on_changed_prompts() {
    for name in MODELS {
        let net = model(name, &engram_core::device::Compute::cpu("sizes")).net;
        let (layers, d) = (net.shape.layers, net.shape.width);
        let mut random = Random::new(3);
        let (kept, rows) = (random.rows(3, d), random.rows(2, d));
        let mut prompts = plain(prompts(name));
        // Block a without effect, for every a; then additions and replacements at every site of block 2.
        for block in 1..=layers {
            let prompt = prompts[1].clone();
            let zero = |site| Intervention::zero(block, site, 0..prompt.ids.len());
            prompts.push(Prompt { interventions: [Site::Attention, Site::Mlp].map(zero).to_vec(), ..prompt });
        }
        let ablated = 5..prompts.len();
        for change in [Change::Add(Source::Constant(1)), Change::Replace(Source::Constant(1)), Change::Scale(2.0)] {
            for site in SITES.into_iter().filter(|&site| width(&net, 2, site) == d) {
                let interventions = vec![Intervention::new(2, site, 1..3, change)];
                prompts.push(Prompt { interventions, ..prompts[4].clone() });
            }
        }
        let own = ablated.end..prompts.len();
        let oracle = Oracle::new(name, prompts, kept);
        let mut runs = Vec::new();
        for to in ablated {
            let last = oracle.prompts[to].ids.len() - 1;
            for layer in 0..=layers {
                runs.push(run(to, vec![Intervention::patch(layer, Site::Residual, last - 1, 0, 4)], &[last]));
                runs.push(run(to, vec![Intervention::patch(layer, Site::Residual, last, 0, 5)], &[last]));
            }
        }
        for to in own {
            for (layer, site) in places(layers.min(3)) {
                let change = if layer % 2 == 0 { Change::Zero } else { Change::Add(Source::cached(2, 4)) };
                runs.push(run(to, vec![Intervention::new(layer, site, 2..5, change)], &[30, 2]));
            }
            let given = Intervention::new(2, Site::Mlp, 2..4, Change::Add(Source::Constant(0)));
            runs.push(run(to, vec![given], &[30]));
        }
        check("changed prompts", name, &oracle, &runs, &rows, &[]);
    }
}
