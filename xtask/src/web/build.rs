//! Building the programs and gathering the site.

use super::bind;
use super::frame;
use super::index::{Names, index};
use super::link::{Program, link, loader, start};
use super::shipped::{self, Built};
use super::site::{self, Site, bundled, read};
use super::{Wanted, sizes};
use crate::check::WASM;
use crate::shell::{self, cargo, target};
use crate::times::{Timed, spoken};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A program of the package `engram-web`.
struct Part {
    /// Its binary.
    name: &'static str,
    /// Which of the four is built when.
    place: u8,
    /// Its build profile.
    profile: &'static str,
    /// The features of all programs that are built with it: one set, so that what they share is compiled once.
    features: &'static str,
    /// Whether Binaryen's optimizer makes it smaller.
    optimized: bool,
}

const PAGE: Part = Part { name: "engram-web", place: 2, profile: "web", features: "page,viewer", optimized: true };

/// Within result pages: it draws them anew, alive.
const VIEWER: Part = Part { name: "engram-viewer", place: 1, ..PAGE };

/// Beside the page: it makes result pages.
const PRINTER: Part = Part { name: "engram-printer", place: 3, features: "print", ..PAGE };

const WORKER: Part = Part {
    name: "engram-worker",
    place: 4,
    profile: "worker",
    features: "worker",
    // It takes a minute, and the result is larger after gzip.
    optimized: false,
};

/// How the worker's first script is called before its digest is known.
const LOADER: &str = "engram-worker_loader";

/// The study that is on screen before anything runs.
const SAMPLE: &str = "sample.engram.json.gz";

/// The frame of result pages, for whoever has no lab to fill it.
const FRAME: &str = "frame.html";

/// Builds the site: into `app/site`, which the program carries, and into `dist/`, for any other server.
pub(crate) fn site(wanted: Wanted) -> Result<()> {
    let begun = Instant::now();
    engine_free()?;
    let now = shipped::sources(&shell::root())?;
    let optimizer = bind::optimizer().context(
        "wasm-opt is neither on the path nor in tests/browser; `npm ci` in tests/browser installs it, or Binaryen",
    )?;
    let mut site = Site::default();
    let styles = styles()?;
    let viewer = program(&VIEWER, &optimizer)?;
    site.put(FRAME, frame::frame(&viewer, &styles.result)?);
    let page = link(program(&PAGE, &optimizer)?, &mut site)?;
    let printer = link(program(&PRINTER, &optimizer)?, &mut site)?;
    let worker = match wanted.page_only {
        true => kept_worker(&mut site)?,
        false => {
            let worker = link(program(&WORKER, &optimizer)?, &mut site)?;
            site.put_hashed(&format!("{LOADER}.js"), loader(&worker.glue));
            now.clone()
        }
    };
    let loader = site.named(LOADER).context("the site has no worker")?.to_owned();
    let start = site.put_hashed("engram-start.js", start(&page.glue, &printer.glue, FRAME));
    let style = site.put_hashed("style.css", styles.lab.as_str());
    let html = std::fs::read_to_string(shell::root().join("index.html")).context("cannot read index.html")?;
    site.put("index.html", index(&html, &Names { page: &page, start: &start, style: &style, loader: &loader })?);
    site.put(SAMPLE, read(&shell::root().join("web").join(SAMPLE))?);
    site::lessons(&mut site)?;
    if shipped::sources(&shell::root())? != now {
        bail!("the sources changed while the site was built; build it again");
    }
    let sizes = sizes::measure(&site)?;
    shipped::write(&site, &Built { page: now, worker }, &shipped::folder())?;
    bundled(&mut site)?;
    site.write(&shell::root().join("dist"))?;
    println!("\n{}", sizes.table());
    println!("app/site and dist/ are made, in {}", spoken(begun.elapsed()));
    sizes.within_budget()
}

/// Takes the worker over that `app/site` has; gives the digest of the sources that it was built from.
fn kept_worker(site: &mut Site) -> Result<String> {
    let (old, built) = shipped::read(&shipped::folder())?.context("app/site has no worker to keep")?;
    site.0.extend(old.0.into_iter().filter(|(name, _)| name.starts_with(WORKER.name)));
    Ok(built.worker)
}

/// The lab's own style sheets, in the order of index.html.
const LAB_STYLES: [&str; 10] = [
    "tokens.css",
    "lab.css",
    "frame.css",
    "trace.css",
    "edit.css",
    "forward.css",
    "models.css",
    "facts.css",
    "study.css",
    "lessons.css",
];

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
    let common = [sheet("style.css")?, sheet("figures.css")?].join("\n");
    Ok(Styles {
        lab: LAB_STYLES.iter().try_fold(common.clone(), |all, name| anyhow::Ok(all + "\n" + &sheet(name)?))?,
        result: [sheet("tokens.css")?, common, sheet("article.css")?, sheet("facts.css")?].join("\n"),
    })
}

/// Builds and binds a program.
fn program(part: &Part, optimizer: &Path) -> Result<Program> {
    let timed = Timed::start(&format!("{}, program {} of 4", part.name, part.place));
    let mut build = cargo(&["build", "--profile", part.profile, "--package", "engram-web"]);
    build.args(["--features", part.features, "--bin", part.name, "--target", WASM]);
    shell::run(build.args(["--config", &unnamed_paths()?]))?;
    let built = target().join(WASM).join(part.profile).join(format!("{}.wasm", part.name));
    let mut program = bind::bind(part.name, &built, part.name == VIEWER.name)?;
    private(part.name, &program.wasm)?;
    if part.optimized {
        bind::optimize(&mut program, optimizer, &target().join("web-scratch"))?;
    }
    println!("{}: {}", part.name, timed.told());
    timed.keep();
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

/// Cargo's setting by which messages of panics name no folder of this machine.
fn unnamed_paths() -> Result<String> {
    let home = cargo_home()?;
    let sources = home.join("registry").join("src");
    let mut flags = Vec::new();
    // A folder a registry; the compiler takes the last flag that fits.
    for entry in sources.read_dir().with_context(|| format!("cannot list {}", sources.display()))? {
        flags.push(format!("\"--remap-path-prefix={}=crates\"", entry?.path().display()));
    }
    flags.sort();
    Ok(format!("target.{WASM}.rustflags=[{}]", flags.join(", ")))
}

/// Where cargo keeps what it has downloaded.
fn cargo_home() -> Result<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home).context("there is no CARGO_HOME")
}

/// Refuses a program that names a folder of this machine.
fn private(name: &str, wasm: &[u8]) -> Result<()> {
    for folder in [cargo_home()?, shell::root()] {
        let folder = folder.to_string_lossy().into_owned();
        if wasm.windows(folder.len()).any(|part| part == folder.as_bytes()) {
            bail!("{name} names the folder {folder} of this machine");
        }
    }
    Ok(())
}
