//! `engram report`, and result pages wherever a record is asked for, as a person runs them.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A stored study.
const STUDY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/sample.engram.json.gz");

fn engram(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    // No cache and no network: whoever asks for either fails here.
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", folder.join("no-cache")).env("NO_COLOR", "1");
    command.env("COLUMNS", "100").output().expect("engram starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with a page of the stored study in it, and the page.
fn page() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = engram(folder.path(), &["report", STUDY, "-o", "page.html"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "page.html\n");
    let page = std::fs::read_to_string(folder.path().join("page.html")).expect("a page");
    (folder, page)
}

#[test]
fn a_page_says_what_the_record_says_and_asks_nobody() {
    let (folder, page) = page();
    for wanted in ["<h1>", "Figure 2.", "Figure 6.", "Table 1.", "Table 4.", "<math", "Limits", "engram study --model"]
    {
        assert!(page.contains(wanted), "no {wanted}");
    }
    // Comments of the script that binds the viewer may name where something is explained.
    let code: Vec<&str> = page.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let outside = code.join("\n").replace("http://www.w3.org/", "");
    for address in ["http://", "https://", "url(", " src=", "@import"] {
        assert!(!outside.contains(address), "{address}");
    }
    let again = engram(folder.path(), &["report", STUDY, "-o", "again.html", "--json"]);
    let told: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!((told["bytes"].as_u64(), told["records"].as_u64()), (Some(page.len() as u64), Some(1)));
    assert_eq!(std::fs::read_to_string(folder.path().join("again.html")).expect("a page"), page, "two runs, one page");
}

#[test]
fn a_page_is_a_record() {
    let (folder, _) = page();
    for command in [&["compare", "--format", "csv"][..], &["compare", "--format", "json", "--argmax-always"]] {
        let of = |record: &str| engram(folder.path(), &[command, &[record]].concat());
        let (from_page, from_record) = (of("page.html"), of(STUDY));
        assert!(from_page.status.success(), "{}", text(&from_page.stderr));
        assert_eq!(text(&from_page.stdout), text(&from_record.stdout));
    }
    for (record, out) in [("page.html", "one"), (STUDY, "two")] {
        let output = engram(folder.path(), &["export", record, "-o", out, "--quiet"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let both =
        |path: &str| ["one", "two"].map(|out| std::fs::read(folder.path().join(out).join(path)).expect("a file"));
    for path in ["records/engram-relay.engram.json", "curves.parquet", "tables/table-2.tex", "figures/figure-2.svg"] {
        let [from_page, from_record] = both(path);
        assert_eq!(from_page, from_record, "{path}");
    }
    let png = std::fs::read(folder.path().join("one/figures/figure-4.png")).expect("a picture");
    assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000, "{} bytes", png.len());
    let svg = text(&both("figures/figure-d.svg")[0]);
    assert!(svg.contains("<path fill=") && !svg.contains("var("), "{svg}");
}

#[test]
fn a_changed_page_is_found_out() {
    let (folder, page) = page();
    let verify = |name: &str| engram(folder.path(), &["verify", name]);
    let whole = verify("page.html");
    assert!(whole.status.success(), "{}", text(&whole.stdout));
    assert!(text(&whole.stdout).contains("byte for byte the page"), "{}", text(&whole.stdout));

    let changed = page.replacen("Findings", "Finding5", 1);
    std::fs::write(folder.path().join("changed.html"), changed).expect("written");
    let changed = verify("changed.html");
    assert_eq!(changed.status.code(), Some(1));
    assert!(text(&changed.stdout).contains("changed by hand"), "{}", text(&changed.stdout));

    // Another build's viewer is no reason for doubt about the numbers; a page cut short has none.
    std::fs::write(folder.path().join("other.html"), page.replacen("</style>", "p { color: red }</style>", 1))
        .expect("");
    let other = verify("other.html");
    assert!(other.status.success() && text(&other.stdout).contains("another build"), "{}", text(&other.stdout));
    let records = page.find("engram-records").expect("records") + 5_000;
    std::fs::write(folder.path().join("cut.html"), &page[..records]).expect("written");
    let cut = verify("cut.html");
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stdout).contains("cut off"), "{}", text(&cut.stdout));
}

#[test]
fn what_cannot_be_made_is_told() {
    let (folder, _) = page();
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    std::fs::write(folder.path().join("empty/index.html"), "").expect("written");
    std::fs::write(folder.path().join("no.html"), "<!doctype html><p>nothing</p>").expect("written");
    let cases = [
        (vec!["report", STUDY, "-o", "page.txt"], 2, "ends in .html"),
        (vec!["report", "missing.engram.json", "-o", "a.html"], 2, "no such file"),
        (vec!["report", "empty", "-o", "a.html"], 2, "no records in it"),
        (vec!["report", "no.html", "-o", "a.html"], 2, "without records"),
        (vec!["report", STUDY, "-o", "nowhere/a.html"], 1, "no such file or folder"),
        (vec!["report", STUDY, "-o", "a.html", "--site", "missing"], 2, "no such folder"),
        (vec!["report", STUDY, "-o", "a.html", "--site", "empty"], 2, "no frame"),
        (vec!["report", "-o", "a.html"], 2, "RECORD"),
    ];
    for (line, code, said) in cases {
        let output = engram(folder.path(), &line);
        let told = text(&output.stderr);
        assert!(output.status.code() == Some(code) && told.contains(said), "{line:?}: {:?}\n{told}", output.status);
        assert!(output.stdout.is_empty(), "{line:?}: {}", text(&output.stdout));
        assert!(!folder.path().join("a.html").exists(), "{line:?}");
    }
}

#[test]
fn a_strangers_text_is_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let record = engram_core::journal::read(Path::new(STUDY)).expect("a record").record;
    let mut record = record;
    record.model.name = "</script><script>alert(1)</script>".into();
    for fact in &mut record.facts {
        fact.prompt = "<img src=x onerror=alert(2)> \u{202e}evil".into();
        fact.target_true = "\"><svg onload=alert(3)>".into();
    }
    let bytes = engram_core::journal::to_json(&record).expect("JSON");
    std::fs::write(folder.path().join("evil.engram.json"), bytes).expect("written");
    let output = engram(folder.path(), &["report", "evil.engram.json", "-o", "page.html"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = std::fs::read_to_string(folder.path().join("page.html")).expect("a page");
    for (bad, shown) in
        [("<script>alert", "&lt;script&gt;alert"), ("<img", "&lt;img src=x"), ("<svg onload", "&lt;svg onload")]
    {
        assert!(!page.contains(bad) && page.contains(shown), "{bad}");
    }
    assert!(!page.contains('\u{202e}'));
}
