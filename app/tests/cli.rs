//! The program as a person meets it: help, refusals, streams and exit codes.

use engram_core::record::{
    DeviceInfo, FactRecord, FactSource, ModelInfo, Outcome, PatchPosition, Record, Settings, Traced,
};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `engram` in an empty folder with a few known files, without colour and 80 columns wide.
fn engram(arguments: &[&str]) -> Output {
    engram_with(arguments, &[("COLUMNS", "80")])
}

fn engram_with(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect(name);
    write("facts.json", "[]");
    write("notes.txt", "not a model");
    std::fs::create_dir(folder.path().join("model")).expect("a folder");
    std::fs::create_dir(folder.path().join("full")).expect("a folder");
    write("full/file", "");
    run_in(folder.path(), arguments, environment)
}

fn run_in(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "COLUMNS", "CI", "HF_HOME", "HF_HUB_CACHE"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied()).output().expect("engram starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a person sees: the exit code and both streams.
fn seen(output: &Output) -> String {
    let part = |name: &str, bytes: &[u8]| match text(bytes).trim_end() {
        "" => String::new(),
        told => format!("\n-- {name}\n{told}"),
    };
    let code = output.status.code().map_or_else(|| "none".into(), |code| code.to_string());
    format!("exit code {code}{}{}", part("stdout", &output.stdout), part("stderr", &output.stderr))
}

/// Snapshots under a name, free of what differs between machines and releases.
fn snapshot(name: &str, output: &Output) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.add_filter(env!("CARGO_PKG_VERSION"), "[version]");
    settings.add_filter(r"engram\.exe", "engram");
    settings.bind(|| insta::assert_snapshot!(name, seen(output)));
}

#[test]
fn alone_it_greets() {
    snapshot("welcome", &engram(&[]));
}

const COMMANDS: [&str; 16] = [
    "demo", "lab", "serve", "trace", "study", "edit", "merge", "slurm", "compare", "report", "export", "figure",
    "verify", "train", "models", "doctor",
];

#[test]
fn every_help_page() {
    snapshot("help", &engram(&["--help"]));
    for command in COMMANDS {
        let output = engram(&["help", command]);
        assert!(output.status.success() && output.stderr.is_empty());
        snapshot(&format!("help-{command}"), &output);
        assert_eq!(output.stdout, engram(&[command, "--help"]).stdout, "{command}");
    }
}

#[test]
fn help_fits_the_terminal() {
    for (columns, limit) in [("60", 60), ("80", 80), ("120", 100)] {
        for command in COMMANDS {
            let output = engram_with(&["help", command], &[("COLUMNS", columns)]);
            let text = text(&output.stdout);
            // Examples are commands to copy, which no terminal width may break.
            let (flags, _) = text.split_once("Examples:").expect("examples");
            let long = flags.lines().find(|line| !line.starts_with("Usage") && line.chars().count() > limit);
            assert_eq!(long, None, "{command} at {columns}");
            assert!(columns == "60" || text.lines().all(|line| line.chars().count() <= 100), "{command}");
        }
    }
}

#[test]
fn the_version() {
    snapshot("version", &engram(&["--version"]));
}

#[test]
fn doctor_tells_what_a_model_takes() {
    let told = |more: &[&str]| engram(&[&["doctor", "--model", "engram-llama", "--device", "cpu"], more].concat());
    let output = told(&[]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", seen(&output));
    for part in ["What it takes on the CPU", "f32", "weights on the device", "planned batch", "fits in f32: "] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("largest binding"), "the CPU binds nothing: {shown}");
    let json: serde_json::Value = serde_json::from_slice(&told(&["--json"]).stdout).expect("JSON");
    let devices = json["devices"].as_array().expect("devices");
    assert_eq!((devices.len(), &devices[0]["works"]), (1, &true.into()), "{json}");
    let fit = &devices[0]["fits"][0];
    let number = |name: &str| fit[name].as_u64().unwrap_or_else(|| panic!("{name}: {fit}"));
    assert!(number("host") > number("weights") && number("weights") > number("largest"), "{fit}");
    assert!(number("batch") >= number("smallest_batch") && number("rows") >= 64, "{fit}");

    let half = told(&["--precision", "f16"]);
    assert_eq!(half.status.code(), Some(1), "{}", seen(&half));
    assert!(text(&half.stdout).contains("the CPU backend computes in f32 only"), "{}", seen(&half));
    let alone = engram(&["doctor", "--precision", "f16"]);
    assert_eq!(alone.status.code(), Some(2), "a precision of no model: {}", seen(&alone));
}

