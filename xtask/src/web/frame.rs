//! The frame of result pages, with style and viewer in it: one file that the native program and the lab fill.

use super::link::Program;
use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use engram_core::pack;
use engram_web::shell::{FRAME, Mark, filled};
use lzma_rust2::{LzmaOptions, LzmaWriter};
use sha2::{Digest, Sha256};
use std::io::Write as _;

/// What starts the viewer, after the module that binds it.
const START: &str = include_str!("../../../web/page.js");

/// The frame around a viewer.
pub(crate) fn frame(viewer: &Program, style: &str) -> Result<String> {
    if !viewer.snippets.is_empty() {
        bail!("{} has snippets; they cannot be within the page", viewer.name);
    }
    let script = dense(&format!("{}\n{START}", viewer.glue), COMMENTS);
    let style = &dense(style, &["/*"]);
    for (what, text) in [("viewer's script", script.as_str()), ("style", style)] {
        if text.contains("</") || text.contains("<!--") {
            bail!("the {what} has a text that would end it within a page");
        }
    }
    let digest = BASE64_STANDARD.encode(Sha256::digest(script.as_bytes()));
    let wasm = pack::to_text(&packed(&viewer.wasm)?);
    let elements = format!(
        "<script type=\"application/x-lzma\" id=\"engram-viewer\">{wasm}</script>\n<script type=\"module\">{script}</script>"
    );
    let policy = format!("'sha256-{digest}' 'wasm-unsafe-eval'");
    filled(FRAME, &[(Mark::Policy, &policy), (Mark::Style, style), (Mark::Viewer, &elements)])
        .context("web/page.html lacks a mark, or has one twice")
}

/// LZMA, with a header that tells the length.
fn packed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut options = LzmaOptions::with_preset(9);
    // Code is not aligned in WebAssembly.
    options.pb = 0;
    options.nice_len = LzmaOptions::NICE_LEN_MAX;
    let mut writer = LzmaWriter::new_use_header(Vec::new(), &options, Some(bytes.len() as u64))?;
    writer.write_all(bytes)?;
    Ok(writer.finish()?)
}

/// How lines of a script's comments begin.
pub(crate) const COMMENTS: &[&str] = &["//", "/*", "*"];

/// Without what only a person reads: indentation, empty lines, and lines that begin as comments do. Neither the binder's
/// script nor our style sheets have texts of several lines.
pub(crate) fn dense(text: &str, comments: &[&str]) -> String {
    let kept = |line: &&str| !line.is_empty() && !comments.iter().any(|sign| line.starts_with(sign));
    text.lines().map(str::trim).filter(kept).collect::<Vec<_>>().join("\n")
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
        assert_eq!(dense("  a\n\n /** b */\n  * c\n d // e", &["/*", "*"]), "a\nd // e");
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
