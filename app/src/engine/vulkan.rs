//! Why a machine with a GPU has no Vulkan: nodes of clusters and containers often have the driver and lack a library. What
//! is there is looked up by name; nothing is loaded but Vulkan's own loader.

use super::loader::{self, Loader};
use std::path::{Path, PathBuf};

/// What of Vulkan is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// Vulkan's loader, the system's or the one that came with the program.
    loader: bool,
    /// Manifests of drivers (`icd.d/*.json`).
    manifests: usize,
    /// An NVIDIA kernel driver runs.
    nvidia: bool,
    /// Its graphics library, `libGLX_nvidia.so.0`; compute-only installations lack it.
    graphics: bool,
    /// Libraries that it needs and that are missing.
    missing: Vec<&'static str>,
}

/// What NVIDIA's graphics library loads, and the Debian package of each.
const NEEDED: [(&str, &str); 4] = [
    ("libX11.so.6", "libx11-6"),
    ("libXext.so.6", "libxext6"),
    ("libGLdispatch.so.0", "libglvnd0"),
    ("libEGL.so.1", "libegl1"),
];

const MANIFESTS: [&str; 4] = [
    "/etc/vulkan/icd.d",
    "/usr/share/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/run/opengl-driver/share/vulkan/icd.d",
];

impl Surroundings {
    /// This machine's.
    pub(super) fn look() -> Self {
        let loader = *loader::ready() != Loader::Missing;
        Self { loader, ..Self::within(&folders(), &MANIFESTS.map(PathBuf::from)) }
    }

    /// What is there of it in these folders of libraries and of manifests.
    fn within(folders: &[PathBuf], manifests: &[PathBuf]) -> Self {
        let has = |name: &str| folders.iter().any(|folder| folder.join(name).exists());
        let json = |folder: &PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "json")).count()
        };
        let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"];
        let named = named.iter().filter(|name| std::env::var_os(name).is_some()).count();
        Self {
            loader: has(loader::NAME),
            manifests: named + manifests.iter().map(json).sum::<usize>(),
            nvidia: Path::new("/proc/driver/nvidia/version").exists() || Path::new("/dev/nvidiactl").exists(),
            graphics: has("libGLX_nvidia.so.0"),
            missing: NEEDED.iter().map(|(library, _)| *library).filter(|library| !has(library)).collect(),
        }
    }

    /// What is wrong and what helps; `None` where nothing of it is known to be.
    pub(super) fn trouble(&self) -> Option<(String, String)> {
        let said = |what: &str, hint: &str| Some((what.to_owned(), hint.to_owned()));
        match self {
            Self { loader: false, .. } => said(
                "there is no Vulkan loader (libvulkan.so.1)",
                "install it: `apt install libvulkan1`, `dnf install vulkan-loader`, or without rights `conda install -c conda-forge \
                 libvulkan-loader` and its lib folder in LD_LIBRARY_PATH; archives and wheels of engram bring one",
            ),
            Self { nvidia: true, graphics: false, .. } => said(
                "the NVIDIA driver is here for compute only: libGLX_nvidia.so.0 is missing",
                "in Docker `--gpus all -e NVIDIA_DRIVER_CAPABILITIES=all`, in Apptainer `--nv`; on the machine itself the driver's \
                 graphics libraries (Debian: libgl1-nvidia-glvnd-glx and nvidia-vulkan-icd)",
            ),
            Self { nvidia: true, manifests: 0, .. } => said(
                "a Vulkan loader and NVIDIA's library are here, and no manifest that names it (icd.d/nvidia_icd.json)",
                "bind the host's /usr/share/vulkan/icd.d into the container, or name the file in VK_DRIVER_FILES",
            ),
            Self { manifests: 0, .. } => said(
                "there is a Vulkan loader and no driver for it",
                "install one: `apt install mesa-vulkan-drivers` for AMD, Intel and a software device",
            ),
            Self { nvidia: true, missing, .. } if !missing.is_empty() => {
                let package =
                    |library: &&str| NEEDED.iter().find(|(name, _)| name == library).map(|(_, package)| *package);
                let packages: Vec<&str> = missing.iter().filter_map(package).collect();
                let what = format!("NVIDIA's Vulkan driver cannot start without {}", missing.join(", "));
                Some((what, format!("install what it needs: `apt install {}`", packages.join(" "))))
            }
            _ => None,
        }
    }
}

/// Folders in which libraries are looked for.
fn folders() -> Vec<PathBuf> {
    let architecture = std::env::consts::ARCH;
    let mut folders: Vec<PathBuf> =
        std::env::var_os("LD_LIBRARY_PATH").iter().flat_map(std::env::split_paths).collect();
    folders.extend(std::env::var_os("CONDA_PREFIX").map(|prefix| Path::new(&prefix).join("lib")));
    let usual = [
        "/lib",
        "/usr/lib",
        "/lib64",
        "/usr/lib64",
        "/usr/local/lib",
        "/usr/local/nvidia/lib64",
        "/run/opengl-driver/lib",
    ];
    folders.extend(usual.map(PathBuf::from));
    folders.extend(["/lib", "/usr/lib"].map(|root| Path::new(root).join(format!("{architecture}-linux-gnu"))));
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_apart() {
        let whole = Surroundings { loader: true, manifests: 1, nvidia: true, graphics: true, missing: Vec::new() };
        let said =
            |here: Surroundings| here.trouble().map(|(what, hint)| format!("{what}; {hint}")).unwrap_or_default();
        assert_eq!(said(whole.clone()), "");
        assert!(said(Surroundings { loader: false, ..whole.clone() }).contains("libvulkan1"));
        let compute = said(Surroundings { graphics: false, manifests: 0, ..whole.clone() });
        assert!(compute.contains("compute only") && compute.contains("NVIDIA_DRIVER_CAPABILITIES=all"), "{compute}");
        assert!(said(Surroundings { manifests: 0, ..whole.clone() }).contains("VK_DRIVER_FILES"));
        let other = Surroundings { manifests: 0, nvidia: false, graphics: false, ..whole.clone() };
        assert!(said(other).contains("mesa-vulkan-drivers"));
        let lacking = said(Surroundings { missing: vec!["libGLdispatch.so.0", "libXext.so.6"], ..whole });
        assert!(lacking.contains("apt install libglvnd0 libxext6"), "{lacking}");
        // A machine without NVIDIA's driver needs none of its libraries.
        let mesa = Surroundings { loader: true, manifests: 1, missing: vec!["libEGL.so.1"], ..Surroundings::default() };
        assert_eq!(said(mesa), "");
    }

    #[test]
    fn libraries_and_manifests_are_found_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let here = [folder.path().to_path_buf()];
        let empty = Surroundings::within(&here, &here);
        assert!(!empty.loader && !empty.graphics && empty.missing.len() == NEEDED.len(), "{empty:?}");
        for name in ["libvulkan.so.1", "libEGL.so.1", "some_icd.json", "readme.txt"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let found = Surroundings::within(&here, &here);
        assert!(found.loader && !found.graphics, "{found:?}");
        assert_eq!(found.manifests, empty.manifests + 1, "text is no manifest");
        assert_eq!(found.missing, ["libX11.so.6", "libXext.so.6", "libGLdispatch.so.0"]);
    }
}
