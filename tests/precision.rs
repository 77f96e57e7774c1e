//! Matrices held in f16 on a device: the same numbers as in f32 where the weights are f16 already and matrix units do not
//! round what they are multiplied with, numbers within a bound elsewhere, and refusals that name what is wrong.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use engram_core::device::Compute;
use engram_core::load::{Model, look};
use engram_core::record::{Precision, Settings, Traced};
use engram_core::trace::{TokenizedFact, stage1, tokenize};
use engram_core::weights::Checkpoint;
use engram_tests::fixtures::{MODELS, devices, difference, fixture, model, open};
use engram_tests::made;
use pollster::block_on;
use std::path::{Path, PathBuf};

/// Rounded weights, and with matrix units rounded activations: eleven bits, over a few products each.
const HALF: f32 = 5e-3;
/// The same weights, sums in another order.
const SAME: f32 = 2e-5;

fn in_f16() -> Option<Compute> {
    let gpu = devices().into_iter().find(|compute| !compute.is_cpu())?;
    Some(gpu.holding(Precision::F16).expect("it has 16-bit numbers"))
}

fn bundled(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled").join(path)
}

/// Every probability of the first stage.
fn probabilities(model: &Model, facts: &[&TokenizedFact]) -> Vec<f32> {
    let one = |traced: Traced| {
        let curves =
            traced.patched.into_values().chain([traced.without_block, traced.without_attention, traced.without_mlp]);
        [vec![traced.p_clean, traced.p_corrupt, traced.p_false], curves.flatten().collect()].concat()
    };
    let traced = block_on(stage1(model, facts, &Settings::default())).expect("a trace");
    traced.into_iter().flat_map(one).collect()
}

#[test]
fn weights_that_are_f16_already_give_the_same_numbers() {
    let Some(half) = in_f16() else { return };
    let exact = half.adapter.as_ref().is_some_and(|adapter| adapter.kind == "Cpu");
    let facts = std::fs::read(bundled("facts.json")).expect("facts");
    let facts = engram_core::facts::parse("facts.json", &facts).expect("facts");
    for name in ["engram-llama", "engram-gemma2", "engram-phi"] {
        let path = bundled("models").join(name);
        let cpu = open(&path, None, &Compute::cpu("tests"));
        let gpu = open(&path, None, &half);
        assert_eq!(gpu.compute.info.precision, Precision::F16);
        let settings = Settings::default();
        let some = facts.facts.iter().filter_map(|fact| tokenize(&cpu, fact, &settings).expect("tokens").ok()).take(4);
        let some: Vec<TokenizedFact> = some.collect();
        let some: Vec<&TokenizedFact> = some.iter().collect();
        let worst = difference(&probabilities(&gpu, &some), &probabilities(&cpu, &some));
        println!("{name} in f16 on {}: max |Δp| = {worst:.2e}", half.info.name);
        assert!(worst <= if exact { SAME } else { HALF }, "{name}: {worst:e}");
    }
}

#[test]
fn rounded_weights_stay_within_their_bound() {
    let Some(half) = in_f16() else { return };
    for name in MODELS {
        let gpu = model(name, &half);
        let facts = made::facts(&gpu);
        let settings = Settings::default();
        let some = facts.facts.iter().filter_map(|fact| tokenize(&gpu, fact, &settings).expect("tokens").ok()).take(3);
        let some: Vec<TokenizedFact> = some.collect();
        let some: Vec<&TokenizedFact> = some.iter().collect();
        let cpu = model(name, &Compute::cpu("tests"));
        let worst = difference(&probabilities(&gpu, &some), &probabilities(&cpu, &some));
        println!("{name} in f16 on {}: max |Δp| = {worst:.2e}", half.info.name);
        assert!(worst <= HALF, "{name}: {worst:e}");
        assert!(worst > 1e-7, "{name}: its weights are not f16, and nothing was rounded");
    }
}

#[test]
fn the_cpu_has_no_f16_and_a_value_too_large_is_named() {
    let refused = Compute::cpu("tests").holding(Precision::F16).expect_err("it computes in f32");
    assert!(refused.to_string().contains("f32 only"), "{refused}");
    let Some(half) = in_f16() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(fixture("models").join("gemma3")).expect("fixture") {
        let file = file.expect("entry").path();
        std::fs::copy(&file, folder.path().join(file.file_name().expect("name"))).expect("copy");
    }
    let path = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).expect("weights");
    let name = "model.layers.0.mlp.down_proj.weight";
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let tensors: serde_json::Value = serde_json::from_slice(&bytes[8..8 + header]).expect("a header");
    assert_eq!(tensors[name]["dtype"], "F32");
    let first = tensors[name]["data_offsets"][0].as_u64().expect("an offset") as usize;
    bytes[8 + header + first..][..4].copy_from_slice(&1e6f32.to_le_bytes());
    std::fs::write(&path, bytes).expect("weights");
    let checkpoint = block_on(Checkpoint::open(folder.path(), None)).expect("a checkpoint");
    let error = block_on(Model::load(&checkpoint, "large", half, &|_, _| {})).err().expect("it does not fit");
    let said = error.to_string();
    assert!(said.contains(name) && said.contains("1000000") && said.contains("f16"), "{said}");
}

/// Telling a software adapter what to do takes longer than doing it.
#[test]
fn auto_takes_the_cpu_where_it_is_quicker() {
    let Some(gpu) = devices().into_iter().find(|compute| !compute.is_cpu()) else { return };
    let software = gpu.adapter.as_ref().is_some_and(|adapter| adapter.kind == "Cpu");
    let checkpoint = block_on(Checkpoint::open(&fixture("models/llama"), None)).expect("a model");
    let looked = block_on(look(&checkpoint)).expect("a model");
    let name = gpu.info.name.clone();
    let taken = block_on(gpu.or_quicker_cpu(&looked));
    println!("{name} or the CPU: {}, {}", taken.info.kind, taken.why);
    assert!(!software || (taken.is_cpu() && taken.why.contains("quicker here") && taken.why.contains(&name)));
}
