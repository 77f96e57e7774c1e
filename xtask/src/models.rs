//! `cargo xtask models [--cards] [NAME ...]`: the bundled models, trained from their recipes, studied, and their cards.

use anyhow::Result;

#[cfg(not(feature = "core"))]
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    crate::shell::again("core", "models", arguments)
}

#[cfg(feature = "core")]
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    use crate::shell;
    use anyhow::{Context, bail};
    use std::path::Path;
    use std::process::Command;

    const FOLDER: &str = "core/bundled/models";
    const FACTS: [&str; 2] = ["--facts", "core/bundled/facts.json"];
    // More edits than a study's 15, so that a rate means something.
    const STUDY: [&str; 6] = ["-n", "100000", "--edit-facts", "100", "--fresh", "--quiet"];

    let cards = arguments.iter().any(|argument| argument == "--cards");
    let wanted: Vec<&String> = arguments.iter().filter(|argument| *argument != "--cards").collect();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(FOLDER).context(FOLDER)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    if let Some(unknown) = wanted.iter().find(|name| !names.contains(name)) {
        bail!("{unknown} is not among {}", names.join(", "));
    }
    let program = shell::engram()?;
    let engram = || Command::new(&program);
    let out = shell::target().join("cards");
    for name in names.iter().filter(|name| wanted.is_empty() || wanted.contains(name)) {
        let folder = Path::new(FOLDER).join(name);
        if !cards {
            let text = ["--text", "core/bundled/text.tsv", "--fresh", "--out"];
            let mut train = engram();
            train.arg("train").arg(folder.join("recipe.toml")).args(FACTS).args(text).arg(&folder);
            shell::run(&mut train)?;
        }
        let mut study = engram();
        study.arg("study").arg("--model").arg(&folder).args(FACTS).args(STUDY).arg("--out").arg(&out);
        shell::run(study.stdout(std::process::Stdio::null()))?;
        let record = engram_core::journal::read(&out.join(format!("{name}.engram.json")))?.record;
        let read = |file: &str| {
            let path = folder.join(file);
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let card = crate::card::write(&record, &read("recipe.toml")?, &read("training.json")?)?;
        std::fs::write(folder.join("README.md"), card)?;
        println!("{}", folder.join("README.md").display());
    }
    Ok(())
}
