//! Flags of a study's edits, and settings that have none.

use super::path;
use engram_core::record::{Corruption, EditMethod, EditSettings, SearchStart, SecondMomentSettings, Settings};

/// Flags of the methods and of what they need, where they are not as usual.
pub(super) fn methods(edit: &EditSettings) -> Vec<(String, String)> {
    let mut flags: Vec<(String, String)> = Vec::new();
    let mut flag = |name: &str, value: String| {
        if flags.iter().all(|(known, _)| known != name) {
            flags.push((name.to_owned(), value));
        }
    };
    let mut names: Vec<&str> = edit.methods.iter().map(EditMethod::name).collect();
    names.dedup();
    if names != ["spsa"] {
        flag("--edit-method", names.join(","));
    }
    let filtered = edit.methods.iter().any(|method| !method.has_gradients());
    let least = if filtered { EditSettings::default().min_p_false } else { 0.0 };
    if edit.min_p_false != least {
        flag("--min-p-false", edit.min_p_false.to_string());
    }
    if edit.fluency > 0 {
        flag("--fluency", String::new());
    }
    let keys = |covariance: bool| {
        edit.methods.iter().any(|method| matches!(method, EditMethod::Rome(rome) if rome.covariance == covariance))
    };
    let starts = |start: SearchStart| {
        edit.methods.iter().any(|method| matches!(method, EditMethod::Rome(rome) if rome.start == start))
    };
    match (starts(SearchStart::Zero), starts(SearchStart::Neighbour)) {
        (true, true) => flag("--start", "zero,neighbour".into()),
        (false, true) => flag("--start", "neighbour".into()),
        _ => {}
    }
    match (keys(true), keys(false)) {
        (true, true) => flag("--c", "text,identity".into()),
        (false, true) => flag("--c", "identity".into()),
        _ => {}
    }
    for method in &edit.methods {
        let Some(usual) = EditMethod::named(method.name()) else { continue };
        let counts = method.counts().into_iter().zip(usual.counts());
        let counts = counts.map(|((name, value), usual)| (name, value.to_string(), value != usual.1));
        let numbers = method.numbers().into_iter().zip(usual.numbers());
        let numbers = numbers.map(|((name, value), usual)| (name, value.to_string(), value != usual.1));
        for (name, value, _) in counts.chain(numbers).filter(|(.., differs)| *differs) {
            flag(&format!("--{name}"), value);
        }
    }
    if edit.needs_second_moment() {
        let SecondMomentSettings { keys, window, first, ridge, text, .. } = &edit.second_moment;
        let usual = SecondMomentSettings::default();
        if text != "bundled facts" {
            flag("--stats-text", path(text));
        }
        if !first {
            flag("--stats-skip-first", String::new());
        }
        flag("--stats-keys", keys.to_string());
        if *window != usual.window {
            flag("--stats-window", window.to_string());
        }
        if *ridge != usual.ridge {
            flag("--ridge", ridge.to_string());
        }
    }
    flags
}

/// Settings without a flag that are not as usual.
pub(super) fn missing(settings: &Settings, default: &Settings) -> Vec<String> {
    let pairs = |settings: &Settings| {
        let mut pairs = vec![
            ("the smallest effect", settings.min_effect.to_string()),
            ("the longest prompt", settings.max_tokens.to_string()),
            ("the screening batch", settings.screen_batch.to_string()),
            ("the tracing batch", settings.trace_batch.to_string()),
            ("the unrelated facts", settings.edit.unrelated.to_string()),
        ];
        let (sigmas, draws) = match settings.corruption {
            Corruption::Noise { sigmas, draws, .. } => (sigmas, draws),
            Corruption::Replace { .. } => (3.0, 10),
        };
        pairs.extend([("the noise in σ", sigmas.to_string()), ("the noise draws", draws.to_string())]);
        pairs
    };
    let both = pairs(settings).into_iter().zip(pairs(default));
    both.filter(|(own, usual)| own != usual).map(|((name, value), _)| format!("{name} {value}")).collect()
}
