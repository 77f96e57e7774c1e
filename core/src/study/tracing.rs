//! Stage 1 of a study, and the second passes.

use super::work::Work;
use super::{Event, begun};
use crate::error::Result;
use crate::facts::Fact;
use crate::journal::RedundancyLine;
use crate::load::Model;
use crate::protocol::StudyPhase;
use crate::record::{FactRecord, Lens, Maps, Outcome, PatchPosition, RedundancyCurve, Settings, Traced};
use crate::run::Sites;
use crate::trace::{
    CleanStates, Group, Screened, Screening, TokenizedFact, capture_facts, clean_states, clean_states_of, lens, maps,
    redundancy, screen, stage1_of,
};
use std::ops::Range;

/// Facts that are screened together.
pub(super) struct Chunk<'a> {
    /// Their places in study order.
    pub(super) places: Range<usize>,
    facts: Vec<&'a Fact>,
    screening: Screening,
    /// Those that pass, by their numbers in the chunk, as they are traced together.
    pub(super) groups: Vec<Vec<usize>>,
}

impl Chunk<'_> {
    /// The record of a fact that does not pass.
    pub(super) fn dropped(&self, number: usize) -> Option<FactRecord> {
        let Screened::Dropped(dropped) = &self.screening.facts[number] else { return None };
        Some(self.facts[number].record(self.places.start + number, Outcome::Dropped(dropped.clone())))
    }
}

/// The maps and the logit lens of the fact that is number `at` of a group.
async fn mapped_by(
    model: &Model,
    fact: &TokenizedFact,
    settings: &Settings,
    p_corrupt: f32,
    (captured, at): (&Group, usize),
) -> Result<(Maps, Lens)> {
    let maps = maps(model, fact, settings, p_corrupt, (captured, at), None).await?;
    Ok((maps, lens(model, fact, captured, at).await?))
}

/// The same from prompts that are computed for them alone. On a device a batch's shape moves last bits, and whoever traces a part of a
/// study may not know yet which facts have maps: there everyone does this.
async fn mapped_alone(
    model: &Model,
    fact: &TokenizedFact,
    settings: &Settings,
    p_corrupt: f32,
) -> Result<(Maps, Lens)> {
    let captured = capture_facts(model, &[fact], settings).await?;
    mapped_by(model, fact, settings, p_corrupt, (&captured, 0)).await
}

