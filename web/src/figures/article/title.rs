//! Title and byline of an article, what was done, and a name for its files.

use super::finding::{Finding, joined, share};
use super::{Article, Study};
use crate::names::stem;
use crate::words;
use engram_core::metrics::{Share, shown_edits};
use engram_core::record::{Corruption, Record};
use std::collections::BTreeSet;

/// The head of an article.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title {
    /// The title.
    pub title: String,
    /// Models, facts, program: a line each.
    pub byline: Vec<String>,
    /// What was done, with its numbers.
    pub done: Finding,
    /// Stem of a file's name: letters, digits, `-`, `_` and `.` only.
    pub stem: String,
}

/// The head of an article.
pub fn title(article: &Article<'_>) -> Title {
    Title { title: headline(article), byline: byline(article), done: done(article), stem: stem(article.records) }
}

fn headline(article: &Article<'_>) -> String {
    let key = |record: &Record| (record.model.name.clone(), record.model.weights_sha256.clone());
    let models: BTreeSet<_> = article.records.iter().map(key).collect();
    match (article.studies.as_slice(), models.len()) {
        ([], _) => "No study".into(),
        ([one], _) => {
            let traced = words::count(one.summary.screened, "fact");
            format!("Where {} stores its facts: {} of {traced} traced", one.name, one.summary.validated)
        }
        ([first, ..], 1) => format!("Where {} stores its facts: {} studies", first.name, article.studies.len()),
        (_, models) => format!("Where {models} language models store their facts"),
    }
}

fn byline(article: &Article<'_>) -> Vec<String> {
    let text = |text: &str| words::short(&words::visible(text), 120);
    let model = |record: &Record| {
        let model = &record.model;
        let name = if model.name.is_empty() { "unnamed model" } else { &model.name };
        format!("{} ({}, {})", text(name), words::parameters(model.parameters), words::count(model.layers, "layer"))
    };
    let facts = |record: &Record| match record.source.name.as_str() {
        "" => String::new(),
        name => format!("{} ({})", text(name), words::count(record.source.count, "fact")),
    };
    let line = |name: &str, of: &dyn Fn(&Record) -> String| {
        let mut found: Vec<String> = Vec::new();
        for value in article.records.iter().map(of) {
            if !value.is_empty() && !found.contains(&value) {
                found.push(value);
            }
        }
        (!found.is_empty()).then(|| format!("{name}: {}", found.join(", ")))
    };
    [line("Model", &model), line("Facts", &facts), line("Program", &|record| text(&record.program))]
        .into_iter()
        .flatten()
        .collect()
}

/// What was done with the facts of each study, with the filters that they passed.
fn done(article: &Article<'_>) -> Finding {
    Finding::of(&article.studies, |study| Some(joined([Some(filtered(study)), traced(study)])))
}

fn filtered(study: &Study<'_>) -> String {
    let (found, settings) = (&study.summary, &study.record.settings);
    let Some(kept) = Share::new(found.validated, found.screened) else { return "No fact was screened.".into() };
    format!(
        "{} screened facts passed both filters: the model gives the true answer, and corrupting the subject ({}) lowers its \
         probability by {} or more.",
        share(&kept),
        corrupted(&settings.corruption),
        settings.min_effect
    )
}

fn traced(study: &Study<'_>) -> Option<String> {
    let (record, settings) = (study.record, &study.record.settings);
    let positions: Vec<&str> = settings.positions.iter().map(|position| position.name()).collect();
    let mapped = record.validated().filter(|(_, traced)| traced.maps.is_some()).count();
    let edits = shown_edits(record).len();
    let methods: Vec<String> = settings.edit.methods.iter().map(engram_core::record::EditMethod::title).collect();
    let counts = [
        (!positions.is_empty()).then(|| format!("traced under {}", positions.join(", "))),
        (mapped > 0).then(|| format!("facts with token × layer maps: {mapped}")),
        (edits > 0).then(|| format!("facts edited: {edits} ({})", methods.join(", "))),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    (study.summary.validated > 0 && !counts.is_empty()).then(|| words::sentence(&counts.join("; ")))
}

/// How the subject was corrupted, in a few words.
fn corrupted(corruption: &Corruption) -> String {
    match corruption {
        Corruption::Replace { with } => format!("replaced by “{}”", words::short(&words::visible(with), 60)),
        Corruption::Noise { sigmas, draws, .. } => {
            format!("noise of {sigmas} σ on its embeddings, {}", words::count(*draws, "draw"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;

    fn of(records: &[Record]) -> Title {
        title(&Article::new(records, &MetricConvention::default()))
    }

    #[test]
    fn models_are_named_and_facts_counted() {
        let mut records = vec![sample::record(), sample::record()];
        let found = of(&records[..1]);
        assert_eq!(found.title, "Where tiny stores its facts: 2 of 3 facts traced");
        assert_eq!(
            (found.byline[0].as_str(), found.stem.as_str()),
            ("Model: tiny (unknown size, 4 layers)", "engram-tiny")
        );
        let wanted = "2 of 3 (66.7 %) screened facts passed both filters: the model gives the true answer, and corrupting the subject \
                      (replaced by “Random Person”) lowers its probability by 0.05 or more. Traced under subject-last, last-token; \
                      facts edited: 1 (SPSA).";
        assert_eq!(found.done.to_string(), wanted);
        assert_eq!(of(&records).title, "Where tiny stores its facts: 2 studies");
        records[1].model =
            engram_core::record::ModelInfo { name: "o/other".into(), parameters: 1_800_000, ..Default::default() };
        let found = of(&records);
        assert_eq!(found.title, "Where 2 language models store their facts");
        assert!(found.byline[0].ends_with(", o/other (1.8 M parameters, 0 layers)"), "{:?}", found.byline);
        assert_eq!(found.stem, "engram-tiny-and-engram-other");
        records[0].facts.retain(|fact| fact.traced().is_none());
        assert!(of(&records[..1]).done.to_string().ends_with("by 0.05 or more."), "nothing was traced");
    }

    #[test]
    fn a_stem_is_a_file_name_anywhere() {
        let mut record = sample::record();
        for (name, stem) in [("a/b c:d*", "engram-b-c-d"), ("engram-phi", "engram-phi"), ("../..", "engram")] {
            record.model.name = name.into();
            assert_eq!(of(std::slice::from_ref(&record)).stem, stem);
        }
        assert_eq!((of(&[]).stem.as_str(), of(&[]).title.as_str()), ("engram", "No study"));
    }
}
