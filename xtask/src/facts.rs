//! `cargo xtask facts`: the bundled facts, made again from their tables and templates.

use anyhow::Result;

#[cfg(not(feature = "core"))]
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::shell::again("core", "facts", arguments)
}

#[cfg(feature = "core")]
pub(crate) fn run(_arguments: &[String]) -> Result<()> {
    use anyhow::Context;
    use engram_core::facts::compose;

    let folder = std::path::Path::new("core/bundled");
    let read = |path: std::path::PathBuf| {
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let mut tables = Vec::new();
    for name in compose::TABLES {
        tables.push((name, read(folder.join(format!("tables/{name}.csv")))?));
    }
    let tables: Vec<_> = tables.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let records = compose::compose(&tables, &read(folder.join("tables/templates.csv"))?)?;
    let file = folder.join("facts.json");
    std::fs::write(&file, compose::write(&records)).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}: {} facts", file.display(), records.len());
    Ok(())
}
