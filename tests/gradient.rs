//! Gradients of the engine's backward pass: against central differences of the f64 oracle and transformers' autograd, in every
//! family and at every site, on the CPU and on a GPU device where one can run; and what they rest on.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use engram_core::device::Compute;
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::run::{
    ActivationCache, Change, Columns, Edited, Gradient, Intervention, Metric, PatchedRun, Plan, Prompt, Read, Request,
    Source, Wanted, Weighted,
};
use engram_core::tensor::{Matrix, Overlay, Term};
use engram_tests::fixtures::{MODELS, Reference, model};
use engram_tests::naive::{Plain, Run};
use engram_tests::oracle::{Oracle, Random, matrix, places};
use pollster::block_on;
use std::collections::BTreeMap;

#[path = "gradient/beside.rs"]
mod beside;
#[path = "gradient/weights.rs"]
mod weights;

/// Of a gradient's length.
const CLOSE: f64 = 1e-4;
/// How far numbers are moved for a difference, as a length. Constants here are multiples of 2⁻²⁰ below ½: moved by
/// multiples of [`UNIT`], they are exact in f32.
const STEP: f32 = 1.0 / (1 << 12) as f32;
const UNIT: f32 = 1.0 / (1 << 24) as f32;

fn prompts(name: &str) -> Vec<Prompt> {
    let reference = Reference::of(name);
    (0..3).map(|p| Prompt::plain(&reference.ids(p))).collect()
}

fn width(model: &Model, layer: usize, site: Site) -> usize {
    site.width(&model.net.shape, model.net.heads(layer.max(1)))
}

/// A run that is read in the middle and at its end.
fn run(oracle: &Oracle, prompt: usize, interventions: Vec<Intervention>) -> PatchedRun {
    let last = oracle.prompts[prompt].ids.len() - 1;
    let reads = [last, last / 2 + 1].map(|position| Read { position, tokens: Vec::new() }).to_vec();
    PatchedRun { prompt, interventions, overlay: None, reads }
}

/// All kinds of metrics of each run, differently weighed.
fn objective(runs: usize) -> Vec<Weighted> {
    let of = |run: usize| {
        let term = |read, metric, weight| Weighted { run, read, metric, weight };
        [
            term(0, Metric::LogProb { token: 17 }, 0.75),
            term(0, Metric::LogitDifference { plus: 3, minus: 40 }, -0.5),
            term(1, Metric::Logit { token: 5 }, 0.25),
            term(0, Metric::KlTo { prompt: 0, position: 2 }, 1.5),
            term(1, Metric::LogProb { token: 18 }, -1.0),
            term(1, Metric::KlTo { prompt: 2, position: 4 }, -0.5),
        ]
    };
    (0..runs).flat_map(of).collect()
}

/// The same in f64, of what naive forwards say.
fn value(oracle: &Oracle, run: &PatchedRun, naive: &Run, term: &Weighted) -> f64 {
    let log_p = |logits: &[f64]| -> Vec<f64> {
        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log = max + logits.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
        logits.iter().map(|x| x - log).collect()
    };
    let logits = &naive.exact[run.reads[term.read].position];
    match term.metric {
        Metric::Logit { token } => logits[token as usize],
        Metric::LogProb { token } => log_p(logits)[token as usize],
        Metric::LogitDifference { plus, minus } => logits[plus as usize] - logits[minus as usize],
        Metric::KlTo { prompt, position } => {
            let (p, q) = (log_p(logits), log_p(&oracle.runs[prompt].exact[position]));
            p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
        }
    }
}

/// The objective of one run, by full forwards; runs before it stand in `earlier`.
fn naive(oracle: &Oracle, plain: &Plain, runs: &[PatchedRun], given: &[Vec<f32>]) -> Vec<f64> {
    let sources: Vec<&Run> = oracle.runs.iter().collect();
    let mut earlier: Vec<Run> = Vec::new();
    let mut out = Vec::new();
    for run in runs {
        let prompt = &oracle.prompts[run.prompt];
        let naive = plain.forward(&prompt.ids, &run.interventions, &sources, &earlier, given);
        let all = objective(1);
        out.push(all.iter().map(|term| f64::from(term.weight) * value(oracle, run, &naive, term)).sum());
        earlier.push(naive);
    }
    out
}