/// Lines that must be refused with exit code 2, nothing on stdout, an error and a hint.
const REFUSED: &[(&str, &[&str])] = &[
    ("unknown-command", &["trce"]),
    ("train-no-recipe", &["train", "notes.txt", "--facts", "facts.json", "--text", "notes.txt", "--out", "new"]),
    (
        "train-out-is-a-file",
        &["train", "notes.txt", "--facts", "facts.json", "--text", "notes.txt", "--out", "notes.txt"],
    ),
    ("bundled-has-no-folder", &["models", "path", "engram-llama"]),
    ("unknown-flag", &["doctor", "--jsn"]),
    ("bad-color", &["doctor", "--color", "sometimes"]),
    ("quiet-and-verbose", &["doctor", "-q", "-v"]),
    ("trace-nothing", &["trace"]),
    ("trace-model-missing", &["trace", "The capital of France is", "--subject", "France"]),
    ("trace-empty-subject", &["trace", "The capital of France is", "--subject", " ", "--model", "a/b"]),
    ("trace-empty-prompt", &["trace", "", "--subject", "France", "--model", "a/b"]),
    ("trace-other-subject", &["trace", "The capital of France is", "--subject", "Spain", "--model", "a/b"]),
    ("trace-subject-case", &["trace", "The capital of France is", "--subject", "france", "--model", "a/b"]),
    ("trace-only-subject", &["trace", "France", "--subject", "France", "--model", "a/b"]),
    ("trace-two-places", &["trace", "{} and {}", "--subject", "France", "--model", "a/b"]),
    (
        "trace-same-targets",
        &["trace", "{} is", "--subject", "x", "--target", "a", "--target-new", " a", "--model", "a/b"],
    ),
    ("trace-no-such-folder", &["trace", "{} is", "--subject", "x", "--model", "./nowhere"]),
    ("trace-not-a-model", &["trace", "{} is", "--subject", "x", "--model", "notes.txt"]),
    ("trace-strange-id", &["trace", "{} is", "--subject", "x", "--model", "a/b/c"]),
    ("trace-unknown-reading", &["trace", "{} is", "--subject", "x", "--model", "a/b", "--positions", "subject-first"]),
    (
        "trace-reading-twice",
        &["trace", "{} is", "--subject", "x", "--model", "a/b", "--positions", "last-token,last-token"],
    ),
    ("trace-flag-twice", &["trace", "{} is", "--subject", "x", "--subject", "y", "--model", "a/b"]),
    ("trace-window-0", &["trace", "{} is", "--subject", "x", "--model", "a/b", "--window", "0"]),
    (
        "trace-noise-with-text",
        &["trace", "{} is", "--subject", "x", "--model", "a/b", "--corruption", "noise", "--replace-with", "y"],
    ),
    ("trace-no-tokenizer", &["trace", "{} is", "--subject", "x", "--model", "a/b", "--tokenizer", "none.json"]),
    ("trace-bad-device", &["trace", "{} is", "--subject", "x", "--model", "a/b", "--device", "tpu"]),
    ("trace-value-missing", &["trace", "{} is", "--subject"]),
    ("study-n-0", &["study", "--model", "a/b", "--facts", "facts.json", "-n", "0", "--out", "out"]),
    ("study-n-word", &["study", "--model", "a/b", "--facts", "facts.json", "-n", "many", "--out", "out"]),
    ("study-no-facts", &["study", "--model", "a/b", "--facts", "none.json", "--out", "out"]),
    ("study-facts-folder", &["study", "--model", "a/b", "--facts", "model", "--out", "out"]),
    ("study-out-is-a-file", &["study", "--model", "a/b", "--facts", "facts.json", "--out", "notes.txt"]),
    ("study-model-twice", &["study", "--model", "a/b", "a/b", "--facts", "facts.json", "--out", "out"]),
    ("study-stage-4", &["study", "--model", "a/b", "--facts", "facts.json", "--out", "out", "--stages", "1,4"]),
    ("study-no-stage-1", &["study", "--model", "a/b", "--facts", "facts.json", "--out", "out", "--stages", "3"]),
    ("study-edit-layer-0", &["study", "--model", "a/b", "--facts", "facts.json", "--out", "out", "--edit-layer", "0"]),
    (
        "study-edit-reading",
        &["study", "--model", "a/b", "--facts", "facts.json", "--out", "out", "--edit-position", "same-index"],
    ),
    (
        "study-one-tokenizer",
        &["study", "--model", "a/b", "c/d", "--facts", "facts.json", "--out", "out", "--tokenizer", "facts.json"],
    ),
    ("study-bad-answer", &["study", "--model", "a/b", "--facts", "facts.json", "--out", "out", "--answer", "all"]),
    ("edit-no-new", &["edit", "{} is", "--subject", "x", "--target", "a", "--model", "a/b"]),
    ("edit-same", &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "a", "--model", "a/b"]),
    (
        "edit-epsilon",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--epsilon", "-0.1"],
    ),
    ("edit-eta", &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--eta", "nan"]),
    (
        "edit-layer-0",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--layer", "0"],
    ),
    (
        "edit-steps-0",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--steps", "0"],
    ),
    (
        "edit-delta-name",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--save-delta", "d.bin"],
    ),
    (
        "edit-delta-folder",
        &[
            "edit",
            "{} is",
            "--subject",
            "x",
            "--target",
            "a",
            "--new",
            "b",
            "--model",
            "a/b",
            "--save-delta",
            "no/d.safetensors",
        ],
    ),
    (
        "edit-model-full",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--save-model", "full"],
    ),
    (
        "edit-lora-full",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--save-lora", "full"],
    ),
    (
        "edit-lora-ft-m",
        &[
            "edit",
            "{} is",
            "--subject",
            "x",
            "--target",
            "a",
            "--new",
            "b",
            "--model",
            "a/b",
            "--method",
            "ft-m",
            "--save-lora",
            "new",
        ],
    ),
    (
        "edit-one-folder",
        &[
            "edit",
            "{} is",
            "--subject",
            "x",
            "--target",
            "a",
            "--new",
            "b",
            "--model",
            "a/b",
            "--save-lora",
            "new",
            "--save-model",
            "new",
        ],
    ),
    (
        "edit-load-missing",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--load", "none"],
    ),
    (
        "edit-load-and-method",
        &[
            "edit",
            "{} is",
            "--subject",
            "x",
            "--target",
            "a",
            "--new",
            "b",
            "--model",
            "a/b",
            "--load",
            "model",
            "--method",
            "rome",
        ],
    ),
    (
        "edit-load-and-steps",
        &[
            "edit",
            "{} is",
            "--subject",
            "x",
            "--target",
            "a",
            "--new",
            "b",
            "--model",
            "a/b",
            "--load",
            "model",
            "--steps",
            "3",
        ],
    ),
    (
        "edit-emit-no-file",
        &["edit", "{} is", "--subject", "x", "--target", "a", "--new", "b", "--model", "a/b", "--emit", "transformers"],
    ),
    ("trace-emit-what", &["trace", "{} is", "--subject", "x", "--model", "a/b", "--emit", "jax"]),
    ("trace-cell-alone", &["trace", "{} is", "--subject", "x", "--model", "a/b", "--cell", "1"]),
    ("trace-ablation-alone", &["trace", "{} is", "--subject", "x", "--model", "a/b", "--ablation", "1"]),
    (
        "trace-head-at-a-token",
        &["trace", "{} is", "--subject", "x", "--model", "a/b", "--emit", "transformers", "--cell", "1:3:head.2"],
    ),
    (
        "trace-cell-name",
        &["trace", "{} is", "--subject", "x", "--model", "a/b", "--emit", "transformers", "--cell", "x"],
    ),
    (
        "trace-emit-noise",
        &["trace", "{} is", "--subject", "x", "--model", "a/b", "--emit", "transformers", "--corruption", "noise"],
    ),
    ("lab-no-such-folder", &["lab", "--no-open", "--site", "none"]),
    ("lab-site-is-a-file", &["lab", "--no-open", "--site", "notes.txt"]),
    ("lab-site-without-a-page", &["lab", "--no-open", "--site", "model"]),
    ("lab-port-word", &["lab", "--port", "http"]),
    ("lab-port-too-high", &["lab", "--port", "65536"]),
    ("compare-nothing", &["compare"]),
    ("compare-missing", &["compare", "none.engram.json"]),
    ("compare-empty-folder", &["compare", "model"]),
    ("compare-format", &["compare", "facts.json", "--format", "xml"]),
    ("compare-reading", &["compare", "facts.json", "--position", "first"]),
    ("compare-twice", &["compare", "facts.json", "facts.json"]),
    ("export-nothing", &["export", "-o", "out"]),
    ("export-nowhere", &["export", "facts.json"]),
    ("export-missing", &["export", "none.engram.json", "-o", "out"]),
    ("export-no-record", &["export", "facts.json", "-o", "out"]),
    ("export-out-is-a-file", &["export", "facts.json", "-o", "notes.txt"]),
    ("export-part", &["export", "facts.json", "-o", "out", "--only", "tables,all"]),
    ("export-part-twice", &["export", "facts.json", "-o", "out", "--only", "tables,tables"]),
    ("verify-nothing", &["verify"]),
    ("verify-missing", &["verify", "none.engram.json"]),
    ("verify-tolerance", &["verify", "facts.json", "--tolerance", "2"]),
    ("verify-model", &["verify", "facts.json", "--model", "./nowhere"]),
    ("verify-facts", &["verify", "facts.json", "--facts", "none.json"]),
    ("verify-tokenizer", &["verify", "facts.json", "--tokenizer", "facts.json"]),
];

