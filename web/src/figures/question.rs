//! A question as it is typed: what is wrong with it, and the request that it becomes.

use crate::state::{LabState, POSITIONS};
use crate::words;
use engram_core::facts::{SLOT, template_of};
use engram_core::protocol::Question;
use engram_core::record::{Corruption, FactRecord, Settings, Traced};
use std::ops::Range;

/// Spread of the noise, in units of σ, and the number of paired draws; those of the command line.
const NOISE: (f32, usize) = (3.0, 10);

/// A question as it is typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// The prompt.
    pub prompt: String,
    /// Its subject.
    pub subject: String,
    /// True answer; empty for the model's own.
    pub target: String,
    /// The answer to hold it against; empty for the model's own second.
    pub new: String,
    /// Corruption by noise instead of a replacement.
    pub noise: bool,
    /// What the subject is replaced by; empty for a name with as many tokens.
    pub instead: String,
    /// Layers of a window of the MLP and attention maps; 0 for what suits the model's depth.
    pub window: usize,
}

/// The field of the form that a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The prompt.
    Prompt,
    /// The subject.
    Subject,
    /// Either answer.
    Answers,
}

impl Asked {
    /// The question of the address.
    pub fn of(lab: &LabState) -> Self {
        let LabState { prompt, subject, target, new, noise, instead, window, .. } = lab.clone();
        Self { prompt, subject, target, new, noise, instead, window }
    }

    /// The question that a record's fact answers; a window that suits the model's depth is no wish.
    pub fn of_fact(fact: &FactRecord, settings: &Settings, layers: usize) -> Self {
        let mut asked = Self {
            prompt: fact.prompt.clone(),
            subject: fact.subject.clone(),
            target: fact.target_true.clone(),
            new: fact.target_new.clone(),
            noise: matches!(settings.corruption, Corruption::Noise { .. }),
            instead: match &settings.corruption {
                Corruption::Replace { with } => with.clone(),
                Corruption::Noise { .. } => String::new(),
            },
            window: if settings.window == Settings::usual_window(layers) { 0 } else { settings.window },
        };
        // A record says by the subject's tokens which of several places was meant.
        let begin = |traced: &Traced| traced.tokens.get(..traced.subject_span[0]).map(<[String]>::concat);
        if let Some(before) = fact.traced().and_then(begin).filter(|_| !fact.subject.is_empty()) {
            let earlier = before.matches(&fact.subject).count();
            let place = fact.prompt.match_indices(&fact.subject).nth(earlier);
            if let Some((at, _)) = place.filter(|_| !fact.prompt.contains(SLOT)) {
                asked.put(fact.prompt.clone(), at..at + fact.subject.len());
            }
        }
        asked
    }

    /// Nothing is asked yet.
    pub fn is_empty(&self) -> bool {
        [&self.prompt, &self.subject, &self.target, &self.new].iter().all(|text| text.is_empty())
    }

    /// Puts the question into the address; the rest of the view stays.
    pub fn write(self, lab: &mut LabState) {
        let Self { prompt, subject, target, new, noise, instead, window } = self;
        *lab = LabState { prompt, subject, target, new, noise, instead, window, ..lab.clone() };
    }

    /// The prompt with the subject in its place.
    pub fn filled(&self) -> String {
        self.prompt.replacen(SLOT, &self.subject, 1)
    }

    /// Makes a part of the prompt its subject, selected between two places that a browser counts in UTF-16 units. Where the
    /// same text would be found somewhere else, `{}` takes its place.
    pub fn choose(&mut self, text: &str, start: u32, end: u32) {
        let mut place = selected(text, start, end);
        let mut prompt = text.to_owned();
        if place.is_empty() || text[place.clone()].contains(SLOT) {
            return;
        }
        if let Some(slot) = text.find(SLOT) {
            prompt = text.replacen(SLOT, &self.subject, 1);
            if slot < place.start {
                let moved = |at: usize| at + self.subject.len() - SLOT.len();
                place = moved(place.start)..moved(place.end);
            }
        }
        self.put(prompt, place);
    }

    /// The bytes of the prompt, its subject filled in, that are the subject.
    pub fn place(&self) -> Option<Range<usize>> {
        let template = template_of(&self.prompt, &self.subject).ok().filter(|_| !self.subject.is_empty())?;
        let start = template.find(SLOT)?;
        Some(start..start + self.subject.len())
    }