fn gradient(
    model: &Model,
    cache: &ActivationCache,
    runs: &[PatchedRun],
    (given, overlays): (&[Vec<f32>], &[Overlay]),
    wanted: &[Wanted],
    rows: usize,
) -> Gradient {
    gradient_of(&objective(runs.len()), model, cache, runs, (given, overlays), wanted, rows)
}

fn gradient_of(
    objective: &[Weighted],
    model: &Model,
    cache: &ActivationCache,
    runs: &[PatchedRun],
    (given, overlays): (&[Vec<f32>], &[Overlay]),
    wanted: &[Wanted],
    rows: usize,
) -> Gradient {
    let request = Request { runs, constants: &matrix(given), overlays };
    let plan = Plan { rows, ..model.plan };
    let found = block_on(Edited { plan, ..model.edited() }.gradient(cache, &request, objective, wanted));
    found.unwrap_or_else(|error| panic!("{error}"))
}

/// Directions to look along, of a step's length: the gradient's own, and any.
fn directions(gradient: &[f32], random: &mut Random) -> [Vec<f32>; 2] {
    let length = gradient.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    let even = STEP / (gradient.len() as f32).sqrt();
    let own = gradient.iter().map(|x| x / length * STEP);
    let any = gradient.iter().map(|_| if random.below(2) == 0 { even } else { -even });
    let exact = |x: f32| (x / UNIT).round() * UNIT;
    [own.map(exact).collect(), any.map(exact).collect()]
}

/// Holds the gradient on each run's own constant rows against differences of naive forwards.
fn check(
    what: &str,
    oracle: &Oracle,
    plain: &Plain,
    runs: &[(PatchedRun, std::ops::Range<usize>)],
    given: &[Vec<f32>],
    got: &Matrix,
) {
    let mut random = Random::new(9);
    let mut worst = 0.0f64;
    for (run, own) in runs {
        let slope: Vec<f32> = own.clone().flat_map(|row| got.row(row).to_vec()).collect();
        let length = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        for direction in directions(&slope, &mut random) {
            let moved = |sign: f32| {
                let mut given = given.to_vec();
                for (row, by) in own.clone().zip(direction.chunks(got.width)) {
                    given[row].iter_mut().zip(by).for_each(|(x, by)| *x += sign * by);
                }
                naive(oracle, plain, std::slice::from_ref(run), &given)[0]
            };
            let want = (moved(1.0) - moved(-1.0)) / 2.0;
            let got: f64 = slope.iter().zip(&direction).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            let size = length(&slope) * length(&direction);
            let apart = (got - want).abs() / size.max(1e-9);
            assert!(apart <= CLOSE, "{what}: {got:e}, not {want:e} (of {size:e}): {run:?}");
            worst = worst.max(apart);
        }
    }
    println!("{what}, {} runs: {worst:.1e} of the gradient's length", runs.len());
}

