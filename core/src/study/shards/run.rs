//! What a shard does.

use super::known::{Known, Missing};
use super::segment::Segment;
use super::unit::{Body, Shard, Unit};
use crate::edit::prepare;
use crate::error::{Error, Result};
use crate::journal::{edit_line, fact_line, mlp_line, redundancy_line, sequence_line};
use crate::load::Model;
use crate::pause;
use crate::protocol::StudyPhase;
use crate::record::Sequence;
use crate::study::sequences::{Wanted, wanted};
use crate::study::tracing::Chunk;
use crate::study::work::Work;
use crate::study::{Event, Observer, check};
use std::cell::RefCell;
use web_time::Instant;

/// What is told between two units.
#[derive(Debug, Clone, Copy)]
pub enum Told {
    /// So many units of this shard are done, and so many are known to be its own.
    Units(usize, usize),
    /// How far the unit at hand is.
    Within(StudyPhase, usize, usize),
}

/// A study's observer within a unit: how far it is, and lines of a sequence, which count one by one.
struct Watch<'a, 't> {
    tell: &'a RefCell<&'t mut dyn FnMut(Told)>,
    lines: RefCell<Option<Lines<'a, 't>>>,
}

/// The lines of a sequence.
struct Lines<'a, 't> {
    segment: &'a RefCell<&'t mut Segment>,
    place: usize,
    next: usize,
    begun: Instant,
}

impl Observer for &Watch<'_, '_> {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::Progress { phase, done, of } => (self.tell.borrow_mut())(Told::Within(phase, done, of)),
            Event::Sequence(line) => {
                if let Some(lines) = &mut *self.lines.borrow_mut() {
                    let body = Body::Sequence(Box::new(line.clone()));
                    let unit = Unit::Sequence(lines.place, lines.next);
                    let seconds = lines.begun.elapsed().as_secs_f64();
                    keep(&mut lines.segment.borrow_mut(), unit, seconds, &body)?;
                    (lines.next, lines.begun) = (lines.next + 1, Instant::now());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn stop(&self) -> bool {
        pause::is_cancelled()
    }
}

/// Computes the units of a wave that a shard owns and nobody has computed. `stop` is asked after each.
///
/// # Errors
/// When the wave needs units of an earlier one that are missing (the inner error); when the device fails, the segment cannot be
/// written, two machines disagree, or the work was cancelled. What is in the segment counts.
pub async fn work(
    model: &mut Model,
    known: &mut Known,
    (shard, wave): (Shard, u8),
    segment: &mut Segment,
    tell: &mut dyn FnMut(Told),
    stop: &dyn Fn() -> bool,
) -> Result<Result<(), Missing>> {
    if let Some(missing) = known.unfinished(wave)? {
        return Ok(Err(missing));
    }
    check(model, &known.plan.header.settings)?;
    model.plan.rows = known.plan.header.settings.rows;
    let (segment, tell) = (RefCell::new(segment), RefCell::new(&mut *tell as &mut dyn FnMut(Told)));
    let run = Run { shard, segment: &segment, tell: &tell, stop };
    match wave {
        1 => run.first(model, known).await?,
        _ => run.later(model, known, wave).await?,
    }
    Ok(Ok(()))
}

struct Run<'a, 't> {
    shard: Shard,
    segment: &'a RefCell<&'t mut Segment>,
    tell: &'a RefCell<&'t mut dyn FnMut(Told)>,
    stop: &'a dyn Fn() -> bool,
}

impl<'a, 't> Run<'a, 't> {
    fn keep(&self, unit: Unit, begun: Instant, body: &Body) -> Result<()> {
        keep(&mut self.segment.borrow_mut(), unit, begun.elapsed().as_secs_f64(), body)?;
        match (self.stop)() {
            true => Err(Error::cancelled()),
            false => Ok(()),
        }
    }

    fn watch(&self) -> Watch<'a, 't> {
        Watch { tell: self.tell, lines: RefCell::new(None) }
    }

    /// Screens and traces chunk after chunk, up to the one with which the study ends.
    async fn first(&self, model: &mut Model, known: &mut Known) -> Result<()> {
        let (facts, header) = (known.facts.clone(), known.plan.header.clone());
        let watch = self.watch();
        let mut observer = &watch;
        let mut work = Work::new(model, &facts, header, &mut observer);
        // Clean states are for a second pass in the same process.
        work.keeps = false;
        let own: Vec<usize> = (0..known.chunks()).filter(|&chunk| self.shard.owns(Unit::Screened(chunk))).collect();
        for (done, &chunk) in own.iter().enumerate() {
            (self.tell.borrow_mut())(Told::Units(done, own.len()));
            known.refresh()?;
            if !self.wanted(&work, known, chunk, 0).await? {
                break;
            }
            let mut screened = self.screen(&work, known, chunk, known.has(Unit::Screened(chunk))).await?;
            let mut before = 0;
            for number in 0.. {
                let Some(size) = known.group(chunk, number) else { break };
                let unit = Unit::Traced(chunk, number);
                if !known.has(unit) && self.wanted(&work, known, chunk, before).await? {
                    if screened.is_none() {
                        screened = Some(work.screen_chunk(known.chunk(chunk)).await?);
                    }
                    let screened = screened.as_ref().expect("screened just now, or before");
                    let begun = Instant::now();
                    let traced = work.trace_group(screened, &screened.groups[number], 0..0).await?;
                    self.keep(unit, begun, &Body::Traced(traced))?;
                }
                before += size;
            }
            // A chunk's tokens are not needed again.
            work.tokens.clear();
        }
        known.refresh()
    }

    /// Whether facts of a chunk are needed behind so many of it that pass: not, where those before are enough. Where that depends on
    /// chunks that nobody has screened yet, they are screened here: that costs a few percent of tracing.
    async fn wanted(&self, work: &Work<'_>, known: &mut Known, chunk: usize, own: usize) -> Result<bool> {
        let n = known.plan.header.settings.n;
        loop {
            let before = known.before(chunk);
            match before.unknown {
                _ if before.surely + own >= n => return Ok(false),
                Some(unknown) if before.surely + before.perhaps + own >= n => {
                    known.refresh()?;
                    if !known.has(Unit::Screened(unknown)) {
                        self.screen(work, known, unknown, false).await?;
                    }
                }
                _ => return Ok(true),
            }
        }
    }

    /// Screens a chunk that is not known.
    async fn screen<'f>(
        &self,
        work: &Work<'f>,
        known: &mut Known,
        chunk: usize,
        there: bool,
    ) -> Result<Option<Chunk<'f>>> {
        if there {
            return Ok(None);
        }
        let begun = Instant::now();
        let screened = work.screen_chunk(known.chunk(chunk)).await?;
        let passed = screened.groups.iter().flatten().map(|number| screened.places.start + number).collect();
        let dropped = (0..screened.places.len()).filter_map(|number| screened.dropped(number)).collect();
        let body = Body::Screened { dropped, passed };
        self.keep(Unit::Screened(chunk), begun, &body)?;
        known.refresh()?;
        Ok(Some(screened))
    }

