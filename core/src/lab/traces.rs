//! One traced prompt, whatever the filters would say of it: per-layer values first, then the maps row by row.

use super::{Captured, Lab, Tell};
use crate::error::Result;
use crate::facts::{Fact, FactFile};
use crate::model::Site;
use crate::protocol::{AfterLayer, Cost, Event, MapSite, Question, Word};
use crate::question;
use crate::record::{Outcome, Record, Settings, Traced};
use crate::run::Sites;
use crate::study::{self, header};
use crate::trace::{
    self, Extras, OneFact, Part, Run, SecondPass, TokenizedFact, after_layers, next_tokens, tokenize, trace_one,
};
use web_time::Instant;

/// Next tokens that are told of a run.
const WORDS: usize = 5;

/// A question whose prompts are captured.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The question as a fact.
    pub fact: Fact,
    /// What the model says by itself.
    pub greedy: String,
    /// The record of its trace, without facts.
    pub record: Record,
    /// The prompts' activations were there already.
    pub cached: bool,
}

impl Asked {
    /// The record with the fact's trace.
    fn with(&self, traced: Traced, one: &OneFact) -> Record {
        let fact = self.fact.record(0, Outcome::of(traced, one.dropped.as_ref()));
        Record { facts: vec![fact], ..self.record.clone() }
    }
}

impl Lab {
    /// Captures a fact's prompts, and what of them `keep` names besides what patched runs need. `greedy`: what the model says by itself.
    ///
    /// # Errors
    /// When the settings do not fit the model, the fact cannot be traced, the device fails, or the work was cancelled.
    pub async fn ask(&mut self, (fact, greedy): (Fact, String), settings: &Settings, keep: &Sites) -> Result<Asked> {
        let settings = study::question(&self.model, settings)?;
        let file = FactFile::of("prompt", vec![fact.clone()]);
        let record = header(&self.model, &file, settings, &self.program).await?;
        let tokens = tokenize(&self.model, &fact, &record.settings)?.map_err(|dropped| dropped.refusal("traced"))?;
        let cached = self.capture(tokens, &record.settings, keep).await?;
        Ok(Asked { fact, greedy, record, cached })
    }

    /// Traces what was asked last. `part` hears of what is there.
    ///
    /// # Errors
    /// When the device fails, a number is none, or the work was cancelled.
    pub async fn traced(
        &self,
        asked: &Asked,
        extras: &Extras<'_>,
        part: &mut dyn FnMut(Part<'_>, &OneFact),
    ) -> Result<Record> {
        let one = self.last();
        let traced = trace_one(&self.model, one, &asked.record.settings, extras, &mut |news| part(news, one)).await?;
        Ok(asked.with(traced, one))
    }

    fn last(&self) -> &OneFact {
        &self.captured.as_ref().expect("captured just now, or before").one
    }

    pub(super) async fn trace(&mut self, question: &Question, tell: Tell<'_>) -> Result<Event> {
        let start = Instant::now();
        let asked = self.ask_again(question).await?;
        let (model, one, settings) = (&self.model, self.last(), &asked.record.settings);
        let [clean, corrupt] = [Run::Clean, Run::Corrupted].map(|run| next_tokens(model, one, settings, run, WORDS));
        tell(Event::Runs { clean: self.words(clean.await?), corrupt: self.words(corrupt.await?) });

        let extras = Extras { lens: true, second: SecondPass::Own, maps: question.maps, units: None };
        let mut part = |part: Part<'_>, one: &OneFact| match part {
            Part::Stage1(traced) => tell(Event::Traced(Box::new(asked.with(traced.clone(), one)))),
            Part::Lens(lens) => tell(Event::Lens(lens.clone())),
            Part::Redundancy(position, curve) => tell(Event::Redundancy { position, curve: curve.clone() }),
            Part::MapRow(row) => {
                let site = match row.site {
                    Site::Attention => MapSite::Attention,
                    Site::Mlp => MapSite::Mlp,
                    _ => MapSite::Residual,
                };
                tell(Event::MapRow { site, position: row.position, values: row.values });
            }
            Part::Units(..) => {}
        };
        let record = Box::new(self.traced(&asked, &extras, &mut part).await?);
        let cost = Cost { seconds: start.elapsed().as_secs_f64(), cached: asked.cached };
        Ok(Event::Trace { record, greedy: asked.greedy, cost })
    }

