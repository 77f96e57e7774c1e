//! Edits in force: made one after the other, each removable. They are overlays, so the weights stay as they were loaded.

use super::{Lab, Tell};
use crate::edit::{self, Change, EditTarget, MeasuredEdit, Step, Unedited, edit_one, edit_saved};
use crate::error::{Error, Result};
use crate::facts::Fact;
use crate::generate::greedy;
use crate::metrics::OwnLayer;
use crate::protocol::{EditCommand, Edited, Event, StudyPhase};
use crate::question::{Question, fact_of};
use crate::record::{EditLayers, EditMethod, EditSettings, Retraced, SearchStart, Settings, Unrelated};
use crate::study;
use crate::tensor::Overlay;
use crate::trace::TokenizedFact;
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

/// What is wanted of an edit.
#[derive(Debug)]
pub struct EditWish<'a> {
    /// The fact, with both answers.
    pub question: Question<'a>,
    /// Seed, and how the edit is found; its layer is the fact's dominant one under `subject-last` where these name none.
    pub settings: Settings,
    /// A saved change, in place of a search.
    pub change: Option<&'a Change>,
    /// Both answers are traced without the edit and with it.
    pub retrace: bool,
}

/// How far an edit is.
#[derive(Debug)]
pub enum EditStage<'a> {
    /// The fact: one of the lab's own where these have its prompt and subject.
    Fact(&'a Fact),
    /// Contexts are drawn.
    Contexts,
    /// The fact's layer is looked for.
    Layer,
    /// It was found.
    OwnLayer(&'a OwnLayer),
    /// Unrelated facts that the model knows are looked for.
    Known,
    /// No known fact of the relation has the new answer: a search that would begin there begins at zero.
    NoNeighbour,
    /// Both answers are traced, without the edit.
    Unedited,
    /// Tokens of the second moment's text that are read, and how many it has.
    SecondMoment(usize, usize),
    /// The search begins.
    Search,
    /// A step of it is done.
    Step(Step<'a>),
    /// The saved change is measured.
    Measured,
    /// Both answers are traced again.
    Retraced,
}

/// An edit that is in force.
#[derive(Debug)]
pub struct FactEdit {
    /// Its number, from 1.
    pub number: u32,
    /// The fact.
    pub fact: Fact,
    /// Its tokens.
    pub tokens: TokenizedFact,
    /// How it was found, with what editors take from the model.
    pub settings: Settings,
    /// What was measured, and the change of the weights.
    pub measured: MeasuredEdit,
    /// A continuation of the prompt before and after.
    pub said: [String; 2],
    /// Both answers traced, where that was wanted.
    pub retraced: Option<Retraced>,
    /// Seconds of the search and its measurement.
    pub seconds: f64,
}

impl Lab {
    /// Rewrites a fact, or applies a saved change; measures it and keeps it in force. `tell` hears how far it is.
    ///
    /// # Errors
    /// When the fact cannot be edited, no edit is found, the device fails, or the work was cancelled; the edits in force are then those
    /// that were.
    pub async fn edit_fact(&mut self, wish: EditWish<'_>, tell: &mut dyn FnMut(EditStage<'_>)) -> Result<FactEdit> {
        // The lab's own fact with this prompt and subject, for its paraphrases and neighbours; else the question alone.
        let (asked, _) = fact_of(&self.model, wish.question).await?;
        let fact = edit::known_fact(&self.facts, asked);
        tell(EditStage::Fact(&fact));
        let mut settings = study::question(&self.model, &wish.settings)?;
        if wish.change.is_none() {
            self.complete(&mut settings, tell).await?;
        }
        let tokens = edit::tokens_of(&self.model, &fact, &settings)?;
        let layer = match (wish.change, settings.edit.layers.only()) {
            // A saved change names its own layers.
            (Some(_), _) => 1,
            (None, Some(layer)) => layer,
            (None, None) => self.own_layer(&tokens, &settings, tell).await?,
        };
        if wish.change.is_none() {
            let mut told = |done, of| {
                tell(EditStage::SecondMoment(done, of));
                Ok(())
            };
            edit::prepare(&mut self.model, &settings.edit, &[layer].into(), &mut told).await?;
        }
        tell(EditStage::Known);
        let unrelated = self.unrelated(&fact).await?;
        let watched = unrelated.into_iter().map(|at| (at, &self.facts.facts[at])).collect();
        let alike = self.alike(&fact, &settings, tell).await?;
        let job = EditTarget { order: 0, fact: &fact, tokens: tokens.clone(), layer, unrelated: watched, alike };
        let prompt = fact.prompt();
        let stop = |text: &str| text.contains('\n');
        let before = greedy(&self.model, &prompt, SAID, stop).await?.text;
        let unedited = match wish.retrace {
            true => {
                tell(EditStage::Unedited);
                Some(Unedited::trace(&self.model, &fact, &settings).await?)
            }
            false => None,
        };

        let start = Instant::now();
        let measured = match wish.change {
            Some(change) => {
                tell(EditStage::Measured);
                edit_saved(&self.model, &job, change, &settings).await?
            }
            None => {
                tell(EditStage::Search);
                let mut step = |step: Step<'_>| {
                    tell(EditStage::Step(step));
                    Ok(())
                };
                edit_one(&self.model, &job, &settings, &mut step).await?
            }
        };
        let seconds = start.elapsed().as_secs_f64();
        // What is told and what is in force must agree: only what has come to its end is kept.
        let edited = self.model.with(measured.overlay.clone());
        let after = greedy(&edited, &prompt, SAID, stop).await?.text;
        let retraced = match unedited {
            Some(unedited) => {
                tell(EditStage::Retraced);
                Some(unedited.retraced(&edited, &fact, &settings).await?)
            }
            None => None,
        };
        drop(edited);
        self.edits.last += 1;
        let number = self.edits.last;
        self.edits.kept.push((number, measured.overlay.clone()));
        self.apply_edits();
        Ok(FactEdit { number, fact, tokens, settings, measured, said: [before, after], retraced, seconds })
    }

    /// What editors take from the model; contexts are drawn once for a seed.
    async fn complete(&mut self, settings: &mut Settings, tell: &mut dyn FnMut(EditStage<'_>)) -> Result<()> {
        let (seed, edit) = (settings.seed, &mut settings.edit);
        let draws = edit.needs_contexts() && edit.contexts.is_empty();
        if draws {
            edit.contexts = self.edits.contexts.get(&seed).cloned().unwrap_or_default();
            if edit.contexts.is_empty() {
                tell(EditStage::Contexts);
            }
        }
        edit::complete(&self.model, edit, seed).await?;
        if draws {
            self.edits.contexts.insert(seed, edit.contexts.clone());
        }
        Ok(())
    }

    async fn own_layer(
        &self,
        tokens: &TokenizedFact,
        settings: &Settings,
        tell: &mut dyn FnMut(EditStage<'_>),
    ) -> Result<usize> {
        tell(EditStage::Layer);
        let none = || {
            Error::input("no patch at the subject helps, at any layer")
                .hint("choose a layer with --layer")
                .in_page("choose a layer")
        };
        let own = edit::own_layer(&self.model, tokens, settings).await?.ok_or_else(none)?;
        tell(EditStage::OwnLayer(&own));
        Ok(own.layer)
    }

    /// Known facts that a search may start from.
    async fn alike(
        &self,
        fact: &Fact,
        settings: &Settings,
        tell: &mut dyn FnMut(EditStage<'_>),
    ) -> Result<Vec<(usize, &Fact)>> {
        match settings.edit.method() {
            EditMethod::Rome(rome) if rome.start == SearchStart::Neighbour => {
                let alike = edit::alike(&self.model, &self.facts, fact).await?;
                if alike.is_empty() {
                    tell(EditStage::NoNeighbour);
                }
                Ok(alike)
            }
            _ => Ok(Vec::new()),
        }
    }

    pub(super) async fn edit(&mut self, ask: &EditCommand, tell: Tell<'_>) -> Result<Event> {
        let start = Instant::now();
        let question = Question {
            prompt: &ask.prompt,
            subject: &ask.subject,
            target: Some(&ask.target),
            target_new: Some(&ask.target_new),
        };
        let wish = EditWish { question, settings: settings_of(ask), change: None, retrace: false };
        let mut stage = |stage: EditStage<'_>| match stage {
            EditStage::SecondMoment(done, of) => {
                tell(Event::Progress { phase: StudyPhase::SecondMoment, done, of });
            }
            EditStage::Step(step) => {
                let loss = step.losses.first().copied().unwrap_or_default();
                tell(Event::Loss { step: step.done, of: step.of, loss });
            }
            _ => {}
        };
        let FactEdit { number, fact, measured, said, .. } = self.edit_fact(wish, &mut stage).await?;
        let (tensor, relative_norm) = match edit::size_of(&self.model, &measured.overlay).await {
            Ok(size) => size,
            Err(error) => {
                self.take_back(Some(number));
                return Err(error);
            }
        };
        let watched = |unrelated: &Unrelated| {
            let fact = &self.facts.facts[unrelated.fact];
            (fact.prompt(), fact.target_true.clone())
        };
        Ok(Event::Edited(Box::new(Edited {
            edit: number,
            tensor,
            prompt: fact.prompt(),
            subject: ask.subject.clone(),
            target: ask.target.clone(),
            target_new: ask.target_new.clone(),
            unrelated: measured.record.unrelated.iter().map(watched).collect(),
            record: measured.record,
            said,
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
