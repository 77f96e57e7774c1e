//! The pure half of a result page: an article over one or more records, as plain data and sentences. Every sentence is
//! a template that is filled from one study ([`finding::Finding`]) and says what METHODS allows to say, no more.

pub mod chosen;
pub mod dropped;
pub mod finding;
pub mod findings;
pub mod limits;
pub mod method;
pub mod reproduce;
pub mod title;

use crate::words;
use engram_core::metrics::{MetricConvention, Prediction, Summary, predictions, summarize};
use engram_core::record::{PatchPosition, Record};

/// One study of the article.
#[derive(Debug, Clone)]
pub struct Study<'a> {
    /// Its name in sentences: the model's, without the owner; numbered where it occurs again.
    pub name: String,
    /// Its record.
    pub record: &'a Record,
    /// All indices at the article's patch position.
    pub summary: Summary,
}

/// All studies of an article, summarised at the chosen patch position and at the next one.
#[derive(Debug, Clone)]
pub struct Article<'a> {
    /// The records.
    pub records: &'a [Record],
    /// How they are read.
    pub view: MetricConvention,
    /// The studies, in their order.
    pub studies: Vec<Study<'a>>,
    /// The second patch position: the first one of any record that is not the view's. The same studies under it.
    pub other: Option<(PatchPosition, Vec<Study<'a>>)>,
    /// Whether tracing predicts edits: of each study, by method; the same under every view.
    pub predictions: Vec<Vec<Prediction>>,
}

impl<'a> Article<'a> {
    /// Summarises the records under a view and at the second patch position. An article has at least one record; of
    /// none nothing sensible is said.
    pub fn new(records: &'a [Record], view: &MetricConvention) -> Self {
        Self::with(records, view, records.iter().map(predictions).collect())
    }

    /// [`Article::new`] with predictions that are there already: they take a thousand shuffles each.
    pub fn with(records: &'a [Record], view: &MetricConvention, predictions: Vec<Vec<Prediction>>) -> Self {
        let positions = records.iter().flat_map(|record| &record.settings.positions);
        let second = positions.copied().find(|position| *position != view.position);
        Self {
            records,
            view: *view,
            studies: studies(records, view),
            other: second.map(|position| (position, studies(records, &view.with_position(position)))),
            predictions,
        }
    }
}

/// The records, each with its name and its summary under a view.
pub fn studies<'a>(records: &'a [Record], view: &MetricConvention) -> Vec<Study<'a>> {
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
    fn the_second_position_is_the_other_one() {
        let records = [sample::record()];
        let article = Article::new(&records, &MetricConvention::default());
        assert_eq!(article.other.as_ref().map(|other| other.0), Some(PatchPosition::LastToken));
        let article = Article::new(&records, &MetricConvention::default().with_position(PatchPosition::LastToken));
        assert_eq!(article.other.as_ref().map(|other| other.0), Some(PatchPosition::SubjectLast));
    }

    /// Every text that an article is made of.
    fn everything(article: &Article<'_>) -> Vec<String> {
        let mut all: Vec<String> = findings::headline(article).iter().map(ToString::to_string).collect();
        all.extend(findings::captions(article).values().map(ToString::to_string));
        all.extend([
            format!("{:?}", title::title(article)),
            dropped::sentence(article),
            reproduce::over_all(article, "report", "page.html"),
        ]);
        all.extend(limits::limits(article).iter().map(|limit| limit.text.to_string()));
        all.extend(chosen::chosen(article, chosen::MOST).iter().map(|one| one.study.to_string()));
        all.extend(dropped::rows(article).iter().map(|row| row.why.clone()));
        all.extend(reproduce::records(article).into_iter().map(|one| one.study));
        let pieces = method::sections(article).into_iter().flat_map(|section| section.paragraphs);
        all.extend(pieces.map(|piece| match piece {
            method::Piece::Text(text) => text,
            method::Piece::Formula { words, .. } => words.to_owned(),
        }));
        all
    }

    #[test]
    fn odd_records_do_no_harm() {
        let mut short = sample::record();
        short.model.name = String::new();
        short.model.layers = 0;
        sample::each(&mut short, |traced| {
            traced.without_block.truncate(1);
            traced.without_mlp.clear();
            traced.corrupt_span = [9, 2];
            traced.corrupt_tokens.clear();
            traced.maps =
                Some(engram_core::record::Maps { residual: vec![vec![], vec![0.5; 9]], ..Default::default() });
            traced.lens = Some(engram_core::record::Lens::default());
            traced.redundancy.insert(PatchPosition::SubjectLast, engram_core::record::RedundancyCurve::default());
        });
        let mut hostile = sample::record();
        hostile.model.name = "<b>\u{202e}'\n$(x)".into();
        hostile.model.layers = 3;
        hostile.settings.positions.clear();
        hostile.settings.n = 0;
        hostile.edits.iter_mut().flatten().for_each(|edit| {
            (edit.layer, edit.fact) = (0, 99);
            edit.loss.clear();
            edit.unrelated.clear();
        });
        let mut empty = sample::record();
        empty.facts.clear();
        empty.edits = Some(vec![]);
        let sets =
            [vec![], vec![short.clone()], vec![hostile.clone()], vec![empty.clone()], vec![short, hostile, empty]];
        let positions = [PatchPosition::SubjectLast, PatchPosition::LastToken, PatchPosition::SameIndex];
        let views = positions.iter().flat_map(|position| {
            [false, true].map(|argmax_always| MetricConvention {
                argmax_always,
                position: *position,
                ..Default::default()
            })
        });
        for (view, records) in views.flat_map(|view| sets.iter().map(move |records| (view, records))) {
            for text in everything(&Article::new(records, &view)) {
                let plain = !text.contains("NaN") && !text.contains(['\n', '\u{202e}']) && !text.contains("  ");
                assert!(records.is_empty() || (plain && !text.is_empty()), "{text:?}");
            }
        }
    }
}
