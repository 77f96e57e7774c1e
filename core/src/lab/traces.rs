//! One traced prompt: per-layer values first, then the maps row by row.

use super::{Captured, Lab, Tell};
use crate::error::Result;
use crate::facts::{Fact, FactFile};
use crate::model::Site;
use crate::protocol::{Cost, Event, MapSite, Question};
use crate::question;
use crate::record::{Outcome, Settings};
use crate::run::Sites;
use crate::study::{self, header};
use crate::trace::{Extras, OneFact, Part, SecondPass, TokenizedFact, tokenize, trace_one};
use web_time::Instant;

impl Lab {
    pub(super) async fn trace(&mut self, question: &Question, tell: Tell<'_>) -> Result<Event> {
        let start = Instant::now();
        let (fact, greedy) = self.fact_of(question).await?;
        let settings = study::question(&self.model, &settings_of(question))?;
        let file = FactFile::of("prompt", vec![fact.clone()]);
        let mut record = header(&self.model, &file, settings, &self.program).await?;
        let settings = record.settings.clone();
        let tokens = tokenize(&self.model, &fact, &settings)?.map_err(|dropped| dropped.refusal("traced"))?;
        let cached = self.capture(tokens, &settings).await?;
        let model = &self.model;
        let one = &self.captured.as_ref().expect("captured just now").one;
        let dropped = one.dropped.as_ref();

        let extras = Extras { lens: true, second: SecondPass::Own, maps: question.maps, units: None };
        let mut part = |part: Part<'_>| match part {
            Part::Stage1(traced) => {
                record.facts = vec![fact.record(0, Outcome::of(traced.clone(), dropped))];
                tell(Event::Traced(Box::new(record.clone())));
            }
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
        let traced = trace_one(model, one, &settings, &extras, &mut part).await?;
        record.facts = vec![fact.record(0, Outcome::of(traced, dropped))];
        let cost = Cost { seconds: start.elapsed().as_secs_f64(), cached };
        Ok(Event::Trace { record: Box::new(record), greedy, cost })
    }

    /// The question as a fact, with the model's own answers where it names none; and what the model says by itself.
    async fn fact_of(&self, question: &Question) -> Result<(Fact, String)> {
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
    async fn capture(&mut self, tokens: TokenizedFact, settings: &Settings) -> Result<bool> {
        let version = self.edits.version();
        let same = |captured: &Captured| {
            let deciding = |settings: &Settings| {
                (settings.corruption.clone(), settings.min_effect, settings.answer, settings.seed)
            };
            captured.one.tokens == tokens
                && deciding(&captured.settings) == deciding(settings)
                && captured.version == version
        };
        if self.captured.as_ref().is_some_and(same) {
            return Ok(true);
        }
        self.captured = None;
        let one = OneFact::capture(&self.model, tokens, settings, &Sites::to_resume()).await?;
        self.captured = Some(Captured { one, settings: settings.clone(), version });
        Ok(false)
    }
}

fn settings_of(question: &Question) -> Settings {
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
