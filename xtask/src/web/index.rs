//! The page's HTML: what Trunk reads in it is replaced by what it stands for.

use super::link::Linked;
use anyhow::{Result, bail};

/// Names of the files that the page refers to.
pub(crate) struct Names<'a> {
    /// The page's program.
    pub(crate) page: &'a Linked,
    /// The script that starts it.
    pub(crate) start: &'a str,
    /// The style sheet.
    pub(crate) style: &'a str,
    /// The worker's first script.
    pub(crate) loader: &'a str,
}

/// The page with Trunk's links, the worker's name and the policy about scripts replaced.
pub(crate) fn index(page: &str, names: &Names<'_>) -> Result<String> {
    let Linked { glue, wasm } = names.page;
    let program = format!(
        "<link rel=\"modulepreload\" href=\"./{glue}\">\n  \
         <link rel=\"preload\" href=\"./{wasm}\" as=\"fetch\" type=\"application/wasm\" crossorigin>\n  \
         <script type=\"module\" src=\"./{}\"></script>",
        names.start
    );
    let style = format!("<link rel=\"stylesheet\" href=\"./{}\">", names.style);
    let worker = format!("<meta name=\"engram-worker\" content=\"./{}\">", names.loader);
    let (mut found, mut lines) = ([0; 4], Vec::new());
    for line in page.lines() {
        let text = line.trim_start();
        let trunk = text.strip_prefix("<link data-trunk rel=\"");
        let (at, with) = match trunk.and_then(|rest| rest.split_once('"')) {
            // Its own loader and the bundled files are there already.
            Some(("rust", rest)) if rest.contains("data-type=\"worker\"") => (0, None),
            Some(("copy-dir" | "copy-file", _)) => continue,
            Some(("rust", _)) => (1, Some(program.as_str())),
            // One sheet holds all three.
            Some(("css", rest)) if !rest.contains("style.css") => continue,
            Some(("css", _)) => (2, Some(style.as_str())),
            Some((other, _)) => bail!("index.html has a link for Trunk of the kind `{other}`, which is not known"),
            None if text.starts_with("<meta name=\"engram-worker\"") => (3, Some(worker.as_str())),
            None => {
                lines.push(line.to_owned());
                continue;
            }
        };
        found[at] += 1;
        lines.extend(with.map(|with| format!("  {with}")));
    }
    if found != [1; 4] {
        bail!("index.html has {found:?} links to the worker, page, style and worker's name, not one of each");
    }
    strict(&(lines.join("\n") + "\n"))
}

/// Trunk starts the page from a script within it; this build does not, so it can be forbidden.
fn strict(page: &str) -> Result<String> {
    let (loose, strict) =
        ("script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'", "script-src 'self' 'wasm-unsafe-eval'");
    if page.matches(loose).count() != 1 {
        bail!("index.html does not say \"{loose}\" once");
    }
    Ok(page.replace(loose, strict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;

    fn names(linked: &Linked) -> Names<'_> {
        Names { page: linked, start: "start-3.js", style: "style-4.css", loader: "loader-5.js" }
    }

    fn linked() -> Linked {
        Linked { glue: "page-1.js".into(), wasm: "page-2.wasm".into() }
    }

    #[test]
    fn the_page_has_what_is_replaced() -> Result<()> {
        let page = index(&std::fs::read_to_string(shell::root().join("index.html"))?, &names(&linked()))?;
        for name in ["./page-1.js", "./page-2.wasm", "./start-3.js", "./style-4.css", "content=\"./loader-5.js\""] {
            assert!(page.contains(name), "{name} is missing in\n{page}");
        }
        assert!(!page.contains("data-trunk") && !page.contains("<script>"), "{page}");
        Ok(())
    }

    #[test]
    fn the_policy_forbids_what_the_page_does_not_do() -> Result<()> {
        let page = index(&std::fs::read_to_string(shell::root().join("index.html"))?, &names(&linked()))?;
        assert!(page.contains("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';"), "{page}");
        assert!(page.contains("worker-src 'self'") && page.contains("connect-src 'self';"), "{page}");
        Ok(())
    }

    #[test]
    fn every_reference_is_relative() -> Result<()> {
        let page = index(&std::fs::read_to_string(shell::root().join("index.html"))?, &names(&linked()))?;
        for start in ["href=\"/", "src=\"/", "content=\"/", "href=\"http", "src=\"http"] {
            assert!(!page.contains(start), "{start}");
        }
        Ok(())
    }

    #[test]
    fn a_page_without_links_is_refused() {
        assert!(index("<html></html>", &names(&linked())).is_err());
    }
}
