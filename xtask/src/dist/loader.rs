//! Vulkan's loader for archives and wheels: this machine's own, unchanged, with its licence. Nodes of clusters and containers
//! often have a GPU's driver and lack it.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Its name.
pub(crate) const NAME: &str = "libvulkan.so.1";
/// The file of its licence.
pub(crate) const LICENCE: &str = "LICENSE-libvulkan.txt";

/// Where distributions have what they say of its licence.
const LICENCES: [&str; 4] = [
    "/usr/share/doc/libvulkan1/copyright",
    "/usr/share/licenses/vulkan-loader/LICENSE.txt",
    "/usr/share/licenses/vulkan-icd-loader/LICENSE.txt",
    "/usr/share/doc/packages/libvulkan1/LICENSE.txt",
];

/// The library, and what its licence says.
pub(crate) struct Loader {
    pub(crate) library: PathBuf,
    pub(crate) licence: String,
}

/// This machine's.
///
/// # Errors
/// Why there is none to take along.
pub(crate) fn find() -> Result<Loader, String> {
    if !cfg!(target_os = "linux") {
        return Err("this is not Linux".into());
    }
    let architecture = std::env::consts::ARCH;
    let mut folders = ["/lib", "/usr/lib"].map(|root| format!("{root}/{architecture}-linux-gnu")).to_vec();
    folders.extend(["/usr/lib64", "/lib64", "/usr/lib", "/lib", "/usr/local/lib"].map(str::to_owned));
    within(&folders.iter().map(PathBuf::from).collect::<Vec<_>>(), &LICENCES.map(PathBuf::from))
}

fn within(folders: &[PathBuf], licences: &[PathBuf]) -> Result<Loader, String> {
    let library = folders.iter().map(|folder| folder.join(NAME)).find(|path| path.is_file());
    let library = library.ok_or_else(|| format!("this machine has no {NAME} (Debian: libvulkan1)"))?;
    let told = licences.iter().find_map(|path| std::fs::read_to_string(path).ok());
    let told = told.ok_or_else(|| format!("{} is here without its licence", library.display()))?;
    let apache = std::fs::read_to_string("LICENSE-APACHE").map_err(|error| format!("LICENSE-APACHE: {error}"))?;
    let head = format!(
        "{NAME} is the Vulkan loader of the Khronos Group (https://github.com/KhronosGroup/Vulkan-Loader), as the\n\
         distribution of the machine that made this has built it, unchanged. What that says of it, and the Apache licence:\n"
    );
    Ok(Loader { library, licence: format!("{head}\n{}\n\n{apache}", told.trim_end()) })
}

/// The library and its licence in a folder of the sources, for as long as a wheel is built from there.
pub(crate) struct Staged(Vec<PathBuf>);

impl Staged {
    /// Puts them there.
    pub(crate) fn new(loader: &Loader, folder: &Path) -> Result<Self> {
        let Loader { library: from, licence: text } = loader;
        let (library, licence) = (folder.join(NAME), folder.join(LICENCE));
        let staged = Self(vec![library.clone(), licence.clone()]);
        std::fs::copy(from, &library).with_context(|| format!("cannot write {}", library.display()))?;
        std::fs::write(&licence, text).with_context(|| format!("cannot write {}", licence.display()))?;
        Ok(staged)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for path in &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_without_its_licence_stays_here() {
        crate::shell::enter_root().expect("the repository");
        let folder = tempfile::tempdir().expect("a folder");
        let (here, licence) = ([folder.path().to_path_buf()], [folder.path().join("copyright")]);
        let why = |found: Result<Loader, String>| found.err().unwrap_or_default();
        assert!(why(within(&here, &licence)).contains("libvulkan1"));
        std::fs::write(here[0].join(NAME), "library").expect("a file");
        assert!(why(within(&here, &licence)).contains("without its licence"));
        std::fs::write(&licence[0], "Copyright: somebody\n").expect("a file");
        let found = within(&here, &licence).unwrap_or_else(|why| panic!("{why}"));
        assert!(found.licence.contains("Copyright: somebody") && found.licence.contains("Apache License"));
        let there = tempfile::tempdir().expect("a folder");
        let staged = Staged::new(&found, there.path()).expect("copies");
        assert_eq!(std::fs::read_to_string(there.path().join(NAME)).expect("a copy"), "library");
        assert!(there.path().join(LICENCE).is_file());
        drop(staged);
        assert_eq!(there.path().read_dir().expect("a folder").count(), 0, "nothing stays among the sources");
    }
}