    /// What the model would say with what a cell of the maps puts back.
    pub(super) async fn put_back(
        &mut self,
        question: &Question,
        site: MapSite,
        position: usize,
        layer: usize,
    ) -> Result<Event> {
        self.at_hand(question).await?;
        let site = match site {
            MapSite::Residual => Site::Residual,
            MapSite::Mlp => Site::Mlp,
            MapSite::Attention => Site::Attention,
        };
        let Captured { one, settings, .. } = self.captured.as_ref().expect("captured just now, or before");
        let run = Run::PutBack { site, position, layer };
        Ok(Event::Words(self.words(next_tokens(&self.model, one, settings, run, WORDS).await?)))
    }

    /// What the clean run holds after each layer.
    pub(super) async fn forward(&mut self, question: &Question) -> Result<Event> {
        self.at_hand(question).await?;
        let Captured { one, .. } = self.captured.as_ref().expect("captured just now, or before");
        let found = after_layers(&self.model, one, WORDS).await?;
        let told = |after: trace::AfterLayer| AfterLayer { words: self.words(after.words), attention: after.attention };
        Ok(Event::Forward(found.into_iter().map(told).collect()))
    }

    /// Captures a question's prompts, unless they are those that were traced last: whoever looks from one cell to the next asks
    /// the same question each time.
    pub(super) async fn at_hand(&mut self, question: &Question) -> Result<()> {
        let version = self.edits.version();
        let same = |captured: &Captured| captured.question.as_ref() == Some(question) && captured.version == version;
        if !self.captured.as_ref().is_some_and(same) {
            self.ask_again(question).await?;
        }
        Ok(())
    }

    fn words(&self, tokens: Vec<(u32, f32)>) -> Vec<Word> {
        tokens.into_iter().map(|(id, p)| Word { text: self.model.tokens.show(id), p }).collect()
    }

    /// A page's question with its prompts captured.
    async fn ask_again(&mut self, question: &Question) -> Result<Asked> {
        let (fact, greedy) = self.fact_of(question).await?;
        let settings = Settings { corruption: self.corruption(&question.corruption, &fact)?, ..settings_of(question) };
        let asked = self.ask((fact, greedy), &settings, &Sites::to_resume()).await?;
        if let Some(captured) = &mut self.captured {
            captured.question = Some(question.clone());
        }
        Ok(asked)
    }

    /// The question as a fact, with the model's own answers where it names none; and what the model says by itself.
    pub(super) async fn fact_of(&self, question: &Question) -> Result<(Fact, String)> {
        let asked = question::Question {
            prompt: &question.prompt,
            subject: &question.subject,
            target: question.target.as_deref(),
            target_new: question.target_new.as_deref(),
        };
        let (fact, own) = question::fact_of(&self.model, asked).await?;
        Ok((fact, own.text))
    }

    /// Makes the prompts' activations the captured ones; tells whether they were.
    async fn capture(&mut self, tokens: TokenizedFact, settings: &Settings, keep: &Sites) -> Result<bool> {
        let version = self.edits.version();
        let same = |captured: &Captured| {
            let deciding = |settings: &Settings| {
                (settings.corruption.clone(), settings.min_effect, settings.answer, settings.seed)
            };
            captured.one.tokens == tokens
                && captured.keep == *keep
                && deciding(&captured.settings) == deciding(settings)
                && captured.version == version
        };
        if let Some(captured) = self.captured.as_mut().filter(|captured| same(captured)) {
            (captured.question, captured.settings) = (None, settings.clone());
            return Ok(true);
        }
        self.captured = None;
        let one = OneFact::capture(&self.model, tokens, settings, keep).await?;
        let (settings, keep) = (settings.clone(), keep.clone());
        self.captured = Some(Captured { one, keep, settings, version, question: None });
        Ok(false)
    }
}

/// A study's settings for one question.
pub(super) fn settings_of(question: &Question) -> Settings {
    Settings {
        n: 1,
        corruption: question.corruption.clone(),
        positions: question.positions.clone(),
        stages: vec![1],
        maps: usize::from(question.maps),
        window: question.window,
        ..Settings::default()
    }
}
