//! Building the programs and gathering the site.

use super::bind;
use super::frame;
use super::index::{Names, index};
use super::link::{Program, link, loader, start};
use super::site::{Site, read};
use super::{Wanted, sizes};
use crate::check::WASM;
use crate::shell::{self, cargo};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A program of the package `engram-web`.
struct Part {
    /// Its binary.
    name: &'static str,
    /// Its build profile.
    profile: &'static str,
    /// What cargo is told besides.
    features: &'static [&'static str],
    /// The compiler's flags, where they differ from those of the workspace.
    flags: &'static str,
    /// What the optimizer does, and whether the result is put in order for gzip.
    optimized: Option<(&'static str, bool)>,
}

const PAGE: Part = Part {
    name: "engram-web",
    profile: "web",
    features: &["--features", "page"],
    flags: VIEWS,
    // -Oz is some 7 % smaller as it is, but 1 % larger after gzip: it makes alike functions differ.
    optimized: Some(("-O1", true)),
};

/// For programs that draw. leptos: views of one type instead of a type each; a fifth less code.
const VIEWS: &str = "--cfg getrandom_backend=\"wasm_js\" -C target-feature=+simd128 --cfg erase_components";

/// Within result pages: it draws them anew, alive.
const VIEWER: Part = Part { name: "engram-viewer", features: &["--features", "viewer"], ..PAGE };

/// Beside the page: it makes result pages.
const PRINTER: Part = Part { name: "engram-printer", features: &["--features", "print"], ..PAGE };

const WORKER: Part = Part {
    name: "engram-worker",
    profile: "worker",
    features: &["--features", "worker"],
    flags: "",
    // It takes a minute, and the result is larger after gzip.
    optimized: None,
};

/// How the worker's first script is called before its digest is known.
const LOADER: &str = "engram-worker_loader";

/// The study that is on screen before anything runs.
const SAMPLE: &str = "sample.engram.json.gz";

/// Files of a bundled model that an engine reads.
const MODEL_FILES: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];

/// The frame of result pages, for whoever has no lab to fill it.
const FRAME: &str = "frame.html";

/// Builds the site into `dist/`.
pub(crate) fn site(wanted: Wanted) -> Result<()> {
    let begun = Instant::now();
    let dist = shell::root().join("dist");
    engine_free()?;
    let optimizer = bind::optimizer();
    let mut site = Site::default();
    let styles = styles()?;
    if wanted.frame_only {
        site.keep(&dist, "")?;
    }
    let viewer = program(&VIEWER, optimizer.as_deref())?;
    site.put(FRAME, frame::frame(&viewer, &styles.result)?);
    if !wanted.frame_only {
        lab(wanted, &styles, optimizer.as_deref(), &dist, &mut site)?;
    }
    // Without a worker the page says that its engine cannot start, and shows records all the same.
    let has_worker = site.named(LOADER).is_some();
    let sizes = sizes::measure(&site);
    site.put("sizes.json", sizes.json()?);
    site.write(&dist)?;
    println!("\n{}", sizes.table());
    if optimizer.is_none() {
        println!("wasm-opt was skipped: it is neither on the path nor in tests/browser (npm ci there installs it)");
    }
    if !has_worker {
        println!("there is no worker in dist/: the page can show records, and nothing else");
    }
    println!("dist/ is made, in {:.0} s", begun.elapsed().as_secs_f64());
    match sizes.within_budget() {
        // What the optimizer would save is known only where it runs.
        Err(error) if optimizer.is_none() => println!("{error}; wasm-opt would make it smaller"),
        other => other?,
    }
    Ok(())
}

/// The lab: its page, worker and printer.
fn lab(wanted: Wanted, styles: &Styles, optimizer: Option<&Path>, dist: &Path, site: &mut Site) -> Result<()> {
    let page = link(dense(program(&PAGE, optimizer)?), site)?;
    let printer = link(dense(program(&PRINTER, optimizer)?), site)?;
    if wanted.page_only {
        site.keep(dist, WORKER.name)?;
    } else {
        let worker = link(program(&WORKER, optimizer)?, site)?;
        site.put_hashed(&format!("{LOADER}.js"), loader(&worker.glue));
    }
    let loader = site.named(LOADER).map_or_else(|| format!("{LOADER}.js"), str::to_owned);
    let start = site.put_hashed("engram-start.js", start(&page.glue, &printer.glue, FRAME));
    let style = site.put_hashed("style.css", frame::dense(&styles.lab, &["/*"]));
    let html = std::fs::read_to_string(shell::root().join("index.html")).context("cannot read index.html")?;
    site.put("index.html", index(&html, &Names { page: &page, start: &start, style: &style, loader: &loader })?);
    site.put(SAMPLE, read(&shell::root().join("web").join(SAMPLE))?);
    bundled(site)
}

/// A program whose glue is not for reading.
fn dense(program: Program) -> Program {
    Program { glue: frame::dense(&program.glue, frame::COMMENTS), ..program }
}

/// Style sheets of the lab and of result pages.
struct Styles {
    lab: String,
    result: String,
}

fn styles() -> Result<Styles> {
    let sheet = |name: &str| {
        let path = shell::root().join("web").join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let common = [sheet("colours.css")?, sheet("style.css")?, sheet("figures.css")?].join("\n");
    Ok(Styles {
        lab: format!("{common}\n{}", sheet("lab.css")?),
        result: format!("{common}\n{}", sheet("article.css")?),
    })
}

/// Builds and binds a program.
fn program(part: &Part, optimizer: Option<&Path>) -> Result<Program> {
    let mut build = cargo(&["build", "--profile", part.profile, "--package", "engram-web"]);
    if !part.flags.is_empty() {
        // They replace those of .cargo/config.toml, so they hold these too.
        build.env("RUSTFLAGS", part.flags);
    }
    shell::run(build.args(part.features).args(["--bin", part.name, "--target", WASM]))?;
    let built = target().join(WASM).join(part.profile).join(format!("{}.wasm", part.name));
    let mut program = bind::bind(part.name, &built, part.name == VIEWER.name)?;
    if let (Some(optimizer), Some(how)) = (optimizer, part.optimized) {
        bind::optimize(&mut program, optimizer, how, &target().join("web-scratch"))?;
    }
    Ok(program)
}

/// The page must not carry the engine: it would be thirty times the size.
fn engine_free() -> Result<()> {
    let arguments = [
        "tree",
        "--package",
        "engram-web",
        "--features",
        "page,viewer",
        "--target",
        WASM,
        "--edges",
        "normal",
        "--prefix",
        "none",
    ];
    let tree = cargo(&arguments).output().context("cannot start cargo tree")?;
    if !tree.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&tree.stderr).trim());
    }
    let tree = String::from_utf8_lossy(&tree.stdout);
    match tree.lines().find(|line| ["burn", "cubecl", "wgpu"].iter().any(|engine| line.starts_with(engine))) {
        Some(line) => bail!("the page links the engine: {line}"),
        None => Ok(()),
    }
}

/// The bundled facts and models, where the worker looks for them: beside its own script.
fn bundled(site: &mut Site) -> Result<()> {
    let from = shell::root().join("core").join("bundled");
    site.put("bundled/facts.json", read(&from.join("facts.json"))?);
    for entry in from.join("models").read_dir().context("cannot list the bundled models")? {
        let model = entry?.path();
        let Some(name) = model.file_name().and_then(|name| name.to_str()) else { continue };
        for file in MODEL_FILES {
            site.put(&format!("bundled/models/{name}/{file}"), read(&model.join(file))?);
        }
    }
    Ok(())
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from)
}
