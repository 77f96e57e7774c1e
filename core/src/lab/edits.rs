//! Edits in force: made one after the other, each removable. They are overlays, so the weights stay as they were loaded.

use super::{Lab, Tell};
use crate::edit::{self, EditTarget, Step, edit_one};
use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::generate::greedy;
use crate::protocol::{EditCommand, Edited, Event, StudyPhase};
use crate::question::{Question, fact_of};
use crate::record::{EditLayers, EditSettings, Settings};
use crate::study;
use crate::tensor::Overlay;
use std::collections::BTreeMap;
use web_time::Instant;

/// Tokens of the continuation that is shown before and after.
const SAID: usize = 12;
/// Most steps of one search: what asks may be a page from anywhere.
const MOST_STEPS: usize = 10_000;

/// The edits in force, oldest first. Each is an overlay: taking it back is leaving it out.
#[derive(Default)]
pub(super) struct EditStack {
    last: u32,
    version: u64,
    kept: Vec<(u32, Overlay)>,
    /// Contexts that the model has drawn, by seed.
    contexts: BTreeMap<u64, Vec<String>>,
}

impl EditStack {
    /// Changes whenever the edits do.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// An edit's change of the weights.
    pub(super) fn overlay(&self, edit: u32) -> Option<Overlay> {
        self.kept.iter().find(|(number, _)| *number == edit).map(|(_, overlay)| overlay.clone())
    }

    /// Those of all others, oldest first.
    pub(super) fn overlays_without(&self, edit: u32) -> Vec<Overlay> {
        self.kept.iter().filter(|(number, _)| *number != edit).map(|(_, overlay)| overlay.clone()).collect()
    }

    /// No edit is in force.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Lab {
    pub(super) async fn edit(&mut self, ask: &EditCommand, tell: Tell<'_>) -> Result<Event> {
        let start = Instant::now();
        let fact = self.known_fact(ask).await?;
        let mut settings = study::question(&self.model, &settings_of(ask))?;
        let tokens = edit::tokens_of(&self.model, &fact, &settings)?;
        let layer = match ask.layer {
            Some(layer) => layer,
            None => {
                let own = edit::own_layer(&self.model, &tokens, &settings).await?;
                let none = || Error::input("no patch at the subject helps, at any layer").hint("choose a layer");
                own.ok_or_else(none)?.layer
            }
        };
        if settings.edit.needs_contexts() {
            let known = self.edits.contexts.get(&ask.seed);
            settings.edit.contexts = known.cloned().unwrap_or_default();
        }
        edit::complete(&self.model, &mut settings.edit, ask.seed).await?;
        if settings.edit.needs_contexts() {
            self.edits.contexts.insert(ask.seed, settings.edit.contexts.clone());
        }
        let mut told = |done, of| {
            tell(Event::Progress { phase: StudyPhase::SecondMoment, done, of });
            Ok(())
        };
        edit::prepare(&mut self.model, &settings.edit, &[layer].into(), &mut told).await?;
        let settings = settings;
        let unrelated = self.unrelated(&fact).await?;
        let facts: Vec<Fact> = unrelated.iter().map(|&at| self.facts.facts[at].clone()).collect();
        let watched = facts.iter().zip(&unrelated).map(|(fact, &at)| (at, fact)).collect();
        let job = EditTarget { order: 0, fact: &fact, tokens, layer, unrelated: watched, alike: Vec::new() };
        let stop = |text: &str| text.contains('\n');
        let prompt = fact.prompt();
        let before = greedy(&self.model, &prompt, SAID, stop).await?.text;

        let mut progress = |step: Step<'_>| {
            let loss = step.losses.first().copied().unwrap_or_default();
            tell(Event::Loss { step: step.done, of: step.of, loss });
            Ok(())
        };
        let done = edit_one(&self.model, &job, &settings, &mut progress).await?;
        let (tensor, relative_norm) = edit::size_of(&self.model, &done.overlay).await?;
        // What is told and what is in force must agree: nothing from here on stops half way.
        self.edits.last += 1;
        let number = self.edits.last;
        self.edits.kept.push((number, done.overlay));
        self.apply_edits();
        let after = match greedy(&self.model, &prompt, SAID, stop).await {
            Ok(after) => after.text,
            Err(error) => {
                self.take_back(Some(number));
                return Err(error);
            }
        };
        let watched = |unrelated: &crate::record::Unrelated| {
            let fact = &self.facts.facts[unrelated.fact];
            (fact.prompt(), fact.target_true.clone())
        };
        Ok(Event::Edited(Box::new(Edited {
            edit: number,
            tensor,
            prompt: prompt.clone(),
            subject: ask.subject.clone(),
            target: ask.target.clone(),
            target_new: ask.target_new.clone(),
            unrelated: done.record.unrelated.iter().map(watched).collect(),
            record: done.record,
            said: [before, after],
            relative_norm,
            seconds: start.elapsed().as_secs_f64(),
        })))
    }

    pub(super) async fn undo(&mut self, edit: Option<u32>) -> Result<Event> {
        if let Some(number) = edit.filter(|number| !self.edits.kept.iter().any(|(kept, _)| kept == number)) {
            return Err(Error::input(format!("edit {number} is not in force")).hint("it was undone already"));
        }
        self.take_back(edit);
        Ok(Event::Undone { left: self.edits.kept.iter().map(|(number, _)| *number).collect(), restored: true })
    }

    /// Removes an edit, or all.
    fn take_back(&mut self, edit: Option<u32>) {
        self.edits.kept.retain(|(number, _)| edit.is_some_and(|edit| *number != edit));
        self.apply_edits();
    }

    /// The edits that are kept are in force.
    pub(super) fn apply_edits(&mut self) {
        self.edits.version += 1;
        self.model.overlays = self.edits.kept.iter().map(|(_, overlay)| overlay.clone()).collect();
    }

    /// The lab's own fact with this prompt and subject, for its paraphrases and neighbours; else the question alone.
    async fn known_fact(&self, ask: &EditCommand) -> Result<Fact> {
        let question = Question {
            prompt: &ask.prompt,
            subject: &ask.subject,
            target: Some(&ask.target),
            target_new: Some(&ask.target_new),
        };
        let (asked, _) = fact_of(&self.model, question).await?;
        Ok(edit::known_fact(&self.facts, asked))
    }

    /// Facts of other relations and subjects that the model knew before it was edited.
    async fn unrelated(&mut self, fact: &Fact) -> Result<Vec<usize>> {
        if self.known.is_none() && self.edits.is_empty() {
            self.known = Some(edit::known(&self.model, &self.facts).await?);
        }
        Ok(edit::unrelated(&self.facts, self.known.as_deref().unwrap_or_default(), fact))
    }
}

fn settings_of(ask: &EditCommand) -> Settings {
    let mut method = ask.method;
    method.set_count("steps", method.steps().clamp(1, MOST_STEPS));
    let edit = EditSettings { layers: EditLayers::of(ask.layer), ..EditSettings::of(method) };
    Settings { n: 1, seed: ask.seed, stages: vec![1, 3], edit, ..Settings::default() }
}
