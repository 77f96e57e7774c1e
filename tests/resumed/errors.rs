//! What cannot be run is refused with an error, never a panic, and a number that is not one has a place.

use super::{SITES, plain, prompts, run};
use engram_core::Error;
use engram_core::error::Kind;
use engram_core::load::Model;
use engram_core::model::Site;
use engram_core::run::{
    ActivationCache, Change, Columns, Intervention, PatchedRun, Prompt, Read, Request, Sites, Source,
};
use engram_core::tensor::Matrix;
use engram_tests::fixtures::{MODELS, devices, model};
use engram_tests::oracle::{Random, matrix};
use pollster::block_on;

fn capture(model: &Model, prompts: &[Prompt], given: &Matrix) -> Result<ActivationCache, Error> {
    block_on(model.edited().capture(prompts, given, &Sites::to_resume()))
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
    let none = Matrix::default();
    for name in MODELS {
        let model = model(name, &engram_core::device::Compute::cpu("tests"));
        let shape = &model.net.shape;
        let ids = prompts(name).remove(0);
        let len = ids.len();
        let one = |ids: Vec<u32>| capture(&model, &plain(vec![ids]), &none);
        refused("no prompt", capture(&model, &[], &none), &["no prompts"]);
        refused("an empty prompt", one(Vec::new()), &["no tokens"]);
        let long = shape.positions + 1;
        refused("a long prompt", one(vec![0; long]), &[&long.to_string(), &shape.positions.to_string()]);
        assert!(one(vec![0; shape.positions]).is_ok(), "{name}: the longest prompt");
        let vocab = shape.vocab as u32;
        refused("a foreign token", one(vec![0, vocab, 1]), &[&vocab.to_string(), "vocabulary"]);
        assert!(one(vec![0, vocab - 1]).is_ok(), "{name}: the last token");

        let with = |interventions: Vec<Intervention>| vec![Prompt { ids: ids.clone(), interventions }];
        let given = matrix(&Random::new(4).rows(2, shape.width));
        let changed = |change| capture(&model, &with(vec![change]), &given);
        for (layer, site, positions) in outside(shape.layers, len) {
            refused("a change outside", changed(Intervention::zero(layer, site, positions)), &["outside a prompt"]);
        }
        let give = |site, row| Intervention::new(1, site, 0..2, Change::Replace(Source::Constant(row)));
        assert!(changed(give(Site::Mlp, 0)).is_ok(), "{name}: two given rows");
        refused("missing rows", changed(give(Site::Mlp, 1)), &["given rows"]);
        refused("rows for a key", changed(give(Site::MlpKey, 0)), &["given rows", &shape.ff.to_string()]);
        refused("no rows at all", capture(&model, &with(vec![give(Site::Mlp, 0)]), &none), &["given rows"]);
        refused("its own captured row", changed(Intervention::patch(1, Site::Mlp, 1, 0, 0)), &["captured"]);
        let from = Change::Replace(Source::Run { run: 0, position: 0 });
        refused("another run's row", changed(Intervention::new(1, Site::Mlp, 0..1, from)), &["run 0"]);
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
    places.extend(SITES[..8].iter().map(|&site| (0, site, 0..1)));
    places
}

#[test]
fn runs_that_cannot_be_made() {
    for name in MODELS {
        let model = model(name, &engram_core::device::Compute::cpu("tests"));
        let shape = &model.net.shape;
        let heads = model.net.heads(1);
        let ids = prompts(name).remove(0);
        let (len, last) = (ids.len(), ids.len() - 1);
        let none = Matrix::default();
        let cache = capture(&model, &plain(vec![ids]), &none).expect("capture");
        let given = matrix(&Random::new(4).rows(2, shape.width));
        let all = |runs: &[PatchedRun]| {
            block_on(model.edited().resume(&cache, &Request { constants: &given, ..Request::of(runs) })).map(|_| ())
        };
        let one = |run: PatchedRun| all(&[run]);
        let zero = || vec![Intervention::zero(1, Site::Mlp, 0..1)];
        assert!(one(run(0, zero(), &[last])).is_ok(), "{name}");
        refused("no change", one(run(0, Vec::new(), &[last])), &["changes nothing"]);
        refused("no read", one(run(0, zero(), &[])), &["reads nothing"]);
        refused("a read outside", one(run(0, zero(), &[len])), &["outside a prompt"]);
        refused("a prompt that is not there", one(run(1, zero(), &[0])), &["prompt 1"]);
        let foreign = vec![Read { position: last, tokens: vec![1, shape.vocab as u32] }];
        refused("a foreign token", one(PatchedRun { reads: foreign, ..run(0, zero(), &[last]) }), &["vocabulary"]);
        for (layer, site, positions) in outside(shape.layers, len) {
            let change = Intervention::zero(layer, site, positions);
            refused("a change outside", one(run(0, vec![change], &[last])), &["outside a prompt"]);
        }
        let patched = |change| one(run(0, vec![change], &[last]));
        let patch = Intervention::patch;
        refused("a captured prompt that is not there", patched(patch(1, Site::Mlp, 0, 1, 0)), &["prompt 1"]);
        refused("a captured position outside", patched(patch(1, Site::Mlp, 0, 0, len)), &["captured"]);
        refused("captured positions without end", patched(patch(1, Site::Mlp, 0, 0, usize::MAX)), &["captured"]);
        refused("a key that was not captured", patched(patch(1, Site::MlpKey, 0, 0, 0)), &["not captured", "key"]);
        let give = |row| Intervention::new(1, Site::Mlp, 0..2, Change::Add(Source::Constant(row)));
        assert!(patched(give(0)).is_ok(), "{name}: two given rows");
        refused("a missing row", patched(give(1)), &["given rows"]);
        refused("a row without end", patched(give(usize::MAX)), &["given rows"]);

        let zeroed = |site, columns| patched(Intervention::zero(1, site, 0..1).columns(columns));
        assert!(zeroed(Site::Heads, Columns::Head(heads.count - 1)).is_ok(), "{name}: the last head");
        refused("a head that is not there", zeroed(Site::Heads, Columns::Head(heads.count)), &["no head"]);
        refused("a key-value head that is not there", zeroed(Site::Key, Columns::Head(heads.kv)), &["no head"]);
        refused("a head of the stream", zeroed(Site::Residual, Columns::Head(0)), &["no heads"]);
        let wide = shape.ff + 1;
        refused("neurons outside", zeroed(Site::MlpKey, Columns::Range(0..wide)), &[&shape.ff.to_string()]);
        refused("no neurons", zeroed(Site::MlpKey, Columns::Range(3..3)), &["columns"]);
        refused("a changed pattern", zeroed(Site::Pattern, Columns::All), &["read, not changed"]);
        let scale = Intervention::new(1, Site::Mlp, 0..1, Change::Scale(f32::NAN));
        refused("a scale that is none", patched(scale), &["scales by"]);
        let other = Source::Cached { prompt: 0, position: 0, at: Some((1, Site::Residual)) };
        let wrong = Intervention::new(1, Site::MlpKey, 0..1, Change::Replace(other));
        refused("a row of another width", patched(wrong), &["cannot take"]);
        let later = Intervention::new(1, Site::Mlp, 0..1, Change::Add(Source::Run { run: 1, position: 0 }));
        let both = [run(0, vec![later], &[last]), run(0, zero(), &[last])];
        refused("a later run", all(&both), &["run 1"]);
        let far = Intervention::new(1, Site::Mlp, 0..1, Change::Add(Source::Run { run: 0, position: len }));
        refused("outside a run", all(&[run(0, zero(), &[last]), run(0, vec![far], &[last])]), &["run 0"]);

        let read = |prompt, position, token| {
            block_on(model.edited().read(&cache, &[(prompt, Read { position, tokens: vec![token] })]))
        };
        assert!(read(0, last, 0).is_ok(), "{name}");
        refused("a read outside", read(0, len, 0), &["outside a prompt"]);
        refused("a captured prompt that is not there", read(1, 0, 0), &["prompt 1"]);
        refused("a foreign token", read(0, 0, shape.vocab as u32), &["vocabulary"]);
        let predicted = block_on(model.edited().capture(&plain(prompts(name)), &none, &Sites::end())).expect("predict");
        assert!(!predicted.has(1, Site::Residual), "{name}: nothing was kept");
        let runs = [run(0, zero(), &[last])];
        let resumed = block_on(model.edited().resume(&predicted, &Request::of(&runs)));
        refused("a run that was only predicted", resumed, &["not captured"]);
        refused(
            "a lens of what was only predicted",
            block_on(model.edited().lens(&predicted, 0, 0, &[1])),
            &["predicted"],
        );
        refused("logits outside", block_on(model.edited().logits(&cache, 0, len)), &["outside a prompt"]);
    }
}

/// A change makes infinity of a number: the error says where the numbers stop being numbers.
#[test]
fn what_is_no_number_is_named() {
    for compute in devices() {
        for name in MODELS {
            let model = model(name, &compute);
            let layer = model.layers() - 1;
            // Large enough that the next norm's squares are infinite.
            let blown = Intervention::new(layer, Site::MlpValue, 2..3, Change::Scale(1e38));
            let again = Intervention::new(layer, Site::Mlp, 2..3, Change::Scale(1e38));
            let mut prompts = plain(prompts(name));
            prompts[2].interventions = vec![blown.clone(), again.clone()];
            let none = Matrix::default();
            for keep in [Sites::to_resume(), Sites::end()] {
                let cache = block_on(model.edited().capture(&prompts, &none, &keep)).expect("capture");
                for tokens in [vec![0, 1], vec![]] {
                    let result = block_on(model.edited().read(&cache, &[(2, Read { position: 4, tokens })]));
                    let Err(error) = result else { panic!("{name} on {}: {result:?}", compute.info.name) };
                    assert_eq!(error.kind, Kind::Numeric, "{error}");
                    let text = error.to_string();
                    for word in [format!("layer {layer},"), Site::Mlp.name().to_string()] {
                        assert!(text.contains(&word), "{name}: {text:?} does not say {word:?}");
                    }
                }
            }
            // A run that is blown up, too; above the damage a sound prompt's states still do.
            let sound = capture(&model, &plain(super::prompts(name)), &none).expect("capture");
            let runs = [run(2, vec![blown, again], &[4])];
            let result = block_on(model.edited().resume(&sound, &Request::of(&runs)));
            let Err(error) = result else { panic!("{name} on {}: {result:?}", compute.info.name) };
            assert_eq!(error.kind, Kind::Numeric, "{error}");
        }
    }
}
