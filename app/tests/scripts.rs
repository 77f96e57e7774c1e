//! Scripts that compute a number again with PyTorch and transformers alone: what `engram trace` and `engram edit` print, run on
//! every family, beside Engram's numbers.

mod common;
#[path = "common/edits.rs"]
mod edits;

use common::{python, skipped};
use edits::{APART, MODELS, PROMPT, SHARE, done, edit, engram, model, near, search};
use engram_core::weights::Checkpoint;
use pollster::block_on;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// The line that traces a fixture.
fn trace(folder: &Path, name: &str, more: &[&str]) -> Output {
    let path = model(name);
    let fact = ["trace", PROMPT, "--subject", "France", "--target", "Paris", "--device", "cpu"];
    engram(folder, &[&fact[..], &["--model", path.to_str().expect("UTF-8")], more].concat())
}

/// The head or neuron that moves the answer most at a patch position: its layer and number.
fn strongest(folder: &Path, name: &str, unit: &str, position: &str) -> (usize, u64) {
    let site = if unit == "head" { "head" } else { "neuron 3..38" };
    let traced = trace(folder, name, &["--site", site, "--positions", position, "--no-map", "--json"]);
    let json: Value = serde_json::from_str(&done(&traced)).expect("JSON");
    let fact = &json["facts"][0];
    let (corrupt, units) = (fact["p_corrupt"].as_f64().expect("a probability"), &fact["units"][0]);
    let first = units["first"].as_u64().expect("a number");
    let layers = units["patched"].as_array().expect("layers").iter().enumerate();
    let all = layers.flat_map(|(layer, row)| {
        let row = row.as_array().expect("a row").iter().enumerate();
        row.map(move |(at, p)| (layer + 1, first + at as u64, (p.as_f64().expect("a probability") - corrupt).abs()))
    });
    // The last head and layer must be found where they are: a first one would hide wrong columns.
    let all = all.filter(|(_, number, _)| *number > 0);
    let (layer, number, _) = all.max_by(|a, b| a.2.total_cmp(&b.2)).expect("units");
    (layer, number)
}

/// The last token of the corrupted prompt.
fn last_corrupted(name: &str) -> usize {
    let checkpoint = block_on(Checkpoint::open(&model(name), None)).expect("a checkpoint");
    let tokens = checkpoint.tokens().expect("a tokenizer");
    tokens.encode(&PROMPT.replace("France", "Random Person")).expect("tokens").ids.len() - 1
}