/// Every site of every family: rows added and replaced, columns, heads, with changes before, beside and above.
#[test]
fn gradients_are_those_of_naive_differences() {
    for name in MODELS {
        let oracle = Oracle::new(name, prompts(name), Vec::new());
        let model = &oracle.model;
        let cache = oracle.capture(model);
        let layers = model.layers();
        let mut by_width: BTreeMap<usize, Vec<(PatchedRun, std::ops::Range<usize>)>> = BTreeMap::new();
        for (at, (layer, site)) in places(layers).enumerate() {
            let prompt = at % 3;
            let len = oracle.prompts[prompt].ids.len();
            let width = width(model, layer, site);
            let all = by_width.entry(width).or_default();
            let change = |first: usize, positions: std::ops::Range<usize>, add: bool| {
                let source = Source::Constant(first);
                Intervention::new(
                    layer,
                    site,
                    positions,
                    if add { Change::Add(source) } else { Change::Replace(source) },
                )
            };
            let mut put = |rows: usize, make: &dyn Fn(usize) -> Vec<Intervention>| {
                let first = all.last().map_or(0, |(_, own): &(PatchedRun, std::ops::Range<usize>)| own.end);
                all.push((run(&oracle, prompt, make(first)), first..first + rows));
            };
            put(2, &|first| vec![change(first, 1..3, true)]);
            put(1, &|first| vec![change(first, len / 2..len / 2 + 1, false)]);
            put(1, &|first| vec![change(first, len - 1..len, true)]);
            // Some columns, scaled afterwards, others zeroed.
            put(1, &|first| {
                let columns =
                    if site.heads(model.net.heads(layer.max(1))) > 1 { Columns::Head(1) } else { Columns::Range(2..9) };
                let scale = Intervention::new(layer, site, 1..3, Change::Scale(-0.5)).columns(Columns::Range(4..7));
                vec![
                    change(first, 2..3, true).columns(columns),
                    scale,
                    Intervention::zero(layer, site, 2..3).columns(Columns::Range(0..1)),
                ]
            });
            // With patches and ablations above and beside it.
            put(1, &|first| {
                let above = (layer + 1).min(layers);
                vec![
                    change(first, 1..2, true),
                    Intervention::patch(above, Site::Attention, len - 1, 2, 3),
                    Intervention::zero(above, Site::Mlp, 2..4),
                    Intervention::new(layers, Site::Residual, 1..2, Change::Add(Source::cached(1, 1))),
                ]
            });
            // Attention changed where the MLP is overwritten, and the other way round: rows that enter late bring it.
            if layer > 0 && width == model.net.shape.width {
                put(1, &|first| {
                    let own = Intervention::new(layer, Site::Attention, 2..3, Change::Add(Source::Constant(first)));
                    vec![own, Intervention::zero(layer, site, 2..3)]
                });
                put(1, &|first| vec![change(first, 2..3, true), Intervention::zero(layer, Site::Mlp, 2..3)]);
            }
        }
        for (width, mut runs) in by_width {
            let rows = runs.last().map_or(0, |(_, own)| own.end);
            let given = Random::new(width as u64).rows(rows, width);
            // In another order than that of layers.
            runs.reverse();
            let only: Vec<PatchedRun> = runs.iter().map(|(run, _)| run.clone()).collect();
            let got = gradient(model, &cache, &only, (&given, &[]), &[], 100_000);
            for (number, term) in objective(only.len()).iter().enumerate().step_by(7) {
                let prompt = &oracle.prompts[only[term.run].prompt];
                let sources: Vec<&Run> = oracle.runs.iter().collect();
                let run = oracle.plain.forward(&prompt.ids, &only[term.run].interventions, &sources, &[], &given);
                let (got, want) = (f64::from(got.values[number]), value(&oracle, &only[term.run], &run, term));
                assert!((got - want).abs() <= 1e-4 * want.abs().max(1.0), "{name}: {got}, not {want}: {term:?}");
            }
            check(&format!("{name}, width {width}"), &oracle, &oracle.plain, &runs, &given, &got.constants);
            // How rows are divided moves no bit.
            for rows in [5, 40] {
                assert_eq!(
                    gradient(model, &cache, &only, (&given, &[]), &[], rows),
                    got,
                    "{name}: {rows} rows at once"
                );
            }
            for threads in [1, 7] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
                let again = pool.install(|| gradient(model, &cache, &only, (&given, &[]), &[], 100_000));
                assert_eq!(again, got, "{name}: {threads} threads");
            }
        }
    }
}

