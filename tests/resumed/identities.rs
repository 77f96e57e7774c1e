//! What must hold exactly (METHODS, section 2), and prompts that share their beginning.

use super::{P, check, places, plain, prompts, reads, run};
use engram_core::device::Compute;
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::run::{ActivationCache, Intervention, PatchedRun, Prompt, Read, Readout, Sites};
use engram_core::tensor::Matrix;
use engram_tests::fixtures::{MODELS, Reference, devices, difference, model};
use engram_tests::oracle::{Oracle, resumed};
use pollster::block_on;

/// Between a resumed run and the base run itself, whose rows are computed in batches of other sizes.
const EXACT: f32 = 1e-6;

/// Clean and corrupted prompt of a family, and how many tokens they begin with alike.
fn pair(reference: &Reference) -> (Vec<Prompt>, usize) {
    let pair = plain(vec![reference.ids(0), reference.ids(1)]);
    let before = pair[0].ids.iter().zip(&pair[1].ids).take_while(|(a, b)| a == b).count();
    (pair, before)
}

fn capture(model: &Model, prompts: &[Prompt]) -> ActivationCache {
    let all = Site::ALL.into_iter().filter(|&site| site != Site::Pattern);
    let keep = all.fold(Sites::to_resume(), |keep, site| keep.with(site, 1..=model.layers()));
    block_on(model.edited().capture(prompts, &Matrix::default(), &keep)).expect("capture")
}

fn base_readout(model: &Model, cache: &ActivationCache, prompt: usize, read: &Read) -> Readout {
    block_on(model.edited().read(cache, &[(prompt, read.clone())])).expect("read").remove(0)
}

fn values(cache: &ActivationCache, prompt: usize, layer: usize, site: Site) -> Vec<f32> {
    block_on(cache.values(prompt, layer, site, 0..cache.ids(prompt).len())).expect("captured").values
}

#[test]
fn scores_that_cannot_change_do_not() {
    for compute in devices() {
        for name in MODELS {
            let reference = Reference::of(name);
            let (prompts, before) = pair(&reference);
            let model = model(name, &compute);
            let base = capture(&model, &prompts);
            let layers = model.layers();
            let (s, s2) = (reference.number("s"), reference.number("s_corrupt"));
            let (t, t2) = (reference.number("t"), reference.number("t_corrupt"));
            assert!(before > 0 && s2 < t2, "{name}: the fixture has text before and after the subject");
            let read = |position| Read { position, tokens: vec![reference.answer(), 5] };
            let clean = base_readout(&model, &base, 0, &read(t));
            let corrupt = base_readout(&model, &base, 1, &read(t2));
            assert!((clean.p[0] - corrupt.p[0]).abs() > 1e-3, "{name}: the corruption changes the score");
            let mut cases: Vec<(String, Intervention, Option<&Readout>)> = Vec::new();
            for (layer, site) in places(layers) {
                // Before the subject the tokens are the same, so is everything that only sees them.
                for position in 0..before {
                    let same = Intervention::patch(layer, site, position, 0, position);
                    cases.push((format!("layer {layer}, {site:?}, position {position}"), same, Some(&corrupt)));
                }
                // A prompt's own state changes nothing anywhere.
                let own = Intervention::patch(layer, site, s2, 1, s2);
                cases.push((format!("layer {layer}, {site:?}, itself"), own, Some(&corrupt)));
            }
            let end = |to, from| Intervention::patch(layers, Site::Residual, to, 0, from);
            cases.push(("last-token at the last layer".into(), end(t2, t), Some(&clean)));
            cases.push(("subject-last at the last layer".into(), end(s2, s), Some(&corrupt)));
            // The last layer's attention still reads the subject, so a patch below does change the score.
            cases.push(("below".into(), Intervention::patch(layers - 1, Site::Residual, s2, 0, s), None));
            let one = |change: &Intervention| PatchedRun {
                prompt: 1,
                interventions: vec![change.clone()],
                overlay: None,
                reads: vec![read(t2)],
            };
            let runs: Vec<PatchedRun> = cases.iter().map(|(_, change, _)| one(change)).collect();
            let mut worst = 0.0f32;
            let got = resumed(&model, &base, &runs, &[], &[], model.plan.rows);
            for ((what, _, want), got) in cases.iter().zip(&got) {
                let (p, device) = (&got[0].p, &compute.info.name);
                match want {
                    Some(want) => {
                        let by = difference(p, &want.p);
                        worst = worst.max(by);
                        assert!(by <= EXACT, "{name} on {device}: {what}: {p:?} is not {:?}", want.p);
                    }
                    None => assert!(difference(p, &corrupt.p) > 1e-4, "{name} on {device}: {what}: {p:?}"),
                }
            }
            println!("{name} on {}: identities hold to {worst:.1e}", compute.info.name);
        }
    }
}

