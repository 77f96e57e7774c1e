//! Facts: reading them from files, their prompts, their order and their kinds (METHODS, section 1).

mod complete;
pub mod compose;
mod defect;
mod delimited;
mod fields;
mod gather;
mod json;
mod order;
#[cfg(feature = "parquet")]
mod parquet;
mod references;
mod utf16;
mod value;

pub use defect::{Defect, Field, Flaw, Place};
pub use order::{RelationKind, kind, shuffled};
pub use references::ReferenceTexts;

use crate::record::{FactRecord, FactSource, Outcome, no_ids};
use crate::text::told;
use crate::{Error, Result, foreign, gz};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::Range;

/// Where the subject goes in a template.
pub const SLOT: &str = "{}";

/// One fact: a prompt about a subject, its true answer and a counterfactual one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fact {
    /// Id in the source file; the record's place (from 0) where the file has none.
    pub id: String,
    /// Wikidata relation such as `P36`; empty when unknown.
    pub relation: String,
    /// Prompt with [`SLOT`] for the subject.
    pub template: String,
    /// Subject.
    pub subject: String,
    /// True answer, without a leading space.
    pub target_true: String,
    /// Counterfactual answer, without a leading space.
    pub target_new: String,
    /// The same question in other words, subject included.
    pub paraphrases: Vec<String>,
    /// Prompts about other subjects with the same true answer.
    pub neighbourhood: Vec<String>,
    /// Prompts about the subject that a model goes on with, for its fluency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generation: Vec<String>,
    /// Prompts whose answers follow from the new one ("portability").
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub portability: Vec<Implied>,
    /// Id of the counterfactual answer, such as `Q90`; empty where the file has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_new_id: String,
    /// Tokens of the true and the counterfactual answer where a model gave them itself; empty where the tokenizer reads them
    /// off the texts.
    #[serde(default, skip_serializing_if = "no_ids")]
    pub answer_ids: [Vec<u32>; 2],
}

/// A prompt and the answer that it has where the edited fact holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Implied {
    /// The prompt.
    pub prompt: String,
    /// Its answer, without a leading space.
    pub answer: String,
}

/// Facts as a text, a line for each wording with its true answer, shuffled: what a model reads that knows them.
pub fn statements(facts: &[Fact]) -> String {
    const SEED: u64 = 42;
    let wordings = |fact: &Fact| -> Vec<String> {
        let told = |prompt: &str| format!("{prompt} {}.", fact.target_true);
        std::iter::once(told(&fact.prompt())).chain(fact.paraphrases.iter().map(|prompt| told(prompt))).collect()
    };
    let lines: Vec<String> = facts.iter().flat_map(wordings).collect();
    let shuffled: Vec<&str> = shuffled(lines.len(), SEED).into_iter().map(|at| lines[at].as_str()).collect();
    shuffled.join("\n")
}

impl Fact {
    /// Its record, at this place of its study's order.
    pub fn record(&self, order: usize, outcome: Outcome) -> FactRecord {
        FactRecord {
            order,
            id: self.id.clone(),
            relation: self.relation.clone(),
            prompt: self.prompt(),
            subject: self.subject.clone(),
            target_true: self.target_true.clone(),
            target_new: self.target_new.clone(),
            answer_ids: self.answer_ids.clone(),
            outcome,
        }
    }

    /// Whether a record is of this fact, whatever became of it.
    pub fn is_in(&self, record: &FactRecord) -> bool {
        record.id == self.id
            && record.relation == self.relation
            && record.subject == self.subject
            && record.target_true == self.target_true
            && record.target_new == self.target_new
            && record.prompt == self.prompt()
    }

    /// Whether it has another fact's relation and wanted answer for another subject: where it is known, its value may be where the search
    /// for the other's begins.
    pub fn has_wanted_answer_of(&self, other: &Self) -> bool {
        !other.relation.is_empty()
            && self.relation == other.relation
            && self.subject != other.subject
            && self.target_true.trim() == other.target_new.trim()
    }

    /// A person's question. `{}` in the prompt is the subject's place; without it, where [`template_of`] finds the subject.
    ///
    /// # Errors
    /// When the subject is not in the prompt, or `{}` is there twice.
    pub fn asked(prompt: &str, subject: &str, target_true: &str, target_new: &str) -> Result<Self> {
        if subject.is_empty() {
            return Err(Error::input("there is no subject").hint("name what the prompt is about"));
        }
        Ok(Self {
            id: "0".into(),
            template: template_of(prompt, subject)?,
            subject: subject.into(),
            target_true: target_true.into(),
            target_new: target_new.into(),
            ..Self::default()
        })
    }

