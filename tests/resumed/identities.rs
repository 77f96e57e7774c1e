//! What must hold exactly (METHODS, section 2), and prompts that share their beginning.

use super::{P, check, lane, places, plain, prompts, reads};
use engram_core::device::Compute;
use engram_core::model::Model;
use engram_core::run::{self, Action, Base, Lane, Prompt, Read, Readout, Site};
use engram_tests::fixtures::{MODELS, Reference, devices, difference, model};
use engram_tests::oracle::{Oracle, resumed};
use pollster::block_on;

/// Between a resumed run and the base run itself, whose rows are computed in batches of other sizes.
const EXACT: f32 = 1e-6;

/// Clean and corrupted prompt of a family, the corrupted one sharing what comes before the subject.
fn pair(reference: &Reference) -> (Vec<Prompt>, usize) {
    let mut pair = plain(vec![reference.ids(0), reference.ids(1)]);
    let before = pair[0].ids.iter().zip(&pair[1].ids).take_while(|(a, b)| a == b).count();
    pair[1].shared = Some((0, before));
    (pair, before)
}

fn capture(model: &Model, prompts: &[Prompt]) -> Base {
    block_on(run::capture(model.decoder.as_ref(), &model.compute.device, prompts, None, true)).expect("capture")
}

fn base_readout(model: &Model, base: &Base, prompt: usize, read: &Read) -> Readout {
    let reads = [(prompt, read.clone())];
    let mut readouts = block_on(run::read_base(model.decoder.as_ref(), base, &reads, &model.limits)).expect("read");
    readouts.remove(0)
}

