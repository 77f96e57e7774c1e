//! What is long or hidden in what a person gives, in arguments, in files and in records: it is told in a line, and soon.

use engram_core::record::{FactRecord, Outcome, Record};
use engram_core::{journal, text};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn engram(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("no-cache")).env("NO_COLOR", "1");
    command.env("COLUMNS", "100").output().expect("engram starts")
}

/// 100 kB that would recolour a terminal, turn lines round and begin new ones.
fn long() -> String {
    "\u{1b}[31mlong\n\u{202e}error: ".repeat(100_000 / 20)
}

/// A failure that is told in a few lines, whatever it is about.
fn told(what: &str, output: &Output) {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&both);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{what}: {:?} {}", output.status, text::clipped(&said, 2000));
    assert!(!said.is_empty() && said.len() < 12_000, "{what}: {} bytes", said.len());
    let hidden = said.chars().find(|c| *c != '\n' && text::is_hidden(*c));
    assert_eq!(hidden, None, "{what}: {said}");
    assert!(said.lines().filter(|line| line.starts_with("error: ")).count() <= 2, "{what}: {said}");
}

const COMMANDS: [&str; 11] =
    ["lab", "trace", "study", "edit", "compare", "export", "figure", "report", "verify", "train", "models"];

/// The options with a value that a command's help names.
fn options(folder: &Path, command: &str) -> Vec<String> {
    let help = engram(folder, &["help", command]).stdout;
    let lines = String::from_utf8_lossy(&help).into_owned();
    let named = |line: &str| {
        let (name, rest) = line.trim_start().split_once(' ')?;
        (name.starts_with('-') && rest.starts_with('<')).then(|| name.to_owned())
    };
    lines.lines().filter_map(named).collect()
}

#[test]
fn arguments_are_not_said_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = long();
    told("no command", &engram(folder.path(), &[&long]));
    told("no flag", &engram(folder.path(), &[&format!("--{long}")]));
    for command in COMMANDS {
        told(command, &engram(folder.path(), &[command, &long, &format!("--{long}")]));
        told(command, &engram(folder.path(), &[command, &format!("--{long}=1")]));
        let options = options(folder.path(), command);
        assert!(!options.is_empty(), "{command}");
        for option in options {
            // What else is missing is an error too; a lab would serve.
            let more: &[&str] = if command == "lab" { &["--site", "none"] } else { &["--no-such"] };
            told(&format!("{command} {option}"), &engram(folder.path(), &[&[command, &option, &long], more].concat()));
        }
    }
    for line in [&["models", "path", &long][..], &["models", "delete", &long], &["doctor", &long], &["demo", &long]] {
        told(line[0], &engram(folder.path(), line));
    }
    let model = ["trace", "a b", "--subject", "a", "--model", &long];
    told("a model", &engram(folder.path(), &model));
    told("a subject", &engram(folder.path(), &["trace", "a b", "--subject", &long, "--model", "engram-llama"]));
    told("a baseline", &engram(folder.path(), &["compare", &long, "--baseline", &long]));
}

#[test]
fn files_are_not_said_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).expect("written");
    let quoted = serde_json::to_string(&long()).expect("json");
    let facts = [
        format!("\"{}\",subject\na,b\n", long()),
        format!("prompt,subject,target_true\n\"{}\",x,y\n", long().replace('"', "")),
        format!("prompt,subject,target_true\n\"{}{{}}{{}}\",x,y\n", long()),
        format!("[{{{quoted}: 1}}]"),
        format!("[{{\"subject\": {quoted}, \"prompt\": \"a\", \"attribute\": \"b\"}}]"),
        format!("[{{\"requested_rewrite\": {{\"prompt\": {quoted}, \"subject\": \"zz\", \"target_true\": 1}}}}]"),
        format!("[{quoted}]"),
        long(),
    ];
    for (at, content) in facts.iter().enumerate() {
        put("facts.json", content);
        let line = ["study", "--facts", "facts.json", "--model", "engram-llama", "--device", "cpu", "--out", "out"];
        told(&format!("facts {at}"), &engram(folder.path(), &line));
    }
    let records = [
        long(),
        quoted.clone(),
        format!("{{\"engram\": {quoted}}}"),
        format!("{{\"engram\": 1, \"settings\": {quoted}}}"),
        format!("{{\"engram\": 1, \"facts\": [{{\"id\": {quoted}}}]}}"),
        format!("{{\"engram\": 1, \"facts\": [{{\"id\": \"a\", \"outcome\": {{{quoted}: 1}}}}]}}"),
        format!("<!doctype html>{}", long()),
    ];
    for (at, content) in records.iter().enumerate() {
        put("a.engram.json", content);
        for command in ["compare", "verify", "report", "export"] {
            let out: &[&str] = if matches!(command, "report" | "export") { &["-o", "out"] } else { &[] };
            let line = [&[command, "a.engram.json"], out].concat();
            told(&format!("{command} of record {at}"), &engram(folder.path(), &line));
        }
    }
    let configs = [
        format!("{{\"model_type\": {quoted}}}"),
        format!("{{\"model_type\": \"llama\", \"hidden_size\": {quoted}}}"),
        format!("{{{quoted}: 1}}"),
        long(),
    ];
    std::fs::create_dir(folder.path().join("model")).expect("a folder");
    put("model/model.safetensors", "\u{2}\0\0\0\0\0\0\0{}");
    let line = ["trace", "a b", "--subject", "a", "--model", "./model", "--device", "cpu"];
    for (at, content) in configs.iter().enumerate() {
        put("model/config.json", content);
        put("model/tokenizer.json", content);
        told(&format!("config {at}"), &engram(folder.path(), &line));
    }
    put("model/config.json", "{\"model_type\": \"llama\"}");
    let header = format!("{{{quoted}: {{\"dtype\": {quoted}, \"shape\": [1], \"data_offsets\": [0, 4]}}}}");
    let length = (header.len() as u64).to_le_bytes();
    let weights = [&length[..], header.as_bytes(), &[0; 4]].concat();
    std::fs::write(folder.path().join("model/model.safetensors"), weights).expect("written");
    told("a tensor's name", &engram(folder.path(), &line));
    put("recipe.toml", &format!("name = {quoted}\n[{quoted}]\n"));
    put("text.txt", "a b c");
    told(
        "a recipe",
        &engram(
            folder.path(),
            &["train", "recipe.toml", "--facts", "recipe.toml", "--text", "text.txt", "--out", "out"],
        ),
    );
}

