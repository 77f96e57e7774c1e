//! What `engram edit` gives away and takes back: LoRA adapters that PEFT opens, adapters of PEFT applied here, and saved changes
//! applied again.

mod common;
#[path = "common/edits.rs"]
mod edits;

use common::{python, skipped};
use edits::{MODELS, PROMPT, SHARE, done, edit, model, near, search};
use engram_core::tokens::Tokens;
use engram_core::weights::Checkpoint;
use pollster::block_on;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

/// The raw values of an edit: both answers before and after.
fn values(output: &Output) -> (Value, [[f64; 2]; 2]) {
    let json: Value = serde_json::from_str(&done(output)).expect("JSON");
    let of = |key: &str| json["edit"][key].as_f64().expect("a probability");
    let p = [["p_true", "p_true_after"], ["p_false", "p_false_after"]].map(|keys| keys.map(of));
    (json, p)
}

/// Tokens of the prompt, and the first ones of both answers.
fn tokens(name: &str) -> (Vec<u32>, [u32; 2]) {
    let checkpoint = block_on(Checkpoint::open(&model(name), None)).expect("a checkpoint");
    let tokens: Tokens = checkpoint.tokens().expect("a tokenizer");
    let first = |answer: &str| tokens.answer(PROMPT, answer).expect("tokens").expect("an answer")[0];
    (tokens.encode(PROMPT).expect("tokens").ids, [first("Paris"), first("London")])
}

