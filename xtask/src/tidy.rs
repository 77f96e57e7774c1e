//! Rules that no compiler knows: short files, a head on every module, no paths of one machine, modules in their order.

use crate::order;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Longest source file.
const LINES: usize = 500;
/// Ends of the files that are read.
const READ: [&str; 11] = ["rs", "toml", "md", "yml", "yaml", "html", "css", "js", "mjs", "py", "wgsl"];
/// Ends of the files that have [`LINES`] as their limit.
const SOURCE: [&str; 7] = ["rs", "css", "js", "mjs", "html", "py", "wgsl"];
/// Folders that hold no source; `site` is what `cargo xtask web` has built.
const PASSED_OVER: [&str; 6] = [".git", "target", "dist", "node_modules", "__pycache__", "site"];

/// All that is untidy, one line each: `file:line: what`.
pub(crate) fn complaints(root: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    walk(root, &mut files)?;
    files.sort();
    let mut complaints = Vec::new();
    for file in files {
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file).to_string_lossy().replace('\\', "/");
        match String::from_utf8(bytes) {
            Ok(text) => {
                complaints.extend(inspect(&name, &text));
                complaints.extend(order::complaints(&name, &text));
            }
            Err(_) => complaints.push(format!("{name}:1: not UTF-8")),
        }
    }
    Ok(complaints)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_symlink() || PASSED_OVER.contains(&name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files)?;
        } else if READ.contains(&end(&path)) || name == "run" {
            files.push(path);
        }
    }
    Ok(())
}

fn end(path: &Path) -> &str {
    path.extension().and_then(|end| end.to_str()).unwrap_or_default()
}

/// What is untidy in one file.
fn inspect(name: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let path = Path::new(name);
    let count = text.lines().count();
    if SOURCE.contains(&end(path)) && count > LINES {
        found.push(format!("{name}:{count}: {count} lines, at most {LINES} are allowed; split it"));
    }
    if end(path) == "rs" && !is_test_module(path) && !has_head(text) {
        found.push(format!("{name}:1: no `//!` head that says what the module is for"));
    }
    let places = machine_places();
    for (number, line) in text.lines().enumerate() {
        if let Some(place) = places.iter().find(|place| names(line, place)) {
            found.push(format!("{name}:{}: names a place on one machine: {place}", number + 1));
        }
    }
    found
}

fn is_test_module(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem == "tests" || stem.ends_with("_tests")
}

/// The first line that is not blank, if there is one, opens a module's documentation.
fn has_head(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_none_or(|line| line.starts_with("//!"))
}

/// Put together from parts, so that this file does not name them.
fn machine_places() -> Vec<String> {
    let unix = ["home", "Users", "root", "mnt", "tmp"];
    let mut places: Vec<String> = unix.iter().map(|folder| format!("/{folder}/")).collect();
    places.push(format!("C:{0}Users{0}", '\\'));
    places
}

/// Whether a line has the place as the beginning of an absolute path, not inside a longer path or address.
fn names(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"/._-~}*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let complaints = complaints(&crate::shell::root()).unwrap_or_else(|e| vec![e.to_string()]);
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    #[test]
    fn each_rule_bites() {
        let long = format!("//! Head.\n{}", "fn f() {}\n".repeat(LINES));
        assert!(inspect("a.rs", &long)[0].contains("501 lines"));
        assert!(inspect("a.rs", "fn f() {}\n")[0].contains("head"));
        assert!(inspect("a/tests.rs", "fn f() {}\n").is_empty());
        let path = format!("//! Head.\nconst P: &str = \"/{}/me/x\";\n", "home");
        assert!(inspect("a.rs", &path)[0].starts_with("a.rs:2:"));
        let address = format!("see https://example.org/{}/x and target/{}/y", "home", "tmp");
        assert!(inspect("a.md", &address).is_empty());
    }
}
