//! Title and byline of an article, what was done in a sentence, and a name for its files.

use super::{Article, say};
use crate::words;
use engram_core::metrics::shown_edits;
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
    pub done: String,
    /// Stem of a file's name: letters, digits, `-`, `_` and `.` only.
    pub stem: String,
}

/// The head of an article.
pub fn title(article: &Article<'_>) -> Title {
    if article.studies.is_empty() {
        return Title { title: "No study".into(), byline: Vec::new(), done: String::new(), stem: "engram".into() };
    }
    Title { title: headline(article), byline: byline(article), done: done(article), stem: stem(article) }
}

/// Parameters from which on a model is no longer called small.
const SMALL: u64 = 10_000_000_000;

fn headline(article: &Article<'_>) -> String {
    let models: BTreeSet<(&str, &str)> = article
        .records
        .iter()
        .map(|record| (record.model.name.as_str(), record.model.weights_sha256.as_str()))
        .collect();
    match (article.studies.as_slice(), models.len()) {
        ([one], _) => {
            let facts = &one.summary;
            let traced = match facts.validated {
                0 => format!("none of {} could be traced", words::count(facts.screened, "fact")),
                traced => format!("{traced} of {} traced", words::count(facts.screened, "fact")),
            };
            format!("Where {} stores its facts: {traced}", one.name)
        }
        ([first, ..], 1) => {
            let name = &first.name;
            format!("Where {name} stores its facts, in {} studies", say::small(article.studies.len()))
        }
        (_, models) => {
            let sizes: Vec<u64> = article.records.iter().map(|record| record.model.parameters).collect();
            let small = if sizes.iter().all(|size| (1..SMALL).contains(size)) { "small " } else { "" };
            format!("Where {} {small}language models store their facts", say::small(models))
        }
    }
}

fn byline(article: &Article<'_>) -> Vec<String> {
    let once = |lines: Vec<String>| {
        let mut found: Vec<String> = Vec::new();
        lines.into_iter().for_each(|line| {
            if !line.is_empty() && !found.contains(&line) {
                found.push(line);
            }
        });
        found
    };
    let model = |record: &Record| {
        let model = &record.model;
        let name =
            words::short(&words::visible(if model.name.is_empty() { "unnamed model" } else { &model.name }), 120);
        format!("{name} ({}, {})", words::parameters(model.parameters), words::count(model.layers, "layer"))
    };
    let facts = |record: &Record| match record.source.name.as_str() {
        "" => String::new(),
        name => format!("{} ({})", words::short(&words::visible(name), 120), words::count(record.source.count, "fact")),
    };
    let lines = |one: &dyn Fn(&Record) -> String| once(article.records.iter().map(one).collect());
    let models = lines(&model);
    let mut byline = vec![format!("{}: {}", if models.len() == 1 { "Model" } else { "Models" }, say::list(&models))];
    let facts = lines(&facts);
    if !facts.is_empty() {
        byline.push(format!("Facts: {}", say::list(&facts)));
    }
    let programs = lines(&|record| words::short(&words::visible(&record.program), 60));
    if !programs.is_empty() {
        byline.push(format!("Program: {}", say::list(&programs)));
    }
    byline
}

