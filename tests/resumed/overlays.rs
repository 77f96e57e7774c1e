//! Edits as overlays: of any map of any family, on some runs of a batch, on top of each other, and gone without a trace.

use super::{P, check, plain, prompts, run};
use engram_core::device::Compute;
use engram_core::model::{Site, Transformer};
use engram_core::run::{ActivationCache, Edited, Intervention, PatchedRun, Read, Request, Sites};
use engram_core::tensor::{LinearMap, Matrix, Overlay, Term};
use engram_tests::fixtures::{MODELS, devices, difference, model};
use engram_tests::naive::Plain;
use engram_tests::oracle::{Oracle, Random};
use pollster::block_on;

/// Every map of a layer, GPT-2's fused one once.
fn maps(net: &Transformer, layer: usize) -> Vec<LinearMap> {
    let mut maps: Vec<LinearMap> = Vec::new();
    for (_, map) in net.blocks[layer - 1].maps() {
        if maps.iter().all(|known| known.tensor != map.tensor) {
            maps.push(map.clone());
        }
    }
    maps
}

/// A term of rank two, large enough to be seen.
fn term(net: &Transformer, layer: usize, map: &LinearMap, random: &mut Random) -> Term {
    let parts = net.blocks[layer - 1].maps().filter(|(_, other)| other.tensor == map.tensor);
    let out = parts.map(|(_, part)| part.rows.end).max().expect("the map itself");
    Term { tensor: map.tensor.clone(), u: random.rows(2, out), v: random.rows(2, map.input) }
}

/// The cache of edits' probes: of each layer that is changed only what is below the change, and no keys.
#[test]
fn only_what_is_below_an_overlay_has_to_be_captured() {
    for compute in devices() {
        for name in MODELS {
            let model = model(name, &compute);
            let (net, layers) = (&model.net, model.layers());
            let mut random = Random::new(9);
            let overlay = |layer: usize, map: LinearMap, random: &mut Random| Overlay {
                terms: vec![term(net, layer, &map, random)],
            };
            let mut overlays = Vec::new();
            for layer in 1..=layers {
                let down = net.blocks[layer - 1].maps().last().expect("down").1.clone();
                overlays.push(overlay(layer, down, &mut random));
            }
            overlays.push(overlay(2, maps(net, 2).remove(0), &mut random));
            let prompts = plain(prompts(name));
            let runs: Vec<PatchedRun> = (0..prompts.len())
                .flat_map(|prompt| (0..overlays.len()).map(move |overlay| (prompt, overlay)))
                .map(|(prompt, overlay)| {
                    let last = prompts[prompt].ids.len() - 1;
                    PatchedRun { overlay: Some(overlay), ..run(prompt, Vec::new(), &[last]) }
                })
                .collect();
            let request = Request { overlays: &overlays, ..Request::of(&runs) };
            let read = |keep: &Sites| {
                let cache = block_on(model.edited().capture(&prompts, &Matrix::default(), keep)).expect("capture");
                block_on(model.edited().resume(&cache, &request))
            };
            let few = read(&Sites::for_overlays(net, &overlays)).expect("enough is kept");
            let all = read(&Sites::to_resume()).expect("everything is kept");
            let most = if compute.is_cpu() { 0.0 } else { 1e-5 };
            for (few, all) in few.iter().flatten().zip(all.iter().flatten()) {
                let apart = difference(&few.p, &all.p);
                assert!(apart <= most, "{name} on {}: {apart:e}", compute.info.name);
            }
            let missing = read(&Sites::for_overlays(net, &overlays[..1])).expect_err("other layers' are not there");
            assert!(missing.message().contains("not captured: layer"), "{missing}");
        }
    }
}

#[test]
fn runs_carry_their_own() {
    for name in MODELS {
        let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
        let net = oracle.model.net.clone();
        let layers = net.shape.layers;
        let mut random = Random::new(8);
        let mut overlays = Vec::new();
        for layer in [1, layers] {
            for map in maps(&net, layer) {
                overlays.push(Overlay { terms: vec![term(&net, layer, &map, &mut random)] });
            }
        }
        // Several maps of several layers at once.
        let all = (1..=layers).flat_map(|layer| maps(&net, layer).into_iter().map(move |map| (layer, map)));
        let terms: Vec<Term> = all.step_by(3).map(|(layer, map)| term(&net, layer, &map, &mut random)).collect();
        overlays.push(Overlay { terms });
        let mut runs = Vec::new();
        for overlay in 0..overlays.len() {
            let to = [0, 4, 2][overlay % 3];
            let last = oracle.prompts[to].ids.len() - 1;
            runs.push(PatchedRun { overlay: Some(overlay), ..run(to, Vec::new(), &[last, 0]) });
            // Beside a run without one, and with a change as well.
            let patch = vec![Intervention::patch(1 + overlay % layers, Site::Residual, 1, 4, 7)];
            runs.push(run(to, patch.clone(), &[last]));
            runs.push(PatchedRun { overlay: Some(overlay), ..run(to, patch, &[last, 1]) });
        }
        check("overlays", name, &oracle, &runs, &[], &overlays);
    }
}

