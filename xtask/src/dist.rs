//! `cargo xtask dist`: the program for others on this platform: an archive, a Python wheel, and their checksums.

pub(crate) mod loader;

use crate::python;
use crate::shell::{cargo, output, root, run as call, target};
use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use loader::{Loader, Staged};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the archive holds besides the program.
const BESIDE: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];
/// The checksums, in the format of `sha256sum`.
const SUMS: &str = "SHA256SUMS";

/// Builds everything into `target/dist`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(extra) = arguments.first() {
        bail!("`cargo xtask dist` takes no arguments, not `{extra}`");
    }
    let folder = target().join("dist");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    call(&mut cargo(&["build", "--release", "--package", "engram", "--locked"]))?;
    let name = format!("engram{}", std::env::consts::EXE_SUFFIX);
    let program = root().join(target()).join("release").join(&name);
    let title = format!("engram-{}-{}", env!("CARGO_PKG_VERSION"), host()?);
    let loader = match loader::find() {
        Ok(loader) => Some(loader),
        Err(why) => {
            println!("left out: Vulkan's loader; {why}");
            None
        }
    };
    archive(&program, &name, loader.as_ref(), &title, &folder.join(format!("{title}.tar.gz")))?;
    match python::maturin() {
        Some(maturin) => drop(wheel(&maturin, &folder)?),
        None => println!("skipped: the wheel; `pip install maturin`, or `cargo xtask setup`, and call again"),
    }
    let sums = sums(&folder)?;
    std::fs::write(folder.join(SUMS), &sums).with_context(|| format!("cannot write {SUMS}"))?;
    println!("\n{}:\n{sums}", folder.display());
    Ok(())
}

/// What the wheel has beside the program, in the sources.
const WHEEL_LIB: &str = "app/wheel/data/lib/engram";

/// Builds the wheel into a folder; gives its path.
pub(crate) fn wheel(maturin: &Path, folder: &Path) -> Result<PathBuf> {
    let _staged = match loader::find() {
        Ok(loader) => Some(Staged::new(&loader, &root().join(WHEEL_LIB))?),
        Err(why) => {
            println!("left out of the wheel: Vulkan's loader; {why}");
            None
        }
    };
    let mut command = Command::new(maturin);
    command.args(["build", "--quiet", "--locked", "--release", "--manifest-path", "app/Cargo.toml", "--out"]);
    call(command.arg(folder))?;
    let found = files(folder)?.into_iter().find(|path| path.extension().is_some_and(|end| end == "whl"));
    found.context("maturin has built no wheel")
}

/// The platform's name, as the compiler has it.
fn host() -> Result<String> {
    let told = output("rustc", &["-vV"]).context("rustc does not run")?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what platform this is")
}

/// The program and what one reads about it, below one folder.
fn archive(program: &Path, name: &str, loader: Option<&Loader>, title: &str, to: &Path) -> Result<()> {
    let file = std::fs::File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::best()));
    // The same program gives the same archive.
    archive.mode(tar::HeaderMode::Deterministic);
    archive.append_path_with_name(program, format!("{title}/{name}"))?;
    for name in BESIDE.into_iter().filter(|name| Path::new(name).is_file()) {
        archive.append_path_with_name(name, format!("{title}/{name}"))?;
    }
    if let Some(Loader { library, licence }) = loader {
        archive.append_path_with_name(library, format!("{title}/lib/{}", loader::NAME))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(licence.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{title}/lib/{}", loader::LICENCE), licence.as_bytes())?;
    }
    archive.into_inner()?.finish()?;
    Ok(())
}

