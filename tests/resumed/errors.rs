//! What cannot be run is refused with an error, never a panic, and a number that is not one has a place.

use super::{SITES, lane, plain, prompts};
use burn::tensor::{Tensor, TensorData};
use engram_core::Error;
use engram_core::error::Kind;
use engram_core::model::Model;
use engram_core::model::blocks::{Linear, Weight};
use engram_core::run::{self, Action, Base, Lane, Op, Prompt, Read, Site, Source};
use engram_tests::fixtures::{MODELS, devices, model};
use engram_tests::oracle::{Random, matrix, resumed};
use pollster::block_on;

fn capture(model: &Model, prompts: &[Prompt], given: Option<&Tensor<2>>) -> Result<Base, Error> {
    block_on(run::capture(model.decoder.as_ref(), &model.compute.device, prompts, given, false))
}

/// An error of the caller's making, that says all of `words`.
fn refused<T>(what: &str, result: Result<T, Error>, words: &[&str]) {
    let Err(error) = result else { panic!("{what} was not refused") };
    assert_eq!(error.kind, Kind::Input, "{what}: {error}");
    for word in words {
        assert!(error.to_string().contains(word), "{what}: {error:?} does not say {word:?}");
    }
}

#[test]
fn prompts_that_cannot_be_captured() {
    for name in MODELS {
        let model = model(name, &engram_core::device::Compute::cpu("tests"));
        let shape = model.decoder.shape();
        let ids = prompts(name).remove(0);
        let len = ids.len();
        let one = |ids: Vec<u32>| capture(&model, &plain(vec![ids]), None);
        refused("no prompt", capture(&model, &[], None), &["no prompts"]);
        refused("an empty prompt", one(Vec::new()), &["no tokens"]);
        let long = shape.positions + 1;
        refused("a long prompt", one(vec![0; long]), &[&long.to_string(), &shape.positions.to_string()]);
        assert!(one(vec![0; shape.positions]).is_ok(), "{name}: the longest prompt");
        let vocab = shape.vocab as u32;
        refused("a foreign token", one(vec![0, vocab, 1]), &[&vocab.to_string(), "vocabulary"]);
        assert!(one(vec![0, vocab - 1]).is_ok(), "{name}: the last token");

        let with = |actions: Vec<Action>| vec![Prompt { ids: ids.clone(), shared: None, actions }];
        let given = matrix(&Random::new(4).rows(2, shape.width), &model);
        let changed = |action| capture(&model, &with(vec![action]), given.as_ref());
        for (layer, site, positions) in outside(shape.layers, len) {
            refused("an action outside", changed(Action::zero(layer, site, positions)), &["outside a prompt"]);
        }
        let give = |site, row| Action { layer: 1, site, positions: 0..2, op: Op::Replace(Source::Given(row)) };
        assert!(changed(give(Site::Mlp, 0)).is_ok(), "{name}: two given rows");
        refused("missing rows", changed(give(Site::Mlp, 1)), &["given rows"]);
        refused("rows for a key", changed(give(Site::Key, 0)), &["given rows", &shape.ff.to_string()]);
        refused("no rows at all", capture(&model, &with(vec![give(Site::Mlp, 0)]), None), &["given rows"]);
        refused("its own captured row", changed(Action::patch(1, Site::Mlp, 1, 0, 0)), &["captured"]);

        let pair = |shared, first: Vec<Action>, second: Vec<Action>| {
            let ids = ids.clone();
            capture(&model, &[with(first).remove(0), Prompt { ids, shared: Some(shared), actions: second }], None)
        };
        let early = || vec![Action::zero(1, Site::Mlp, 1..2)];
        assert!(pair((0, len), Vec::new(), Vec::new()).is_ok(), "{name}: all shared");
        assert!(pair((0, 1), early(), early()).is_ok(), "{name}: shared before the changes");
        for (what, shared, first, second) in [
            ("a later prompt", (1, 1), vec![], vec![]),
            ("a missing prompt", (7, 1), vec![], vec![]),
            ("more than there is", (0, len + 1), vec![], vec![]),
            ("changed in the first", (0, 2), early(), vec![]),
            ("changed in the second", (0, 2), vec![], early()),
        ] {
            refused(what, pair(shared, first, second), &["cannot share"]);
        }
        let mut other = ids.clone();
        other[1] += 1;
        let differ = [with(Vec::new()).remove(0), Prompt { ids: other, shared: Some((0, 2)), actions: Vec::new() }];
        refused("different tokens", capture(&model, &differ, None), &["cannot share 2"]);
    }
}

