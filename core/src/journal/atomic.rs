//! Files that are written whole or not at all, and what a killed writer leaves behind.
//!
//! What is being written stands beside its place as `.NAME.XXXXXX.tmp` and is locked by its writer. A writer that is killed
//! cannot take it away; the next one that writes to the same place does. A lock that can be had tells the dead from the
//! living: the system drops it with the process.

use super::file::failed;
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use tempfile::{Builder, NamedTempFile};

/// Writes a file under another name beside it and renames: a reader never sees half of it, and a failure leaves the
/// old file as it was.
///
/// # Errors
/// When the disk is full, the folder is missing, writing is not allowed, or something other than a file has the name.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic_with(path, |file| file.write_all(bytes))
}

/// [`write_atomic`] of what is not in memory as a whole. An [`Error`] within the error of `fill` comes out as it is.
///
/// # Errors
/// As [`write_atomic`], and as `fill`.
pub fn write_atomic_with(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let name = name(path)?;
    // A device or a pipe would be replaced by a file of its name.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(Error::input(format!("{}: this is no file, and cannot be replaced by one", path.display()))
            .hint("choose another place with --out"));
    }
    let outcome = locked(path, &name).and_then(|mut temporary| {
        fill(temporary.as_file_mut())?;
        temporary.as_file().sync_all()?;
        // The lock is held until the name is gone. A temporary that fails goes by itself: a full disk wants the space.
        temporary.persist(path).map_err(|error| error.error)
    });
    match outcome {
        Ok(_) => {
            sync_folder(path);
            Ok(())
        }
        Err(error) => Err(match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(ours) => ours.clone(),
            None => failed(path, "cannot be written", &error),
        }),
    }
}

/// Removes what killed writers of this file have left, and nothing that a living one is writing.
pub fn sweep(path: &Path) {
    if let Ok(name) = name(path) {
        sweep_named(folder(path), &prefix(&name));
    }
}

fn name(path: &Path) -> Result<String> {
    let name = path.file_name().ok_or_else(|| Error::input(format!("{}: not a file name", path.display())))?;
    Ok(name.to_string_lossy().into_owned())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// How the names of a file's temporaries begin. File systems take 255 bytes.
fn prefix(name: &str) -> String {
    format!(".{}.", &name[..name.floor_char_boundary(200)])
}

const END: &str = ".tmp";

/// A new temporary that is locked, after the dead ones are gone.
fn locked(path: &Path, name: &str) -> io::Result<NamedTempFile> {
    let (folder, prefix) = (folder(path), prefix(name));
    sweep_named(folder, &prefix);
    loop {
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(END);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // As any new file: the process's own mask decides, not that it was a temporary once.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let temporary = builder.tempfile_in(folder)?;
        // A file system without locks is no reason not to work; nothing is swept there.
        let _ = temporary.as_file().lock();
        // Between its making and its lock it looked like a dead one's.
        if temporary.path().exists() {
            return Ok(temporary);
        }
    }
}

fn sweep_named(folder: &Path, prefix: &str) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let middle = name.to_str().and_then(|name| name.strip_prefix(prefix)?.strip_suffix(END));
        let ours = middle.is_some_and(|middle| !middle.is_empty() && middle.bytes().all(|b| b.is_ascii_alphanumeric()));
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = OpenOptions::new().read(true).write(true).open(entry.path()) else { continue };
        if file.try_lock().is_ok() && std::fs::remove_file(entry.path()).is_ok() {
            log::info!("removed {}, which a killed run has left", entry.path().display());
        }
    }
}

/// So that a rename outlives a power failure. Not every system and file system can, and the file is whole either way.
fn sync_folder(path: &Path) {
    if cfg!(unix)
        && let Err(error) = File::open(folder(path)).and_then(|folder| folder.sync_all())
    {
        log::debug!("{}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = folder.read_dir().expect("a folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_write_stays() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        // A killed writer of today, one of an older version, other files' and other people's.
        for name in [".a.json.x1Y2z3.tmp", ".a.json.4711.tmp", ".a.json.b.tmp.tmp", ".b.json.12.tmp", ".a.json..tmp"] {
            std::fs::write(folder.path().join(name), "half")?;
        }
        std::fs::create_dir(folder.path().join(".a.json.dir.tmp"))?;
        let living = locked(&path, "a.json")?;
        let living_name = living.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(!names(folder.path()).contains(".a.json.4711.tmp"), "swept before a new one is made");
        std::fs::write(folder.path().join(".a.json.4712.tmp"), "half")?;
        write_atomic(&path, b"whole").expect("written");
        let mut wanted: BTreeSet<String> =
            [".a.json.b.tmp.tmp", ".b.json.12.tmp", ".a.json..tmp", ".a.json.dir.tmp", "a.json"].map(Into::into).into();
        wanted.insert(living_name.clone());
        assert_eq!(names(folder.path()), wanted);
        // It is dead now, and its file stays, as after a kill.
        let (file, _) = living.keep().expect("kept");
        drop(file);
        sweep(&path);
        wanted.remove(&living_name);
        assert_eq!(names(folder.path()), wanted);
        Ok(())
    }

    #[test]
    fn many_writers_of_one_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        std::thread::scope(|scope| {
            for writer in 0..4_u8 {
                let path = &path;
                scope.spawn(move || (0..50).for_each(|_| write_atomic(path, &[writer; 5000]).expect("written")));
            }
        });
        let last = std::fs::read(&path)?;
        assert!(last.len() == 5000 && last.iter().all(|byte| *byte == last[0]), "one of them, whole");
        assert_eq!(names(folder.path()).len(), 1);
        Ok(())
    }

    #[test]
    fn failures_leave_nothing() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.json");
        std::fs::write(&path, "old")?;
        let cut = |kind: io::ErrorKind| write_atomic_with(&path, |_| Err(kind.into())).expect_err("a failure");
        assert!(cut(io::ErrorKind::StorageFull).message().contains("no space left"));
        let own = write_atomic_with(&path, |_| Err(io::Error::other(Error::numeric("mine")))).expect_err("a failure");
        assert_eq!((own.kind, own.message()), (crate::Kind::Numeric, "mine"));
        assert!(write_atomic(folder.path(), b"").is_err_and(|error| error.message().contains("this is no file")));
        assert_eq!((std::fs::read(&path)?, names(folder.path()).len()), (b"old".to_vec(), 1));
        let long = folder.path().join(format!("{}.json", "é".repeat(120)));
        write_atomic(&long, b"a name as long as can be").expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let plain = folder.path().join("plain");
            std::fs::write(&plain, "")?;
            let mode = |path: &Path| std::fs::metadata(path).map(|about| about.permissions().mode());
            assert_eq!(mode(&long)?, mode(&plain)?);
        }
        Ok(())
    }
}
