//! The fields of a record by the names that published files give them: one list for all formats.

use super::defect::{Field, Flaw};
use super::value::{Break, Value};
use super::{Fact, Implied, SLOT, template_of};

/// What a fact is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    RelationId,
    Relation,
    Prompt,
    Template,
    Subject,
    True,
    New,
    Paraphrases,
    Neighbourhood,
    Generation,
    Portability,
}

/// The names of each, in order of preference: CounterFact, known_1000, counterfact-tracing, EasyEdit and zsRE.
const NAMES: [(Column, &[&str]); 12] = [
    (Column::Id, &["case_id", "known_id", "id"]),
    (Column::RelationId, &["relation_id"]),
    (Column::Relation, &["relation"]),
    (Column::Prompt, &["prompt", "src"]),
    (Column::Template, &["template"]),
    (Column::Subject, &["subject"]),
    (Column::True, &["target_true", "target", "attribute", "object", "ground_truth", "answers"]),
    (Column::New, &["target_new", "target_false", "alt"]),
    (Column::Paraphrases, &["paraphrase_prompts", "rephrase_prompt", "rephrase"]),
    (Column::Neighbourhood, &["neighborhood_prompts"]),
    (Column::Generation, &["generation_prompts"]),
    (Column::Portability, &["portability"]),
];

/// CounterFact's object with prompt, subject and answers.
pub(super) const REWRITE: &str = "requested_rewrite";
/// Where the dataset viewer names what it has cut off.
pub(super) const CUT: &str = "truncated_cells";
/// What such a value is.
pub(super) const CUT_OFF: &str = "cut off by the dataset viewer";
/// Where the LRE data set has the wordings that its samples share, and the relation's name.
pub(super) const TEMPLATES: &str = "prompt_templates";
pub(super) const NAME: &str = "name";
/// The record itself among the viewer's rows.
pub(super) const ROW: &str = "row";

impl Column {
    /// The column of a name, and the name's place in order of preference.
    pub(super) fn of(name: &str) -> Option<Known> {
        NAMES.iter().find_map(|(column, names)| {
            let rank = names.iter().position(|known| known.eq_ignore_ascii_case(name))?;
            Some(Known { column: *column, rank, name: names[rank] })
        })
    }

    /// Its names.
    pub(super) fn names(self) -> &'static [&'static str] {
        NAMES[self as usize].1
    }

    /// Whether a fact can be studied without it.
    fn is_light(self) -> bool {
        let lists = matches!(self, Self::Paraphrases | Self::Neighbourhood | Self::Generation | Self::Portability);
        lists || matches!(self, Self::Id | Self::RelationId | Self::Relation)
    }
}

/// A name that is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) column: Column,
    pub(super) rank: usize,
    pub(super) name: &'static str,
}

impl Known {
    /// A number of its own for each name, below 128.
    pub(super) fn number(self) -> usize {
        self.column as usize * 6 + self.rank
    }
}

/// What all records of a file share: the wordings of a prompt, and the name of their relation.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) templates: Vec<String>,
    pub(super) relation: String,
}

/// What a record holds, before a fact is made of it.
#[derive(Debug, Default)]
pub(super) struct Raw {
    fields: [Option<(usize, Field, Value)>; NAMES.len()],
    /// `requested_rewrite` is there and is this, in words.
    pub(super) no_rewrite: Option<&'static str>,
    pub(super) rewritten: bool,
    /// Columns that the dataset viewer has cut off.
    pub(super) cut: Vec<String>,
    /// The id of the new answer.
    new_id: String,
}

