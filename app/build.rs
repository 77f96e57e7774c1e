//! Makes the site that `cargo xtask web` has built part of the program, for `engram lab` and `engram report`; without one, an empty list.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The worker's models are part of the program in their own right, and the sizes are for the build alone.
const LEFT_OUT: [&str; 2] = ["bundled", "sizes.json"];

fn main() -> Result<(), Box<dyn Error>> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).ok_or(name);
    let dist = variable("CARGO_MANIFEST_DIR")?.join("..").join("dist");
    let out = variable("OUT_DIR")?;
    println!("cargo:rerun-if-changed=build.rs");
    // A folder that is missing counts as changed at every build, and the program would be linked each time. Where it cannot
    // be made, that is all that happens.
    let _ = std::fs::create_dir_all(&dist);
    println!("cargo:rerun-if-changed={}", dist.display());

    let mut names = Vec::new();
    // The frame of result pages can be built alone.
    if dist.join("index.html").is_file() || dist.join("frame.html").is_file() {
        list(&dist, "", &mut names)?;
        names.sort();
    }
    let mut code = String::from("&[\n");
    for (number, name) in names.iter().enumerate() {
        let plain = std::fs::read(dist.join(name))?;
        let small = compressed(&plain)?;
        // What is compressed already would be unpacked for nothing.
        let gzip = small.len() < plain.len() / 10 * 9;
        let file = out.join(format!("site-{number}"));
        std::fs::write(&file, if gzip { &small } else { &plain })?;
        writeln!(code, "    Embedded {{ path: {name:?}, gzip: {gzip}, bytes: include_bytes!({file:?}) }},")?;
    }
    code.push_str("]\n");
    std::fs::write(out.join("site.rs"), code)?;
    Ok(())
}

/// Files below a folder, with `/` between the parts of their names.
fn list(folder: &Path, above: &str, names: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = format!("{above}{}", entry.file_name().to_string_lossy());
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), &format!("{name}/"), names)?,
            false => names.push(name),
        }
    }
    Ok(())
}

fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes)?;
    out.finish()
}
