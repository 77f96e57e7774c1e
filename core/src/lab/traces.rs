//! One traced prompt: per-layer values first, then the maps row by row.

use super::{Captured, Lab, Tell};
use crate::error::{Error, Result};
use crate::facts::{Fact, FactFile};
use crate::model::Site;
use crate::protocol::{Cost, Event, MapSite, Question};
use crate::question;
use crate::record::{FactRecord, Outcome, Settings};
use crate::study::{self, header};
use crate::trace::{
    MapRow, TokenizedFact, capture_facts, filtered, lens, maps, own_blocks, redundancy, stage1_of, tokenize,
};
use web_time::Instant;

impl Lab {
    pub(super) async fn trace(&mut self, question: &Question, tell: Tell<'_>) -> Result<Event> {
        let start = Instant::now();
        let (fact, greedy) = self.fact_of(question).await?;
        let settings = study::question(&self.model, &settings_of(question))?;
        let file = FactFile::of("prompt", vec![fact.clone()]);
        let mut record = header(&self.model, &file, settings, &self.program).await?;
        let settings = record.settings.clone();
        let prepared = self.prepared(&fact, &settings)?;
        let cached = self.capture(&prepared, &settings).await?;
        let model = &self.model;
        let dropped = filtered(model, &fact, &settings).await?;
        let dropped = dropped.as_ref();
        let group = self.captured.as_ref().map(|captured| &captured.group).ok_or_else(lost)?;

        let mut traced = stage1_of(model, &[&prepared], &settings, group).await?.pop().expect("one fact, one trace");
        record.facts = vec![FactRecord::new(0, &fact, Outcome::of(traced.clone(), dropped))];
        tell(Event::Traced(Box::new(record.clone())));
        let seen = lens(model, &prepared, group, 0).await?;
        tell(Event::Lens(seen.clone()));
        traced.lens = Some(seen);
        // Without an effect there is nothing that other layers could restore.
        let wanted = match dropped {
            None => own_blocks(&traced, &settings.readings),
            Some(_) => Vec::new(),
        };
        for curves in redundancy(model, &[&prepared], &settings, &wanted).await? {
            for (&(reading, _), curve) in wanted.iter().zip(curves) {
                tell(Event::Redundancy { reading, curve: curve.clone() });
                traced.redundancy.insert(reading, curve);
            }
        }
        if question.maps {
            let mut row = |row: MapRow| {
                let site = match row.site {
                    Site::Attention => MapSite::Attention,
                    Site::Mlp => MapSite::Mlp,
                    _ => MapSite::Residual,
                };
                tell(Event::MapRow { site, position: row.position, values: row.values });
            };
            let maps = maps(model, &prepared, &settings, traced.p_corrupt, (group, 0), Some(&mut row)).await?;
            traced.maps = Some(maps);
        }
        record.facts = vec![FactRecord::new(0, &fact, Outcome::of(traced, dropped))];
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

    fn prepared(&self, fact: &Fact, settings: &Settings) -> Result<TokenizedFact> {
        tokenize(&self.model, fact, settings)?.map_err(|dropped| dropped.refusal("traced"))
    }

    /// Makes the prompts' activations the captured ones; tells whether they were.
    async fn capture(&mut self, fact: &TokenizedFact, settings: &Settings) -> Result<bool> {
        let version = self.edits.version();
        let same = |captured: &Captured| {
            captured.fact == *fact && captured.corruption == settings.corruption && captured.version == version
        };
        if self.captured.as_ref().is_some_and(same) {
            return Ok(true);
        }
        self.captured = None;
        let group = capture_facts(&self.model, &[fact], settings).await?;
        let corruption = settings.corruption.clone();
        self.captured = Some(Captured { fact: fact.clone(), corruption, version, group });
        Ok(false)
    }
}

fn settings_of(question: &Question) -> Settings {
    Settings {
        n: 1,
        corruption: question.corruption.clone(),
        readings: question.readings.clone(),
        stages: vec![1],
        maps: usize::from(question.maps),
        window: question.window,
        ..Settings::default()
    }
}

fn lost() -> Error {
    Error::device("the captured run is gone").hint("try again")
}