/// Prompts that begin alike share rows: their activations and scores are those of prompts that are captured alone.
#[test]
fn shared_beginnings_change_nothing() {
    for compute in devices() {
        for name in MODELS {
            let model = model(name, &compute);
            let ids = prompts(name);
            let longer: Vec<u32> = ids[4][..20].iter().chain(&ids[1]).copied().collect();
            let together = plain(vec![ids[4].clone(), longer, ids[4][..12].to_vec(), ids[1].clone()]);
            let all = capture(&model, &together);
            let mut worst = 0.0f32;
            for (prompt, one) in together.iter().enumerate() {
                let alone = capture(&model, std::slice::from_ref(one));
                for (layer, site) in places(model.layers()) {
                    let (a, b) = (values(&alone, 0, layer, site), values(&all, prompt, layer, site));
                    let scale = a.iter().fold(1.0f32, |most, x| most.max(x.abs()));
                    worst = worst.max(difference(&a, &b) / scale);
                }
            }
            println!("{name} on {}: shared against apart {worst:.1e} of the largest", compute.info.name);
            let most = if compute.is_cpu() { 0.0 } else { P };
            assert!(worst <= most, "{name} on {}: {worst:e}", compute.info.name);
        }
    }
    for name in MODELS {
        let reference = Reference::of(name);
        let (mut prompts, before) = pair(&reference);
        let (s, s2) = (reference.number("s"), reference.number("s_corrupt"));
        let t2 = reference.number("t_corrupt");
        // A changed prompt shares what lies before its changes.
        let changed = vec![Intervention::zero(1, Site::Mlp, before..t2 + 1)];
        prompts.push(Prompt { interventions: changed, ..prompts[1].clone() });
        let oracle = Oracle::new(name, prompts, Vec::new());
        let mut runs = Vec::new();
        for (layer, site) in places(oracle.model.layers()) {
            for to in [1, 2] {
                runs.push(run(to, vec![Intervention::patch(layer, site, s2, 0, s)], &[t2, before - 1]));
                runs.push(run(to, vec![Intervention::zero(layer, site, 0..t2 + 1)], &[t2, 0]));
            }
        }
        check("shared", name, &oracle, &runs, &[], &[]);
    }
}

/// Reading a base run is reading its logits.
#[test]
fn base_readouts_are_softmaxed_logits() {
    for compute in devices() {
        for name in MODELS {
            let oracle = Oracle::new(name, plain(prompts(name)), Vec::new());
            let model = model(name, &compute);
            let base = oracle.capture(&model);
            let end = Sites::end();
            let predicted =
                block_on(model.edited().capture(&oracle.prompts, &Matrix::default(), &end)).expect("predict");
            for prompt in 0..base.prompts() {
                for read in reads(&(0..base.ids(prompt).len()).collect::<Vec<_>>()) {
                    let got = base_readout(&model, &base, prompt, &read);
                    assert_eq!(got, base_readout(&model, &predicted, prompt, &read), "{name}: only predicted");
                    let run = &oracle.runs[prompt];
                    let want: Vec<f32> = read.tokens.iter().map(|&token| run.p(read.position, token)).collect();
                    let by = difference(&got.p, &want);
                    assert!(by <= P, "{name} on {}: prompt {prompt} at {}: {by:e}", compute.info.name, read.position);
                    let logits = block_on(model.edited().logits(&base, prompt, read.position)).expect("logits");
                    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    assert!(best - logits[got.top as usize] <= 1e-5 * best.abs().max(1.0), "{name}: {}", got.top);
                }
            }
        }
    }
}