    /// Computes the units of a later wave, which are known from the start.
    async fn later(&self, model: &mut Model, known: &mut Known, wave: u8) -> Result<()> {
        let missing = known.missing(wave)?.map_or_else(Vec::new, |missing| missing.units);
        let own: Vec<Unit> = missing.into_iter().filter(|unit| self.shard.owns(*unit)).collect();
        let (facts, record) = (known.facts.clone(), known.traced()?);
        let watch = self.watch();
        let mut observer = &watch;
        let mut work = Work::new(model, &facts, record, &mut observer);
        work.keeps = false;
        let removed = work.removed()?;
        let traced: Vec<usize> = work.record.validated().map(|(fact, _)| fact.order).collect();
        let (second, edited) = {
            let chosen: Vec<usize> = work.chosen().iter().map(|one| one.order).collect();
            (work.groups(&traced), work.groups(&chosen))
        };
        for (done, unit) in own.iter().copied().enumerate() {
            (self.tell.borrow_mut())(Told::Units(done, own.len()));
            let begun = Instant::now();
            let body = match unit {
                Unit::Maps(order) => {
                    let p_corrupt = work.record.facts[order].traced().map_or(0.0, |traced| traced.p_corrupt);
                    let (maps, lens) = work.maps_of(order, p_corrupt).await?;
                    Body::Maps { maps: Box::new(maps), lens: Box::new(lens) }
                }
                Unit::Redundancy(group) => Body::Redundancy(work.redundancy_of(&second[group], &removed).await?),
                Unit::Mlp(group) => Body::Mlp(work.mlp_of(&edited[group]).await?),
                Unit::SecondMoment(layer) => {
                    let edit = work.settings.edit.clone();
                    let mut told = |done, of| {
                        (self.tell.borrow_mut())(Told::Within(StudyPhase::SecondMoment, done, of));
                        Ok(())
                    };
                    prepare(work.model, &edit, &[layer].into(), &mut told).await?;
                    Body::SecondMoment
                }
                Unit::Edits(part) => {
                    work.record.edits = None;
                    work.edits(&known.plan.at_once, Some(part)).await?;
                    Body::Edits(work.record.edits.take().unwrap_or_default())
                }
                Unit::Sequence(place, next) => {
                    let sequence = {
                        let all = wanted(&work.chosen(), &work.settings.edit, work.model.layers());
                        // Those before it are there for their places alone.
                        let empty =
                            |one: &Wanted| Sequence { method: one.method, layer: one.layer, ..Sequence::default() };
                        work.record.sequences = all[..place].iter().map(empty).collect();
                        known.sequence(place, &all[place])?.0
                    };
                    if !sequence.steps.is_empty() {
                        work.record.sequences.push(sequence);
                    }
                    *watch.lines.borrow_mut() = Some(Lines { segment: self.segment, place, next, begun });
                    let done = work.sequences(Some(place)).await;
                    *watch.lines.borrow_mut() = None;
                    done?;
                    if (self.stop)() {
                        return Err(Error::cancelled());
                    }
                    continue;
                }
                Unit::Screened(_) | Unit::Traced(..) => unreachable!("units of the first wave"),
            };
            self.keep(unit, begun, &body)?;
        }
        drop(work);
        known.refresh()
    }
}

/// Refuses numbers that are none, and writes a unit.
fn keep(segment: &mut Segment, unit: Unit, seconds: f64, body: &Body) -> Result<()> {
    match body {
        Body::Screened { dropped, .. } => dropped.iter().try_for_each(|fact| fact_line(fact).map(drop))?,
        Body::Traced(facts) => facts.iter().try_for_each(|fact| fact_line(fact).map(drop))?,
        Body::Redundancy(lines) => lines.iter().try_for_each(|line| redundancy_line(line).map(drop))?,
        Body::Mlp(lines) => lines.iter().try_for_each(|line| mlp_line(line).map(drop))?,
        Body::Edits(edits) => edits.iter().try_for_each(|edit| edit_line(edit).map(drop))?,
        Body::Sequence(line) => drop(sequence_line(line)?),
        // Those that are none stop a map while it is made.
        Body::Maps { .. } | Body::SecondMoment => {}
    }
    segment.append(unit, seconds, body)
}