/// Gradients go on to runs that others took numbers from.
#[test]
fn gradients_reach_runs_that_lend() {
    for name in MODELS {
        let oracle = Oracle::new(name, prompts(name), Vec::new());
        let model = &oracle.model;
        let cache = oracle.capture(model);
        let d = model.net.shape.width;
        for (layer, site) in places(model.layers()).filter(|&(layer, site)| width(model, layer, site) == d) {
            let own = Intervention::new(1, Site::Residual, 1..3, Change::Add(Source::Constant(0)));
            let lender = run(&oracle, 1, vec![own]);
            let take = |change: fn(Source) -> Change, position| {
                let source = Source::Run { run: 0, position };
                run(&oracle, 2, vec![Intervention::new(layer, site, 3..5, change(source))])
            };
            let runs = [lender, take(Change::Replace, 2), take(Change::Add, 1)];
            let given = Random::new(4).rows(2, d);
            let got = gradient(model, &cache, &runs, (&given, &[]), &[], 100_000).constants;
            for direction in directions(&got.values, &mut Random::new(3)) {
                let moved = |sign: f32| -> f64 {
                    let moved = given.iter().zip(direction.chunks(d));
                    let moved: Vec<Vec<f32>> =
                        moved.map(|(row, by)| row.iter().zip(by).map(|(x, by)| x + sign * by).collect()).collect();
                    naive(&oracle, &oracle.plain, &runs, &moved).iter().sum()
                };
                let want = (moved(1.0) - moved(-1.0)) / 2.0;
                let product = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
                let size = (product(&got.values, &got.values) * product(&direction, &direction)).sqrt();
                let found = product(&got.values, &direction);
                assert!(
                    (found - want).abs() <= CLOSE * size,
                    "{name}, layer {layer}, {site:?}: {found:e}, not {want:e}"
                );
            }
        }
    }
}

/// What is wanted of an activation is what a row of zeros that is added to it has, to the bit.
#[test]
fn activations_have_the_gradient_of_what_is_added_to_them() {
    for name in MODELS {
        let oracle = Oracle::new(name, prompts(name), Vec::new());
        let model = &oracle.model;
        let cache = oracle.capture(model);
        for (layer, site) in places(model.layers()) {
            let len = oracle.prompts[1].ids.len();
            let other = || Intervention::zero(model.layers(), Site::Attention, len - 1..len);
            let wanted = |run| Wanted { run, layer, site, positions: 1..len };
            let added = Intervention::new(layer, site, 1..len, Change::Add(Source::Constant(0)));
            let runs = [run(&oracle, 1, vec![]), run(&oracle, 1, vec![other()])];
            let got = gradient(model, &cache, &runs, (&[], &[]), &[wanted(0), wanted(1)], 100_000).sites;
            let zeros = vec![vec![0.0; width(model, layer, site)]; len - 1];
            for (at, others) in [vec![], vec![other()]].into_iter().enumerate() {
                let runs = [run(&oracle, 1, others.into_iter().chain([added.clone()]).collect())];
                let want = gradient(model, &cache, &runs, (&zeros, &[]), &[], 100_000).constants;
                assert_eq!(got[at], want, "{name}, layer {layer}, {site:?}, run {at}");
            }
        }
    }
}