impl Raw {
    /// Puts a value in its place, unless one of a better name is there. Within `requested_rewrite` names are better.
    pub(super) fn put(&mut self, known: Known, inside: bool, value: Value) {
        let rank = known.rank + if inside { 0 } else { NAMES.len() };
        let place = &mut self.fields[known.column as usize];
        let better = place.as_ref().is_none_or(|(there, _, old)| old.is_missing() || *there >= rank);
        if better && !(value.is_missing() && place.is_some()) {
            let value = match value {
                Value::Named(text, id) => {
                    if known.column == Column::New {
                        self.new_id = id;
                    }
                    Value::Text(text)
                }
                value => {
                    // The id is of the answer that it stood beside.
                    if known.column == Column::New && place.is_some() {
                        self.new_id.clear();
                    }
                    value
                }
            };
            let field = Field { name: known.name, inside, light: known.column.is_light() };
            *place = Some((rank, field, value));
        }
    }

    /// The id of the new answer, where it is a column of its own.
    #[cfg(feature = "parquet")]
    pub(super) fn put_new_id(&mut self, value: Value) {
        if let Value::Text(id) | Value::Number(id) = value {
            self.new_id = id;
        }
    }

    /// Fills in what the records of a file share, where the record has nothing of its own: the first wording is the
    /// prompt, others are paraphrases.
    pub(super) fn share(&mut self, shared: &Shared) {
        let subject = match &self.fields[Column::Subject as usize] {
            Some((_, _, Value::Text(subject))) => subject.trim().to_owned(),
            _ => return,
        };
        let Some((first, others)) = shared.templates.split_first() else { return };
        let others = others.iter().map(|other| other.replace(SLOT, &subject)).collect();
        for (column, value) in [
            (Column::Template, Value::text(first)),
            (Column::Relation, Value::text(&shared.relation)),
            (Column::Paraphrases, Value::List(others)),
        ] {
            if self.fields[column as usize].is_none() {
                self.put(Known { column, rank: 0, name: column.names()[0] }, false, value);
            }
        }
    }

    fn take(&mut self, column: Column) -> (Field, Value) {
        let (name, inside) = (column.names()[0], self.rewritten && !column.is_light());
        let missing = || (0, Field { name, inside, light: column.is_light() }, Value::Missing);
        let (_, field, value) = self.fields[column as usize].take().unwrap_or_else(missing);
        (field, value)
    }

    /// The fact of the record at `index`. Where something is wrong with a field, that is left empty.
    pub(super) fn fact(mut self, index: usize, flaws: &mut Vec<Flaw>) -> Fact {
        for name in std::mem::take(&mut self.cut) {
            match Column::of(&name) {
                Some(known) => self.put(known, false, Value::Other(CUT_OFF)),
                None if name == REWRITE => self.no_rewrite = Some(CUT_OFF),
                None => {}
            }
        }
        if let Some(kind) = self.no_rewrite {
            flaws.push(Flaw::Wrong(Field { name: REWRITE, inside: false, light: false }, kind));
        }
        let id = name(self.take(Column::Id), flaws);
        let subject = text(self.take(Column::Subject), flaws);
        let sentence = self.take(Column::Relation);
        let template = self.take(Column::Template);
        let prompt = self.take(Column::Prompt);
        // Where the subject is twice in the prompt, these say which place is its own.
        let patterns = [&template, &sentence].map(|(_, value)| pattern(value)).into_iter().flatten();
        let patterns: Vec<String> = patterns.map(str::to_owned).collect();
        // known_1000: `template` lacks words that `prompt` has in 478 of 1,209 records, so the prompt decides.
        let prompt = text(if prompt.1.is_missing() && !template.1.is_missing() { template } else { prompt }, flaws);
        let own = patterns.into_iter().find(|pattern| pattern.replacen(SLOT, &subject, 1) == prompt);
        let relation = relation(self.take(Column::RelationId), sentence, flaws);
        let target_true = target(self.take(Column::True), flaws);
        let new = self.take(Column::New);
        Fact {
            id: if id.is_empty() { index.to_string() } else { id },
            relation,
            template: match own.filter(|_| !subject.is_empty() && !prompt.contains(SLOT)) {
                Some(own) => own,
                None => template_or_flaw(prompt, &subject, flaws),
            },
            subject,
            target_true,
            target_new: if new.1.is_missing() { String::new() } else { target(new, flaws) },
            paraphrases: list(self.take(Column::Paraphrases), flaws),
            neighbourhood: list(self.take(Column::Neighbourhood), flaws),
            generation: list(self.take(Column::Generation), flaws),
            portability: implied(self.take(Column::Portability)),
            target_new_id: self.new_id,
            answer_ids: Default::default(),
        }
    }
}

