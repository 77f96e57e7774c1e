//! Little memory: under every limit of the address space there is a result, or a message that says what to do, and never
//! a signal.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A stored study.
const STUDY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/sample.engram.json.gz");

/// Ten limits in megabytes.
fn limits() -> impl Iterator<Item = u64> {
    (1..=10).map(|step| 200 * step)
}

/// A command line under a limit, in a folder of its own.
fn limited(megabytes: u64, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {} && exec \"$0\" \"$@\"", megabytes * 1000);
    command.args(["-c", &script, env!("CARGO_BIN_EXE_engram")]).args(arguments);
    command.current_dir(folder).stdin(Stdio::null());
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("no-cache")).env("NO_COLOR", "1");
    command
}

/// `ok`, or the first line of the message; panics on a signal, on silence and on advice that is missing.
fn outcome(output: &Output, place: &str) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), None, "{place}: a signal\n{said}");
    match output.status.code() {
        Some(0) => "ok".into(),
        Some(1 | 2) => {
            let error = said.lines().find(|line| line.starts_with("error: "));
            let error = error.unwrap_or_else(|| panic!("{place}: no message\n{said}"));
            assert!(said.contains("hint: "), "{place}: no advice\n{said}");
            error.into()
        }
        code => panic!("{place}: exit code {code:?}\n{said}"),
    }
}

#[expect(clippy::print_stderr, reason = "the table is for people who run this by hand")]
fn ladder(name: &str, arguments: &[&str]) {
    let mut last = String::new();
    for megabytes in limits() {
        let folder = tempfile::tempdir().expect("a folder");
        let output = limited(megabytes, folder.path(), arguments).output().expect("engram starts");
        last = outcome(&output, &format!("{name} with {megabytes} MB"));
        eprintln!("{name:>8} {megabytes:>5} MB  {last}");
    }
    assert_eq!(last, "ok", "{name}: 2 GB are enough");
}

const QUESTION: [&str; 5] = ["--model", "engram-llama", "The capital of France is", "--subject", "France"];

#[test]
fn bundled_models_give_a_result_or_a_message() {
    for device in ["cpu", "auto"] {
        ladder("trace", &[&["trace", "--device", device], &QUESTION[..]].concat());
    }
    let study =
        ["study", "--model", "engram-llama", "--facts", "bundled", "-n", "3", "--device", "cpu", "--out", "out"];
    ladder("study", &study);
    let edit = ["edit", "--model", "engram-llama", "--device", "cpu", "--steps", "3", "The capital of France is"];
    ladder("edit", &[&edit[..], &["--subject", "France", "--target", "Paris", "--new", "Rome"]].concat());
}

#[test]
fn records_give_a_result_or_a_message() {
    ladder("compare", &["compare", STUDY]);
    ladder("report", &["report", STUDY, "-o", "page.html"]);
    ladder("export", &["export", STUDY, "-o", "out", "--quiet"]);
    ladder("verify", &["verify", STUDY]);
    ladder("models", &["models"]);
    ladder("doctor", &["doctor"]);
}

/// A software GPU's compiler ends the process where it has no memory, so it is not started without.
#[test]
fn a_gpu_that_is_asked_for_gives_a_result_or_a_message() {
    for megabytes in limits() {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = [&["trace", "--device", "gpu"], &QUESTION[..]].concat();
        let output = limited(megabytes, folder.path(), &arguments).output().expect("engram starts");
        let said = outcome(&output, &format!("gpu with {megabytes} MB"));
        told("gpu", megabytes, &said);
    }
}

