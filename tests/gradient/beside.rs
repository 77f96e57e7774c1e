//! Gradients beside transformers' autograd, and on a device beside the CPU.

use super::{gradient, prompts, run, width};
use engram_core::model::Site;
use engram_core::run::{
    Change, Columns, Gradient, Intervention, Metric, PatchedRun, Prompt, Read, Request, Source, Wanted, Weighted,
};
use engram_core::tensor::Matrix;
use engram_tests::fixtures::{MODELS, Reference, devices, model};
use engram_tests::oracle::{Oracle, Random, SITES, places};
use pollster::block_on;

/// Every activation's gradient of a logit difference, v*-shaped ones and a divergence, beside transformers' autograd.
#[test]
fn gradients_agree_with_transformers() {
    for compute in devices() {
        let mut worst = 0.0f32;
        for name in MODELS {
            let model = model(name, &compute);
            let reference = Reference::of(name);
            let found = Reference::beside(name, "gradients.safetensors");
            let (ids, answer) = (reference.ids(0), reference.answer());
            let (len, layers, d) = (ids.len(), model.layers(), model.net.shape.width);
            let at = reference.number("s");
            let capture = engram_core::run::Sites::to_resume();
            let prompts = [Prompt::plain(&ids)];
            let cache = block_on(model.edited().capture(&prompts, &Matrix::default(), &capture)).expect("a capture");
            let reads = vec![Read { position: len - 1, tokens: vec![] }];
            let plain = |interventions| PatchedRun { interventions, reads: reads.clone(), ..PatchedRun::default() };
            let mut close = |what: &str, got: &[f32], want: &[f32]| {
                let size = want.iter().fold(1e-6f32, |most, x| most.max(x.abs()));
                let apart = engram_tests::fixtures::difference(got, want) / size;
                assert!(apart <= 1e-4, "{name} on {}, {what}: {apart:e} of the largest", compute.info.name);
                worst = worst.max(apart);
            };
            let keys = ["q", "k", "value", "heads", "attn", "key", "v", "mlp", "resid"];
            let mut wanted = vec![Wanted { run: 0, layer: 0, site: Site::Residual, positions: 0..len }];
            wanted.extend(
                SITES
                    .iter()
                    .flat_map(|&site| (1..=layers).map(move |layer| Wanted { run: 0, layer, site, positions: 0..len })),
            );
            let term = |run, metric| Weighted { run, read: 0, metric, weight: 1.0 };
            let difference = [term(0, Metric::LogitDifference { plus: answer, minus: 17 })];
            let runs = [plain(vec![])];
            let got = block_on(model.edited().gradient(&cache, &Request::of(&runs), &difference, &wanted));
            let got = got.unwrap_or_else(|error| panic!("{error}")).sites;
            close("embedding", &got[0].values, found.values("difference.embed"));
            for (key, got) in keys.into_iter().zip(got[1..].chunks(layers)) {
                let got: Vec<f32> = got.iter().flat_map(|layer| &layer.values).copied().collect();
                close(key, &got, found.values(&format!("difference.{key}")));
            }

            let add = |layer, site, row| Intervention::new(layer, site, at..at + 1, Change::Add(Source::Constant(row)));
            let runs: Vec<_> = (1..=layers).map(|layer| plain(vec![add(layer, Site::MlpValue, layer - 1)])).collect();
            let constants = Matrix::new(vec![0.0; layers * d], d);
            let request = Request { constants: &constants, ..Request::of(&runs) };
            let terms: Vec<_> = (0..layers).map(|run| term(run, Metric::LogProb { token: answer })).collect();
            let got = block_on(model.edited().gradient(&cache, &request, &terms, &[])).expect("a gradient");
            close("v*", &got.constants.values, found.values("vstar"));

            let constants = Matrix::new(found.values("kl.row").to_vec(), d);
            let runs = [plain(vec![add(1, Site::Residual, 0)])];
            let request = Request { constants: &constants, ..Request::of(&runs) };
            let terms = [term(0, Metric::KlTo { prompt: 0, position: len - 1 })];
            let got = block_on(model.edited().gradient(&cache, &request, &terms, &[])).expect("a gradient");
            // Of two predictions that hardly differ a device sees little in f32.
            let (got_kl, want) = (got.values[0], found.values("kl.value")[0]);
            let least = if compute.is_cpu() { 1e-3 } else { 1e-2 };
            assert!((got_kl - want).abs() <= 1e-4 * want.max(least), "{name}: KL {got_kl:e}, not {want:e}");
            close("gradient of KL", &got.constants.values, found.values("kl.gradient"));
        }
        println!("{}: {worst:.1e} of the largest number of a tensor", compute.info.name);
    }
}

/// The two implementations against each other, with everything that runs can do.
#[test]
fn devices_agree() {
    for name in MODELS {
        let oracle = Oracle::new(name, prompts(name), Vec::new());
        let layers = oracle.model.layers();
        let d = oracle.model.net.shape.width;
        let mut runs = Vec::new();
        for (at, (layer, site)) in places(layers).filter(|&(l, s)| width(&oracle.model, l, s) == d).enumerate() {
            let add = |positions, row| Intervention::new(layer, site, positions, Change::Add(Source::Constant(row)));
            let mut changes = vec![add(1..3, 0)];
            if at > 0 && at % 3 == 0 {
                let from = Source::Run { run: at - 1, position: 2 };
                changes.push(
                    Intervention::new(layer, site, 2..3, Change::Replace(from)).columns(Columns::Range(3..d - 2)),
                );
            }
            changes.push(Intervention::new(layer, site, 2..4, Change::Scale(0.5)).columns(Columns::Range(1..4)));
            changes.push(Intervention::zero(layers, Site::Attention, 3..5));
            changes.push(add(4..5, 1).columns(Columns::Range(0..d / 2)));
            runs.push(run(&oracle, at % 3, changes));
        }
        let given = Random::new(8).rows(2, d);
        let wanted: Vec<Wanted> = (0..runs.len())
            .map(|run| Wanted { run, layer: layers - 1, site: SITES[run % 9], positions: 1..4 })
            .collect();
        let mut all = Vec::new();
        for compute in devices() {
            let model = model(name, &compute);
            let cache = oracle.capture(&model);
            all.push((compute, gradient(&model, &cache, &runs, (&given, &[]), &wanted, 100_000)));
        }
        let (_, cpu) = &all[0];
        for (compute, got) in &all[1..] {
            let numbers = |one: &Gradient| -> Vec<Vec<f32>> {
                let sites = one.sites.iter().map(|site| site.values.clone());
                sites.chain([one.values.clone(), one.constants.values.clone()]).collect()
            };
            for (got, want) in numbers(got).iter().zip(numbers(cpu)) {
                let size = want.iter().fold(1e-3f32, |most, x| most.max(x.abs()));
                let apart = engram_tests::fixtures::difference(got, &want) / size;
                assert!(apart <= 1e-4, "{name} on {}: {apart:e}", compute.info.name);
            }
        }
    }
}
