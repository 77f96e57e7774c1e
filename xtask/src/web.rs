//! `cargo xtask web`: the site, packed in `app/site` for the program, and as files in `dist/` for any other web server.
//! `trunk serve` builds the same page.
//!
//! The page is a program without the engine, the worker one with it. Their files carry a digest in their names, so a
//! browser may keep them forever, and every reference between them is relative, so the site works below any address.

#[cfg(feature = "web")]
mod bind;
#[cfg(feature = "web")]
mod build;
#[cfg(feature = "web")]
mod frame;
#[cfg(any(feature = "web", test))]
mod index;
#[cfg(any(feature = "web", test))]
mod link;
pub(crate) mod shipped;
mod site;
#[cfg(feature = "web")]
mod sizes;

use anyhow::{Result, bail};

/// What is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The page alone; the worker that `app/site` has stays there.
    pub(crate) page_only: bool,
}

/// Builds the site. What binds WebAssembly to the browser and what measures it are heavy dependencies that no other task
/// needs, so they are behind a feature, and this task calls cargo again to switch it on.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let wanted = parse(arguments)?;
    crate::check::wasm_target()?;
    make(wanted, arguments)
}

#[cfg(feature = "web")]
fn make(wanted: Wanted, _: &[String]) -> Result<()> {
    build::site(wanted)
}

#[cfg(not(feature = "web"))]
fn make(_: Wanted, arguments: &[String]) -> Result<()> {
    crate::shell::again("web", "web", arguments)
}

fn parse(arguments: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted { page_only: false };
    for argument in arguments {
        match argument.as_str() {
            "--page-only" => wanted.page_only = true,
            other => bail!("`cargo xtask web` takes --page-only, not `{other}`"),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_flag_is_known() {
        let parse = |words: &[&str]| parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(parse(&[]).ok(), Some(Wanted { page_only: false }));
        assert_eq!(parse(&["--page-only"]).ok(), Some(Wanted { page_only: true }));
        assert!(parse(&["--page"]).is_err());
    }
}
