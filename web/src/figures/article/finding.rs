//! What is said of the studies: one sentence template, filled for each study.

use super::Study;
use crate::words;
use engram_core::metrics::{Mean, Share};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of several studies together.
const ALL: &str = "All studies";

/// A caption, or a line of the abstract.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Finding {
    /// Names of studies, and what holds for them; no name where there is only one study.
    pub said: Vec<(String, String)>,
    /// What does not depend on a study: what is drawn, and how to read it.
    pub note: String,
}

impl Finding {
    /// A sentence for each study, where there is one. Studies with the same sentence share it.
    pub fn of<'a, 'r: 'a>(
        studies: impl IntoIterator<Item = &'a Study<'r>>,
        say: impl Fn(&'a Study<'r>) -> Option<String>,
    ) -> Self {
        let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
        let mut count = 0;
        for study in studies {
            count += 1;
            let Some(sentence) = say(study).filter(|sentence| !sentence.is_empty()) else { continue };
            match groups.iter_mut().find(|group| group.1 == sentence) {
                Some(group) => group.0.push(&study.name),
                None => groups.push((vec![&study.name], sentence)),
            }
        }
        let named = |names: &[&str]| match (count, names.len()) {
            (1, _) => String::new(),
            (count, some) if some == count => ALL.to_owned(),
            _ => names.join(", "),
        };
        let said = groups.into_iter().map(|(names, sentence)| (named(&names), sentence)).collect();
        Self { said, note: String::new() }
    }

    /// The same with a note.
    #[must_use]
    pub fn with(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// The same with a note, or nothing where nothing is said of a study.
    #[must_use]
    pub fn if_said(self) -> Option<Self> {
        Some(self).filter(|finding| !finding.said.is_empty())
    }

    /// A note alone.
    pub fn note(note: impl Into<String>) -> Self {
        Self::default().with(note)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = self.said.iter().map(|(names, said)| match names.as_str() {
            "" => said.clone(),
            names => format!("{names}: {said}"),
        });
        let note = Some(self.note.clone()).filter(|note| !note.is_empty());
        write!(out, "{}", said.chain(note).collect::<Vec<_>>().join(" "))
    }
}

/// Sentences with a space between; missing ones left out.
pub fn joined(sentences: impl IntoIterator<Item = Option<String>>) -> String {
    sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// `57.4 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", words::fixed(share * 100.0, 1))
}

/// `284 of 495 (57.4 %)`.
pub fn share(share: &Share) -> String {
    format!("{} of {} ({})", share.count, share.of, percent(share.share))
}

/// `0.127 ± 0.010 (n = 60)`: mean and standard error; without an error the value alone.
pub fn mean(mean: &Mean) -> String {
    format!("{} (n = {})", value(mean), mean.n)
}

/// `0.127 ± 0.010`.
pub fn value(mean: &Mean) -> String {
    match mean.sem {
        Some(sem) => format!("{} ± {}", words::fixed(mean.mean, 3), words::fixed(sem, 3)),
        None => words::fixed(mean.mean, 3),
    }
}

/// Whether two means differ by more than their standard errors together: their intervals of one standard error do not
/// overlap. A mean without an error (one value, a ratio of means) has an interval of no width.
pub fn apart(a: &Mean, b: &Mean) -> bool {
    (a.mean - b.mean).abs() > a.sem.unwrap_or(0.0) + b.sem.unwrap_or(0.0)
}

/// Whether a mean lies within its standard error of a value.
pub fn near(mean: &Mean, value: f64) -> bool {
    (mean.mean - value).abs() <= mean.sem.unwrap_or(0.0)
}

/// The highest mean, the lowest layer on a tie; layer from 1.
pub fn peak(means: &[Mean]) -> Option<(usize, &Mean)> {
    (1..).zip(means).reduce(|best, next| if next.1.mean > best.1.mean { next } else { best })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{super::sample, Article};
    use super::*;
    use engram_core::metrics::MetricConvention;

    /// Says what a text is where it has no such part.
    pub(in super::super) fn has(told: &str, part: &str) {
        assert!(told.contains(part), "{part}\nis not in\n{told}");
    }

    /// Says what a text is where it has another beginning.
    pub(in super::super) fn begins(told: &str, part: &str) {
        assert!(told.starts_with(part), "{part}\nis not the beginning of\n{told}");
    }

    /// Says what a text is where it has another end.
    pub(in super::super) fn ends(told: &str, part: &str) {
        assert!(told.ends_with(part), "{part}\nis not the end of\n{told}");
    }

    #[test]
    fn studies_with_the_same_sentence_share_it() {
        let records = [sample::record(), sample::record(), sample::record()];
        let article = Article::new(&records, &MetricConvention::default());
        let of = |say: &dyn Fn(&str) -> Option<&'static str>| {
            Finding::of(&article.studies, |study| say(&study.name).map(str::to_owned)).with("Note.").to_string()
        };
        assert_eq!(of(&|_| Some("Same.")), "All studies: Same. Note.");
        assert_eq!(
            of(&|name| Some(if name == "tiny (2)" { "B." } else { "A." })),
            "tiny, tiny (3): A. tiny (2): B. Note."
        );
        assert_eq!(of(&|name| (name == "tiny").then_some("A.")), "tiny: A. Note.");
        assert_eq!(Finding::of(&article.studies, |_| None).if_said(), None);
    }

    #[test]
    fn errors_decide() {
        let mean = |mean, sem| Mean { mean, sem, n: 9 };
        assert!(!apart(&mean(0.5, Some(0.1)), &mean(0.65, Some(0.1))));
        assert!(apart(&mean(0.5, Some(0.05)), &mean(0.65, Some(0.05))));
        assert!(apart(&mean(0.5, None), &mean(0.51, None)));
        assert!(near(&mean(0.05, Some(0.1)), 0.0) && !near(&mean(0.05, None), 0.0));
        assert_eq!(super::mean(&mean(0.5, Some(0.1))), "0.500 ± 0.100 (n = 9)");
    }
}