    /// Makes some bytes of the prompt, its subject filled in, the subject; spaces around them are left out.
    pub fn choose_range(&mut self, range: Range<usize>) {
        let prompt = self.filled();
        let Some(part) = prompt.get(range.clone()) else { return };
        let start = range.start + (part.len() - part.trim_start().len());
        let place = start..start + part.trim().len();
        if !place.is_empty() {
            self.put(prompt, place);
        }
    }

    /// Makes a part of a prompt its subject.
    fn put(&mut self, prompt: String, place: Range<usize>) {
        let subject = prompt[place.clone()].to_owned();
        let template = format!("{}{SLOT}{}", &prompt[..place.start], &prompt[place.end..]);
        self.prompt = match template_of(&prompt, &subject) {
            Ok(found) if found == template => prompt,
            _ => template,
        };
        self.subject = subject;
    }

    /// How the subject is corrupted.
    pub fn corruption(&self) -> Corruption {
        if self.noise {
            Corruption::Noise { sigmas: NOISE.0, draws: NOISE.1, sigma: 0.0 }
        } else {
            Corruption::Replace { with: self.instead.trim().to_owned() }
        }
    }

    /// The request, for a model of so many blocks.
    pub fn question(&self, layers: usize) -> Question {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        Question {
            prompt: self.prompt.clone(),
            subject: self.subject.clone(),
            target: given(&self.target),
            target_new: given(&self.new),
            corruption: self.corruption(),
            positions: POSITIONS.to_vec(),
            window: Settings { window: self.window, ..Settings::default() }.window_of(layers),
            maps: true,
        }
    }

    /// Why it cannot be asked: what is wrong and the next step, field by field.
    pub fn problems(&self) -> Vec<(Field, String)> {
        let mut found = Vec::new();
        if self.prompt.trim().is_empty() {
            found.push((Field::Prompt, "There is no prompt yet. Write one that stops just before the answer.".into()));
        } else if self.prompt.ends_with(char::is_whitespace) {
            let why = "The prompt ends with a space, but the space belongs to the answer. Delete it.";
            found.push((Field::Prompt, why.into()));
        }
        if self.subject.trim().is_empty() {
            let why = "There is no subject yet. Select it in the prompt and press “Use selection as subject”.";
            found.push((Field::Subject, why.into()));
        } else if self.subject.trim() != self.subject {
            let why = "The subject begins or ends with a space. Delete it.";
            found.push((Field::Subject, why.into()));
        } else if self.prompt.matches(SLOT).count() > 1 {
            found.push((Field::Prompt, "“{}” is there twice. It stands for the subject: write it once.".into()));
        } else if !self.prompt.contains(SLOT) && !self.prompt.contains(&self.subject) {
            let subject = words::visible(&self.subject);
            let why = format!("“{subject}” is not in the prompt. Spell it as it is written there, or select it there.");
            found.push((Field::Subject, why));
        }
        let [target, new] = [&self.target, &self.new].map(|text| text.trim());
        if !target.is_empty() && target == new {
            found.push((Field::Answers, "Both answers are the same. Change one of them.".into()));
        }
        found
    }

    /// What an edit needs beyond a trace.
    pub fn edit_problems(&self) -> Vec<(Field, String)> {
        let mut found = self.problems();
        if self.new.trim().is_empty() {
            found.push((
                Field::Answers,
                "There is no counterfactual answer yet. Write what the model should say.".into(),
            ));
        }
        found
    }
}

/// The bytes of a text between two places that a browser counts in UTF-16 units, without spaces around it.
fn selected(text: &str, start: u32, end: u32) -> Range<usize> {
    let place = |wanted: u32| {
        let mut units = 0;
        let inside = text.char_indices().find(|(_, c)| {
            let here = units >= wanted;
            units += c.len_utf16() as u32;
            here
        });
        inside.map_or(text.len(), |(at, _)| at)
    };
    if end <= start {
        return 0..0;
    }
    let (first, last) = (place(start), place(end));
    let part = &text[first..last];
    let begin = first + (part.len() - part.trim_start().len());
    begin..begin + part.trim().len()
}