fn logits(edited: Edited<'_>, cache: &ActivationCache) -> Vec<f32> {
    let last = cache.ids(0).len() - 1;
    block_on(edited.logits(cache, 0, last)).expect("logits")
}

fn capture(edited: Edited<'_>, name: &str) -> ActivationCache {
    block_on(edited.capture(&plain(prompts(name)), &Matrix::default(), &Sites::to_resume())).expect("capture")
}

#[test]
fn those_in_force_are_merged_weights_and_leave_no_trace() {
    for compute in devices() {
        for name in MODELS {
            let mut model = model(name, &compute);
            let net = model.net.clone();
            let mut random = Random::new(9);
            let one = |random: &mut Random| {
                let map = maps(&net, 1).pop().expect("a map");
                Overlay { terms: vec![term(&net, 1, &map, random)] }
            };
            let before = logits(model.edited(), &capture(model.edited(), name));
            model.overlays = vec![one(&mut random), one(&mut random)];
            let cache = capture(model.edited(), name);
            let edited = logits(model.edited(), &cache);
            assert!(difference(&before, &edited) > 1e-3, "{name}: nothing was edited");
            let on_cpu = engram_tests::fixtures::model(name, &Compute::cpu("tests"));
            let plain = Plain::of(&on_cpu, &model.overlays);
            let ids = cache.ids(0).to_vec();
            let want = plain.forward(&ids, &[], &[], &[], &[]).logits.pop().expect("a position");
            let apart = difference(&edited, &want);
            assert!(apart <= 5.0 * P, "{name} on {}: merged weights give others: {apart:e}", compute.info.name);
            // Prompts that were captured under other edits are no ground to go on from.
            let runs = [run(0, vec![Intervention::zero(1, Site::Mlp, 0..1)], &[ids.len() - 1])];
            assert!(block_on(model.edited().resume(&cache, &Request::of(&runs))).is_ok());
            model.overlays.pop();
            let refused = block_on(model.edited().resume(&cache, &Request::of(&runs)));
            assert!(refused.is_err_and(|error| error.to_string().contains("other edits")), "{name}");
            model.overlays.clear();
            let after = logits(model.edited(), &capture(model.edited(), name));
            assert_eq!(before, after, "{name} on {}: undone to the bit", compute.info.name);
        }
    }
}

#[test]
fn edits_that_fit_no_map_are_refused() {
    let model = model("llama", &Compute::cpu("tests"));
    let cache = capture(model.edited(), "llama");
    let down = &model.net.down(1).clone();
    let (out, input) = (down.out(), down.input);
    let last = cache.ids(0).len() - 1;
    let reads = vec![Read { position: last, tokens: vec![0] }];
    let carried = |overlay: Overlay, at| {
        let runs = [PatchedRun { overlay: Some(at), reads: reads.clone(), ..PatchedRun::default() }];
        let overlays = [overlay];
        block_on(model.edited().resume(&cache, &Request { overlays: &overlays, ..Request::of(&runs) }))
    };
    let fit = Overlay::rank_one(&down.tensor, &vec![0.1; out], &vec![0.1; input]);
    assert!(carried(fit.clone(), 0).is_ok());
    let refused = |overlay, at, word: &str| {
        let error = carried(overlay, at).expect_err("it fits nothing").to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(fit, 1, "edit 1 of 1");
    refused(Overlay::rank_one("nothing.weight", &[1.0], &[1.0]), 0, "no linear map");
    refused(Overlay::rank_one(&down.tensor, &vec![0.1; out + 1], &vec![0.1; input]), 0, "does not fit");
    refused(Overlay::rank_one(&down.tensor, &vec![0.1; out], &vec![0.1; input - 1]), 0, "does not fit");
}
