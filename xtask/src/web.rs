//! `cargo xtask web`: the page as files in `dist/`, for any web server. `trunk serve` builds the same page.

use crate::shell::{self, cargo};
use anyhow::{Result, bail};
use std::path::Path;

/// Builds the page. What binds WebAssembly to the browser is a heavy dependency that no other task needs, so it is
/// behind a feature, and this task calls cargo again to switch it on.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Some(extra) = arguments.first() {
        bail!("`cargo xtask web` takes no arguments, not `{extra}`");
    }
    if !cfg!(feature = "web") {
        let again = ["run", "--quiet", "--release", "--package", "xtask", "--features", "web", "--", "web"];
        return shell::run(&mut cargo(&again));
    }
    crate::check::wasm_target()?;
    let target = crate::check::WASM;
    shell::run(&mut cargo(&["build", "--profile", "web", "--package", "engram-web", "--target", target]))?;
    let built = target_folder()?.join(target).join("web").join("engram-web.wasm");
    let dist = shell::root().join("dist");
    if dist.exists() {
        std::fs::remove_dir_all(&dist)?;
    }
    std::fs::create_dir_all(&dist)?;
    bind(&built, &dist)?;
    let page = std::fs::read_to_string(shell::root().join("index.html"))?;
    std::fs::write(dist.join("index.html"), linked(&page)?)?;
    std::fs::copy(shell::root().join("web").join("style.css"), dist.join("style.css"))?;
    let size = std::fs::metadata(dist.join("engram-web_bg.wasm"))?.len();
    println!("dist: the page, {:.2} MB of WebAssembly", size as f64 / 1e6);
    Ok(())
}

#[cfg(feature = "web")]
fn bind(built: &Path, dist: &Path) -> Result<()> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(built).out_name("engram-web").typescript(false).omit_default_module_path(false);
    bindgen.remove_name_section(true).remove_producers_section(true).web(true)?.generate(dist)
}

#[cfg(not(feature = "web"))]
fn bind(_: &Path, _: &Path) -> Result<()> {
    bail!("this xtask was built without its feature `web`")
}

/// Where cargo builds.
fn target_folder() -> Result<std::path::PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Ok(folder.into()),
        None => Ok(shell::root().join("target")),
    }
}

/// The page with Trunk's two links replaced by what they stand for.
fn linked(page: &str) -> Result<String> {
    // A start that fails shows the page's own words about it.
    let script = "<script type=\"module\">\n    import start from './engram-web.js';\n    \
                  start().catch(error => { document.getElementById('crash').hidden = false; throw error; });\n  \
                  </script>";
    let style = "<link rel=\"stylesheet\" href=\"style.css\">";
    let mut found = 0;
    let line = |line: &str| {
        let with = match line.trim_start() {
            link if link.starts_with("<link data-trunk rel=\"rust\"") => script,
            link if link.starts_with("<link data-trunk rel=\"css\"") => style,
            _ => return line.to_owned(),
        };
        found += 1;
        format!("  {with}")
    };
    let lines: Vec<String> = page.lines().map(line).collect();
    if found != 2 {
        bail!("index.html has {found} links for Trunk, not 2");
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_links_that_are_replaced() -> Result<()> {
        let page = linked(&std::fs::read_to_string(shell::root().join("index.html"))?)?;
        assert!(page.contains("engram-web.js") && page.contains("style.css") && !page.contains("data-trunk"));
        assert!(linked("<html></html>").is_err());
        Ok(())
    }
}
