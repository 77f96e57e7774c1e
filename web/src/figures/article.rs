//! The pure half of a result page: an article over one or more records, as plain data and sentences. Every sentence is
//! computed from the records and says what METHODS allows to say, no more.

pub mod chosen;
pub mod dropped;
pub mod facts_table;
pub mod findings;
pub mod limits;
pub mod method;
pub mod reproduce;
pub mod say;
pub mod title;

use crate::words;
use engram_core::metrics::{Summary, View, summarize};
use engram_core::record::{Reading, Record};

/// One study of the article.
#[derive(Debug, Clone)]
pub struct Study<'a> {
    /// Its name in sentences: the model's, without the owner; numbered where it occurs again.
    pub name: String,
    /// Its record.
    pub record: &'a Record,
    /// All indices under the article's reading.
    pub summary: Summary,
}

/// All studies of an article, summarised under the chosen reading and under the next one.
#[derive(Debug, Clone)]
pub struct Article<'a> {
    /// The records.
    pub records: &'a [Record],
    /// How they are read.
    pub view: View,
    /// The studies, in their order.
    pub studies: Vec<Study<'a>>,
    /// The second reading: the first one of any record that is not the view's. The same studies under it.
    pub other: Option<(Reading, Vec<Study<'a>>)>,
}

impl<'a> Article<'a> {
    /// Summarises the records under a view and under the second reading.
    pub fn new(records: &'a [Record], view: &View) -> Self {
        let readings = records.iter().flat_map(|record| &record.settings.readings);
        let second = readings.copied().find(|reading| *reading != view.reading);
        Self {
            records,
            view: *view,
            studies: studies(records, view),
            other: second.map(|reading| (reading, studies(records, &view.with_reading(reading)))),
        }
    }

    /// What the studies are, in the plural: models, or studies where a model occurs more than once.
    pub fn noun(&self) -> &'static str {
        let key = |study: &Study<'a>| (&study.record.model.name, &study.record.model.weights_sha256);
        let twice =
            |(at, study): (usize, &Study<'a>)| self.studies[..at].iter().any(|before| key(before) == key(study));
        if self.studies.iter().enumerate().any(twice) { "studies" } else { "models" }
    }

    /// Whose finding it is: see [`say::who`].
    pub fn who<T: AsRef<str>>(&self, names: &[T]) -> String {
        say::who(names, self.studies.len(), self.noun())
    }

    /// [`Article::who`] after an ` in `; nothing where there is only one study, which goes without saying.
    pub fn within<T: AsRef<str>>(&self, names: &[T]) -> String {
        if self.studies.len() == 1 { String::new() } else { format!(" in {}", self.who(names)) }
    }
}

/// The records, each with its name and its summary under a view.
pub fn studies<'a>(records: &'a [Record], view: &View) -> Vec<Study<'a>> {
    let study = |(name, record)| Study { name, record, summary: summarize(record, view) };
    names(records).into_iter().zip(records).map(study).collect()
}

/// Longest name in a sentence, in characters.
const LONGEST: usize = 60;

/// Names of the studies in sentences: the last part of the model's name, the whole name where two models share that
/// part, and a number where the same name occurs again.
pub fn names(records: &[Record]) -> Vec<String> {
    let tail =
        |name: &str| name.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("unnamed model").to_owned();
    let shared = |record: &Record| {
        let own = tail(&record.model.name);
        records.iter().any(|other| tail(&other.model.name) == own && other.model.name != record.model.name)
    };
    let mut found: Vec<String> = Vec::new();
    for record in records {
        let name = if shared(record) { record.model.name.clone() } else { tail(&record.model.name) };
        let name = words::short(&words::visible(&name), LONGEST);
        let numbered = |times: usize| if times == 1 { name.clone() } else { format!("{name} ({times})") };
        let free = (1..).map(numbered).find(|name| !found.contains(name));
        found.push(free.unwrap_or(name));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn names_are_short_and_apart() {
        let named = |names: &[&str]| -> Vec<Record> {
            let one = |name: &&str| {
                let mut record = sample::record();
                record.model.name = (*name).into();
                record
            };
            names.iter().map(one).collect()
        };
        assert_eq!(names(&named(&["a/x", "b/y", "a/x"])), ["x", "y", "x (2)"]);
        assert_eq!(names(&named(&["a/x", "b/x"])), ["a/x", "b/x"]);
        assert_eq!(names(&named(&["", "e\u{202e}l"])), ["unnamed model", "e\\u{202e}l"]);
        assert_eq!(names(&named(&[&"m".repeat(500)]))[0].chars().count(), LONGEST);
    }

    #[test]
    fn the_second_reading_is_the_other_one() {
        let records = [sample::record()];
        let article = Article::new(&records, &View::default());
        assert_eq!(article.other.as_ref().map(|other| other.0), Some(Reading::LastToken));
        let article = Article::new(&records, &View::default().with_reading(Reading::LastToken));
        assert_eq!(article.other.as_ref().map(|other| other.0), Some(Reading::SubjectLast));
        assert_eq!((article.records.len(), article.within(&["tiny"])), (1, String::new()));
    }
}