/// What was done, with the numbers.
fn done(article: &Article<'_>) -> String {
    let sum = |of: &dyn Fn(&super::Study<'_>) -> usize| article.studies.iter().map(of).sum::<usize>();
    let range = |of: &dyn Fn(&super::Study<'_>) -> usize| {
        say::range(article.studies.iter().map(|study| of(study) as f64), |count| words::fixed(count, 0))
    };
    let (screened, validated) = (sum(&|study| study.summary.screened), sum(&|study| study.summary.validated));
    let each = if article.studies.len() > 1 {
        format!(" in each of {} {}", say::small(article.studies.len()), article.noun())
    } else {
        String::new()
    };
    let corrupted = {
        let ways: BTreeSet<String> =
            article.records.iter().map(|record| corrupted(&record.settings.corruption)).collect();
        say::list(&ways.into_iter().collect::<Vec<_>>())
    };
    let noun = if screened == 1 { "fact" } else { "facts" };
    let least: BTreeSet<String> = article.records.iter().map(|record| record.settings.min_effect.to_string()).collect();
    let least = least.into_iter().collect::<Vec<_>>().join(" or ");
    let facts = format!(
        "Of {} {noun} screened{each}, {} passed both filters: the model gives the true answer, and corrupting the \
         subject ({corrupted}) lowers its probability by at least {least}.",
        range(&|study| study.summary.screened),
        range(&|study| study.summary.validated)
    );
    if validated == 0 {
        return facts;
    }
    let positions: Vec<&str> = super::say::groups(
        article
            .records
            .iter()
            .flat_map(|record| record.settings.positions.iter().map(|position| (position.name(), ()))),
    )
    .into_iter()
    .map(|group| group.0)
    .collect();
    let subject = if validated == 1 { "It was" } else { "They were" };
    let traced = match positions.as_slice() {
        [] => format!("{subject} not traced at any patch position."),
        some => format!("{subject} traced layer by layer under {}.", say::list(some)),
    };
    let mapped = sum(&|study| study.record.validated().filter(|(_, traced)| traced.maps.is_some()).count());
    let mapped = (mapped > 0).then(|| {
        format!(
            " {} made for {}.",
            if mapped == 1 { "A token × layer map was" } else { "Token × layer maps were" },
            words::count(mapped, "fact")
        )
    });
    let edits = sum(&|study| shown_edits(study.record).len());
    let were = if edits == 1 { "was" } else { "were" };
    let methods = || article.records.iter().flat_map(|record| &record.settings.edit.methods);
    let most = article.records.iter().map(|record| record.settings.edit.methods.len()).max().unwrap_or_default();
    let how = match (most, methods().all(|method| !method.is_joint()), methods().all(|method| method.is_joint())) {
        (2.., ..) => format!(" by each of {}", words::count(most, "method")),
        (_, true, _) => ", one at a time".into(),
        (_, _, true) => ", all at once".into(),
        _ => String::new(),
    };
    let edits = (edits > 0).then(|| format!(" {} {were} rewritten in the weights{how}.", words::count(edits, "fact")));
    format!("{facts} {traced}{}{}", mapped.unwrap_or_default(), edits.unwrap_or_default())
}

/// How the subject was corrupted, in a few words.
pub(super) fn corrupted(corruption: &Corruption) -> String {
    match corruption {
        Corruption::Replace { with } => format!("replaced by “{}”", words::short(&words::visible(with), 60)),
        Corruption::Noise { sigmas, draws, .. } => {
            format!("noise of {sigmas} σ on its embeddings, {}", words::count(*draws, "draw"))
        }
    }
}

/// Longest stem, in characters; file systems take 255 bytes with the ending.
const STEM: usize = 80;

fn stem(article: &Article<'_>) -> String {
    let Some(first) = article.studies.first() else { return "engram".into() };
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = first.name.chars().map(safe).collect();
    let name = name.trim_matches(['-', '.', '_']);
    let prefix = if name.starts_with("engram") { "" } else { "engram-" };
    let more = match article.studies.len() {
        1 => String::new(),
        many => format!("-and-{}-more", many - 1),
    };
    let whole: String = format!("{prefix}{name}").chars().take(STEM).collect();
    format!("{}{more}", whole.trim_end_matches(['-', '.', '_']))
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
    fn one_model_is_named_and_counted() {
        let record = sample::record();
        let found = of(std::slice::from_ref(&record));
        assert_eq!(found.title, "Where tiny stores its facts: 2 of 3 facts traced");
        assert_eq!(found.byline[0], "Model: tiny (unknown size, 4 layers)");
        assert_eq!(found.stem, "engram-tiny");
        assert!(found.done.starts_with("Of 3 facts screened, 2 passed both filters"), "{}", found.done);
        assert!(
            found
                .done
                .ends_with("under subject-last and last-token. 1 fact was rewritten in the weights, one at a time.")
        );
        let mut none = record;
        none.facts.truncate(2);
        none.facts.remove(0);
        none.edits = None;
        let found = of(&[none]);
        assert_eq!(found.title, "Where tiny stores its facts: none of 1 fact could be traced");
        assert!(
            found.done.ends_with("(replaced by “Random Person”) lowers its probability by at least 0.05."),
            "{}",
            found.done
        );
    }

    #[test]
    fn several_are_counted() {
        let mut records = vec![sample::record(), sample::record()];
        assert_eq!(of(&records).title, "Where tiny stores its facts, in two studies");
        records[1].model.name = "o/other".into();
        assert_eq!(of(&records).title, "Where two language models store their facts");
        records.iter_mut().for_each(|record| record.model.parameters = 1_800_000);
        let found = of(&records);
        assert_eq!(found.title, "Where two small language models store their facts");
        assert_eq!(found.stem, "engram-tiny-and-1-more");
        assert!(found.byline[0].contains("tiny (1.8 M parameters, 4 layers) and o/other"), "{:?}", found.byline);
        records[1].model.parameters = 70_000_000_000;
        assert!(!of(&records).title.contains("small"));
    }

    #[test]
    fn a_stem_is_a_file_name_anywhere() {
        let mut record = sample::record();
        for (name, stem) in [("a/b c:d*", "engram-b-c-d"), ("engram-phi", "engram-phi"), ("../..", "engram")] {
            record.model.name = name.into();
            assert_eq!(of(std::slice::from_ref(&record)).stem, stem);
        }
        assert_eq!(of(&[]).stem, "engram");
    }
}
