//! `engram figure`: one figure of records by name, as SVG and PNG; what a person gets who names another.

use engram_core::journal::{self, to_json};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn engram(folder: &Path, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).args(line.split(' ')).stdin(Stdio::null()).env("NO_COLOR", "1");
    command.output().expect("engram starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with the record that the page shows as its example.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/sample.engram.json.gz");
    let record = journal::read(&sample).expect("a record").record;
    std::fs::write(folder.path().join("a.engram.json"), to_json(&record).expect("finite")).expect("written");
    folder
}

#[test]
fn every_figure_has_a_name_and_is_written_by_it() {
    let folder = folder();
    let listed = engram(folder.path(), "figure a.engram.json --list");
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let listed = text(&listed.stdout);
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"sufficiency") && names.contains(&"ablations") && names.len() >= 5, "{listed}");
    for name in names {
        assert!(!name.starts_with("figure"), "{name} has no name of its own");
        let done = engram(folder.path(), &format!("figure a.engram.json --name {name} -o {name}.svg"));
        assert!(done.status.success(), "{name}: {}", text(&done.stderr));
        let svg = std::fs::read_to_string(folder.path().join(format!("{name}.svg"))).expect("a file");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("<text"), "{name}");
        // Printed it is the same.
        let printed = engram(folder.path(), &format!("figure a.engram.json --name {name}"));
        assert_eq!(text(&printed.stdout).trim_end(), svg.trim_end(), "{name}");
    }
    let size = |scale: &str| {
        let line = format!("figure a.engram.json --name 2 -o two.png --scale {scale}");
        assert!(engram(folder.path(), &line).status.success());
        let png = std::fs::read(folder.path().join("two.png")).expect("a file");
        assert!(png.starts_with(b"\x89PNG"));
        u32::from_be_bytes(png[16..20].try_into().expect("four bytes"))
    };
    assert_eq!(size("4"), 2 * size("2"), "--scale are pixels");
}

#[test]
fn a_wrong_name_is_told_what_there_is() {
    let folder = folder();
    let refused = |line: &str, words: &[&str]| {
        let output = engram(folder.path(), line);
        assert_eq!(output.status.code(), Some(2), "{line}: {}", text(&output.stderr));
        for word in words {
            assert!(text(&output.stderr).contains(word), "{line}: {}", text(&output.stderr));
        }
    };
    refused("figure a.engram.json --name nothing", &["there is no such figure", "hint: they have:", "sufficiency"]);
    refused("figure a.engram.json --name sequence", &["these records have nothing of this figure"]);
    refused("figure a.engram.json --name sufficiency -o a.pdf", &[".svg or .png"]);
    refused("figure a.engram.json", &["--name"]);
    refused("figure a.engram.json --list --position same-index", &["no patch position same-index", "it has: "]);
    // What no figure depends on is refused, not ignored.
    refused("figure a.engram.json --list --mlp-ratio ratio-of-means", &["--mlp-ratio"]);
    refused("figure none.engram.json --list", &["none.engram.json"]);
}