/// The word that a continuation begins with, without marks around it: the answer that a model gives by itself.
pub fn first_word(said: &str) -> String {
    let word = said.split_whitespace().next().unwrap_or_default();
    word.trim_matches(|c: char| ".,;:!?\"()".contains(c)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn asked(prompt: &str, subject: &str) -> Asked {
        Asked { prompt: prompt.into(), subject: subject.into(), ..Asked::default() }
    }

    #[test]
    fn problems_name_the_next_step() {
        assert_eq!(asked("The capital of France is", "France").problems(), []);
        let spaced = asked("The capital of France is ", "Spain").problems();
        assert_eq!(spaced.len(), 2);
        assert!(spaced[0].0 == Field::Prompt && spaced[0].1.contains("Delete it"), "{spaced:?}");
        assert!(spaced[1].1.starts_with("“Spain” is not in the prompt"), "{spaced:?}");
        assert_eq!(Asked::default().problems().len(), 2);
        assert!(Asked::default().is_empty());
        let same = Asked { target: "Paris".into(), new: " Paris".into(), ..asked("France is", "France") };
        assert_eq!(same.problems()[0].0, Field::Answers);
        assert_eq!(asked("France is", "France").edit_problems().len(), 1);
    }

    #[test]
    fn a_question_is_a_request_and_an_address() {
        let record = sample::record();
        let asked = Asked::of_fact(&record.facts[0], &record.settings, record.model.layers);
        let question = asked.question(8);
        assert_eq!((question.window, question.positions.len(), question.maps), (1, 3, true));
        assert_eq!(question.target.as_deref(), Some("Paris"));
        assert_eq!(asked.question(30).window, 10);
        assert_eq!(Asked { window: 5, ..asked.clone() }.question(30).window, 5);
        let mut lab = LabState { layer: Some(2), ..LabState::default() };
        asked.clone().write(&mut lab);
        assert_eq!((Asked::of(&lab), lab.layer), (asked, Some(2)));
        let noise = Asked { noise: true, ..Asked::default() };
        assert!(matches!(noise.question(8).corruption, Corruption::Noise { draws: 10, .. }));
        assert_eq!(noise.question(8).target, None);
    }

    #[test]
    fn selections_are_counted_as_browsers_do() {
        let selected = |text: &'static str, start, end| &text[super::selected(text, start, end)];
        assert_eq!(selected("The capital of France is", 15, 22), "France");
        assert_eq!(selected("𝒜 né", 3, 5), "né");
        assert_eq!(selected("abc", 2, 2), "");
        assert_eq!(first_word(" Paris, the capital"), "Paris");
        assert_eq!(first_word(" "), "");
    }

    #[test]
    fn a_selection_keeps_its_place() {
        let mut one = Asked::default();
        one.choose("The capital of France is", 15, 21);
        assert_eq!((one.prompt.as_str(), one.subject.as_str()), ("The capital of France is", "France"));
        // The whole word is found by itself, the part of a longer one is not.
        one.choose("The Parisian paper of Paris is", 4, 9);
        assert_eq!((one.prompt.as_str(), one.subject.as_str()), ("The {}ian paper of Paris is", "Paris"));
        assert_eq!(one.filled(), "The Parisian paper of Paris is");
        one.choose("The {}ian paper of Paris is", 19, 24);
        assert_eq!((one.prompt.as_str(), one.subject.as_str()), ("The Parisian paper of Paris is", "Paris"));
        one.choose("Rome, Rome is", 6, 10);
        assert_eq!((one.prompt.as_str(), one.subject.as_str()), ("Rome, {} is", "Rome"));
        assert!(one.problems().is_empty());
        one.choose("Rome, {} is", 6, 8);
        assert_eq!(one.prompt, "Rome, {} is", "the slot is no subject");
        assert!(Asked { prompt: "{} and {} is".into(), subject: "a".into(), ..Asked::default() }.problems().len() == 1);
    }

    #[test]
    fn a_record_says_which_place_was_meant() {
        let mut fact = sample::record().facts.remove(0);
        fact.prompt = "Rome, Rome is".into();
        fact.subject = "Rome".into();
        for (span, wanted) in [([0, 1], "Rome, Rome is"), ([2, 3], "Rome, {} is")] {
            let traced = fact.traced_mut().expect("a traced fact");
            traced.tokens = ["Rome", ",", " Rome", " is"].map(str::to_owned).to_vec();
            traced.subject_span = span;
            let asked = Asked::of_fact(&fact, &Settings::default(), 8);
            assert_eq!((asked.prompt.as_str(), asked.filled().as_str()), (wanted, "Rome, Rome is"));
        }
    }
}