/// Runs that carry an edit, and edits in force, on every map.
#[test]
fn gradients_go_through_overlays() {
    for name in MODELS {
        let oracle = Oracle::new(name, prompts(name), Vec::new());
        let mut model = model(name, &Compute::cpu("tests"));
        let d = model.net.shape.width;
        let mut random = Random::new(5);
        let maps: Vec<_> = model.net.blocks[1].maps().map(|(_, map)| (map.tensor.clone(), map.input)).collect();
        let out = |tensor: &String| {
            let all = model.net.blocks.iter().flat_map(|block| block.maps());
            all.filter(|(_, map)| map.tensor == *tensor).map(|(_, map)| map.rows.end).max().expect("a map")
        };
        let overlays: Vec<Overlay> = maps
            .iter()
            .map(|(tensor, input)| {
                let (u, v) = (random.rows(2, out(tensor)), random.rows(2, *input));
                Overlay { terms: vec![Term { tensor: tensor.clone(), u, v }] }
            })
            .collect();
        let given = random.rows(overlays.len(), d);
        let add = |layer, row| Intervention::new(layer, Site::Residual, 1..2, Change::Add(Source::Constant(row)));
        let runs: Vec<PatchedRun> = (0..overlays.len())
            .map(|at| PatchedRun { overlay: Some(at), ..run(&oracle, 1, vec![add(1, at)]) })
            .collect();
        let cache = oracle.capture(&model);
        let got = gradient(&model, &cache, &runs, (&given, &overlays), &[], 100_000);
        for (at, (run, overlay)) in runs.iter().zip(&overlays).enumerate() {
            let plain = Plain::of(&oracle.model, std::slice::from_ref(overlay));
            let what = format!("{name}, {}", maps[at].0);
            check(&what, &oracle, &plain, &[(run.clone(), at..at + 1)], &given, &got.constants);
        }
        // The same edits in force give the same gradients, but of divergences: these are to what was captured with them.
        let alike = |term: &Weighted| !matches!(term.metric, Metric::KlTo { .. });
        let terms: Vec<Weighted> = objective(runs.len()).into_iter().filter(alike).collect();
        let want = gradient_of(&terms, &model, &cache, &runs, (&given, &overlays), &[], 100_000).constants;
        let terms: Vec<Weighted> = objective(1).into_iter().filter(alike).collect();
        for (at, overlay) in overlays.iter().enumerate() {
            model.overlays = vec![overlay.clone()];
            let cache = oracle.capture(&model);
            let own = [run(&oracle, 1, vec![add(1, at)])];
            let got = gradient_of(&terms, &model, &cache, &own, (&given, &[]), &[], 100_000).constants;
            let (got, want) = (got.row(at), want.row(at));
            let size = want.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
            assert!(engram_tests::fixtures::difference(got, want) <= 1e-4 * size, "{name}: {got:?}, not {want:?}");
        }
    }
}

#[test]
fn what_is_not_there_is_refused() {
    let oracle = Oracle::new("llama", prompts("llama"), Vec::new());
    let model = &oracle.model;
    let cache = oracle.capture(model);
    let runs = [run(&oracle, 0, vec![])];
    let all = objective(1);
    let ask = |objective: &[Weighted], wanted: &[Wanted]| {
        block_on(model.edited().gradient(&cache, &Request::of(&runs), objective, wanted)).expect_err("refused")
    };
    let wanted = |run, layer, site| Wanted { run, layer, site, positions: 0..2 };
    let term = |change: fn(&mut Weighted)| {
        let mut term = all[0];
        change(&mut term);
        [term]
    };
    for (error, said) in [
        (ask(&all, &[wanted(1, 1, Site::Mlp)]), "run 1 of 1"),
        (ask(&all, &[wanted(0, 99, Site::Mlp)]), "lies outside"),
        (ask(&all, &[wanted(0, 1, Site::Pattern)]), "can be read, not changed"),
        (ask(&all, &[]), "changes nothing"),
        (ask(&term(|term| term.run = 3), &[wanted(0, 1, Site::Mlp)]), "read 0 of run 3"),
        (ask(&term(|term| term.read = 3), &[wanted(0, 1, Site::Mlp)]), "read 3 of run 0"),
        (ask(&term(|term| term.weight = f32::NAN), &[wanted(0, 1, Site::Mlp)]), "weighs NaN"),
        (ask(&term(|term| term.metric = Metric::Logit { token: 999_999 }), &[wanted(0, 1, Site::Mlp)]), "vocabulary"),
        (
            ask(&term(|term| term.metric = Metric::KlTo { prompt: 0, position: 99 }), &[wanted(0, 1, Site::Mlp)]),
            "lies outside",
        ),
    ] {
        assert!(error.to_string().contains(said), "{said}: {error}");
        assert!(error.next_step().is_some(), "{error}");
    }
}