#[test]
fn the_lab_starts_or_says_why_not() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::write(site.path().join("index.html"), "<!doctype html><title>Engram</title>").expect("a page");
    for megabytes in limits() {
        let site = site.path().to_string_lossy();
        let arguments = ["lab", "--no-open", "--port", "0", "--site", &site];
        let mut command = limited(megabytes, Path::new("."), &arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("engram starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut address).expect("a line");
        if address.starts_with("http://") {
            child.kill().expect("it runs");
            child.wait().expect("it ends");
            told("lab", megabytes, "ok");
        } else {
            let output = child.wait_with_output().expect("it ended");
            told("lab", megabytes, &outcome(&output, &format!("lab with {megabytes} MB")));
        }
    }
}

#[expect(clippy::print_stderr, reason = "the table is for people who run this by hand")]
fn told(name: &str, megabytes: u64, said: &str) {
    eprintln!("{name:>8} {megabytes:>5} MB  {said}");
}

/// A model of 6 GiB in f32, whose file has no blocks on the disk: nothing but its header is read before it is refused.
fn large(folder: &Path) -> PathBuf {
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/models/llama");
    let model = folder.join("large");
    std::fs::create_dir(&model).expect("a folder");
    std::fs::copy(small.join("tokenizer.json"), model.join("tokenizer.json")).expect("a copy");
    let config = std::fs::read(small.join("config.json")).expect("a config");
    let mut config: serde_json::Value = serde_json::from_slice(&config).expect("JSON");
    let (vocabulary, width, inner) = (6 << 20, 128, 256);
    for (name, size) in [
        ("vocab_size", vocabulary),
        ("hidden_size", width),
        ("intermediate_size", inner),
        ("num_hidden_layers", 1),
        ("num_attention_heads", 2),
        ("num_key_value_heads", 2),
        ("head_dim", width / 2),
    ] {
        config[name] = size.into();
    }
    std::fs::write(model.join("config.json"), config.to_string()).expect("a file");
    let mut shapes = vec![("model.norm".to_owned(), vec![width])];
    shapes.extend(["model.embed_tokens", "lm_head"].map(|name| (name.to_owned(), vec![vocabulary, width])));
    let block = |name: &str, shape: &[usize]| (format!("model.layers.0.{name}"), shape.to_vec());
    shapes.extend(["input_layernorm", "post_attention_layernorm"].map(|name| block(name, &[width])));
    shapes.extend(["q", "k", "v", "o"].map(|name| block(&format!("self_attn.{name}_proj"), &[width, width])));
    shapes.extend(["gate", "up"].map(|name| block(&format!("mlp.{name}_proj"), &[inner, width])));
    shapes.push(block("mlp.down_proj", &[width, inner]));
    let (mut tensors, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in shapes {
        let bytes = 4 * shape.iter().product::<usize>();
        let tensor = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [end, end + bytes] });
        tensors.insert(format!("{name}.weight"), tensor);
        end += bytes;
    }
    let mut header = serde_json::Value::Object(tensors).to_string();
    header.extend(std::iter::repeat_n(' ', (8 - header.len() % 8) % 8));
    let mut file = std::fs::File::create(model.join("model.safetensors")).expect("a file");
    file.write_all(&(header.len() as u64).to_le_bytes()).expect("its length");
    file.write_all(header.as_bytes()).expect("its header");
    file.set_len((8 + header.len() + end) as u64).expect("a hole");
    model
}

#[test]
fn a_model_that_cannot_fit_is_refused_with_numbers_before_it_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = large(folder.path());
    let model = model.to_string_lossy();
    let question = ["The capital of France is", "--subject", "France"];
    let arguments = [&["trace", "--device", "cpu", "--model", &*model], &question[..]].concat();
    let start = std::time::Instant::now();
    let output = limited(2000, folder.path(), &arguments).output().expect("engram starts");
    let said = outcome(&output, "a model of 6 GiB in 2 GB");
    assert!(
        said.starts_with("error: out of memory: the model large needs ") && said.contains("MiB are free"),
        "{said}"
    );
    assert!(start.elapsed().as_secs() < 20, "its weights were read");

    // The same numbers before anything is loaded, and the same end.
    let told = |arguments: &[&str]| {
        let all = [&["doctor", "--device", "cpu", "--model", &*model], arguments].concat();
        limited(2000, folder.path(), &all).output().expect("engram starts")
    };
    let output = told(&[]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("does not fit: ") && text.contains("of main memory"), "{text}");
    assert!(text.contains("weights on the device") && text.contains("6.0 GiB") && text.contains("hint: "), "{text}");
    let output = told(&["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let device = &json["devices"][0];
    let fit = &device["fits"][0];
    assert_eq!((&device["works"], &fit["lack"]["of"]), (&false.into(), &"host".into()), "{json}");
    let needs = fit["lack"]["needs"].as_u64().expect("bytes");
    assert_eq!(Some(needs), fit["host"].as_u64());
    assert!(needs > fit["weights"].as_u64().expect("bytes"), "{json}");
    assert!(said.contains(&format!("{} MiB", needs.div_ceil(1 << 20))), "{said} and {needs} bytes");
}

/// A real model, where there is one.
#[test]
fn a_real_model_gives_a_result_or_a_message() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("ENGRAM_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("models/smollm2-135m-instruct");
    let gguf = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let Some(model) = gguf.filter(|path| path.extension().is_some_and(|end| end == "gguf")).min() else {
        told("SmolLM2", 0, "skipped: not in ENGRAM_SHARED or beside the workspace");
        return;
    };
    let model = model.to_string_lossy();
    let question = ["The capital of France is", "--subject", "France"];
    ladder("trace", &[&["trace", "--device", "cpu", "--model", &model], &question[..]].concat());
    let edit =
        ["edit", "--device", "cpu", "--steps", "2", "--layer", "5", "--target", "Paris", "--new", "Rome", "--model"];
    ladder("edit", &[&edit[..], &[&*model], &question[..]].concat());
}