#[test]
fn refusals_say_what_and_what_next() {
    let mut all = String::new();
    for (name, arguments) in REFUSED {
        let output = engram(arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {told}");
        assert!(output.stdout.is_empty(), "{name}");
        assert!(told.starts_with("error: ") && told.contains("\nhint: "), "{name}: {told}");
        assert!(told.lines().all(|line| line.chars().count() <= 160), "{name}: {told}");
        all.push_str(&format!("# {name}: engram {}\n{told}\n", arguments.join(" ")));
    }
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!("refusals", all);
    });
}

#[test]
fn quiet_still_tells_errors() {
    let output = engram(&["--quiet", "compare", "none.engram.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("error: "));
}

#[test]
fn colour_follows_the_flag_then_the_environment() {
    let coloured = |arguments: &[&str], environment: &[(&str, &str)]| {
        let output = engram_with(arguments, environment);
        text(&output.stderr).contains('\u{1b}') || text(&output.stdout).contains('\u{1b}')
    };
    let line = ["compare", "none.engram.json"];
    assert!(!coloured(&line, &[]), "a pipe is no terminal");
    assert!(coloured(&["--color", "always", line[0], line[1]], &[("NO_COLOR", "1")]));
    assert!(coloured(&["--color=always", "--help"], &[]));
    assert!(!coloured(&["--color", "never", line[0], line[1]], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&line, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
}

#[test]
fn a_reader_who_leaves_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_engram"))
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("engram starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("engram ends");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty());
}

/// A small record as `engram study` writes it.
fn record(name: &str, late: bool) -> Record {
    let fact = |order: usize| {
        let peak = if late { 3 } else { order % 3 };
        let curve = |at: usize| (0..4).map(|l| if l == at { 0.5 } else { 0.125 }).collect::<Vec<f32>>();
        let traced = Traced {
            p_clean: 0.75,
            p_corrupt: 0.0625,
            p_false: 0.001,
            patched: [(PatchPosition::SubjectLast, curve(peak)), (PatchPosition::LastToken, curve(3))].into(),
            without_block: vec![0.5; 4],
            without_attention: vec![0.625; 4],
            without_mlp: vec![0.6875; 4],
            ..Traced::default()
        };
        FactRecord {
            order,
            id: order.to_string(),
            relation: "P36".into(),
            prompt: "The capital of France is".into(),
            subject: "France".into(),
            target_true: "Paris".into(),
            target_new: "Rome".into(),
            answer_ids: Default::default(),
            outcome: Outcome::Validated(Box::new(traced)),
        }
    };
    Record {
        engram: engram_core::record::VERSION,
        program: "0.0.0".into(),
        settings: Settings { n: 4, stages: vec![1], ..Settings::default() },
        model: ModelInfo { name: name.into(), layers: 4, parameters: 1_000_000, ..ModelInfo::default() },
        device: DeviceInfo::default(),
        source: FactSource::default(),
        facts: (0..4).map(fact).collect(),
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    }
}

/// Two records in a folder.
fn studies() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, late) in [("owner/early", false), ("owner/late", true)] {
        let file = folder.path().join(name.replace('/', "-") + ".engram.json");
        engram_core::journal::write(&file, &record(name, late)).expect("a record");
    }
    folder
}

#[test]
fn records_side_by_side() {
    let folder = studies();
    let compare = |more: &[&str]| {
        let arguments: Vec<&str> = ["compare", "."].iter().chain(more).copied().collect();
        run_in(folder.path(), &arguments, &[("COLUMNS", "120")])
    };
    snapshot("compare-table", &compare(&[]));
    snapshot("compare-md", &compare(&["--format", "md", "--position", "subject-last", "--baseline", "early"]));
    snapshot("compare-csv", &compare(&["--format", "csv"]));
    let json = compare(&["--format", "json", "--argmax-always", "--redundancy", "mean-of-clipped"]);
    let tables: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert!(tables.as_array().is_some_and(|tables| tables.len() >= 3));

    let unknown = compare(&["--baseline", "other"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("owner/early, owner/late"));
    let absent = compare(&["--position", "same-index"]);
    assert_eq!(absent.status.code(), Some(2));
    assert!(text(&absent.stderr).contains("it has: subject-last, last-token"));
}

#[test]
fn an_empty_cache_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().to_string_lossy().into_owned();
    let models = |arguments: &[&str]| run_in(folder.path(), arguments, &[("HF_HOME", &home)]);
    let list = models(&["models"]);
    assert!(list.status.success() && text(&list.stdout).contains("engram-llama-large"));
    assert!(text(&list.stderr).contains("no models are downloaded"));
    let json = text(&models(&["models", "list", "--json"]).stdout);
    let all: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
    assert!(all.len() == 6 && all.iter().all(|model| model["revision"] == "bundled"), "{json}");
    assert!(models(&["--quiet", "models"]).stderr.is_empty());
    for action in ["path", "delete"] {
        let missing = models(&["models", action, "owner/name"]);
        assert_eq!(missing.status.code(), Some(2));
        assert!(text(&missing.stderr).contains("hint: no models are downloaded"));
    }
}