/// Runs `tests/reference/adapters.py` on jobs.
fn peft(python: &Path, what: &str, jobs: &[Value]) -> Vec<Vec<f64>> {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("jobs.json");
    std::fs::write(&file, Value::from(jobs.to_vec()).to_string()).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/adapters.py");
    let output = Command::new(python).arg(script).arg(what).arg(&file).output().expect("Python starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

fn job(name: &str, adapter: Option<&Path>, config: &Value) -> Value {
    let (ids, answers) = tokens(name);
    json!({"model": model(name), "adapter": adapter, "ids": ids, "tokens": answers, "config": config})
}

/// An edit must move what is compared, or the comparison shows nothing.
fn moved(p: [[f64; 2]; 2], what: &str) {
    let most = p.iter().map(|[before, after]| (after / before).ln().abs()).fold(0.0, f64::max);
    assert!(most > 5.0 * SHARE, "{what}: the edit moves nothing: {p:?}");
}

#[test]
fn saved_adapters_compute_the_same_in_peft_and_here() {
    let python = python("torch, transformers, peft");
    if python.is_none() {
        skipped("no Python with torch, transformers and peft: saved adapters are opened by Engram alone");
    }
    let place = tempfile::tempdir().expect("a folder");
    let (mut jobs, mut wanted) = (Vec::new(), Vec::new());
    for name in MODELS {
        for method in ["rome", "r-rome", "p-rome", "memit", "alphaedit", "lora", "ultraedit"] {
            let what = format!("{name}, {method}");
            let (lora, delta) = (format!("{name}-{method}"), format!("{name}-{method}.safetensors"));
            let save = ["--save-lora", &lora, "--save-delta", &delta, "--json"];
            let (_, p) = values(&edit(place.path(), name, &[&search(method)[..], &save].concat()));
            moved(p, &what);
            // Both files give the same again.
            for (file, format) in [(&lora, "lora"), (&delta, "delta")] {
                let (json, again) = values(&edit(place.path(), name, &["--load", file, "--json"]));
                for (p, again) in p.iter().flatten().zip(again.iter().flatten()) {
                    assert!((p - again).abs() < 1e-6, "{what}, {format}: {p} {again}");
                }
                assert!(json.get("settings").is_none(), "{what}: nothing was searched");
                let loaded = &json["loaded"];
                assert_eq!((&loaded["format"], &loaded["path"]), (&json!(format), &json!(file)), "{what}");
                let count = loaded["tensors"].as_array().map_or(0, Vec::len);
                let normed = name.starts_with("gemma");
                assert_eq!(
                    count,
                    if matches!(method, "memit" | "alphaedit") && !normed { 2 } else { 1 },
                    "{what}: {loaded}"
                );
                assert_eq!(loaded["tensors"][count - 1]["layer"], 2, "{what}");
                assert_eq!(
                    loaded["tensors"][0]["rank"],
                    match method {
                        "lora" => 3,
                        "ultraedit" => loaded["tensors"][0]["rank"].as_u64().expect("a rank"),
                        _ => 1,
                    },
                    "{what}"
                );
            }
            jobs.push(job(name, Some(&place.path().join(&lora)), &Value::Null));
            wanted.push((what, p));
        }
    }
    let Some(python) = python else { return };
    for ((what, p), found) in wanted.iter().zip(peft(&python, "run", &jobs)) {
        near(p[0][1], found[0], what);
        near(p[1][1], found[1], what);
    }
}

#[test]
fn adapters_of_peft_compute_the_same_here() {
    let Some(python) = python("torch, transformers, peft") else {
        skipped("no Python with torch, transformers and peft: none of their adapters is applied");
        return;
    };
    let place = tempfile::tempdir().expect("a folder");
    let mut jobs = Vec::new();
    for name in MODELS {
        let (down, all) = match name {
            "gpt2" => (vec!["mlp.c_proj"], vec!["c_attn", "c_proj", "c_fc"]),
            "phi" => (vec!["fc2"], vec!["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"]),
            _ => {
                let attention = ["q_proj", "k_proj", "v_proj", "o_proj"];
                (vec!["down_proj"], [&attention[..], &["gate_proj", "up_proj", "down_proj"]].concat())
            }
        };
        let turned = name == "gpt2";
        // A vision tower has maps of these names, too.
        let aside = name.contains("multimodal").then_some(".*vision_tower.*");
        for (at, config) in [
            json!({"r": 4, "lora_alpha": 6, "target_modules": down, "exclude_modules": aside, "fan_in_fan_out": turned}),
            json!({"r": 4, "lora_alpha": 3, "target_modules": all, "exclude_modules": aside, "fan_in_fan_out": turned, "use_rslora": true,
                "lora_dropout": 0.3}),
            json!({"r": 2, "lora_alpha": 1, "target_modules": all, "exclude_modules": aside, "fan_in_fan_out": turned, "layers_to_transform": [1],
                "rank_pattern": {down[0]: 5}, "alpha_pattern": {down[0]: 7}}),
        ]
        .iter()
        .enumerate()
        {
            jobs.push(job(name, Some(&place.path().join(format!("{name}-{at}"))), config));
        }
    }
    let found = peft(&python, "make", &jobs);
    for (job, theirs) in jobs.iter().zip(found) {
        let adapter = job["adapter"].as_str().expect("a folder");
        let name = Path::new(job["model"].as_str().expect("a folder")).file_name().expect("a name");
        let name = name.to_str().expect("UTF-8");
        let (json, p) = values(&edit(place.path(), name, &["--load", adapter, "--json"]));
        moved(p, adapter);
        near(p[0][1], theirs[0], adapter);
        near(p[1][1], theirs[1], adapter);
        assert_eq!(json["loaded"]["made_for"], job["model"], "{adapter}");
    }
    // And out again, as it came.
    let (first, out) = (jobs[0]["adapter"].as_str().expect("a folder"), place.path().join("out"));
    let (_, p) = values(&edit(place.path(), "llama", &["--load", first, "--save-lora", "out", "--json"]));
    let again = peft(&python, "run", &[job("llama", Some(&out), &Value::Null)]);
    near(p[0][1], again[0][0], "written again");
}

/// Two factors of a map as safetensors has them.
fn factors(name: &str, a: [usize; 2], b: [usize; 2], value: f32) -> Vec<(String, [usize; 2], Vec<u8>)> {
    let tensor = |factor: &str, shape: [usize; 2]| {
        let bytes = (0..shape[0] * shape[1]).flat_map(|_| value.to_le_bytes()).collect();
        (format!("base_model.model.{name}.lora_{factor}.weight"), shape, bytes)
    };
    vec![tensor("A", a), tensor("B", b)]
}

fn write_adapter(folder: &Path, config: &Value, tensors: &[(String, [usize; 2], Vec<u8>)]) {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("adapter_config.json"), config.to_string()).expect("written");
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name.clone(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("a tensor"))
    });
    let bytes = safetensors::serialize(views, None).expect("a file");
    std::fs::write(folder.join("adapter_model.safetensors"), bytes).expect("written");
}