impl<'a> Work<'a> {
    /// Screens the facts of some places.
    pub(super) async fn screen_chunk(&self, places: Range<usize>) -> Result<Chunk<'a>> {
        let facts: Vec<&'a Fact> = places.clone().map(|place| self.fact(place)).collect();
        let screening = screen(self.model, &facts, &self.settings, Some(&Sites::to_resume())).await?;
        let passed = |(number, one): (usize, &Screened)| matches!(one, Screened::Passed(_)).then_some(number);
        let passed: Vec<usize> = screening.facts.iter().enumerate().filter_map(passed).collect();
        let groups = passed.chunks(self.settings.trace_batch.max(1)).map(<[usize]>::to_vec).collect();
        Ok(Chunk { places, facts, screening, groups })
    }

    /// Stage 1 of a group of a chunk, by numbers in it: a record each; of some, by their places in the group, with maps and lens.
    pub(super) async fn trace_group(
        &mut self,
        chunk: &Chunk<'a>,
        group: &[usize],
        mapped: Range<usize>,
    ) -> Result<Vec<FactRecord>> {
        let (model, settings) = (&*self.model, &self.settings);
        let passed = |&number: &usize| match &chunk.screening.facts[number] {
            Screened::Passed(fact) => fact.as_ref(),
            Screened::Dropped(_) => unreachable!("a group is of facts that pass"),
        };
        let prepared: Vec<&TokenizedFact> = group.iter().map(passed).collect();
        let captured = match chunk.screening.group(group) {
            Some(kept) => kept,
            None => capture_facts(model, &prepared, settings).await?,
        };
        let mut traced = stage1_of(model, &prepared, settings, &captured).await?;
        for at in mapped {
            let (fact, found) = (prepared[at], &mut traced[at]);
            let (maps, lens) = match model.compute.is_cpu() {
                true => mapped_by(model, fact, settings, found.p_corrupt, (&captured, at)).await?,
                false => mapped_alone(model, fact, settings, found.p_corrupt).await?,
            };
            (found.maps, found.lens) = (Some(maps), Some(lens));
        }
        let clean = match self.keeps {
            true => clean_states(model, &prepared, &captured, &settings.positions).await?,
            false => Vec::new(),
        };
        let places = group.iter().map(|number| chunk.places.start + number);
        self.clean.extend(places.clone().zip(clean));
        for (place, fact) in places.clone().zip(&prepared) {
            self.tokens.entry(place).or_insert_with(|| (*fact).clone());
        }
        let record = |((number, place), traced): ((&usize, usize), Traced)| {
            chunk.facts[*number].record(place, Outcome::Validated(Box::new(traced)))
        };
        Ok(group.iter().zip(places).zip(traced).map(record).collect())
    }

    /// The maps and the logit lens of a traced fact.
    #[cfg(not(target_family = "wasm"))]
    pub(super) async fn maps_of(&mut self, place: usize, p_corrupt: f32) -> Result<(Maps, Lens)> {
        self.tokenize([place])?;
        mapped_alone(self.model, &self.tokens[&place], &self.settings, p_corrupt).await
    }

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
            let chunk = self.screen_chunk(start..end).await?;
            let mut next = start;
            for group in &chunk.groups {
                if counted == n {
                    break;
                }
                let before = counted;
                let wanted = group.len().min(n - before);
                let last = start + group[wanted - 1];
                counted += wanted;
                if last < finished {
                    next = last + 1;
                    continue;
                }
                self.go_on()?;
                // On the CPU no number depends on which facts are traced together; on a device groups are always whole.
                let computed = if self.model.compute.is_cpu() { wanted } else { group.len() };
                let with_maps = 0..self.settings.maps.saturating_sub(before).min(wanted);
                let mut traced = self.trace_group(&chunk, &group[..computed], with_maps).await?;
                traced.truncate(wanted);
                let mut traced = traced.into_iter();
                for at in next..=last {
                    match chunk.dropped(at - start) {
                        Some(dropped) => self.finish(dropped)?,
                        None => self.finish(traced.next().expect("every fact that passed is traced"))?,
                    }
                }
                next = last + 1;
                validated = self.record.validated().count();
                self.progress(StudyPhase::Trace, validated, n)?;
            }
            if counted < n {
                // The chunk's dropped facts behind its last validated one.
                for dropped in (next..end).filter_map(|at| chunk.dropped(at - start)) {
                    self.finish(dropped)?;
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

    /// The block of each patch position that a second pass removes: l* over all traced facts.
    pub(super) fn removed(&self) -> Result<Vec<(PatchPosition, usize)>> {
        let mut wanted = Vec::new();
        for &position in &self.settings.positions {
            let l_star = self.l_star(position);
            begun::curves(&self.record, position, l_star)?;
            wanted.extend(l_star.map(|ablated| (position, ablated)));
        }
        Ok(wanted)
    }

    /// The second pass of some facts.
    pub(super) async fn redundancy_of(
        &mut self,
        group: &[usize],
        wanted: &[(PatchPosition, usize)],
    ) -> Result<Vec<RedundancyLine>> {
        self.tokenize(group.iter().copied())?;
        let kept: Option<Vec<CleanStates>> = group.iter().map(|place| self.clean.remove(place)).collect();
        let (model, settings) = (&*self.model, &self.settings);
        let prepared: Vec<&TokenizedFact> = group.iter().map(|place| &self.tokens[place]).collect();
        let clean = match kept {
            Some(kept) => kept,
            None => clean_states_of(model, &prepared, &settings.positions).await?,
        };
        let all = redundancy(model, &prepared, settings, wanted, &clean).await?;
        let of = |(&fact, curves): (&usize, Vec<RedundancyCurve>)| {
            let lines = wanted.iter().zip(curves);
            lines.map(move |(&(position, _), curve)| RedundancyLine { fact, position, curve }).collect::<Vec<_>>()
        };
        Ok(group.iter().zip(all).flat_map(of).collect())
    }

    /// The second pass of every traced fact, at each patch position.
    pub(super) async fn redundancy(&mut self) -> Result<()> {
        let traced: Vec<usize> = self.record.traced().map(|(fact, _)| fact.order).collect();
        let wanted = self.removed()?;
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
            // What a study that goes on has already is computed once more, so that batches are those of one that went through.
            for line in self.redundancy_of(&group, &wanted).await? {
                if has(&self.record.facts[line.fact], line.position) {
                    continue;
                }
                self.observer.event(Event::Redundancy(&line))?;
                if let Some(traced) = self.record.facts[line.fact].traced_mut() {
                    traced.redundancy.insert(line.position, line.curve);
                }
            }
        }
        self.progress(StudyPhase::Redundancy, of, of)
    }
}
