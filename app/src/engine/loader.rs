//! Vulkan's loader, the library that finds graphics drivers: the system's, or where it has none the one that archives and
//! wheels bring. The GPU library asks for it by its name, and gets the one that is loaded already.

use libloading::Library;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Its name.
pub(super) const NAME: &str = "libvulkan.so.1";

/// Which one is used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Loader {
    /// The system's.
    System,
    /// The one that came with the program.
    Own(PathBuf),
    /// There is none.
    Missing,
}

impl Loader {
    /// In words, for `engram doctor`; nothing where there is none.
    pub(super) fn said(&self) -> Option<String> {
        match self {
            Self::System => Some(format!("the system's {NAME}")),
            Self::Own(path) => Some(format!("{}, which came with this program", path.display())),
            Self::Missing => None,
        }
    }
}

/// Loads it, once a process, before the GPU library looks for it.
pub(super) fn ready() -> &'static Loader {
    static FOUND: OnceLock<Loader> = OnceLock::new();
    FOUND.get_or_init(|| {
        let program = std::env::current_exe().and_then(std::fs::canonicalize).ok();
        find(OsStr::new(NAME), &program.map_or_else(Vec::new, |program| beside(&program)))
    })
}

/// Where archives and wheels have it, from the program.
fn beside(program: &Path) -> Vec<PathBuf> {
    let Some(folder) = program.parent() else { return Vec::new() };
    let archive = folder.join("lib").join(NAME);
    let wheel = folder.parent().map(|prefix| prefix.join("lib").join("engram").join(NAME));
    [Some(archive), wheel].into_iter().flatten().collect()
}

fn find(system: &OsStr, own: &[PathBuf]) -> Loader {
    if load(system) {
        return Loader::System;
    }
    let found = own.iter().find(|path| path.is_file() && load(path.as_os_str()));
    found.map_or(Loader::Missing, |path| Loader::Own(path.clone()))
}

/// Loads a library for as long as the program runs.
fn load(library: &OsStr) -> bool {
    // SAFETY: it is the library that the GPU library loads, which has no conditions on when it is loaded.
    #[allow(unsafe_code)]
    let loaded = unsafe { Library::new(library) };
    match loaded {
        Ok(library) => {
            std::mem::forget(library);
            true
        }
        Err(error) => {
            log::debug!("{}: {error}", library.display());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("bin").join("engram");
        let places = beside(&program);
        assert_eq!(places[0], folder.path().join("bin/lib/libvulkan.so.1"), "an archive has it below the program");
        assert_eq!(places[1], folder.path().join("lib/engram/libvulkan.so.1"), "a wheel beside its folder of programs");
        let nowhere = OsStr::new("libengram-has-no-such-library.so.1");
        assert_eq!(find(nowhere, &places), Loader::Missing);
        std::fs::create_dir_all(places[1].parent().expect("a folder")).expect("a folder");
        std::fs::write(&places[1], "no library").expect("a file");
        assert_eq!(find(nowhere, &places), Loader::Missing);
        assert_eq!(find(OsStr::new("libc.so.6"), &places), Loader::System, "any library will do");
        assert_eq!(find(nowhere, &[places[0].clone(), PathBuf::from("/")]), Loader::Missing, "a folder is none");
    }
}