#[test]
fn what_cannot_be_applied_is_named_and_nothing_is() {
    let place = tempfile::tempdir().expect("a folder");
    let config: Value = serde_json::from_slice(&std::fs::read(model("llama").join("config.json")).expect("a file"))
        .expect("config.json");
    let size = |key: &str| config[key].as_u64().expect("a size") as usize;
    let (d, f) = (size("hidden_size"), size("intermediate_size"));
    let lora = json!({"peft_type": "LORA", "r": 2, "lora_alpha": 2});
    let with = |key: &str, value: Value| {
        let mut config = lora.clone();
        config[key] = value;
        config
    };
    let down = "model.layers.0.mlp.down_proj";
    let good = || factors(down, [2, f], [d, 2], 0.2);
    let renamed = |from: &str, to: &str| {
        good().into_iter().map(|(name, shape, bytes)| (name.replace(from, to), shape, bytes)).collect::<Vec<_>>()
    };
    let beside = |name: &str| [good(), vec![(name.to_owned(), [1, 2], vec![0; 8])]].concat();
    let refused = |folder: &str, words: &[&str]| {
        let output = edit(
            place.path(),
            "llama",
            &["--load", folder, "--save-delta", "never.safetensors", "--save-lora", "never"],
        );
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{folder}: {told}");
        assert!(told.contains("\nhint: ") && output.stdout.is_empty(), "{folder}: {told}");
        for word in words {
            assert!(told.contains(word), "{folder} says nothing of {word}: {told}");
        }
        for file in ["never.safetensors", "never/adapter_config.json"] {
            assert!(!place.path().join(file).exists(), "{folder}: {file} was written");
        }
    };
    let cases: Vec<(&str, Value, Vec<_>, &[&str])> = vec![
        ("dora", with("use_dora", json!(true)), good(), &["DoRA"]),
        (
            "saved",
            with("modules_to_save", json!(["lm_head"])),
            beside("base_model.model.lm_head.weight"),
            &["modules_to_save", "lm_head.weight"],
        ),
        (
            "magnitudes",
            lora.clone(),
            beside(&format!("base_model.model.{down}.lora_magnitude_vector")),
            &["lora_magnitude_vector"],
        ),
        (
            "biases",
            with("bias", json!("lora_only")),
            beside(&format!("base_model.model.{down}.bias")),
            &["bias = \"lora_only\"", "down_proj.bias"],
        ),
        (
            "embedding",
            lora.clone(),
            beside("base_model.model.model.embed_tokens.lora_embedding_A"),
            &["lora_embedding_A"],
        ),
        ("head", lora.clone(), factors("lm_head", [2, d], [5, 2], 0.1), &["no linear map `lm_head`"]),
        ("pissa", with("init_lora_weights", json!("pissa")), good(), &["init_lora_weights = \"pissa\""]),
        ("tokens", with("trainable_token_indices", json!([3])), good(), &["trainable_token_indices"]),
        ("ia3", with("peft_type", json!("IA3")), good(), &["of kind IA3"]),
        ("layer", lora.clone(), renamed("layers.0", "layers.99"), &["layers.99", "layer 100"]),
        ("module", lora.clone(), renamed("down_proj", "expert_proj"), &["expert_proj"]),
        ("root", lora.clone(), renamed("model.layers", "vision_tower.layers"), &["vision_tower.layers.0"]),
        ("wide", lora.clone(), factors(down, [2, f + 1], [d, 2], 0.1), &["down_proj", "the model's has"]),
        ("ranks", lora.clone(), factors(down, [2, f], [d, 3], 0.1), &["ranks 3 and 2"]),
        ("half", lora.clone(), good()[..1].to_vec(), &["one factor only"]),
        ("nan", lora.clone(), factors(down, [2, f], [d, 2], f32::NAN), &["holds NaN"]),
        ("huge", with("lora_alpha", json!(1e38)), factors(down, [2, f], [d, 2], 1e10), &["no finite number"]),
        ("empty", lora.clone(), Vec::new(), &["it holds no change"]),
    ];
    for (name, config, tensors, words) in &cases {
        write_adapter(&place.path().join(name), config, tensors);
        refused(name, words);
    }
    // One that is sound is applied.
    write_adapter(&place.path().join("good"), &lora, &good());
    let (_, p) = values(&edit(place.path(), "llama", &["--load", "good", "--json"]));
    moved(p, "good");
    // Files that are none.
    let write = |name: &str, bytes: &[u8]| std::fs::write(place.path().join(name), bytes).expect("written");
    write("text.safetensors", b"not a change");
    refused("text.safetensors", &["no safetensors file"]);
    let weights = model("llama-tied").join("model.safetensors");
    refused(weights.to_str().expect("UTF-8"), &["no weight change of Engram"]);
    std::fs::create_dir(place.path().join("nothing")).expect("a folder");
    refused("nothing", &["adapter_model.safetensors"]);
    write("good/adapter_model.bin", b"a pickle");
    std::fs::remove_file(place.path().join("good/adapter_model.safetensors")).expect("removed");
    refused("good", &["no pickles"]);
    // A change of another model, cut off, or of a method that has none of low rank.
    values(&edit(
        place.path(),
        "llama",
        &[&search("r-rome")[..], &["--save-delta", "own.safetensors", "--json"]].concat(),
    ));
    let other = edit(place.path(), "qwen2", &["--load", "own.safetensors"]);
    let told = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(2), "{told}");
    assert!(told.contains("outputs and") && told.contains("the model's has"), "{told}");
    let whole = std::fs::read(place.path().join("own.safetensors")).expect("a file");
    for cut in [0, 7, 20, whole.len() - 1] {
        write("cut.safetensors", &whole[..cut]);
        refused("cut.safetensors", &["no safetensors file"]);
    }
    let dense = edit(place.path(), "llama", &[&search("ft-m")[..], &["--save-lora", "never"]].concat());
    let told = String::from_utf8_lossy(&dense.stderr).into_owned();
    assert_eq!(dense.status.code(), Some(2), "{told}");
    assert!(told.contains("low rank") && told.contains("--save-delta"), "{told}");
}

