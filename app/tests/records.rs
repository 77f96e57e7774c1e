//! `engram export` and `engram verify` on the record of a real study, as a person runs them, and on what is no record.

mod common;

use common::{python, skipped};
use engram_core::journal;
use engram_core::metrics::mean_sufficiency;
use engram_core::record::{PatchPosition, Record, Traced};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, RowAccessor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

fn engram(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    for name in ["CLICOLOR_FORCE", "COLORTERM"] {
        command.env_remove(name);
    }
    // No cache and no network: whoever asks for either fails here.
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("no-cache")).env("NO_COLOR", "1");
    command.env("COLUMNS", "100").output().expect("engram starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A study of a bundled model with maps, edits and both patch positions.
static STUDY: LazyLock<(Record, Vec<u8>)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let line = "study --model engram-llama --facts bundled -n 8 --maps 1 --edit-facts 1 --device cpu --out out";
    let output = engram(folder.path(), &line.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let path = folder.path().join("out/engram-llama.engram.json");
    (journal::read(&path).expect("a record").record, std::fs::read(&path).expect("a record"))
});

/// A folder with the study's record in it.
fn study() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.engram.json"), &STUDY.1).expect("written");
    folder
}

#[test]
fn an_export_holds_everything() {
    let folder = study();
    let output = engram(folder.path(), &["export", "a.engram.json", "-o", "new/out"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let listed: Vec<PathBuf> = text(&output.stdout).lines().map(|line| folder.path().join(line)).collect();
    assert!(listed.iter().all(|path| path.is_file()), "{listed:?}");
    let root = folder.path().join("new/out");
    for name in ["tables.json", "facts.parquet", "curves.parquet", "maps.parquet", "lens.parquet", "edits.parquet"] {
        assert!(listed.contains(&root.join(name)), "{name}: {listed:?}");
    }
    for number in 1..=4 {
        for end in ["csv", "md", "tex"] {
            assert!(listed.contains(&root.join(format!("tables/table-{number}.{end}"))), "{number}.{end}");
        }
    }
    assert_eq!(std::fs::read(root.join("records/engram-llama.engram.json")).expect("a record"), STUDY.1);
    let compared = engram(folder.path(), &["compare", "a.engram.json", "--format", "json"]);
    let tables = std::fs::read(root.join("tables.json")).expect("tables");
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("JSON");
    assert_eq!(json(&tables), json(&compared.stdout));

    // The same folder again; another one with things in it only by force; parts; JSON.
    assert!(engram(folder.path(), &["export", "a.engram.json", "-o", "new/out", "--quiet"]).status.success());
    let refused = engram(folder.path(), &["export", "a.engram.json", "-o", "."]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--force"), "{}", text(&refused.stderr));
    let line =
        ["export", "a.engram.json", "-o", ".", "--force", "--only", "records", "--json", "--position", "last-token"];
    let forced = engram(folder.path(), &line);
    let written = json(&forced.stdout);
    assert_eq!(written.as_array().map(Vec::len), Some(2), "the record and its schema: {written}");
    assert_eq!(written[0]["bytes"], STUDY.1.len(), "a patch position is no reason to change a record");
    let file = engram(folder.path(), &["export", "a.engram.json", "-o", "a.engram.json/out"]);
    assert_eq!(file.status.code(), Some(1));
    assert!(text(&file.stderr).contains("hint: "), "{}", text(&file.stderr));
}

/// Every value of curves.parquet is the record's, bit for bit, and there is no other.
#[test]
fn parquet_has_the_bits_of_the_record() {
    let folder = study();
    let output = engram(folder.path(), &["export", ".", "-o", "out", "--only", "parquet"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut wanted: BTreeMap<(i64, String, String, i64), Option<u32>> = BTreeMap::new();
    let mut put = |order: usize, quantity: &str, position: &str, values: Vec<Option<f32>>| {
        for (at, p) in values.into_iter().enumerate() {
            let key = (order as i64, quantity.to_owned(), position.to_owned(), at as i64 + 1);
            wanted.insert(key, p.map(f32::to_bits));
        }
    };
    let some = |values: &[f32]| values.iter().copied().map(Some).collect::<Vec<_>>();
    for (fact, traced) in STUDY.0.validated() {
        for (position, curve) in &traced.patched {
            put(fact.order, "patched", position.name(), some(curve));
        }
        for (position, curve) in &traced.redundancy {
            put(fact.order, "redundancy", position.name(), curve.patched.clone());
        }
        put(fact.order, "without_block", "", some(&traced.without_block));
        put(fact.order, "without_attention", "", some(&traced.without_attention));
        put(fact.order, "without_mlp", "", some(&traced.without_mlp));
    }
    let file = std::fs::File::open(folder.path().join("out/curves.parquet")).expect("curves");
    let reader = SerializedFileReader::new(file).expect("parquet");
    let names: Vec<String> =
        reader.metadata().file_metadata().schema_descr().columns().iter().map(|c| c.name().to_owned()).collect();
    assert_eq!(names, ["study", "order", "id", "quantity", "reading", "ablated", "layer", "p"]);
    let mut rows = 0;
    for row in reader.get_row_iter(None).expect("rows") {
        let row = row.expect("a row");
        let position = row.get_string(4).cloned().unwrap_or_default();
        let key = (
            row.get_long(1).expect("order"),
            row.get_string(3).expect("quantity").clone(),
            position,
            row.get_long(6).expect("layer"),
        );
        let p = match row.get_column_iter().nth(7) {
            Some((_, Field::Float(p))) => Some(p.to_bits()),
            _ => None,
        };
        assert_eq!(wanted.get(&key), Some(&p), "{key:?}");
        rows += 1;
    }
    assert_eq!(rows, wanted.len());
}

/// The columns that docs/RECORD.md names are those of the files.
#[test]
fn the_columns_are_the_documented_ones() {
    let folder = study();
    assert!(engram(folder.path(), &["export", ".", "-o", "out", "--only", "parquet"]).status.success());
    let document = document();
    let mut files = 0;
    for entry in folder.path().join("out").read_dir().expect("files") {
        let path = entry.expect("a file").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".parquet") {
            continue;
        }
        files += 1;
        let row = document.lines().find(|line| line.starts_with(&format!("| `{name}`"))).expect(&name);
        let reader = SerializedFileReader::new(std::fs::File::open(&path).expect("a file")).expect("parquet");
        for column in reader.metadata().file_metadata().schema_descr().columns() {
            assert!(row.contains(&format!("`{}`", column.name())), "{name}: {}", column.name());
        }
    }
    assert_eq!(files, 7);
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/RECORD.md");
    std::fs::read_to_string(path).expect("docs/RECORD.md")
}

/// The five lines of docs/RECORD.md give the numbers that the program shows.
#[test]
fn pandas_gives_the_same_means() {
    let Some(python) = python("pandas, pyarrow") else {
        return skipped("no Python with pandas and pyarrow here; `cargo xtask setup` installs them");
    };
    let folder = study();
    assert!(engram(folder.path(), &["export", ".", "-o", "export"]).status.success());
    let document = document();
    let (_, rest) = document.split_once("```python\n").expect("a block");
    let code = rest.split_once("```").expect("its end").0;
    let output = Command::new(python).current_dir(folder.path()).args(["-c", code]).output().expect("python starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("study,reading,layer,sufficiency"));
    let found: BTreeMap<String, f64> = lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (key, value) = line.rsplit_once(',').expect("four columns");
            (key.to_owned(), value.parse().expect("a number"))
        })
        .collect();
    let record = &STUDY.0;
    let facts: Vec<&Traced> = record.validated().map(|(_, traced)| traced).collect();
    let mut compared = 0;
    for position in [PatchPosition::SubjectLast, PatchPosition::LastToken] {
        for (at, mean) in mean_sufficiency(&facts, record.model.layers, position).iter().enumerate() {
            let key = format!("{},{},{}", record.model.name, position.name(), at + 1);
            assert!((found[&key] - mean.mean).abs() < 1e-12, "{key}: {} and {}", found[&key], mean.mean);
            compared += 1;
        }
    }
    assert_eq!((compared, found.len()), (16, 16));
}

/// Runs `engram verify --json` and gives the exit code and the report of the only record.
fn verify(folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let arguments: Vec<&str> = ["verify", "a.engram.json", "--json"].iter().chain(more).copied().collect();
    let output = engram(folder, &arguments);
    let reports: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (output.status.code(), reports[0].clone())
}

fn failed(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().expect("checks");
    checks.iter().filter(|check| check["state"] == "failed").filter_map(|check| check["name"].as_str()).collect()
}

/// The study's record with a change in it.
fn changed(change: impl Fn(&mut Value)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut record = serde_json::from_slice(&STUDY.1).expect("JSON");
    change(&mut record);
    std::fs::write(folder.path().join("a.engram.json"), record.to_string()).expect("written");
    folder
}

#[test]
fn a_study_verifies_and_computes_again() {
    let folder = study();
    let (code, report) = verify(folder.path(), &["--rerun", "3", "--device", "cpu"]);
    assert_eq!((code, failed(&report).len()), (Some(0), 0), "{report:#}");
    let names: Vec<&str> =
        report["checks"].as_array().expect("checks").iter().filter_map(|check| check["name"].as_str()).collect();
    for wanted in ["model", "fact source", "computed again", "again: patched last-token", "again: lens p_true"] {
        assert!(names.contains(&wanted), "{wanted}: {names:?}");
    }
    let digest = engram_core::verify::digest(&STUDY.0).expect("digest");
    assert_eq!(report["sha256"], digest);

    // Packed, as text, and again from what was exported: the same record.
    let packed = journal::to_json_gz(&STUDY.0).expect("gzip");
    std::fs::write(folder.path().join("b.engram.json.gz"), packed).expect("written");
    let output = engram(folder.path(), &["verify", "."]);
    let told = text(&output.stdout);
    assert_eq!((output.status.code(), told.matches(&digest).count()), (Some(0), 2), "{told}");
    assert!(told.contains("2 records: every check that could be made holds"), "{told}");
}

#[test]
fn a_forged_number_is_found() {
    // Too small a change for any check within the record; the model gives it away.
    let forged = changed(|record| record["facts"][0]["without_mlp"][2] = 0.123.into());
    let (code, report) = verify(forged.path(), &[]);
    assert_eq!((code, failed(&report).len()), (Some(0), 0), "{report:#}");
    let (code, report) = verify(forged.path(), &["--rerun", "1", "--device", "cpu"]);
    assert_eq!((code, failed(&report)), (Some(1), vec!["again: without_mlp"]), "{report:#}");
    let told = report["checks"].to_string();
    assert!(told.contains("layer 3: 0.123 recorded"), "{told}");
    let (code, _) = verify(forged.path(), &["--rerun", "1", "--device", "cpu", "--tolerance", "1"]);
    assert_eq!(code, Some(0));

    let (code, report) = verify(changed(|record| record["facts"][0]["p_clean"] = 1.5.into()).path(), &[]);
    assert_eq!(code, Some(1));
    assert!(failed(&report).contains(&"probabilities within 0 to 1"), "{report:#}");
    let other = changed(|record| record["model"]["weights_sha256"] = "00".into());
    let (code, report) = verify(other.path(), &["--rerun", "1"]);
    assert_eq!((code, failed(&report)), (Some(1), vec!["model"]), "{report:#}");
    let fact = changed(|record| record["facts"][1]["target_new"] = "elsewhere".into());
    assert_eq!(failed(&verify(fact.path(), &[]).1), ["facts are the source's in its seeded order"]);
}

#[test]
fn what_is_not_at_hand_is_not_checked() {
    let strange = changed(|record| {
        record["model"]["name"] = "owner/unknown".into();
        record["source"]["sha256"] = "00".into();
    });
    let (code, report) = verify(strange.path(), &["--rerun", "2"]);
    assert_eq!(code, Some(0), "{report:#}");
    let checks = report["checks"].as_array().expect("checks");
    let left: Vec<&str> = checks
        .iter()
        .filter(|check| check["state"] == "not-checked")
        .filter_map(|check| check["name"].as_str())
        .collect();
    assert_eq!(left, ["fact source", "model", "computed again"]);
    // Named, the model is the record's own; the facts are not.
    let (code, report) = verify(strange.path(), &["--model", "engram-llama", "--facts", "bundled"]);
    assert_eq!((code, failed(&report)), (Some(1), vec!["fact source"]), "{report:#}");
}

/// What no study wrote: each ends at once, with a report and exit code 1, and no panic.
#[test]
fn hostile_records_are_told_apart() {
    let whole = text(&STUDY.1);
    let hostile: Vec<(&str, String)> = vec![
        ("truncated", whole[..whole.len() / 2].to_owned()),
        ("empty", String::new()),
        ("another file", "<html></html>".into()),
        ("a newer version", whole.replacen("\"engram\":1", "\"engram\":999", 1)),
        ("version 0", whole.replacen("\"engram\":1", "\"engram\":0", 1)),
        ("nested", format!("{{\"engram\":1,\"x\":{}", "[".repeat(1_000_000))),
        ("nested and closed", format!("{{\"engram\":1,\"facts\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000))),
        ("a number out of range", whole.replacen("\"p_clean\":0.", "\"p_clean\":1e39,\"x\":0.", 1)),
        ("deep", whole.replacen("\"layers\":8", "\"layers\":18446744073709551615", 1)),
        ("no layers", whole.replacen("\"layers\":8", "\"layers\":0", 1)),
        (
            "endless patch positions",
            whole.replacen("[\"subject-last\",", &format!("[{}", "\"subject-last\",".repeat(100_000)), 1),
        ),
        ("absurd settings", whole.replacen("\"min_effect\":0.05", "\"min_effect\":3e38", 1)),
    ];
    for (what, content) in hostile {
        assert_ne!(content, whole, "{what}");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.engram.json"), content).expect("written");
        let output = engram(folder.path(), &["verify", "a.engram.json", "--rerun", "1", "--device", "cpu"]);
        let told = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{what}: {told}{}", text(&output.stderr));
        assert!(told.contains("FAIL"), "{what}: {told}");
    }
}

/// Settings that would never end, and texts that would write over the screen.
#[test]
fn absurd_settings_neither_hang_nor_draw() {
    let record = changed(|record| {
        record["settings"]["rows"] = u64::MAX.into();
        record["settings"]["window"] = u64::MAX.into();
        record["settings"]["max_tokens"] = u64::MAX.into();
        record["settings"]["corruption"] = serde_json::json!({"kind": "replace", "with": "x ".repeat(20_000)});
        record["facts"][0]["prompt"] = "<script>alert(1)</script>\u{1b}[2J".into();
        record["facts"][0]["id"] = "\u{1b}[2J\u{202e}".repeat(1000).into();
        record["program"] = "\u{1b}[31m".into();
    });
    let output = engram(record.path(), &["verify", "a.engram.json", "--rerun", "100000", "--device", "cpu"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}{}", text(&output.stderr));
    assert!(!told.contains('\u{1b}') && !told.contains('\u{202e}'), "{told}");
    let draws = changed(|record| {
        record["settings"]["corruption"] =
            serde_json::json!({"kind": "noise", "sigmas": 3.0, "draws": u64::MAX, "sigma": 1.0});
    });
    let (code, report) = verify(draws.path(), &["--rerun", "2", "--device", "cpu"]);
    assert_eq!(code, Some(1));
    assert!(failed(&report).contains(&"computed again"), "{report:#}");
}

/// A long list of facts in a file, most of them dropped.
#[test]
fn a_large_record_takes_seconds() {
    let start = std::time::Instant::now();
    let record = changed(|record| {
        let dropped = serde_json::json!({
            "order": 0, "id": "x", "relation": "P36", "prompt": "s is", "subject": "s", "target_true": "t",
            "target_new": "n", "outcome": "dropped", "reason": "not-known", "p_clean": 0.5, "p_corrupt": 0.25
        });
        let facts = record["facts"].as_array_mut().expect("facts");
        for order in facts.len()..1_000_000 {
            let mut fact = dropped.clone();
            fact["order"] = order.into();
            facts.push(fact);
        }
    });
    let (code, report) = verify(record.path(), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(failed(&report), ["number of facts", "facts are the source's in its seeded order"]);
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}

#[test]
fn reference_texts_that_cannot_be_used_say_what_they_are() {
    let folder = study();
    let said = |file: &str, text_: &str| {
        std::fs::write(folder.path().join(file), text_).expect("written");
        let output = engram(folder.path(), &["compare", "a.engram.json", "--reference-texts", file]);
        assert!(output.stdout.is_empty());
        (output.status.code(), text(&output.stderr))
    };
    let (code, stderr) = said("other.json", "[{\"a\": 1}]");
    assert!(code == Some(2) && stderr.contains("attribute_snippets.json"), "{stderr}");
    let snippets = "[{\"relation_id\": \"P36\", \"target_id\": \"Q1\", \"samples\": [{\"text\": \"one two\"}]}]";
    let (code, stderr) = said("snippets.json", snippets);
    assert!(code == Some(2) && stderr.contains("--fluency"), "{stderr}");
    let output = engram(folder.path(), &["compare", "a.engram.json", "--reference-texts", "none.json"]);
    assert!(text(&output.stderr).contains("check --reference-texts"), "{}", text(&output.stderr));
}
