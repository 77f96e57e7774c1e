//! The frame of result pages, with style and viewer in it: one file that the native program and the lab fill.

use super::link::Program;
use super::site::gzip;
use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use engram_core::pack;
use engram_web::shell::{FRAME, Mark, filled};
use sha2::{Digest, Sha256};

/// What starts the viewer, after the module that binds it.
const START: &str = include_str!("../../../web/page.js");

/// The frame around a viewer.
pub(crate) fn frame(viewer: &Program, style: &str) -> Result<String> {
    if !viewer.snippets.is_empty() {
        bail!("{} has snippets; they cannot be within the page", viewer.name);
    }
    let script = format!("{}\n{START}", viewer.glue);
    for (what, text) in [("viewer's script", script.as_str()), ("style", style)] {
        if text.contains("</") || text.contains("<!--") {
            bail!("the {what} has a text that would end it within a page");
        }
    }
    let digest = BASE64_STANDARD.encode(Sha256::digest(script.as_bytes()));
    let wasm = pack::to_text(&gzip(&viewer.wasm)?);
    let elements = format!(
        "<script type=\"application/gzip\" id=\"engram-viewer\">{wasm}</script>\n<script type=\"module\">{script}</script>"
    );
    let policy = format!("'sha256-{digest}' 'wasm-unsafe-eval'");
    filled(FRAME, &[(Mark::Policy, &policy), (Mark::Style, style), (Mark::Viewer, &elements)])
        .context("web/page.html lacks a mark, or has one twice")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(glue: &str) -> Program {
        Program { name: "viewer", glue: glue.into(), wasm: vec![0, 1, 2], snippets: Vec::new() }
    }

    #[test]
    fn the_frame_allows_its_own_script_only() -> Result<()> {
        let frame = frame(&program("const a = 1;"), "p { color: red }")?;
        let script = frame.split_once("<script type=\"module\">").and_then(|(_, rest)| rest.split_once("</script>"));
        let digest = BASE64_STANDARD.encode(Sha256::digest(script.context("no script")?.0));
        assert!(frame.contains(&format!("script-src 'sha256-{digest}' 'wasm-unsafe-eval'")), "{frame}");
        assert!(frame.contains("<style>p { color: red }</style>"));
        assert!(frame.contains(Mark::Records.text()) && !frame.contains(Mark::Viewer.text()));
        Ok(())
    }

    #[test]
    fn what_would_end_an_element_is_refused() {
        assert!(frame(&program("'</script>'"), "").is_err());
        assert!(frame(&program(""), "</style>").is_err());
        let with = Program { snippets: vec![("a".into(), "b".into())], ..program("") };
        assert!(frame(&with, "").is_err());
    }
}