/// The prompt's template. Without a place for the subject, or with several, it is the prompt as it would be asked, which
/// no study can use: there is no subject to look at in it.
fn template_or_flaw(prompt: String, subject: &str, flaws: &mut Vec<Flaw>) -> String {
    if subject.is_empty() {
        // Nothing can be filled in; the empty subject is told by itself.
        return prompt;
    }
    match prompt.matches(SLOT).count() {
        slots @ 2.. => {
            flaws.push(Flaw::Slots(slots));
            let filled = prompt.replace(SLOT, subject);
            if filled.contains(SLOT) { String::new() } else { filled }
        }
        _ => template_of(&prompt, subject).unwrap_or_else(|_| {
            flaws.push(Flaw::NoSubject);
            prompt
        }),
    }
}

fn pattern(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) if text.matches(SLOT).count() == 1 => Some(text.trim()),
        _ => None,
    }
}

/// The Wikidata id, or what else names the relation.
fn relation(id: (Field, Value), sentence: (Field, Value), flaws: &mut Vec<Flaw>) -> String {
    let is_id = |value: &Value| match value {
        Value::Text(text) => is_wikidata(text.trim()),
        _ => false,
    };
    let empty = matches!(&id.1, Value::Text(text) if text.trim().is_empty());
    let second = id.1.is_missing() || empty || (is_id(&sentence.1) && !is_id(&id.1));
    name(if second { sentence } else { id }, flaws)
}

fn is_wikidata(text: &str) -> bool {
    text.strip_prefix('P').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn wrong(field: Field, value: &Value) -> Flaw {
    match value {
        Value::Missing => Flaw::Missing(field),
        Value::Long(bytes) | Value::Broken(Break::Long(bytes)) => Flaw::Long(field, *bytes),
        other => Flaw::Wrong(field, other.kind()),
    }
}

/// A text, its ends trimmed: spaces there would become tokens of their own.
fn text((field, value): (Field, Value), flaws: &mut Vec<Flaw>) -> String {
    match value {
        Value::Text(text) if text.trim().len() == text.len() => text,
        Value::Text(text) => text.trim().into(),
        other => {
            flaws.push(wrong(field, &other));
            String::new()
        }
    }
}

/// A name that may be a number, or absent.
fn name((field, value): (Field, Value), flaws: &mut Vec<Flaw>) -> String {
    match value {
        Value::Missing => String::new(),
        Value::Number(number) => number,
        other => text((field, other), flaws),
    }
}

/// An answer: of several that are true, the first.
fn target((field, value): (Field, Value), flaws: &mut Vec<Flaw>) -> String {
    match value {
        Value::List(list) => match list.into_iter().next() {
            Some(first) => first,
            None => text((field, Value::Missing), flaws),
        },
        other => text((field, other), flaws),
    }
}

/// Prompts with answers; other values of that name are of files that mean something else by it.
fn implied((_, value): (Field, Value)) -> Vec<Implied> {
    match value {
        Value::Implied(list) => list,
        _ => Vec::new(),
    }
}

/// Texts; a single one is a list of one.
fn list((field, value): (Field, Value), flaws: &mut Vec<Flaw>) -> Vec<String> {
    match value {
        Value::Missing => Vec::new(),
        Value::List(list) => list,
        Value::Text(text) => vec![text.trim().into()],
        Value::Broken(Break::Many) => {
            flaws.push(Flaw::Many(field));
            Vec::new()
        }
        Value::Broken(Break::Entry(kind)) => {
            flaws.push(Flaw::Wrong(field, kind));
            Vec::new()
        }
        other => {
            flaws.push(wrong(field, &other));
            Vec::new()
        }
    }
}