/// Places outside a prompt of `len` tokens.
fn outside(layers: usize, len: usize) -> Vec<(usize, Site, std::ops::Range<usize>)> {
    #[expect(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    let reversed = 2..1;
    let mut places = vec![
        (layers + 1, Site::Residual, 0..1),
        (usize::MAX, Site::Residual, 0..1),
        (1, Site::Mlp, len..len + 1),
        (1, Site::Mlp, 0..len + 1),
        (1, Site::Mlp, 0..usize::MAX),
        (1, Site::Mlp, 1..1),
        (1, Site::Mlp, reversed),
    ];
    places.extend(SITES[..4].iter().map(|&site| (0, site, 0..1)));
    places
}

#[test]
fn lanes_that_cannot_be_run() {
    for name in MODELS {
        let model = model(name, &engram_core::device::Compute::cpu("tests"));
        let shape = model.decoder.shape();
        let ids = prompts(name).remove(0);
        let (len, last) = (ids.len(), ids.len() - 1);
        let base = capture(&model, &plain(vec![ids]), None).expect("capture");
        let given = matrix(&Random::new(4).rows(2, shape.width), &model);
        let decoder = model.decoder.as_ref();
        let device = &model.compute.device;
        let run = |lane: Lane| {
            block_on(run::resume(decoder, device, &base, &[lane], given.as_ref(), &model.limits)).map(|_| ())
        };
        let zero = || vec![Action::zero(1, Site::Mlp, 0..1)];
        assert!(run(lane(0, zero(), &[last])).is_ok(), "{name}");
        refused("no change", run(lane(0, Vec::new(), &[last])), &["changes nothing"]);
        refused("no read", run(lane(0, zero(), &[])), &["reads nothing"]);
        refused("a read outside", run(lane(0, zero(), &[len])), &["outside a prompt"]);
        refused("a prompt that is not there", run(lane(1, zero(), &[0])), &["prompt 1"]);
        let late = Lane { from: Some(shape.layers + 1), ..lane(0, Vec::new(), &[last]) };
        refused("a start above the last layer", run(late), &["starts after layer"]);
        let foreign = vec![Read { position: last, tokens: vec![1, shape.vocab as u32] }];
        refused("a foreign token", run(Lane { reads: foreign, ..lane(0, zero(), &[last]) }), &["vocabulary"]);
        for (layer, site, positions) in outside(shape.layers, len) {
            let action = Action::zero(layer, site, positions);
            refused("an action outside", run(lane(0, vec![action], &[last])), &["outside a prompt"]);
        }
        let patched = |action| run(lane(0, vec![action], &[last]));
        refused("a captured prompt that is not there", patched(Action::patch(1, Site::Mlp, 0, 1, 0)), &["prompt 1"]);
        refused("a captured position outside", patched(Action::patch(1, Site::Mlp, 0, 0, len)), &["captured"]);
        refused(
            "captured positions without end",
            patched(Action::patch(1, Site::Mlp, 0, 0, usize::MAX)),
            &["captured"],
        );
        refused("a key that was not captured", patched(Action::patch(1, Site::Key, 0, 0, 0)), &["not captured", "key"]);
        let give = |row| Action { layer: 1, site: Site::Mlp, positions: 0..2, op: Op::Add(Source::Given(row)) };
        assert!(patched(give(0)).is_ok(), "{name}: two given rows");
        refused("a missing row", patched(give(1)), &["given rows"]);
        refused("a row without end", patched(give(usize::MAX)), &["given rows"]);

        let read = |prompt, position, token| {
            let reads = [(prompt, Read { position, tokens: vec![token] })];
            block_on(run::read_base(decoder, &base, &reads, &model.limits))
        };
        assert!(read(0, last, 0).is_ok(), "{name}");
        refused("a base read outside", read(0, len, 0), &["outside a prompt"]);
        refused("a base prompt that is not there", read(1, 0, 0), &["prompt 1"]);
        refused("a foreign token of the base", read(0, 0, shape.vocab as u32), &["vocabulary"]);
        let predicted = block_on(run::predict(decoder, device, &plain(prompts(name)), None)).expect("predict");
        assert!(predicted.site(1, Site::Residual).is_none(), "{name}: nothing was kept");
        let lanes = [lane(0, zero(), &[last])];
        let resumed = block_on(run::resume(decoder, device, &predicted, &lanes, None, &model.limits));
        refused("a run that was only predicted", resumed, &["predicted"]);
        refused("logits outside", block_on(run::logits_of(decoder, &base, 0, len)), &["outside a prompt"]);
    }
}

