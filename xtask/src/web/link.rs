//! A program's files under names with digests, and the references between them.

use super::site::Site;
use anyhow::{Result, bail};

/// What binding a program to the browser gives.
pub(crate) struct Program {
    /// Its name: that of its files without their ends.
    pub(crate) name: &'static str,
    /// The module that loads the WebAssembly and lets it call the browser.
    pub(crate) glue: String,
    /// The WebAssembly.
    pub(crate) wasm: Vec<u8>,
    /// Modules that the glue imports from: path as the glue has it, and text.
    pub(crate) snippets: Vec<(String, String)>,
}

/// Names of a program's files.
pub(crate) struct Linked {
    /// The glue.
    pub(crate) glue: String,
    /// The WebAssembly.
    pub(crate) wasm: String,
}

/// Puts a program's files into the site.
pub(crate) fn link(program: Program, site: &mut Site) -> Result<Linked> {
    let plain = format!("{}_bg.wasm", program.name);
    let wasm = site.put_hashed(&plain, program.wasm);
    let mut glue = swapped(&program.glue, &plain, &wasm)?;
    for (number, (path, text)) in program.snippets.into_iter().enumerate() {
        // A snippet that imports would need its own references rewritten; there is none.
        if text.contains("import ") || text.contains("import(") {
            bail!("{}: the snippet {path} imports other files", program.name);
        }
        let name = site.put_hashed(&format!("{}_snippet{number}.js", program.name), text);
        glue = swapped(&glue, &path, &name)?;
    }
    let glue = site.put_hashed(&format!("{}.js", program.name), glue);
    Ok(Linked { glue, wasm })
}

/// The worker's first script: it fetches the glue and starts it, and tells the page when that fails.
pub(crate) fn loader(glue: &str) -> String {
    LOADER.replace("GLUE", glue)
}

/// The page's first script: a start that fails shows the page's own words about it. It is a file, not a script within the
/// page, so that the page can forbid those.
pub(crate) fn start(glue: &str, printer: &str, frame: &str) -> String {
    START.replace("GLUE", glue).replace("PRINTER", printer).replace("FRAME", frame)
}

const LOADER: &str = "\
const told = {\"id\":0,\"news\":{\"fatal\":{\"kind\":\"crash\",\"message\":\"\",\"hint\":\"reload the page\"}}};
try {
  const glue = await import('./GLUE');
  await glue.default();
} catch (error) {
  told.news.fatal.message = `the engine's worker could not start: ${error?.message ?? error}`;
  postMessage({ json: JSON.stringify(told) });
  throw error;
}
";

const START: &str = "\
globalThis.engramPrint = async (packed) => {
  const [printer, answer] = await Promise.all([import('./PRINTER'), fetch('./FRAME')]);
  if (!answer.ok) throw new Error(`FRAME: the server answers ${answer.status}`);
  const [frame] = await Promise.all([answer.text(), printer.default()]);
  return printer.page(frame, packed);
};
try {
  const glue = await import('./GLUE');
  await glue.default();
} catch (error) {
  document.getElementById('crash').hidden = false;
  throw error;
}
";

/// The text with every reference swapped; there must be one.
fn swapped(text: &str, from: &str, to: &str) -> Result<String> {
    if !text.contains(from) {
        bail!("what binds the program to the browser does not name {from}");
    }
    Ok(text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engram_core::protocol::{self, Event, Message};

    #[test]
    fn files_find_each_other() -> Result<()> {
        let glue = "import { a } from './snippets/x-1/inline0.js';\nnew URL('page_bg.wasm', import.meta.url)";
        let snippets = vec![("snippets/x-1/inline0.js".to_owned(), "export function a() {}".to_owned())];
        let program = Program { name: "page", glue: glue.into(), wasm: vec![0], snippets };
        let mut site = Site::default();
        let linked = link(program, &mut site)?;
        let glue = String::from_utf8(site.0[&linked.glue].clone())?;
        assert!(glue.contains(&format!("new URL('{}'", linked.wasm)), "{glue}");
        let snippet = site.named("page_snippet0-").unwrap_or_default();
        assert!(glue.contains(&format!("'./{snippet}'")), "{glue}");
        assert!(!glue.contains("inline0") && !glue.contains("page_bg.wasm"), "{glue}");
        Ok(())
    }

    #[test]
    fn a_program_that_names_no_wasm_is_refused() {
        let program = Program { name: "page", glue: String::new(), wasm: vec![0], snippets: Vec::new() };
        assert!(link(program, &mut Site::default()).is_err());
    }

    #[test]
    fn a_start_that_fails_shows_the_pages_words() -> Result<()> {
        let start = start("page-1.js", "printer-2.js", "frame.html");
        assert!(start.contains("import('./printer-2.js')") && start.contains("fetch('./frame.html')"), "{start}");
        assert!(start.contains("import('./page-1.js')") && start.contains("getElementById('crash')"));
        let page = std::fs::read_to_string(crate::shell::root().join("index.html"))?;
        assert!(page.contains("id=\"crash\""));
        Ok(())
    }

    #[test]
    fn the_loader_speaks_the_protocol() -> Result<()> {
        let loader = loader("worker-1.js");
        assert!(loader.contains("import('./worker-1.js')"));
        let told = loader.lines().next().and_then(|line| line.strip_prefix("const told = ")).unwrap_or_default();
        let event: Message = protocol::from_json(told.trim_end_matches(';'))?;
        assert!(event.id == 0 && matches!(event.news, Event::Fatal(_)));
        Ok(())
    }
}