/// A small record whose texts are so long.
fn of_length(word: &str, bytes: usize) -> Record {
    let long = word.repeat(bytes / word.len());
    let mut record = journal::from_bytes("example", example().as_bytes()).expect("the example");
    record.model.name = long.clone();
    record.program = long.clone();
    record.device.name = long.clone();
    record.source.name = long.clone();
    let texts = |fact: &mut FactRecord| {
        for text in [&mut fact.id, &mut fact.relation, &mut fact.prompt, &mut fact.subject, &mut fact.target_true] {
            *text = long.clone();
        }
        if let Outcome::Validated(traced) = &mut fact.outcome {
            traced.tokens.iter_mut().for_each(|token| *token = long.clone());
        }
    };
    record.facts.iter_mut().for_each(texts);
    record
}

/// The example of docs/RECORD.md.
fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/RECORD.md");
    let text = std::fs::read_to_string(path).expect("docs/RECORD.md");
    let (_, rest) = text.split_once("```json\n").expect("an example");
    rest.split_once("```").expect("its end").0.to_owned()
}

#[test]
fn texts_of_a_megabyte_take_no_square() {
    for word in ["x", "long ", "\u{202e}é", "org/"] {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, bytes: usize| {
            let json = journal::to_json(&of_length(word, bytes)).expect("json");
            std::fs::write(folder.path().join(name), json).expect("written");
        };
        for (name, bytes) in [("a", 1_000_000), ("b", 1_000_000), ("c", 200_000)] {
            put(&format!("{name}.engram.json"), bytes);
        }
        // A page has every name some thirty times, so its own are shorter.
        let lines = [
            "compare a.engram.json b.engram.json",
            "compare a.engram.json b.engram.json --format md",
            "compare a.engram.json b.engram.json --format csv",
            "compare a.engram.json b.engram.json --format json",
            "verify a.engram.json",
            "report c.engram.json -o page.html",
            "export c.engram.json -o out",
            "verify page.html",
        ];
        for line in lines {
            let start = Instant::now();
            let output = engram(folder.path(), &line.split(' ').collect::<Vec<_>>());
            let took = start.elapsed();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{line}: {:?} {said}", output.status);
            assert!(took < Duration::from_secs(20), "{line} of `{word}`: {took:?}");
            assert!(said.len() < 12_000, "{line}: {} bytes", said.len());
            if !line.contains("--format") {
                assert!(output.stdout.len() < 50_000, "{line}: {} bytes", output.stdout.len());
            }
        }
    }
}

/// What a run that was killed has left beside the files that it was writing goes when they are written again.
#[test]
fn temporaries_of_the_dead_go() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.engram.json"), example()).expect("written");
    let left = [
        ".page.html.4711.tmp",
        "out/.tables.json.a1B2c3.tmp",
        "out/.export.json.99.tmp",
        "out/tables/.table-1.md.1.tmp",
    ];
    std::fs::create_dir_all(folder.path().join("out/tables")).expect("a folder");
    for name in left {
        std::fs::write(folder.path().join(name), "half").expect("written");
    }
    let run = |line: &str| {
        let output = engram(folder.path(), &line.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("report a.engram.json -o page.html");
    run("export a.engram.json -o out --force");
    for name in left {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}