fn values(base: &Base, prompt: usize, layer: usize, site: Site) -> Vec<f32> {
    let rows = base.activations(prompt, layer, site).expect("captured");
    rows.into_data().try_to_vec::<f32>().expect("f32")
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
            let mut cases: Vec<(String, Action, Option<&Readout>)> = Vec::new();
            for (layer, site) in places(layers) {
                // Before the subject the tokens are the same, so is everything that only sees them.
                for position in 0..before {
                    let same = Action::patch(layer, site, position, 0, position);
                    cases.push((format!("layer {layer}, {site:?}, position {position}"), same, Some(&corrupt)));
                }
                // A prompt's own state changes nothing anywhere.
                let own = Action::patch(layer, site, s2, 1, s2);
                cases.push((format!("layer {layer}, {site:?}, itself"), own, Some(&corrupt)));
            }
            let end = |to, from| Action::patch(layers, Site::Residual, to, 0, from);
            cases.push(("last-token at the last layer".into(), end(t2, t), Some(&clean)));
            cases.push(("subject-last at the last layer".into(), end(s2, s), Some(&corrupt)));
            // The last layer's attention still reads the subject, so a patch below does change the score.
            cases.push(("below".into(), Action::patch(layers - 1, Site::Residual, s2, 0, s), None));
            let lanes: Vec<Lane> = cases
                .iter()
                .map(|(_, action, _)| Lane {
                    prompt: 1,
                    from: None,
                    actions: vec![action.clone()],
                    reads: vec![read(t2)],
                })
                .collect();
            let mut worst = 0.0f32;
            let got = resumed(&model, &base, &lanes, &[], model.limits.rows);
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

/// Sharing a beginning gives the activations and the scores of prompts that share nothing.
#[test]
fn shared_beginnings_change_nothing() {
    for compute in devices() {
        for name in MODELS {
            let model = model(name, &compute);
            let ids = prompts(name);
            let longer: Vec<u32> = ids[4][..20].iter().chain(&ids[1]).copied().collect();
            let apart = plain(vec![ids[4].clone(), longer, ids[4][..12].to_vec(), ids[1].clone()]);
            let mut together = apart.clone();
            together[1].shared = Some((0, 20));
            together[2].shared = Some((1, 12)); // all of it, through a prompt that shares itself
            let (a, b) = (capture(&model, &apart), capture(&model, &together));
            assert_eq!(b.row(2, 11), b.row(0, 11), "{name}: shared positions are the same rows");
            let mut worst = 0.0f32;
            for prompt in 0..apart.len() {
                for (layer, site) in places(model.layers()) {
                    let (a, b) = (values(&a, prompt, layer, site), values(&b, prompt, layer, site));
                    let scale = a.iter().fold(1.0f32, |most, x| most.max(x.abs()));
                    worst = worst.max(difference(&a, &b) / scale);
                }
            }
            println!("{name} on {}: shared against apart {worst:.1e} of the largest", compute.info.name);
            assert!(worst <= P, "{name} on {}: {worst:e}", compute.info.name);
        }
    }
    for name in MODELS {
        let reference = Reference::of(name);
        let (mut prompts, before) = pair(&reference);
        let (s, s2) = (reference.number("s"), reference.number("s_corrupt"));
        let t2 = reference.number("t_corrupt");
        // A changed prompt may share what lies before its changes.
        let changed = Action::zero(1, Site::Mlp, before..t2 + 1);
        prompts.push(Prompt { ids: prompts[1].ids.clone(), shared: Some((1, before)), actions: vec![changed] });
        let oracle = Oracle::new(name, prompts, Vec::new());
        let mut lanes = Vec::new();
        for (layer, site) in places(oracle.model.layers()) {
            for to in [1, 2] {
                lanes.push(lane(to, vec![Action::patch(layer, site, s2, 0, s)], &[t2, before - 1]));
                lanes.push(lane(to, vec![Action::zero(layer, site, 0..t2 + 1)], &[t2, 0]));
            }
        }
        check("shared", name, &oracle, &lanes, &[]);
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
            let predicted = block_on(run::predict(model.decoder.as_ref(), &compute.device, &oracle.prompts, None))
                .expect("predict");
            for prompt in 0..base.prompts() {
                for read in reads(&(0..base.ids(prompt).len()).collect::<Vec<_>>()) {
                    let got = base_readout(&model, &base, prompt, &read);
                    assert_eq!(got, base_readout(&model, &predicted, prompt, &read), "{name}: only predicted");
                    let run = &oracle.runs[prompt];
                    let want: Vec<f32> = read.tokens.iter().map(|&token| run.p(read.position, token)).collect();
                    let by = difference(&got.p, &want);
                    assert!(by <= P, "{name} on {}: prompt {prompt} at {}: {by:e}", compute.info.name, read.position);
                    let logits = block_on(run::logits_of(model.decoder.as_ref(), &base, prompt, read.position));
                    let logits = logits.expect("logits");
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
            let actions = [Site::Attention, Site::Mlp].map(|site| Action::zero(block, site, 0..t2 + 1)).to_vec();
            prompts.push(Prompt { ids: reference.ids(1), shared: None, actions });
        }
        let base = capture(&model, &prompts);
        for (key, from, to) in [("redundancy.resid", s, s2), ("redundancy.resid_last", t, t2)] {
            let mut lanes = Vec::new();
            for prompt in 1..=layers {
                for layer in 1..=layers {
                    let actions = vec![Action::patch(layer, Site::Residual, to, 0, from)];
                    let reads = vec![Read { position: t2, tokens: vec![reference.answer()] }];
                    lanes.push(Lane { prompt, from: None, actions, reads });
                }
            }
            let got = resumed(&model, &base, &lanes, &[], model.limits.rows);
            let got: Vec<f32> = got.iter().map(|readouts| readouts[0].p[0]).collect();
            // The diagonal patches the ablated block itself, which no measure uses.
            let worst = difference(&got, reference.values(key));
            println!("{name}: {key} max |Δp| = {worst:.1e}");
            assert!(worst <= P, "{name}: {key} {worst:e}\n{got:?}\n{:?}", reference.values(key));
        }
    }
}
