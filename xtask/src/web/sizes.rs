//! What the site weighs: as it is, and after gzip, as a server sends it.

use super::site::{LESSONS, Site, gzip};
use anyhow::{Result, bail};
use std::fmt::Write as _;

/// Most bytes of the page after gzip: what must be there before anything is seen. The lessons' screen, parser and style are 44 kB
/// of it; their texts are fetched when somebody opens them.
const PAGE_BUDGET: usize = 1_135_000;
/// Most bytes of the worker after gzip: what must be there before anything is computed.
const WORKER_BUDGET: usize = 5_000_000;
/// Most bytes of the printer with the frame of result pages: what is fetched when a page is made.
const PRINTER_BUDGET: usize = 1_200_000;

/// Bytes of a file or of several.
#[derive(Debug, Default, Clone)]
pub(crate) struct Size {
    /// As it is.
    raw: usize,
    /// After gzip.
    gzip: usize,
}

/// A file's path and size.
#[derive(Debug, Clone)]
struct File {
    path: String,
    size: Size,
}

/// Files that are fetched together.
#[derive(Debug, Default)]
struct Group {
    size: Size,
    /// Most bytes after gzip.
    budget: Option<usize>,
}

/// The whole site.
#[derive(Debug)]
pub(crate) struct Sizes {
    page: Group,
    worker: Group,
    printer: Group,
    bundled: Group,
    files: Vec<File>,
}

/// Measures every file.
pub(crate) fn measure(site: &Site) -> Result<Sizes> {
    let (mut page, mut worker) = (Group::of(PAGE_BUDGET), Group::of(WORKER_BUDGET));
    let (mut printer, mut bundled, mut files) = (Group::of(PRINTER_BUDGET), Group::default(), Vec::new());
    for (path, bytes) in &site.0 {
        let size = Size { raw: bytes.len(), gzip: gzip(bytes)?.len() };
        let group = match path.as_str() {
            // What is computed on, and what has been: data, not program.
            path if path.starts_with("bundled/") || path.starts_with("sample.") || path.starts_with(LESSONS) => {
                &mut bundled
            }
            path if path.starts_with("engram-worker") => &mut worker,
            path if path.starts_with("engram-printer") || path == "frame.html" => &mut printer,
            _ => &mut page,
        };
        group.size.add(&size);
        files.push(File { path: path.clone(), size });
    }
    Ok(Sizes { page, worker, printer, bundled, files })
}

impl Sizes {
    /// For people.
    pub(crate) fn table(&self) -> String {
        let shown = self.files.iter().filter(|file| !file.path.starts_with("bundled/"));
        let mut rows: Vec<(String, &Size)> = shown.map(|file| (file.path.clone(), &file.size)).collect();
        let count = self.files.len() - rows.len();
        for (name, group) in [("page", &self.page), ("worker", &self.worker), ("printer", &self.printer)] {
            let budget = group.budget.map(|budget| format!(", at most {} with gzip", kilo(budget)));
            rows.push((format!("{name}{}", budget.unwrap_or_default()), &group.size));
        }
        rows.push((format!("bundled facts and models, {count} files"), &self.bundled.size));
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut out = format!("{:width$}  {:>11}  {:>11}\n", "kB", "raw", "gzip");
        for (name, size) in rows {
            let (raw, gzip) = (kilo(size.raw), kilo(size.gzip));
            let _ = writeln!(out, "{name:width$}  {raw:>11}  {gzip:>11}");
        }
        out
    }

    /// An error where a program has grown beyond what a visitor can be asked to wait for.
    pub(crate) fn within_budget(&self) -> Result<()> {
        for (name, group) in [("page", &self.page), ("worker", &self.worker), ("printer", &self.printer)] {
            if let Some(budget) = group.budget.filter(|budget| group.size.gzip > *budget) {
                bail!("the {name} has {} after gzip, and {} is allowed", kilo(group.size.gzip), kilo(budget));
            }
        }
        Ok(())
    }
}

impl Group {
    fn of(budget: usize) -> Self {
        Self { size: Size::default(), budget: Some(budget) }
    }
}

impl Size {
    fn add(&mut self, other: &Self) {
        self.raw += other.raw;
        self.gzip += other.gzip;
    }
}

fn kilo(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_budgets() -> Result<()> {
        let mut site = Site::default();
        site.put("index.html", "page");
        site.put("engram-worker-1.js", "worker");
        site.put("bundled/facts.json", "[1, 2]");
        let mut sizes = measure(&site)?;
        assert_eq!((sizes.page.size.raw, sizes.worker.size.raw, sizes.bundled.size.raw), (4, 6, 6));
        assert!(sizes.table().contains("bundled facts and models, 1 files"));
        sizes.within_budget()?;
        sizes.page.size.gzip = PAGE_BUDGET + 1;
        assert!(sizes.within_budget().is_err_and(|error| error.to_string().contains("1135.0 kB is allowed")));
        Ok(())
    }
}
