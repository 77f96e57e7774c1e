//! Makes the site part of the program, for `engram lab` and `engram report`: `app/site`, which `cargo xtask web` writes.
//! Without it the program can do neither, and says so.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).ok_or(name);
    let here = variable("CARGO_MANIFEST_DIR")?;
    let out = variable("OUT_DIR")?;
    println!("cargo:rerun-if-changed=build.rs");
    let site = here.join("site");
    println!("cargo:rerun-if-changed={}", site.display());
    if !site.join("gzip").join("index.html").is_file() {
        println!("cargo:warning=app/site is missing: the program will have no lab and write no pages");
    }

    let mut code = String::from("&[\n");
    for (folder, gzip) in [("gzip", true), ("plain", false)] {
        let folder = site.join(folder);
        let mut names = Vec::new();
        if folder.is_dir() {
            list(&folder, "", &mut names)?;
        }
        names.sort();
        for name in names {
            let file = folder.join(&name);
            writeln!(code, "    Embedded {{ path: {name:?}, gzip: {gzip}, bytes: include_bytes!({file:?}) }},")?;
        }
    }
    code.push_str("]\n");
    std::fs::write(out.join("site.rs"), code)?;

    // A tenth of its size; the weights of the models would hardly become smaller.
    let facts = here.join("..").join("core").join("bundled").join("facts.json");
    println!("cargo:rerun-if-changed={}", facts.display());
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&std::fs::read(&facts)?)?;
    std::fs::write(out.join("facts.json.gz"), packed.finish()?)?;
    Ok(())
}

/// Files below a folder, with `/` between the parts of their names.
fn list(folder: &Path, above: &str, names: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), &format!("{name}/"), names)?,
            false => names.push(name),
        }
    }
    Ok(())
}
