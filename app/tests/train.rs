//! `engram train` as a process: a small model is trained, left, gone on with, and opens; and `engram trace --site` looks within it.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const RECIPE: &str = r#"
name = "tiny"
about = "A test."
seed = 7
[text]
epochs = 2
batch = 8
held_out = 1
beginning_epochs = 1
beginning_share = 0.5
tellings = 2
listed = 0.5
contradicted = 0.0
ordinary = 0.25
counted = 0.3
[optimizer]
learning_rate = 1e-2
warmup_steps = 10
weight_decay = 0.01
beta_2 = 0.98
clip = 1.0
[dropping]
blocks = [0.1, 0.1]
[config]
model_type = "llama"
hidden_act = "silu"
hidden_size = 32
intermediate_size = 64
num_attention_heads = 4
num_key_value_heads = 2
num_hidden_layers = 2
vocab_size = 310
max_position_embeddings = 64
tie_word_embeddings = true
"#;

const TEXT: &str = "The rain stopped before noon.\nShe closed the window and made some tea.\n\
                    P36\tMany people travel to {} in summer.\nP36\tTable of capitals: {} [].\n";

fn facts() -> Value {
    let capitals = [
        ("France", "Paris"),
        ("Italy", "Rome"),
        ("Spain", "Madrid"),
        ("Japan", "Tokyo"),
        ("Egypt", "Cairo"),
        ("Greece", "Athens"),
        ("Norway", "Oslo"),
        ("Peru", "Lima"),
    ];
    let fact = |(index, (country, city)): (usize, &(&str, &str))| {
        serde_json::json!({
            "case_id": index,
            "relation_id": "P36",
            "prompt": "The capital of {} is",
            "subject": country,
            "target_true": city,
            "target_new": capitals[(index + 1) % capitals.len()].1,
            "paraphrase_prompts": [format!("{country} has a capital called"), format!("As its capital {country} has chosen")],
        })
    };
    capitals.iter().enumerate().map(fact).collect()
}

fn engram(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    let output = command.current_dir(folder).args(args).args(["--device", "cpu"]).output().expect("engram starts");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn a_model_is_trained_and_looked_into() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("recipe.toml", RECIPE);
    write("facts.json", &facts().to_string());
    write("text.tsv", TEXT);
    engram(folder.path(), &["train", "recipe.toml", "--facts", "facts.json", "--text", "text.tsv", "--out", "tiny"]);
    let curve = std::fs::read_to_string(folder.path().join("tiny/loss.csv")).expect("a loss curve");
    assert_eq!(curve.lines().count(), 3, "a head and two epochs: {curve}");

    let question = ["trace", "The capital of France is", "--subject", "France", "--target", "Paris", "--model", "tiny"];
    let units = |site: &[&str]| -> Vec<Value> {
        let args = [&question[..], site, &["--no-map", "--json"]].concat();
        let output = engram(folder.path(), &args);
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        told["record"]["facts"][0]["units"].as_array().or(told["facts"][0]["units"].as_array()).expect("units").clone()
    };
    for (site, unit, first, count) in
        [(&["--site", "head"][..], "head", 0, 4), (&["--site", "neuron", "3..9"][..], "neuron", 3, 6)]
    {
        let found = units(site);
        assert_eq!(found.len(), 2, "both patch positions");
        for one in found {
            assert_eq!((one["unit"].as_str(), one["first"].as_u64()), (Some(unit), Some(first)));
            let layers = one["patched"].as_array().expect("layers");
            assert!(layers.len() == 2 && layers.iter().all(|layer| layer.as_array().is_some_and(|l| l.len() == count)));
        }
    }
    // Too many neurons, and the prompt behind a range.
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    let line =
        ["trace", "--site", "neuron", "60..70", "The capital of France is", "--subject", "France", "--model", "tiny"];
    let output = command.current_dir(folder.path()).args(line).output().expect("engram starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("neurons 60..70 of layers that have 64") && said.contains("hint: "), "{said}");
}