/// The reference's own redundancy table: one block without effect, the clean state patched after another.
#[test]
fn redundancy_agrees_with_hooks() {
    let compute = Compute::cpu("tests");
    for name in MODELS {
        let reference = Reference::of(name);
        let model = model(name, &compute);
        let layers = model.layers();
        let (s, s2) = (reference.number("s"), reference.number("s_corrupt"));
        let (t, t2) = (reference.number("t"), reference.number("t_corrupt"));
        let mut prompts = plain(vec![reference.ids(0)]);
        for block in 1..=layers {
            let zero = |site| Intervention::zero(block, site, 0..t2 + 1);
            let interventions = [Site::Attention, Site::Mlp].map(zero).to_vec();
            prompts.push(Prompt { ids: reference.ids(1), interventions });
        }
        let base = capture(&model, &prompts);
        for (key, from, to) in [("redundancy.resid", s, s2), ("redundancy.resid_last", t, t2)] {
            let mut runs = Vec::new();
            for prompt in 1..=layers {
                for layer in 1..=layers {
                    let interventions = vec![Intervention::patch(layer, Site::Residual, to, 0, from)];
                    let reads = vec![Read { position: t2, tokens: vec![reference.answer()] }];
                    runs.push(PatchedRun { prompt, interventions, overlay: None, reads });
                }
            }
            let got = resumed(&model, &base, &runs, &[], &[], model.plan.rows);
            let got: Vec<f32> = got.iter().map(|readouts| readouts[0].p[0]).collect();
            // The diagonal patches the ablated block itself, which no measure uses.
            let worst = difference(&got, reference.values(key));
            println!("{name}: {key} max |Δp| = {worst:.1e}");
            assert!(worst <= P, "{name}: {key} {worst:e}\n{got:?}\n{:?}", reference.values(key));
        }
    }
}

/// What greedy decoding rests on: tokens put behind a prompt give what the whole prompt gives.
#[test]
fn a_prompt_in_pieces_is_the_whole_prompt() {
    for compute in devices() {
        for name in MODELS {
            let (reference, model) = (Reference::of(name), model(name, &compute));
            let ids = reference.ids(1);
            let most = if compute.is_cpu() { 0.0 } else { EXACT };
            let whole = capture(&model, &plain(vec![reference.ids(0), ids.clone()]));
            let mut pieces = capture(&model, &plain(vec![reference.ids(0), ids[..2].to_vec()]));
            for more in [&ids[2..3], &[], &ids[3..]] {
                block_on(model.edited().extend(&mut pieces, 1, more)).expect("room for it");
            }
            assert_eq!(pieces.ids(1), ids);
            for (layer, site) in places(model.layers()) {
                let apart = difference(&values(&pieces, 1, layer, site), &values(&whole, 1, layer, site));
                assert!(apart <= most, "{name} on {}, layer {layer}, {site:?}: {apart:e}", compute.info.name);
            }
            let read = Read { position: ids.len() - 1, tokens: vec![reference.answer(), 5] };
            let (one, two) = (base_readout(&model, &pieces, 1, &read), base_readout(&model, &whole, 1, &read));
            assert!(difference(&one.p, &two.p) <= most && one.top == two.top, "{name}");
            // Patched runs go on from it, and the first prompt is what it was.
            let patch = Intervention::patch(1, Site::Residual, 1, 0, 1);
            let runs = [run(1, vec![patch], &[ids.len() - 1])];
            let both = [&pieces, &whole].map(|cache| resumed(&model, cache, &runs, &[], &[], 64));
            assert!(difference(&both[0][0][0].p, &both[1][0][0].p) <= most, "{name}");
            let mut lost =
                block_on(model.edited().capture(&plain(vec![ids.clone()]), &Matrix::default(), &Sites::end()))
                    .expect("capture");
            assert!(block_on(model.edited().extend(&mut lost, 0, &[1])).is_err(), "{name}: its keys were not kept");
        }
    }
}
