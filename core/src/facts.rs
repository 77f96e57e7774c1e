//! Facts: reading them from files, their prompts, their order and their kinds (METHODS, section 1).

mod complete;
pub mod compose;
mod delimited;
mod json;
mod order;

pub use order::{RelationKind, kind, shuffled};

use crate::record::FactSource;
use crate::text::told;
use crate::{Error, Result, gz};
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
    /// Tokens of the true and the counterfactual answer where a model gave them itself; empty where the tokenizer reads them
    /// off the texts.
    #[serde(default, skip_serializing_if = "no_ids")]
    pub answer_ids: [Vec<u32>; 2],
}

/// Neither answer has tokens of its own.
pub(crate) fn no_ids(ids: &[Vec<u32>; 2]) -> bool {
    ids.iter().all(Vec::is_empty)
}

impl Fact {
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactFile {
    /// File name.
    pub name: String,
    /// SHA-256 of the file's bytes as given (packed, if it was packed), in hex.
    pub sha256: String,
    /// Facts in file order.
    pub facts: Vec<Fact>,
    /// Oddities that did not stop the reading, for people.
    pub warnings: Vec<String>,
}

impl FactFile {
    /// What a study's record says about this file.
    pub fn source(&self) -> FactSource {
        FactSource { name: self.name.clone(), sha256: self.sha256.clone(), count: self.facts.len() }
    }
}

/// Reads facts; the format is found from the content.
///
/// - CounterFact JSON (`case_id`, `requested_rewrite`, `paraphrase_prompts`, `neighborhood_prompts`).
/// - `known_1000.json` (`known_id`, `subject`, `attribute`, `prompt`, `relation_id`).
/// - CSV with a header: `prompt` (or `template`), `subject`, `target_true` (or `target`, `attribute`, `object`),
///   and, where present, `target_new`, `relation`, `id`. Comma, semicolon or tab.
/// - gzip of any of these.
///
/// A prompt holds `{}` once, or the subject itself. Where `target_new` is absent it is the next different true answer
/// of the same relation in file order, cyclically; for a relation with one answer only, the next different one of the
/// whole file.
///
/// # Errors
/// Names the file, the record or row, and the field; the hint says what the file has instead.
pub fn parse(name: &str, bytes: &[u8]) -> Result<FactFile> {
    parse_inner(name, bytes).map_err(|error| error.at(name))
}

fn parse_inner(name: &str, bytes: &[u8]) -> Result<FactFile> {
    let source = gz::Source::new(bytes);
    let gz::Text { begin, first } = source.text()?;
    let source = source.after(begin);
    let mut facts = match first {
        None => return Err(Error::input("the file is empty").hint(FORMATS)),
        Some('[') => json::parse(&source)?,
        Some('{') => {
            let hint = format!("put the records into one JSON array: [ ... ]. {FORMATS}");
            return Err(Error::input("a JSON object where an array of facts is wanted").hint(hint));
        }
        Some('<') => {
            let hint = "a download may have saved an error page; download the file itself";
            return Err(Error::input("this is an HTML or XML page, not facts").hint(hint));
        }
        Some(_) => delimited::parse(&source)?,
    };
    if facts.is_empty() {
        return Err(Error::input("no facts in the file").hint(FORMATS));
    }
    let mut warnings = Vec::new();
    warn_about(&facts, &mut warnings);
    complete::fill_target_new(&mut facts, &mut warnings);
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let warnings = warnings.iter().map(|warning| told(warning)).collect();
    Ok(FactFile { name: name.into(), sha256, facts, warnings })
}

/// Longest text of a fact, in bytes: no prompt that a model could take is longer.
const MOST_TEXT: usize = 1 << 16;
/// Most paraphrases or neighbourhood prompts of a fact.
const MOST_PROMPTS: usize = 10_000;
/// Most facts of a file; the largest public ones have some 200,000.
const MOST_FACTS: usize = 2_000_000;

/// The error for a file with one fact too many.
fn too_many() -> Error {
    Error::input(format!("more than {MOST_FACTS} facts")).hint("split the file")
}

/// The error for a text that no prompt can be.
fn too_long(field: &str, bytes: usize) -> Error {
    Error::input(format!("{field} has {bytes} bytes; at most {MOST_TEXT} are taken"))
        .hint("the file is damaged, or not what it seems")
}

const FORMATS: &str =
    "accepted: CounterFact JSON, known_1000.json, or CSV with the columns prompt, subject, target_true";

/// Duplicate ids and empty fields. Facts with an empty field stay: a study drops them with that reason.
fn warn_about(facts: &[Fact], warnings: &mut Vec<String>) {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(facts.len());
    let mut twice = Vec::new();
    for fact in facts {
        let times = seen.entry(&fact.id).or_insert(0);
        *times += 1;
        if *times == 2 {
            twice.push(fact.id.as_str());
        }
    }
    if !twice.is_empty() {
        warnings.push(format!("{} used by more than one fact: {}", ids(twice.len()), first_few(&twice)));
    }
    let empty: Vec<&str> = facts
        .iter()
        .filter(|fact| fact.template.is_empty() || fact.subject.is_empty() || fact.target_true.is_empty())
        .map(|fact| fact.id.as_str())
        .collect();
    if !empty.is_empty() {
        warnings.push(format!("facts with an empty prompt, subject or true answer: {}", first_few(&empty)));
    }
}

fn ids(count: usize) -> String {
    if count == 1 { "1 id is".into() } else { format!("{count} ids are") }
}

fn first_few(names: &[&str]) -> String {
    let shown = names.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 5 { format!("{shown} and {} more", names.len() - 5) } else { shown }
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
                .hint("write {} once"));
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
