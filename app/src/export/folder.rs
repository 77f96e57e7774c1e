//! The folder of an export: what may be written there, and what was.

use engram_core::{Error, Result, journal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The file by which an export knows its own folder again.
pub const MARK: &str = "export.json";

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// Format of the export.
    #[serde(rename = "engram-export")]
    version: u32,
    /// Program that wrote it.
    program: String,
    /// Files below the folder, `/` between parts.
    files: BTreeSet<String>,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where it is, below the folder that the command line named.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// A folder that is being written.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    program: String,
    /// What earlier exports left.
    earlier: BTreeSet<String>,
    now: BTreeSet<String>,
    written: Vec<Written>,
}

impl Folder {
    /// A new, empty or earlier export's folder; any other only with `force`.
    ///
    /// # Errors
    /// When it holds what no export wrote, or cannot be made.
    pub fn open(root: &Path, force: bool, program: &str) -> Result<Self> {
        // What an export that was killed at its first file has left is nothing of anybody's.
        journal::sweep(&root.join(MARK));
        let full = root.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        let mark = std::fs::read(root.join(MARK)).ok().and_then(|bytes| serde_json::from_slice::<Mark>(&bytes).ok());
        if full && mark.is_none() && !force {
            return Err(Error::input(format!("{} is not empty, and no export made it", root.display()))
                .hint("give a new folder, or --force to write into this one; files of other names stay as they are"));
        }
        let earlier = mark.map(|mark| mark.files).unwrap_or_default();
        let folder =
            Self { root: root.into(), program: program.into(), earlier, now: BTreeSet::new(), written: Vec::new() };
        folder.make(root)?;
        // First, so that an export that did not come to its end is known as one too.
        folder.mark()?;
        Ok(folder)
    }

    /// Writes a file below the folder, whole or not at all; `name` has `/` between its parts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = name.split('/').fold(self.root.clone(), |path, part| path.join(part));
        if let Some(parent) = path.parent() {
            self.make(parent)?;
        }
        journal::write_atomic(&path, bytes)?;
        self.now.insert(name.to_owned());
        self.written.push(Written { path, bytes: bytes.len() as u64 });
        Ok(())
    }

    /// Ends the export: what was written now, and what of earlier exports is still there beside it.
    ///
    /// # Errors
    /// When the folder's own list cannot be written.
    pub fn finish(self) -> Result<(Vec<Written>, Vec<String>)> {
        self.mark()?;
        let stale = self.earlier.difference(&self.now).filter(|name| self.root.join(name).is_file()).cloned().collect();
        Ok((self.written, stale))
    }

    fn mark(&self) -> Result<()> {
        let there = self.earlier.iter().filter(|name| self.root.join(name).is_file());
        let files = there.chain(&self.now).cloned().collect();
        let mark = Mark { version: 1, program: self.program.clone(), files };
        let bytes = serde_json::to_vec_pretty(&mark).map_err(|error| Error::io(error.to_string()))?;
        journal::write_atomic(&self.root.join(MARK), &bytes)
    }

    fn make(&self, path: &Path) -> Result<()> {
        std::fs::create_dir_all(path)
            .map_err(|error| Error::io(format!("{}: {error}", path.display())).hint("choose another folder with --out"))
    }
}

/// Model names as file names, `org/name` as `org--name`: safe on every system, and no two alike, not even where a file
/// system takes upper and lower case for the same.
pub fn file_names(names: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut one = |name: &String| {
        let stem = safe(name);
        let numbered = (2_usize..).map(|number| format!("{stem}-{number}"));
        let free = std::iter::once(stem.clone()).chain(numbered).find(|name| taken.insert(name.to_lowercase()));
        free.unwrap_or(stem)
    };
    names.iter().map(&mut one).collect()
}

/// Longest stem in bytes; file systems take 255 with endings and a temporary name's prefix.
const LONGEST: usize = 120;

fn safe(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let part = if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c.to_string() } else { "--".into() };
        if out.len() + part.len() > LONGEST {
            break;
        }
        out += &part;
    }
    let out = out.trim_matches('.');
    let device = out.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let digit = |name: &str| device.strip_prefix(name).is_some_and(|rest| rest.len() == 1);
    // Windows keeps these names for devices, with any ending.
    let reserved = ["CON", "PRN", "AUX", "NUL"].contains(&device.as_str()) || digit("COM") || digit("LPT");
    if out.is_empty() || reserved { format!("study-{out}").trim_end_matches('-').to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_unique() {
        let names =
            ["org/a b", "org/A b", "../../etc", "", "..", "nul.x", "COM1", "é東", "a:b\\c\0"].map(str::to_owned);
        let safe = file_names(&names);
        let wanted = ["org--a--b", "org--A--b-2", "--..--etc", "study", "study-2", "study-nul.x", "study-COM1", "----"];
        assert_eq!(safe[..8], wanted);
        assert_eq!(safe[8], "a--b--c--");
        assert!(file_names(&["x".repeat(5000)])[0].len() <= LONGEST);
        let many = file_names(&vec!["same".to_owned(); 1000]);
        assert_eq!(many.iter().collect::<BTreeSet<_>>().len(), 1000);
    }

    #[test]
    fn only_its_own_folder_is_written_over() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("new/out");
        let mut first = Folder::open(&root, false, "test")?;
        first.write("a/b.txt", b"one")?;
        first.write("c.txt", b"two")?;
        let (written, stale) = first.finish()?;
        assert_eq!((written.len(), stale.len()), (2, 0));
        let mut second = Folder::open(&root, false, "test")?;
        second.write("c.txt", b"three")?;
        assert_eq!(second.finish()?.1, ["a/b.txt"]);
        assert_eq!(std::fs::read(root.join("c.txt")).expect("c.txt"), b"three");
        assert_eq!(std::fs::read(root.join("a/b.txt")).expect("stays"), b"one");

        let killed = folder.path().join("killed");
        std::fs::create_dir(&killed).expect("a folder");
        std::fs::write(killed.join(format!(".{MARK}.a1b2c3.tmp")), "half").expect("written");
        assert!(Folder::open(&killed, false, "test").is_ok(), "one that was killed at its first file");
        assert_eq!(killed.read_dir().expect("a folder").count(), 1);

        let other = folder.path().join("other");
        std::fs::create_dir(&other).expect("a folder");
        assert!(Folder::open(&other, false, "test").is_ok(), "an empty one");
        std::fs::write(other.join(MARK), "{}").expect("written");
        let error = Folder::open(&other, false, "test").expect_err("not an export's");
        assert!(error.next_step().is_some_and(|hint| hint.contains("--force")));
        assert!(Folder::open(&other, true, "test").is_ok());
        Ok(())
    }
}