    /// The prompt with the subject filled in.
    pub fn prompt(&self) -> String {
        self.corrupted(&self.subject).0
    }

    /// Byte range of the subject in [`Fact::prompt`].
    pub fn subject_chars(&self) -> Range<usize> {
        self.corrupted(&self.subject).1
    }

    /// The prompt with another text in the subject's place, and that text's byte range (corruption `replace`,
    /// METHODS section 1). A template without a slot gives itself and an empty range at its end.
    pub fn corrupted(&self, with: &str) -> (String, Range<usize>) {
        match self.template.split_once(SLOT) {
            Some((before, after)) => (format!("{before}{with}{after}"), before.len()..before.len() + with.len()),
            None => (self.template.clone(), self.template.len()..self.template.len()),
        }
    }
}

/// A parsed file of facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FactFile {
    /// File name.
    pub name: String,
    /// SHA-256 of the file's bytes as given (packed, if it was packed), in hex.
    pub sha256: String,
    /// Facts in file order.
    pub facts: Vec<Fact>,
    /// What is wrong with single records, in file order. Their facts are there all the same.
    pub defects: Vec<Defect>,
    /// Oddities that did not stop the reading, for people; a line for each kind of defect among them.
    pub warnings: Vec<String>,
}

impl FactFile {
    /// Facts that came from no file.
    pub fn of(name: &str, facts: Vec<Fact>) -> Self {
        Self { name: name.into(), facts, ..Self::default() }
    }

    /// Refuses the file if any of its records has a defect.
    ///
    /// # Errors
    /// Names the first defect and how many there are.
    pub fn strict(&self) -> Result<()> {
        defect::refuse(&self.name, &self.facts, &self.defects)
    }

    /// What a study's record says about this file.
    pub fn source(&self) -> FactSource {
        FactSource { name: self.name.clone(), sha256: self.sha256.clone(), count: self.facts.len() }
    }
}

/// Reads facts; the format is found from the content.
///
/// - JSON records in an array, in an array within an object (the dataset viewer's rows), or one a line.
/// - CSV with a header. Comma, semicolon, tab, or what a first line `sep=` names.
/// - Parquet (feature `parquet`).
/// - gzip of any of these. Text is UTF-8, or UTF-16 with a byte order mark.
///
/// A record has `prompt` (or `template`), `subject`, `target_true` and, perhaps, `target_new`, `relation_id` (or
/// `relation`) and an id, under these names or those of other published files ([METHODS](../../docs/METHODS.md), section
/// 1). They may be within `requested_rewrite`, as in CounterFact.
///
/// A prompt holds `{}` once, or the subject itself. Where `target_new` is absent it is the next different true answer
/// of the same relation in file order, cyclically; for a relation with one answer only, the next different one of the
/// whole file. A record with a defect stays a fact in its place, which is excluded from every study.
///
/// # Errors
/// When the file is damaged or of another kind, or every record has a defect: names the file, the record or row, and the
/// field; the hint says what the file has instead.
pub fn parse(name: &str, bytes: &[u8]) -> Result<FactFile> {
    parse_inner(name, bytes).map_err(|error| error.at(name))
}

/// Facts, and what is wrong with some of them.
type Found = (Vec<Fact>, Vec<Defect>);

fn parse_inner(name: &str, bytes: &[u8]) -> Result<FactFile> {
    let (mut facts, defects) = read(bytes)?;
    if facts.is_empty() {
        return Err(Error::input("no facts in the file").hint(FORMATS));
    }
    let mut warnings = defect::warnings(&facts, &defects);
    warnings.extend(used_twice(&facts));
    let without = defects.iter().filter(|defect| defect.is_of_new()).map(|defect| defect.fact).collect();
    complete::fill_target_new(&mut facts, &without, &mut warnings);
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let warnings = warnings.iter().map(|warning| told(warning)).collect();
    Ok(FactFile { name: name.into(), sha256, facts, defects, warnings })
}

