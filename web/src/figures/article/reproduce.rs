//! The command lines that reproduce an article's records, and everything that decided their numbers.

mod flags;

use super::{Article, finding::Finding};
use crate::figures::about;
use crate::state::BUNDLED;
use crate::words;
use engram_core::names::HubId;
use engram_core::record::{Answer, Corruption, EditLayers, Record, Settings};

/// How one record is made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reproduce {
    /// The study's name.
    pub model: String,
    /// The `engram study` line, for a POSIX shell; what is quoted in it may not be shown unquoted.
    pub study: String,
    /// The `engram verify` line for the record that it writes.
    pub verify: String,
    /// What the line cannot say.
    pub notes: Vec<String>,
    /// Names and values of all that decided the numbers.
    pub lines: Vec<(&'static str, String)>,
}

/// Folder that the lines write into.
const OUT: &str = "studies";

/// One entry a record.
pub fn records(article: &Article<'_>) -> Vec<Reproduce> {
    let one = |study: &super::Study<'_>| Reproduce {
        model: study.name.clone(),
        study: study_line(study.record),
        verify: line(&["engram".into(), "verify".into(), file(study.record)]),
        notes: notes(study.record),
        lines: lines(study.record),
    };
    article.studies.iter().map(one).collect()
}

/// That the page carries less than the records, where it does.
pub fn extract(article: &Article<'_>) -> Option<Finding> {
    let told = "This page carries an extract of the record, without the search losses of edits that are not at their fact's dominant \
                layer. Its tables and figures do not use them.";
    Finding::of(&article.studies, |study| is_extract(study.record).then(|| told.to_owned())).if_said()
}

/// Whether something is left out of a record.
pub fn is_extract(record: &Record) -> bool {
    record.edits.iter().flatten().any(|edit| edit.without_losses)
}

/// The line of a command over all records.
pub fn over_all(article: &Article<'_>, command: &str, out: &str) -> String {
    let files = article.records.iter().map(file);
    let words = ["engram", command].map(str::to_owned).into_iter().chain(files);
    line(&words.chain(["-o", out].map(str::to_owned)).collect::<Vec<_>>())
}

/// The file that `engram study` writes for a model.
fn file(record: &Record) -> String {
    let safe = |c: char| if c.is_alphanumeric() || "-_.@".contains(c) { c.to_string() } else { "--".into() };
    let stem: String = record.model.name.chars().map(safe).collect();
    format!("{OUT}/{stem}.engram.json")
}

