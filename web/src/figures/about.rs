//! Everything that decided a record's numbers, as names and values.

use crate::words;
use engram_core::record::{Answer, Corruption, EditLayers, EditMethod, Record};

/// Names and values: model, facts, device, settings.
pub fn lines(record: &Record) -> Vec<(&'static str, String)> {
    let (model, settings, source) = (&record.model, &record.settings, &record.source);
    let stages: Vec<String> = settings.stages.iter().map(u8::to_string).collect();
    let positions: Vec<&str> = settings.positions.iter().map(|position| position.name()).collect();
    let mut lines = vec![
        ("model", model.name.clone()),
        ("family", model.family.clone()),
        ("size", format!("{} layers, width {}, {}", model.layers, model.width, words::parameters(model.parameters))),
        ("stored as", model.dtype.clone()),
        ("device", format!("{}: {} ({})", record.device.kind, record.device.name, record.device.backend)),
        ("facts", format!("{}, {} in the file", source.name, source.count)),
        ("sample", format!("{} validated facts, seed {}", settings.n, settings.seed)),
        ("corruption", corruption(&settings.corruption)),
        ("answer", answer(settings.answer).into()),
        ("smallest effect", settings.min_effect.to_string()),
        ("patch positions", positions.join(", ")),
        ("stages", stages.join(", ")),
        (
            "batches",
            format!("{} screened, {} traced, {} rows", settings.screen_batch, settings.trace_batch, settings.rows),
        ),
        ("program", record.program.clone()),
        ("weights SHA-256", model.weights_sha256.clone()),
        ("config SHA-256", model.config_sha256.clone()),
        ("tokenizer SHA-256", model.tokenizer_sha256.clone()),
        ("facts SHA-256", source.sha256.clone()),
    ];
    if record.has_edits() {
        let edit = &settings.edit;
        let layer = match edit.layers {
            EditLayers::Dominant => format!("dominant, {}", edit.position.name()),
            ref fixed => fixed.to_string(),
        };
        let method = |method: &EditMethod| {
            let numbers = method.numbers().into_iter().map(|(name, value)| format!(", {} {value}", symbol(name)));
            format!("{}: {} steps{}", method.title(), method.steps(), numbers.collect::<String>())
        };
        let methods: Vec<String> = edit.methods.iter().map(method).collect();
        let turn = (edit.sequence > 0)
            .then(|| format!("; {} one after the other", crate::words::count(edit.sequence, "fact")));
        let words = format!("layer {layer}; {}{}", methods.join("; "), turn.unwrap_or_default());
        lines.insert(12, ("edits", words));
    }
    lines.iter_mut().for_each(|(_, value)| *value = crate::words::visible(value));
    lines.retain(|(_, value)| !value.is_empty());
    lines
}

/// Where a record comes from, in one line: model, device, program.
pub fn made(record: &Record) -> String {
    let (model, device) = (&record.model, &record.device);
    let backend = if device.backend.is_empty() { String::new() } else { format!(", {}", device.backend) };
    let device = format!("{} ({}{backend})", device.kind, device.name);
    words::visible(&format!("{} on {device}, {}", model.name, record.program))
}

/// How the subject was corrupted, in words.
pub fn corruption(corruption: &Corruption) -> String {
    match corruption {
        Corruption::Replace { with } => format!("the subject is replaced by “{with}”"),
        Corruption::Noise { sigmas, draws, sigma } => {
            format!("noise of {sigmas} σ on the subject's embeddings, {draws} draws, σ = {sigma}")
        }
    }
}

fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::FirstToken => "probability of the first answer token",
        Answer::Sequence => "geometric mean over the answer's tokens",
    }
}

/// A setting of a method as it is written in formulas.
pub fn symbol(name: &str) -> &str {
    match name {
        "epsilon" => "ε",
        "eta" => "η",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn what_is_unknown_is_left_out() {
        let lines = lines(&sample::record());
        let value = |name: &str| lines.iter().find(|line| line.0 == name).map(|line| line.1.as_str());
        assert_eq!(value("corruption"), Some("the subject is replaced by “Random Person”"));
        assert_eq!(value("weights SHA-256"), None);
        assert!(value("edits").is_some_and(|edits| edits.starts_with("layer dominant, subject-last; SPSA: 250 steps")));
    }
}