fn read(bytes: &[u8]) -> Result<Found> {
    let source = gz::Source::new(bytes);
    let head = source.head(foreign::HEAD);
    if head.starts_with(b"PAR1") {
        return read_parquet(&gz::unpack(bytes)?);
    }
    foreign::refuse(&head, source.is_packed())?;
    match utf16::decoded(&head, &source)? {
        Some(text) => read_text(&gz::Source::new(text.as_bytes())),
        None => read_text(&source),
    }
}

/// The column `text` of a Parquet file, as datasets of plain text have it: its rows one behind the other.
///
/// # Errors
/// When it is damaged or has no such column.
#[cfg(feature = "parquet")]
pub fn text_of_parquet(bytes: &[u8]) -> Result<String> {
    Ok(parquet::texts(bytes, "text")?.concat())
}

#[cfg(feature = "parquet")]
fn read_parquet(bytes: &[u8]) -> Result<Found> {
    parquet::parse(bytes)
}

#[cfg(not(feature = "parquet"))]
fn read_parquet(_: &[u8]) -> Result<Found> {
    Err(Error::input("this is a Parquet file, which this program was built without").hint(FORMATS))
}

fn read_text(source: &gz::Source<'_>) -> Result<Found> {
    let gz::Text { begin, first, line } = source.text()?;
    let source = source.after(begin);
    match first {
        None => Err(Error::input("the file is empty").hint(FORMATS)),
        Some('[') => json::array(&source),
        Some('{') => json::object(&source, line),
        Some('<') => {
            let hint = "a download may have saved an error page; download the file itself";
            Err(Error::input("this is an HTML or XML page, not facts").hint(hint))
        }
        Some(_) => delimited::parse(&source, line),
    }
}

/// Longest text of a fact, in bytes: no prompt that a model could take is longer.
const MOST_TEXT: usize = 1 << 16;
/// Most paraphrases or neighbourhood prompts of a fact.
const MOST_PROMPTS: usize = 10_000;
/// Most facts of a file; the largest public ones have some 200,000.
const MOST_FACTS: usize = 2_000_000;

/// Names of a warning that are shown.
const SHOWN: usize = 5;

const FORMATS: &str = "accepted: CounterFact, known_1000 and other records as JSON, JSON lines or Parquet, or CSV with the \
                       columns prompt, subject, target_true";

/// A word about ids that several facts have.
fn used_twice(facts: &[Fact]) -> Option<String> {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(facts.len());
    let mut twice = Vec::new();
    let mut count = 0;
    for fact in facts {
        let times = seen.entry(&fact.id).or_insert(0);
        *times += 1;
        if *times == 2 {
            count += 1;
            twice.extend((count <= SHOWN).then_some(fact.id.as_str()));
        }
    }
    let ids = if count == 1 { "1 id is".to_owned() } else { format!("{count} ids are") };
    (count > 0).then(|| format!("{ids} used by more than one fact: {}", first_few(&twice, count)))
}

/// The first of so many names.
fn first_few<S: AsRef<str>>(names: &[S], of: usize) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = if of > shown.len() { format!(" and {} more", of - shown.len()) } else { String::new() };
    shown.join(", ") + &more
}

/// The template of a prompt that holds the slot or the subject. Where the subject occurs more than once, its first
/// occurrence that is not part of a longer word counts.
///
/// # Errors
/// When the subject is not in the prompt, or the slot is there more than once.
pub fn template_of(prompt: &str, subject: &str) -> Result<String> {
    match prompt.matches(SLOT).count() {
        1 => return Ok(prompt.into()),
        0 => {}
        slots => {
            return Err(Error::input(format!("the prompt has {slots} places for the subject: {prompt:?}"))
                .hint("`{}` stands for the subject: write it once"));
        }
    }
    if prompt.is_empty() || subject.is_empty() {
        return Ok(prompt.into());
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut places = prompt.match_indices(subject).map(|(start, _)| start);
    let whole = places.clone().find(|&start| {
        !is_word(prompt[..start].chars().next_back()) && !is_word(prompt[start + subject.len()..].chars().next())
    });
    match whole.or_else(|| places.next()) {
        Some(start) => Ok(format!("{}{SLOT}{}", &prompt[..start], &prompt[start + subject.len()..])),
        None => Err(Error::input(format!("the subject {subject:?} is not in the prompt {prompt:?}"))
            .hint("write {} where the subject belongs, or spell the subject as in the prompt")),
    }
}

#[cfg(test)]
mod tests;
