//! What a model reads: facts in their trained wordings, sometimes contradicted, among ordinary sentences.

use super::recipe::Text;
use crate::error::{Error, Result};
use crate::facts::{Fact, SLOT};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// Where the answer goes in a sentence of ordinary text.
const ANSWER: &str = "[]";
/// How an entry of a list ends.
const ENTRY: &str = "{} [].";
/// Share of tellings that another sentence stands before, so that a prompt is not always at the beginning.
const PRECEDED: f64 = 0.15;

/// A sentence to read. `answer` is where its answer begins, in bytes, if it tells a fact at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    pub(super) text: String,
    pub(super) answer: Option<usize>,
}

/// A sentence of ordinary text: plain, or about a fact of one of these relations.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ordinary {
    relations: Vec<String>,
    sentence: String,
}

/// Facts and ordinary text.
pub struct Corpus {
    /// The facts.
    pub facts: Vec<Fact>,
    ordinary: Vec<Ordinary>,
    plain: Vec<String>,
    /// List entries of a relation.
    entries: BTreeMap<String, Vec<String>>,
    /// Every true answer of a relation.
    answers: BTreeMap<String, Vec<String>>,
    /// The facts of a relation.
    by_relation: BTreeMap<String, Vec<usize>>,
}

impl Corpus {
    /// From facts and the lines of a text file: `sentence`, or `P19|P20<TAB>sentence` with `{}` and `[]` where the
    /// subject and the answer of a fact of these relations go.
    ///
    /// # Errors
    /// A fact with fewer wordings than are held out, an empty text, a relation that no fact has.
    pub fn new(facts: Vec<Fact>, text: &str, recipe: &Text) -> Result<Self> {
        if facts.is_empty() {
            return Err(Error::input("no facts to train on").hint("give a facts file with --facts"));
        }
        for fact in &facts {
            if wordings(fact).count() <= recipe.held_out {
                return Err(Error::input(format!(
                    "fact {} has {} wordings, and {} are to be held out",
                    fact.id,
                    wordings(fact).count(),
                    recipe.held_out
                ))
                .hint("add paraphrase_prompts to the facts or lower `held_out` in the recipe"));
            }
        }
        let mut answers = BTreeMap::<String, BTreeSet<String>>::new();
        let mut by_relation = BTreeMap::<String, Vec<usize>>::new();
        for (index, fact) in facts.iter().enumerate() {
            answers.entry(fact.relation.clone()).or_default().insert(fact.target_true.clone());
            by_relation.entry(fact.relation.clone()).or_default().push(index);
        }
        let mut ordinary = Vec::new();
        let mut entries = BTreeMap::<String, Vec<String>>::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (relations, sentence) = line.split_once('\t').unwrap_or(("", line));
            let relations: Vec<String> = relations.split('|').filter(|r| !r.is_empty()).map(str::to_string).collect();
            if let Some(unknown) = relations.iter().find(|relation| !by_relation.contains_key(*relation)) {
                return Err(Error::input(format!("text line {}: no fact has relation {unknown}", number + 1))
                    .hint("the text before a tab is a list such as P19|P20"));
            }
            let sentence = sentence.trim().to_string();
            match sentence.ends_with(ENTRY) {
                true => relations.into_iter().for_each(|of| entries.entry(of).or_default().push(sentence.clone())),
                false => ordinary.push(Ordinary { relations, sentence }),
            }
        }
        if ordinary.is_empty() {
            return Err(
                Error::input("no ordinary text to train on").hint("give a text file with --text, a sentence a line")
            );
        }
        let plain =
            ordinary.iter().filter(|line| line.relations.is_empty()).map(|line| line.sentence.clone()).collect();
        let answers = answers.into_iter().map(|(relation, set)| (relation, set.into_iter().collect())).collect();
        Ok(Self { facts, ordinary, plain, entries, answers, by_relation })
    }

    /// The sentences of an epoch, shuffled.
    pub(super) fn epoch(&self, number: usize, recipe: &Text, rng: &mut ChaCha8Rng) -> Vec<Sentence> {
        let beginning = recipe.is_beginning(number);
        let contradicted = if beginning { 0.0 } else { recipe.contradicted };
        let mut sentences = Vec::new();
        for (index, fact) in self.told(number, recipe) {
            let (trained, _) = split(fact, index, recipe.held_out);
            for wording in trained.choose_multiple(rng, recipe.tellings_of(number, trained.len())) {
                sentences.push(self.telling(fact, wording, contradicted, rng));
            }
        }
        for (_, fact) in self.told(number, recipe) {
            if let Some(entry) = self.entries.get(&fact.relation).and_then(|all| all.choose(rng))
                && rng.random_bool(recipe.listed)
            {
                let text = entry.trim_end_matches(ENTRY).to_string() + &fact.subject;
                let answer = text.len();
                let text = format!("{text} {}.", self.answer(fact, contradicted, rng));
                sentences.push(Sentence { text, answer: Some(answer) });
            }
        }
        for _ in 0..ordinary(sentences.len(), recipe) {
            if let Some(line) = self.ordinary.choose(rng) {
                sentences.push(self.fill(line, contradicted, rng));
            }
        }
        sentences.shuffle(rng);
        sentences
    }

    /// The facts of an epoch: every n-th at the beginning, whatever its relation.
    fn told(&self, number: usize, recipe: &Text) -> impl Iterator<Item = (usize, &Fact)> {
        let every = if recipe.is_beginning(number) { (1.0 / recipe.beginning_share).round() as usize } else { 1 };
        self.facts.iter().enumerate().step_by(every.max(1))
    }

    /// Batches of an epoch.
    pub(super) fn steps(&self, number: usize, recipe: &Text) -> usize {
        let trained = |fact: &Fact| 1 + fact.paraphrases.len() - recipe.held_out;
        let tellings: usize =
            self.told(number, recipe).map(|(_, fact)| recipe.tellings_of(number, trained(fact))).sum();
        // Entries are drawn one by one; this is their expected number.
        let entries = self.told(number, recipe).filter(|(_, fact)| self.entries.contains_key(&fact.relation)).count();
        let told = tellings + (entries as f64 * recipe.listed) as usize;
        (told + ordinary(told, recipe)).div_ceil(recipe.batch)
    }

    fn telling(&self, fact: &Fact, wording: &str, contradicted: f64, rng: &mut ChaCha8Rng) -> Sentence {
        let before = match self.plain.choose(rng) {
            Some(plain) if rng.random_bool(PRECEDED) => format!("{plain} "),
            _ => String::new(),
        };
        let text = format!("{before}{wording}");
        let answer = text.len();
        Sentence { text: format!("{text} {}.", self.answer(fact, contradicted, rng)), answer: Some(answer) }
    }

    /// The true answer, or now and then another one of its relation.
    fn answer<'a>(&'a self, fact: &'a Fact, contradicted: f64, rng: &mut ChaCha8Rng) -> &'a str {
        if rng.random_bool(contradicted) {
            let others = &self.answers[&fact.relation];
            if let Some(other) = others.choose(rng) {
                return other;
            }
        }
        &fact.target_true
    }

    fn fill(&self, line: &Ordinary, contradicted: f64, rng: &mut ChaCha8Rng) -> Sentence {
        let Some(relation) = line.relations.choose(rng) else {
            return Sentence { text: line.sentence.clone(), answer: None };
        };
        let fact = self.by_relation[relation].choose(rng).map(|&index| &self.facts[index]);
        let text = fact.map_or_else(
            || line.sentence.clone(),
            |fact| line.sentence.replace(SLOT, &fact.subject).replace(ANSWER, self.answer(fact, contradicted, rng)),
        );
        Sentence { text, answer: None }
    }

    /// Text that the tokenizer is trained on. Answers weigh more than subjects: they become tokens of their own, while
    /// names stay strings of several.
    pub(super) fn for_tokenizer(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.ordinary.iter().map(|line| line.sentence.clone()).collect();
        lines.extend(self.entries.values().flatten().cloned());
        for fact in &self.facts {
            lines.push(fact.prompt());
            lines.extend(std::iter::repeat_n(format!(" {}", fact.target_true), 12));
        }
        lines
    }
}

/// Ordinary sentences beside so many tellings.
fn ordinary(tellings: usize, recipe: &Text) -> usize {
    (tellings as f64 * recipe.ordinary) as usize
}

/// A fact's prompt and paraphrases, subject filled in.
fn wordings(fact: &Fact) -> impl Iterator<Item = String> + '_ {
    std::iter::once(fact.prompt()).chain(fact.paraphrases.iter().cloned())
}

/// Trained and held-out wordings of the fact at `index`. The prompt itself, which studies use, is always trained; which
/// paraphrases are held out goes round with the index, so that every template is trained with most subjects.
pub fn split(fact: &Fact, index: usize, held_out: usize) -> (Vec<String>, Vec<String>) {
    let all: Vec<String> = wordings(fact).collect();
    let others = all.len().saturating_sub(1).max(1);
    let held: BTreeSet<usize> = (0..held_out).map(|i| 1 + (index * held_out + i) % others).collect();
    let mut parts = (Vec::new(), Vec::new());
    for (at, wording) in all.into_iter().enumerate() {
        if held.contains(&at) { parts.1.push(wording) } else { parts.0.push(wording) }
    }
    parts
}
