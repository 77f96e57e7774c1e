//! Stage 1 of a study, and the second passes.

use super::work::Work;
use super::{Event, begun};
use crate::error::Result;
use crate::facts::Fact;
use crate::journal::RedundancyLine;
use crate::protocol::StudyPhase;
use crate::record::{FactRecord, Outcome};
use crate::run::Sites;
use crate::trace::{
    CleanStates, Screened, TokenizedFact, capture_facts, clean_states, clean_states_of, lens, maps, redundancy, screen,
    stage1_of,
};

impl Work<'_> {
    /// Screens facts and traces those that pass, until there are `n` of them.
    pub(super) async fn trace(&mut self) -> Result<()> {
        let n = self.settings.n;
        let mut validated = self.record.validated().count();
        let finished = self.record.facts.len();
        // Facts are finished in order: the journal holds a prefix. Its last batch is computed again where it was cut.
        let mut start = 0;
        let mut counted = 0;
        self.progress(StudyPhase::Trace, validated, n)?;
        while start < self.order.len() && validated < n {
            let end = (start + self.settings.screen_batch.max(1)).min(self.order.len());
            if end <= finished {
                counted += self.record.facts[start..end].iter().filter(|fact| fact.traced().is_some()).count();
                start = end;
                continue;
            }
            self.go_on()?;
            let chunk: Vec<&Fact> = (start..end).map(|place| self.fact(place)).collect();
            let screening = screen(self.model, &chunk, &self.settings, Some(&Sites::to_resume())).await?;
            let screened = &screening.facts;
            let passed: Vec<(usize, &TokenizedFact)> = screened
                .iter()
                .enumerate()
                .filter_map(|(at, one)| match one {
                    Screened::Passed(fact) => Some((at, fact.as_ref())),
                    Screened::Dropped(_) => None,
                })
                .take(n - counted)
                .collect();
            let mut next = start;
            for group in passed.chunks(self.settings.trace_batch.max(1)) {
                let last = start + group[group.len() - 1].0;
                counted += group.len();
                if last < finished {
                    next = last + 1;
                    continue;
                }
                self.go_on()?;
                let (model, settings) = (&*self.model, &self.settings);
                let prepared: Vec<&TokenizedFact> = group.iter().map(|(_, fact)| *fact).collect();
                let numbers: Vec<usize> = group.iter().map(|(at, _)| *at).collect();
                let captured = match screening.group(&numbers) {
                    Some(kept) => kept,
                    None => capture_facts(model, &prepared, settings).await?,
                };
                let mut traced = stage1_of(model, &prepared, settings, &captured).await?;
                let before = counted - group.len();
                for (i, (fact, traced)) in prepared.iter().zip(&mut traced).enumerate() {
                    if before + i < settings.maps {
                        let maps = maps(model, fact, settings, traced.p_corrupt, (&captured, i), None).await?;
                        traced.maps = Some(maps);
                        traced.lens = Some(lens(model, fact, &captured, i).await?);
                    }
                }
                let mut clean = match self.keeps {
                    true => clean_states(model, &prepared, &captured, &settings.positions).await?,
                    false => Vec::new(),
                }
                .into_iter();
                for &(at, fact) in group {
                    self.tokens.entry(start + at).or_insert_with(|| fact.clone());
                    self.clean.extend(clean.next().map(|clean| (start + at, clean)));
                }
                let mut traced = traced.into_iter();
                for at in next..=last {
                    let outcome = match &screened[at - start] {
                        Screened::Dropped(dropped) => Outcome::Dropped(dropped.clone()),
                        Screened::Passed(_) => {
                            Outcome::Validated(Box::new(traced.next().expect("every fact that passed is traced")))
                        }
                    };
                    self.finish(chunk[at - start].record(at, outcome))?;
                }
                next = last + 1;
                validated = self.record.validated().count();
                self.progress(StudyPhase::Trace, validated, n)?;
            }
            if counted < n {
                // The chunk's dropped facts behind its last validated one.
                for at in next..end {
                    if let Screened::Dropped(dropped) = &screened[at - start] {
                        self.finish(chunk[at - start].record(at, Outcome::Dropped(dropped.clone())))?;
                    }
                }
            }
            validated = self.record.validated().count();
            start = end;
        }
        Ok(())
    }

    /// A fact is finished, if the record does not have it already.
    fn finish(&mut self, fact: FactRecord) -> Result<()> {
        if fact.order >= self.record.facts.len() {
            self.observer.event(Event::Fact(&fact))?;
            self.record.facts.push(fact);
        }
        Ok(())
    }

    /// The second pass of every traced fact, at each patch position.
    pub(super) async fn redundancy(&mut self) -> Result<()> {
        let traced: Vec<usize> = self.record.traced().map(|(fact, _)| fact.order).collect();
        let mut wanted = Vec::new();
        for &position in &self.settings.positions {
            let l_star = self.l_star(position);
            begun::curves(&self.record, position, l_star)?;
            wanted.extend(l_star.map(|ablated| (position, ablated)));
        }
        let of = traced.len() * wanted.len();
        let mut done = 0;
        for group in self.groups(&traced) {
            self.progress(StudyPhase::Redundancy, done, of)?;
            done += group.len() * wanted.len();
            let has = |fact: &FactRecord, position| fact.traced().is_some_and(|t| t.redundancy.contains_key(&position));
            let facts = &self.record.facts;
            if group.iter().all(|&at| wanted.iter().all(|&(position, _)| has(&facts[at], position))) {
                continue;
            }
            self.go_on()?;
            self.tokenize(group.iter().copied())?;
            let kept: Option<Vec<CleanStates>> = group.iter().map(|place| self.clean.remove(place)).collect();
            let (model, settings) = (&*self.model, &self.settings);
            let prepared: Vec<&TokenizedFact> = group.iter().map(|place| &self.tokens[place]).collect();
            let clean = match kept {
                Some(kept) => kept,
                None => clean_states_of(model, &prepared, &settings.positions).await?,
            };
            // What a study that goes on has already is computed once more, so that batches are those of one that went through.
            let all = redundancy(model, &prepared, settings, &wanted, &clean).await?;
            for (fact, curves) in group.into_iter().zip(all) {
                for (&(position, _), curve) in wanted.iter().zip(curves) {
                    if has(&self.record.facts[fact], position) {
                        continue;
                    }
                    let line = RedundancyLine { fact, position, curve };
                    self.observer.event(Event::Redundancy(&line))?;
                    if let Some(traced) = self.record.facts[fact].traced_mut() {
                        traced.redundancy.insert(position, line.curve);
                    }
                }
            }
        }
        self.progress(StudyPhase::Redundancy, of, of)
    }
}
