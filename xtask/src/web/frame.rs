//! The frame of result pages, with style and viewer in it: one file that the native program and the lab fill.

use super::link::Program;
use super::sizes;
use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use engram_core::pack;
use engram_web::shell::{FRAME, Mark, filled};
use sha2::{Digest, Sha256};

/// What starts the viewer, after the module that binds it. Nothing of it asks a server.
const START: &str = r"
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&()*+,./:;<=>?@[]^_`{|}~\x22';
const unpacked = (text) => {
  const values = new Uint8Array(128);
  for (let at = 0; at < 91; at++) values[letters.charCodeAt(at)] = at;
  const bytes = new Uint8Array(text.length);
  let length = 0, queue = 0, held = 0, first = -1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= 32) continue;
    if (first < 0) { first = values[code]; continue; }
    const value = first + values[code] * 91;
    first = -1;
    queue |= value << held;
    held += (value & 8191) > 88 ? 13 : 14;
    for (; held > 7; held -= 8, queue >>>= 8) bytes[length++] = queue & 255;
  }
  if (first >= 0) bytes[length++] = (queue | first << held) & 255;
  return bytes.subarray(0, length);
};
const bytes = unpacked(document.getElementById('engram-viewer').textContent);
const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
try {
  await __wbg_init({ module_or_path: await new Response(plain).arrayBuffer() });
} catch (error) {
  const crash = document.getElementById('crash');
  crash.textContent = `The figures cannot be moved: the viewer did not start (${error?.message ?? error}). The article itself is whole.`;
  crash.hidden = false;
  throw error;
}
";

/// The frame around a viewer.
pub(crate) fn frame(viewer: &Program, style: &str) -> Result<String> {
    if !viewer.snippets.is_empty() {
        bail!("{} has snippets; they cannot be within the page", viewer.name);
    }
    let script = dense(&format!("{}{START}", viewer.glue), &["//", "/*", "*"]);
    let style = &dense(style, &["/*"]);
    for (what, text) in [("viewer's script", script.as_str()), ("style", style)] {
        if text.contains("</") || text.contains("<!--") {
            bail!("the {what} has a text that would end it within a page");
        }
    }
    let digest = BASE64_STANDARD.encode(Sha256::digest(script.as_bytes()));
    let wasm = pack::to_text(&sizes::packed(&viewer.wasm));
    let elements = format!(
        "<script type=\"application/gzip\" id=\"engram-viewer\">{wasm}</script>\n<script type=\"module\">{script}</script>"
    );
    let policy = format!("'sha256-{digest}' 'wasm-unsafe-eval'");
    filled(FRAME, &[(Mark::Policy, &policy), (Mark::Style, style), (Mark::Viewer, &elements)])
        .context("web/page.html lacks a mark, or has one twice")
}

/// Without what only a person reads: indentation, empty lines, and lines that begin as comments do. Neither the binder's
/// script nor our style sheets have texts of several lines.
fn dense(text: &str, comments: &[&str]) -> String {
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