fn line(words: &[String]) -> String {
    words.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell: bare where nothing in it has a meaning, in single quotes otherwise. Control, direction and
/// other invisible characters are written as escapes (`$'…'`), so that a pasted line holds none and cannot end early.
pub fn shell(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_.,/@%+=:".contains(c);
    if !word.is_empty() && word.chars().all(bare) {
        return word.to_owned();
    }
    let hidden = |c: char| words::visible(c.encode_utf8(&mut [0; 4])) != c.to_string();
    if !word.chars().any(hidden) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let escaped: String = word
        .chars()
        .map(|c| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if hidden(c) && c.is_ascii() => format!("\\x{:02x}", u32::from(c)),
            c if hidden(c) => format!("\\U{:08x}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("$'{escaped}'")
}

/// Where a model can be had.
enum Origin {
    Bundled,
    Hub,
    /// A folder, a GGUF file, or a Hub id without an owner: the record does not say.
    Named,
}

fn origin(record: &Record) -> Origin {
    let name = record.model.name.as_str();
    let owned = |id: HubId<'_>| id.name.split_once('/').is_some_and(|(owner, _)| !owner.starts_with('-'));
    match HubId::parse(name) {
        _ if BUNDLED.contains(&name) => Origin::Bundled,
        Some(id) if owned(id) => Origin::Hub,
        _ => Origin::Named,
    }
}

/// A path that no program takes for a flag, nor for a name of its own.
fn path(name: &str) -> String {
    if name.starts_with('/') || name.starts_with("./") { name.to_owned() } else { format!("./{name}") }
}

fn has_own_facts(record: &Record) -> bool {
    record.source.name == "bundled facts"
}

fn study_line(record: &Record) -> String {
    let (settings, default) = (&record.settings, Settings::default());
    let mut words: Vec<String> = vec!["engram".into(), "study".into()];
    let mut flag = |name: &str, value: String| {
        words.push(name.to_owned());
        words.extend(Some(value).filter(|value| !value.is_empty()));
    };
    flag(
        "--model",
        match origin(record) {
            Origin::Bundled | Origin::Hub => record.model.name.clone(),
            Origin::Named => path(&record.model.name),
        },
    );
    flag("--facts", if has_own_facts(record) { "bundled".into() } else { path(&record.source.name) });
    let window = settings.window_of(record.model.layers);
    let (edit, usual) = (&settings.edit, &default.edit);
    let corruption = match &settings.corruption {
        Corruption::Replace { with } => ("--replace-with", with.clone()),
        Corruption::Noise { .. } => ("--corruption", "noise".into()),
    };
    let stages: Vec<String> = settings.stages.iter().map(u8::to_string).collect();
    let positions: Vec<&str> = settings.positions.iter().map(|position| position.name()).collect();
    let differing = [
        (settings.n != default.n, ("-n", settings.n.to_string())),
        (settings.seed != default.seed, ("--seed", settings.seed.to_string())),
        (settings.stages != default.stages, ("--stages", stages.join(","))),
        (settings.corruption != default.corruption, corruption),
        (settings.positions != default.positions, ("--positions", positions.join(","))),
        (settings.answer == Answer::Sequence, ("--answer", "sequence".into())),
        (settings.maps != default.maps, ("--maps", settings.maps.to_string())),
        (window != Settings::usual_window(record.model.layers), ("--window", window.to_string())),
        (edit.facts != usual.facts && edit.sequence == 0, ("--edit-facts", edit.facts.to_string())),
        (edit.position != usual.position, ("--edit-position", edit.position.name().into())),
        (edit.layers != EditLayers::Dominant, ("--edit-layers", edit.layers.to_string())),
        (edit.batch != usual.batch, ("--edit-batch", edit.batch.to_string())),
        (edit.sequence != usual.sequence, ("--edit-sequence", edit.sequence.to_string())),
        (edit.retrace, ("--retrace", String::new())),
    ];
    for (_, (name, value)) in differing.into_iter().filter(|(differs, _)| *differs) {
        flag(name, value);
    }
    if settings.stages.contains(&3) {
        flags::methods(edit).into_iter().for_each(|(name, value)| flag(&name, value));
    }
    // `auto` picks the faster device, so the device is named even where it was not asked for.
    if ["cpu", "gpu"].contains(&record.device.kind.as_str()) {
        flag("--device", record.device.kind.clone());
    }
    flag("--out", OUT.into());
    line(&words)
}

/// What the line cannot say: files that are known by name only, and settings without a flag.
fn notes(record: &Record) -> Vec<String> {
    let (settings, default, model) = (&record.settings, Settings::default(), &record.model);
    let sum = |sum: &str| {
        if sum.is_empty() { String::new() } else { format!(" (SHA-256 {})", words::short(&words::visible(sum), 64)) }
    };
    let mut notes = Vec::new();
    match origin(record) {
        Origin::Bundled => {}
        Origin::Hub if model.name.contains('@') => {}
        Origin::Hub => notes.push(format!(
            "This takes the current revision of the model; the study's weights{} may be of an earlier one.",
            sum(&model.weights_sha256)
        )),
        Origin::Named => notes.push(format!(
            "The record has only the model's name: give the folder, .gguf file or Hub id with the study's weights{}.",
            sum(&model.weights_sha256)
        )),
    }
    if !has_own_facts(record) {
        notes.push(format!(
            "The record has only the name of the facts file: give the study's file{}.",
            sum(&record.source.sha256)
        ));
    }
    let no_flag = flags::missing(settings, &default);
    if !no_flag.is_empty() {
        notes.push(format!("No flag sets: {}. This line alone does not give the same record.", no_flag.join(", ")));
    }
    if record.device.backend.to_lowercase().contains("webgpu") {
        notes.push("The study ran in a browser; another backend may change the last digits.".into());
    }
    let own = concat!("engram ", env!("CARGO_PKG_VERSION"));
    if !record.program.is_empty() && record.program != own {
        notes.push(format!(
            "The record was written by {}, this page by {own}.",
            words::short(&words::visible(&record.program), 60)
        ));
    }
    notes
}

/// Names and values: those of [`about::lines`], and the settings that are not among them.
pub fn lines(record: &Record) -> Vec<(&'static str, String)> {
    let (settings, edit) = (&record.settings, &record.settings.edit);
    let mut lines = about::lines(record);
    lines.extend([
        ("longest prompt", words::count(settings.max_tokens, "token")),
        (
            "maps",
            format!(
                "{} requested, window of {}",
                words::count(settings.maps, "fact"),
                words::count(settings.window_of(record.model.layers), "layer")
            ),
        ),
        ("record format", record.engram.to_string()),
    ]);
    if record.has_edits() {
        lines.push((
            "edited facts",
            format!(
                "{} requested, {} unrelated facts each, p(new answer) above {}",
                edit.facts, edit.unrelated, edit.min_p_false
            ),
        ));
        let seeds: Vec<u64> = record.edits.iter().flatten().map(|edit| edit.seed).collect();
        if let (Some(low), Some(high)) = (seeds.iter().min(), seeds.iter().max()) {
            let several = || format!("{} different, from the study's seed and each fact's id", seeds.len());
            let all = if low == high { low.to_string() } else { several() };
            lines.push(("edit seeds", all));
        }
    }
    lines
}

#[cfg(test)]
mod tests;