/// A line a file.
fn sums(folder: &Path) -> Result<String> {
    let mut out = String::new();
    for file in files(folder)? {
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for byte in Sha256::digest(bytes) {
            write!(out, "{byte:02x}")?;
        }
        writeln!(out, "  {}", file.file_name().unwrap_or_default().to_string_lossy())?;
    }
    Ok(out)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// Installs a wheel into a fresh environment, as the first line of docs/notebook.ipynb, and executes the rest of that; runs
/// the demo from there, in an empty folder. Says why the notebook was left out, where it was.
///
/// # Errors
/// When one of these fails, or the demo has written no page that works.
pub(crate) fn try_wheel() -> Result<Option<String>> {
    let maturin = python::maturin().context("no maturin")?;
    let scratch = target().join("wheel-test");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch).with_context(|| format!("cannot empty {}", scratch.display()))?;
    }
    let wheel = wheel(&maturin, &root().join(&scratch).join("wheels"))?;
    let venv = root().join(&scratch).join("venv");
    call(Command::new(python::system()?).args(["-m", "venv"]).arg(&venv))?;
    let bin = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = bin.join("python");
    let left_out = notebook(&python, &wheel, &scratch)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"];
    call(Command::new(&python).args(pip).arg(&wheel))?;
    call(Command::new(&python).env_remove("ENGRAM").args(["-c", BESIDE_PYTHON]))?;
    // What came with the wheel is what was built in.
    let brought = venv.join("lib").join("engram").join(loader::NAME).is_file();
    if cfg!(target_os = "linux") && brought != loader::find().is_ok() {
        bail!("the wheel has {} Vulkan loader", if brought { "a" } else { "no" });
    }
    let mut demo = Command::new(bin.join("engram"));
    call(
        demo.args(["demo", "--quick", "--quiet", "--out", "demo"])
            .current_dir(&scratch)
            .stdout(std::process::Stdio::null()),
    )?;
    let page = scratch.join("demo").join("quick").join("page.html");
    let page = std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    if !page.contains("id=\"engram-viewer\"") || !page.contains("id=\"engram-records\"") {
        bail!("the demo's page has no viewer, or no records");
    }
    Ok(left_out)
}

/// The module is installed, typed, and calls the program that was installed with it.
const BESIDE_PYTHON: &str = "
import engram_lab, os, sysconfig
from engram_lab import _program
assert os.path.dirname(_program.find()) == sysconfig.get_path('scripts'), _program.find()
beside = os.listdir(os.path.dirname(engram_lab.__file__))
assert {'py.typed', '__init__.pyi'} <= set(beside), beside
";

/// Executes the notebook in a fresh environment; its own first line installs the wheel. `Some`: why not.
fn notebook(python: &Path, wheel: &Path, scratch: &Path) -> Result<Option<String>> {
    let Some(packages) = python::packages() else {
        return Ok(Some("no Python with ipykernel and nbclient here; `cargo xtask setup` installs them".into()));
    };
    // pandas and the kernel are those that are there, so that nothing is downloaded.
    let program = python.to_string_lossy();
    let own = output(&program, &["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]);
    let own = own.context("the fresh environment's Python does not run")?;
    std::fs::write(Path::new(own.trim()).join("engram-test.pth"), &packages).context("cannot write engram-test.pth")?;
    if output(&program, &["-c", python::NOTEBOOK]).is_none() {
        let there = packages.trim();
        return Ok(Some(format!(
            "the packages in {there} are another Python's; remove them, then `cargo xtask setup`"
        )));
    }
    let place = root().join(scratch).join("notebook");
    std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    let mut command = Command::new(python);
    command.arg("app/tests/python/notebook.py").arg(place);
    command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", wheel.parent().unwrap_or(wheel));
    call(command.env_remove("ENGRAM").env_remove("PYTHONPATH"))?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read;

    #[test]
    fn an_archive_has_the_loader_below_the_program() {
        crate::shell::enter_root().expect("the repository");
        let folder = tempfile::tempdir().expect("a folder");
        let (program, library) = (folder.path().join("engram"), folder.path().join("libvulkan.so.1.3"));
        std::fs::write(&program, "program").expect("a file");
        std::fs::write(&library, "library").expect("a file");
        let loader = Loader { library, licence: "licence".into() };
        for loader in [None, Some(&loader)] {
            let to = folder.path().join("engram.tar.gz");
            archive(&program, "engram", loader, "engram-1", &to).expect("an archive");
            let mut found = BTreeMap::new();
            let mut read = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(&to).expect("a file")));
            for entry in read.entries().expect("entries") {
                let mut entry = entry.expect("an entry");
                let name = entry.path().expect("a name").display().to_string();
                let mut text = String::new();
                entry.read_to_string(&mut text).expect("text");
                found.insert(name, text);
            }
            assert_eq!(found["engram-1/engram"], "program");
            assert!(found.contains_key("engram-1/LICENSE-APACHE"));
            let has = |name: &str| found.get(&format!("engram-1/lib/{name}")).map(String::as_str);
            assert_eq!(has(super::loader::NAME), loader.map(|_| "library"));
            assert_eq!(has(super::loader::LICENCE), loader.map(|_| "licence"));
        }
    }
}