#[test]
fn emitted_scripts_compute_the_same() {
    let python = python("torch, transformers, safetensors");
    if python.is_none() {
        skipped("no Python with torch and transformers: emitted scripts are written, not run");
    }
    let place = tempfile::tempdir().expect("a folder");
    let mut scripts = Vec::new();
    let mut keep = |name: String, output: &Output, lines: usize| {
        let script = done(output);
        assert!(!script.contains("import engram") && script.lines().count() < 60, "{name}: {script}");
        let file = place.path().join(format!("{name}.py"));
        std::fs::write(&file, script).expect("written");
        scripts.push((file, lines));
    };
    for name in MODELS {
        let traced = |more: &[&str]| trace(place.path(), name, &[&["--emit", "transformers"], more].concat());
        keep(format!("{name}-highest"), &traced(&[]), 3);
        keep(format!("{name}-last"), &traced(&["--cell", "2:last-token"]), 3);
        keep(format!("{name}-same"), &traced(&["--cell", "1:same-index"]), 3);
        keep(format!("{name}-token"), &traced(&["--cell", &format!("1:{}", last_corrupted(name))]), 3);
        keep(format!("{name}-mlp"), &traced(&["--cell", "2:subject-last:mlp", "--window", "3"]), 3);
        keep(format!("{name}-attention"), &traced(&["--cell", "2:last-token:attention"]), 3);
        for unit in ["head", "neuron"] {
            for position in ["subject-last", "last-token"] {
                let (layer, number) = strongest(place.path(), name, unit, position);
                let cell = format!("{layer}:{position}:{unit}.{number}");
                keep(format!("{name}-{unit}-{position}"), &traced(&["--cell", &cell]), 3);
            }
        }
        for layer in ["1", "2", "3"] {
            keep(format!("{name}-ablation-{layer}"), &traced(&["--ablation", layer]), 6);
        }
        keep(format!("{name}-second"), &traced(&["--ablation", "2", "--cell", "1:subject-last"]), 4);
        keep(format!("{name}-second-last"), &traced(&["--ablation", "1", "--cell", "2:last-token"]), 4);
        for (method, flag, file) in [
            ("r-rome", "--save-delta", "d.safetensors"),
            ("memit", "--save-delta", "m.safetensors"),
            ("lora", "--save-lora", "l"),
        ] {
            let file = format!("{name}-{file}");
            let emit = [flag, &file, "--emit", "transformers"];
            keep(format!("{name}-{method}"), &edit(place.path(), name, &[&search(method)[..], &emit].concat()), 4);
        }
        let saved = format!("{name}-d.safetensors");
        keep(format!("{name}-loaded"), &edit(place.path(), name, &["--load", &saved, "--emit", "transformers"]), 4);
    }
    let Some(python) = python else { return };
    // One process for all of them: starting takes longer than computing.
    let all = "import runpy, sys\nfor path in sys.argv[1:]:\n    print('#', path)\n    runpy.run_path(path)";
    let mut command = Command::new(python);
    command
        .current_dir(place.path())
        .env("HF_HUB_OFFLINE", "1")
        .args(["-c", all])
        .args(scripts.iter().map(|(file, _)| file));
    let output = command.output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut parts = said.split("# ").skip(1);
    let mut still = Vec::new();
    for (file, lines) in &scripts {
        let part = parts.next().expect("every script ran");
        let rows: Vec<&str> = part.lines().skip(1).filter(|line| !line.is_empty()).collect();
        assert_eq!(rows.len(), *lines, "{}: {part}", file.display());
        let mut found = BTreeMap::new();
        for row in &rows {
            let words: Vec<&str> = row.split_whitespace().collect();
            let at = words.iter().position(|word| *word == "Engram").expect("Engram's number");
            let [theirs, ours, apart] = [at - 1, at + 1, at + 3].map(|at| words[at].parse::<f64>().expect("a number"));
            near(ours, theirs, &format!("{}: {row}", file.display()));
            assert!(apart.abs() < APART, "{row}");
            found.insert(words[..at - 1].join(" "), ours);
        }
        // What is put back, and what is ablated, must move what is compared. Only the highest cell may be one without an effect.
        for (one, other) in [("corrupted", "put back"), ("clean", "without block"), ("clean", "clean, ablated")] {
            if let (Some(one), Some(other)) = (found.get(one), found.get(other)) {
                let moved = (one - other).abs() > 5.0 * SHARE * one;
                let highest = file.to_string_lossy().ends_with("-highest.py");
                still.extend((!moved && !highest).then_some(part));
            }
        }
    }
    assert!(still.is_empty(), "nothing is moved:\n{}", still.concat());
}

#[test]
fn scripts_that_cannot_be_written_are_refused() {
    let place = tempfile::tempdir().expect("a folder");
    let refused = |output: &Output, word: &str| {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(word) && told.contains("\nhint: ") && output.stdout.is_empty(), "{told}");
    };
    refused(&edit(place.path(), "llama", &["--emit", "transformers"]), "--emit transformers");
    refused(&edit(place.path(), "llama", &["--load", "none"]), "no such file or folder");
    let traced = |more: &[&str]| trace(place.path(), "llama", more);
    refused(&traced(&["--emit", "jax"]), "jax");
    refused(&traced(&["--emit", "transformers", "--corruption", "noise"]), "noise");
    for (more, word) in [
        (&["--cell", "99:0"][..], "layer 99 does not exist"),
        (&["--cell", "1:99"], "no token 99"),
        (&["--cell", "1:first"], "patch position"),
        (&["--cell", "1:3:head.1"], "not at a token"),
        (&["--cell", "1:last-token:head.6"], "6 heads, and no head 6"),
        (&["--cell", "1:last-token:neuron.44"], "44 neurons, and no neuron 44"),
        (&["--cell", "1:last-token:neuron.18446744073709551615"], "44 neurons"),
        (&["--cell", "1:last-token:head.x"], "no site `head.x`"),
        (&["--cell", "9:last-token:head.1"], "layer 9 does not exist"),
        (&["--ablation", "9"], "layer 9 does not exist"),
        (&["--ablation", "0"], "--ablation"),
        (&["--ablation", "2", "--cell", "2:last-token"], "another one"),
        (&["--ablation", "2", "--cell", "1:last-token:mlp"], "only the residual stream"),
        (&["--ablation", "2", "--cell", "1:3"], "at a patch position"),
    ] {
        refused(&traced(&[&["--emit", "transformers"], more].concat()), word);
    }
}