/// One weight is NaN: the error says where the numbers stop being numbers.
#[test]
fn damaged_weights_are_named() {
    for compute in devices() {
        for name in MODELS {
            let mut model = model(name, &compute);
            let layer = model.layers() - 1;
            let sound = capture(&model, &plain(prompts(name)), None).expect("capture");
            let down = model.decoder.down_proj(layer).clone();
            let dims = down.stored().dims();
            let mut weights = down.stored().clone().into_data().try_to_vec::<f32>().expect("f32");
            weights[3] = f32::NAN;
            let stored = Tensor::from_data(TensorData::new(weights, dims), &compute.device);
            let weight = match down.weight {
                Weight::OutIn(_) => Weight::OutIn(stored),
                Weight::InOut(_) => Weight::InOut(stored),
            };
            model.decoder.set_down_proj(layer, Linear { weight, bias: down.bias });
            let base = capture(&model, &plain(prompts(name)), None).expect("capture");
            let predicted =
                block_on(run::predict(model.decoder.as_ref(), &compute.device, &plain(prompts(name)), None));
            let predicted = predicted.expect("predict");
            for tokens in [vec![0, 1], vec![]] {
                for base in [&base, &predicted] {
                    let reads = [(2, Read { position: 4, tokens: tokens.clone() })];
                    let result = block_on(run::read_base(model.decoder.as_ref(), base, &reads, &model.limits));
                    let Err(error) = result else { panic!("{name} on {}: {result:?}", compute.info.name) };
                    assert_eq!(error.kind, Kind::Numeric, "{error}");
                    let text = error.to_string();
                    for word in [format!("layer {layer},"), Site::Value.name().to_string(), "NaN".to_string()] {
                        assert!(text.contains(&word), "{name}: {text:?} does not say {word:?}");
                    }
                }
                // A lane through the damaged block, too.
                let changed = vec![Action::zero(0, Site::Residual, 0..1)];
                let reads = vec![Read { position: 4, tokens }];
                let lane = Lane { prompt: 2, from: None, actions: changed, reads };
                let result = block_on(run::resume(
                    model.decoder.as_ref(),
                    &compute.device,
                    &sound,
                    std::slice::from_ref(&lane),
                    None,
                    &model.limits,
                ));
                let Err(error) = result else { panic!("{name} on {}: {result:?}", compute.info.name) };
                assert_eq!(error.kind, Kind::Numeric, "{error}");
            }
            // Above the damage the sound run's states still do.
            let above = lane_above(&model);
            assert!(resumed(&model, &sound, &[above], &[], 64)[0][0].p[0].is_finite());
        }
    }
}

/// A lane that enters after the second block from the top.
fn lane_above(model: &Model) -> Lane {
    lane(2, vec![Action::zero(model.layers() - 1, Site::Residual, 0..1)], &[4])
}
