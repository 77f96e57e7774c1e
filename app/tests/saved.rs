//! `engram edit --save-model`, from folders and GGUF files of every family: the folder that it writes computes the same
//! elsewhere. transformers opens it where a Python with it is at hand.

mod common;

use common::{python, skipped};
use engram_core::device::Compute;
use engram_core::load::Model;
use engram_core::run::{Prompt, Sites};
use engram_core::tensor::Matrix;
use engram_core::weights::Checkpoint;
use pollster::block_on;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROMPT: &str = "The capital of France is";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// Every fixture: its files, and the tokenizer where it is not beside them.
fn models() -> Vec<(String, PathBuf, Option<PathBuf>)> {
    let folder = |name: &str| fixtures().join("models").join(name);
    let folders = ["llama", "llama-tied", "gemma2", "gemma3", "gemma3-multimodal", "qwen2", "phi", "gpt2"];
    let files = ["llama", "llama-tied", "gemma2", "qwen2", "phi", "gpt2"];
    let mut all: Vec<_> = folders.iter().map(|name| (format!("{name} folder"), folder(name), None)).collect();
    all.extend(files.iter().map(|name| {
        let file = fixtures().join(format!("gguf/{name}.gguf"));
        (format!("{name} gguf"), file, Some(folder(name).join("tokenizer.json")))
    }));
    // With the tokenizer that is built from the metadata.
    let alone = ["llama", "gemma2", "qwen2", "gpt2"];
    all.extend(alone.map(|name| (format!("{name} gguf alone"), fixtures().join(format!("gguf/{name}.gguf")), None)));
    all
}

fn edited(model: &Path, tokenizer: Option<&Path>, into: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.args(["edit", PROMPT, "--subject", "France", "--target", "Paris", "--new", "London", "--layer", "2"]);
    command.args(["--steps", "3", "--device", "cpu", "--model"]).arg(model).arg("--save-model").arg(into);
    command.args(tokenizer.map(|_| "--tokenizer")).args(tokenizer);
    let output = command.output().expect("engram starts");
    assert!(output.status.success(), "{}: {}", model.display(), String::from_utf8_lossy(&output.stderr));
}

fn logits(model: &Path, tokenizer: Option<&Path>) -> (Vec<u32>, Vec<f32>) {
    let checkpoint = block_on(Checkpoint::open(model, tokenizer)).expect("a checkpoint");
    let compute = Compute::cpu("tests");
    let model = block_on(Model::load(&checkpoint, "saved", compute, &|_, _| {})).expect("a model");
    let ids = model.tokens.encode(PROMPT).expect("tokens").ids;
    let (engine, prompts) = (model.edited(), [Prompt::plain(&ids)]);
    let cache = block_on(engine.capture(&prompts, &Matrix::default(), &Sites::end())).expect("a run");
    let logits = block_on(engine.logits(&cache, 0, ids.len() - 1)).expect("logits");
    (ids, logits)
}

#[test]
fn saved_models_compute_the_same_in_transformers() {
    let python = python("torch, transformers");
    if python.is_none() {
        skipped("no Python with torch and transformers: saved folders are opened by Engram alone");
    }
    for (name, model, tokenizer) in models() {
        let place = tempfile::tempdir().expect("a folder");
        let saved = place.path().join("saved");
        edited(&model, tokenizer.as_deref(), &saved);
        let (before, after) = (logits(&model, tokenizer.as_deref()), logits(&saved, None));
        assert_eq!(before.0, after.0, "{name}: other tokens");
        let moved = before.1.iter().zip(&after.1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved > 0.0 && moved < 5.0, "{name}: the edit moves a logit by {moved}");
        let config: Value =
            serde_json::from_slice(&std::fs::read(saved.join("config.json")).expect("config.json")).expect("JSON");
        if name.starts_with("llama gguf") {
            let scaling = &config["rope_scaling"];
            assert_eq!(
                (scaling["rope_type"].as_str(), scaling["factor"].as_f64()),
                (Some("llama3"), Some(8.0)),
                "{scaling}"
            );
        }
        let Some(python) = &python else { continue };
        let script = fixtures().join("../reference/opens.py");
        let output = Command::new(python).arg(script).arg(&saved).args(["--text", PROMPT]).output().expect("Python");
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
        assert!(said.get("error").is_none(), "{name}: {said}");
        let ids: Vec<u32> =
            said["ids"].as_array().expect("ids").iter().map(|id| id.as_u64().expect("id") as u32).collect();
        assert_eq!(ids, after.0, "{name}: transformers cuts the prompt otherwise");
        for pair in said["top"].as_array().expect("top") {
            let (id, logit) = (pair[0].as_u64().expect("id") as usize, pair[1].as_f64().expect("logit"));
            let off = (f64::from(after.1[id]) - logit).abs();
            assert!(off < 2e-4, "{name}: logit {id} is {} here and {logit} in transformers", after.1[id]);
        }
    }
}