/// The traces of both answers end where the edit's own measures do.
#[test]
fn traces_after_an_edit_are_of_the_edited_model() {
    let place = tempfile::tempdir().expect("a folder");
    for (name, method) in [("llama", "r-rome"), ("gpt2", "lora")] {
        let (json, p) = values(&edit(place.path(), name, &[&search(method)[..], &["--retrace", "--json"]].concat()));
        let (own, again) = (&json["retraced"]["own"], &json["retraced"]["again"]);
        assert_eq!(
            (own["target_true"].as_str(), own["target_new"].as_str()),
            (Some("Paris"), Some("London")),
            "{name}"
        );
        let traces = [[own, &again["new_before"]], [&again["old_after"], &again["new_after"]]];
        for (at, when) in ["before", "after"].iter().enumerate() {
            for (answer, word) in ["Paris", "London"].iter().enumerate() {
                let fact = traces[at][answer];
                let found = fact["p_clean"].as_f64().expect("a probability");
                assert!((found - p[answer][at]).abs() < 1e-6, "{name} {when} {word}: {found} {}", p[answer][at]);
                let maps = fact["maps"]["residual"].as_array().expect("a map");
                let last = maps.last().and_then(Value::as_array).and_then(|row| row.last()).and_then(Value::as_f64);
                // The last token's state after the last layer gives the clean answer back.
                assert!((last.expect("a cell") - found).abs() < 1e-6, "{name} {when} {word}");
            }
        }
        let drawn = done(&edit(place.path(), name, &[&search(method)[..], &["--retrace"]].concat()));
        for part in
            ["peak, subject-last", "R, last-token", "before the edit", "on the same scale", "after minus before"]
        {
            assert!(drawn.contains(part), "{part}: {drawn}");
        }
    }
}
