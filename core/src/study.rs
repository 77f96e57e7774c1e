//! A whole study of one model: screening, Stage 1, redundancy, Stage 3, in batches whose borders depend on the settings
//! alone, so that a resumed study gives the identical record.

mod begun;
mod edits;
mod sequences;

pub use begun::is_complete;

use crate::edit::complete;
use crate::error::{Error, Result};
use crate::facts::{Fact, FactFile, shuffled};
use crate::journal::{
    MlpLine, RedundancyLine, SequenceLine, edit_line, fact_line, mlp_line, redundancy_line, sequence_line,
};
use crate::load::Model;
use crate::metrics::{Distribution, dominant};
pub use crate::protocol::StudyPhase;
use crate::record::{
    Corruption, EditLayers, EditRecord, FactRecord, Outcome, PatchPosition, Record, Settings, VERSION,
};
use crate::run::Sites;
use crate::trace::{
    CleanStates, Screened, TokenizedFact, capture_facts, clean_states, clean_states_of, lens, maps, measure_sigma,
    redundancy, screen, stage1_of, tokenize,
};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Events of a study while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// A fact is finished (in study order).
    Fact(&'a FactRecord),
    /// A fact's redundancy curve is finished.
    Redundancy(&'a RedundancyLine),
    /// What MLPs restore of a fact is known.
    Mlp(&'a MlpLine),
    /// An edit is finished.
    Edit(&'a EditRecord),
    /// A step or a checkpoint of edits one after the other is finished.
    Sequence(&'a SequenceLine),
    /// How far a phase is.
    Progress {
        /// The phase.
        phase: StudyPhase,
        /// Done.
        done: usize,
        /// Of how many.
        of: usize,
    },
}

impl Event<'_> {
    /// The journal's line of what is finished; none of progress.
    ///
    /// # Errors
    /// When a number in it is not finite.
    pub fn line(&self) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Fact(fact) => fact_line(fact).map(Some),
            Self::Redundancy(line) => redundancy_line(line).map(Some),
            Self::Mlp(line) => mlp_line(line).map(Some),
            Self::Edit(edit) => edit_line(edit).map(Some),
            Self::Sequence(line) => sequence_line(line).map(Some),
            Self::Progress { .. } => Ok(None),
        }
    }
}

/// Takes a study's events; an error stops it (after the journal has what is finished).
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: Event<'_>) -> Result<()>;
    /// Stop after the fact at hand?
    fn stop(&self) -> bool {
        false
    }
}

/// Refuses settings that make no sense for a model, so that nothing is computed in vain.
///
/// # Errors
/// Naming the setting.
pub fn check(model: &Model, settings: &Settings) -> Result<()> {
    settings.check(model.layers())?;
    if let Corruption::Replace { with } = &settings.corruption {
        let most = settings.max_tokens.min(model.net.shape.positions);
        let count = model.tokens.encode(with)?.ids.len();
        if !(1..most).contains(&count) {
            return Err(Error::input(format!("the text that stands in for the subject has {count} tokens")).hint(
                format!("it must have at least 1, and prompts have at most {most}: give a name of a few words"),
            ));
        }
    }
    Ok(())
}

/// The settings of a single question: its prompt may be as long as the model takes.
///
/// # Errors
/// As [`check`].
pub fn question(model: &Model, settings: &Settings) -> Result<Settings> {
    let settings = Settings { max_tokens: model.net.shape.positions, ..settings.clone() };
    check(model, &settings)?;
    Ok(settings)
}

/// A record without facts: what a study of this model would be. Fills in the batch plan, the maps' window, under noise σ,
/// and what editors take from the model.
///
/// # Errors
/// As [`check`], or when the device fails.
pub async fn header(model: &Model, facts: &FactFile, mut settings: Settings, program: &str) -> Result<Record> {
    settings.rows = model.plan.rows;
    if settings.trace_batch == Settings::default().trace_batch {
        settings.trace_batch = model.plan.facts(model.layers(), settings.trace_batch);
    }
    settings.window = settings.window_of(model.layers());
    check(model, &settings)?;
    if let Corruption::Noise { sigma, .. } = &mut settings.corruption {
        *sigma = measure_sigma(model, &facts.facts).await?;
    }
    if settings.stages.contains(&3) {
        if let Some(joint) = settings.edit.methods.iter().find(|method| method.is_joint())
            && settings.edit.layers == EditLayers::Dominant
            && (settings.edit.sequence == 0 || settings.edit.batch > 1)
        {
            return Err(Error::input(format!("{} edits several facts together, at one layer", joint.title()))
                .hint("choose it with --edit-layers")
                .in_page("choose a layer"));
        }
        let seed = settings.seed;
        settings.edit.layers = settings.edit.layers.named(model.layers());
        complete(model, &mut settings.edit, seed).await?;
    }
    Ok(Record {
        engram: VERSION,
        program: program.to_string(),
        settings,
        model: model.info.clone(),
        device: model.compute.info.clone(),
        source: facts.source(),
        facts: Vec::new(),
        edits: None,
        sequences: Vec::new(),
    })
}

/// Runs what `record` still lacks and returns it complete. `record` is a [`header`], or what an interrupted study of the
/// same settings had journaled.
///
/// # Errors
/// When `record` is not what a study of these facts leaves, the device fails, or the observer stops it.
pub async fn run(
    model: &mut Model,
    facts: &FactFile,
    mut record: Record,
    observer: &mut dyn Observer,
) -> Result<Record> {
    check(model, &record.settings)?;
    model.plan.rows = record.settings.rows;
    let order = shuffled(facts.facts.len(), record.settings.seed);
    begun::facts(&record, facts, &order)?;
    let mut known = Known::of_study(model, &record.settings);
    trace_phase(model, facts, &order, &mut record, &mut known, observer).await?;
    redundancy_phase(model, facts, &order, &mut record, &mut known, observer).await?;
    if record.settings.stages.contains(&3) {
        if record.settings.edit.sequence > 0 {
            sequences::run(model, facts, &order, &mut record, &mut known, observer).await?;
            return Ok(record);
        }
        edits::mlp_phase(model, facts, &order, &mut record, &mut known, observer).await?;
        edits::edit_phase(model, facts, &order, &mut record, &mut known, observer).await?;
    }
    Ok(record)
}

/// What later phases need of facts, by their places in the order.
struct Known {
    /// Tokens: made once, when a fact is screened, or when a study that goes on needs them first.
    tokens: BTreeMap<usize, TokenizedFact>,
    /// Clean states, for the second pass.
    clean: BTreeMap<usize, CleanStates>,
    /// Clean states are kept.
    keeps: bool,
}

impl Known {
    /// Clean states are kept where there is memory for those of all facts. On a device a batch's shape moves last bits, and
    /// a study that goes on has to compute them in batches of its own: there everyone does.
    fn of_study(model: &Model, settings: &Settings) -> Self {
        let bytes = CleanStates::bytes(model, settings.n, settings.positions.len());
        let keeps = model.compute.is_cpu() && bytes <= model.plan.bytes / 8;
        Self { tokens: BTreeMap::new(), clean: BTreeMap::new(), keeps }
    }

    fn keep(&mut self, at: usize, fact: &TokenizedFact, clean: Option<CleanStates>) {
        self.tokens.entry(at).or_insert_with(|| fact.clone());
        self.clean.extend(clean.map(|clean| (at, clean)));
    }

    fn tokens_of(&mut self, at: usize, model: &Model, fact: &Fact, settings: &Settings) -> Result<&TokenizedFact> {
        let changed = |_| {
            Error::input(format!("fact {} is not what it was when the study began", fact.id))
                .hint("the facts file changed: start again with --fresh")
                .in_page("the facts changed: start the study anew")
        };
        Ok(match self.tokens.entry(at) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(tokenize(model, fact, settings)?.map_err(changed)?),
        })
    }
}

fn stopped(observer: &dyn Observer) -> Result<()> {
    match observer.stop() {
        true => Err(Error::cancelled()
            .hint("run the same command again to go on from here")
            .in_page("start the study again to go on from here")),
        false => Ok(()),
    }
}

async fn trace_phase(
    model: &Model,
    facts: &FactFile,
    order: &[usize],
    record: &mut Record,
    known: &mut Known,
    observer: &mut dyn Observer,
) -> Result<()> {
    let settings = record.settings.clone();
    let n = settings.n;
    let mut validated = record.validated().count();
    let finished = record.facts.len();
    // Facts are finished in order: the journal holds a prefix. Its last batch is computed again where it was cut.
    let mut start = 0;
    let mut counted = 0;
    observer.event(Event::Progress { phase: StudyPhase::Trace, done: validated, of: n })?;
    while start < order.len() && validated < n {
        let end = (start + settings.screen_batch.max(1)).min(order.len());
        let chunk: Vec<&Fact> = order[start..end].iter().map(|&at| &facts.facts[at]).collect();
        if end <= finished {
            counted += record.facts[start..end].iter().filter(|fact| fact.traced().is_some()).count();
            start = end;
            continue;
        }
        stopped(observer)?;
        let screening = screen(model, &chunk, &settings, Some(&Sites::to_resume())).await?;
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
        for group in passed.chunks(settings.trace_batch.max(1)) {
            let last = start + group[group.len() - 1].0;
            counted += group.len();
            if last < finished {
                next = last + 1;
                continue;
            }
            stopped(observer)?;
            let prepared: Vec<&TokenizedFact> = group.iter().map(|(_, fact)| *fact).collect();
            let numbers: Vec<usize> = group.iter().map(|(at, _)| *at).collect();
            let captured = match screening.group(&numbers) {
                Some(kept) => kept,
                None => capture_facts(model, &prepared, &settings).await?,
            };
            let mut traced = stage1_of(model, &prepared, &settings, &captured).await?;
            let before = counted - group.len();
            for (i, (fact, traced)) in prepared.iter().zip(&mut traced).enumerate() {
                if before + i < settings.maps {
                    let maps = maps(model, fact, &settings, traced.p_corrupt, (&captured, i), None).await?;
                    traced.maps = Some(maps);
                    traced.lens = Some(lens(model, fact, &captured, i).await?);
                }
            }
            let mut clean = match known.keeps {
                true => clean_states(model, &prepared, &captured, &settings.positions).await?,
                false => Vec::new(),
            }
            .into_iter();
            for (at, fact) in group {
                known.keep(start + at, fact, clean.next());
            }
            let mut traced = traced.into_iter();
            for at in next..=last {
                let outcome = match &screened[at - start] {
                    Screened::Dropped(dropped) => Outcome::Dropped(dropped.clone()),
                    Screened::Passed(_) => {
                        Outcome::Validated(Box::new(traced.next().expect("every fact that passed is traced")))
                    }
                };
                let fact = chunk[at - start].record(at, outcome);
                if at >= record.facts.len() {
                    observer.event(Event::Fact(&fact))?;
                    record.facts.push(fact);
                }
            }
            next = last + 1;
            validated = record.validated().count();
            observer.event(Event::Progress { phase: StudyPhase::Trace, done: validated, of: n })?;
        }
        if counted < n {
            // The chunk's dropped facts behind its last validated one.
            for at in next..end {
                if let Screened::Dropped(dropped) = &screened[at - start]
                    && at >= record.facts.len()
                {
                    let fact = chunk[at - start].record(at, Outcome::Dropped(dropped.clone()));
                    observer.event(Event::Fact(&fact))?;
                    record.facts.push(fact);
                }
            }
        }
        validated = record.validated().count();
        start = end;
    }
    Ok(())
}

/// l* of a patch position over all traced facts.
fn l_star(record: &Record, position: PatchPosition) -> Option<usize> {
    let dominants = record.validated().filter_map(|(_, traced)| dominant(traced, position, false));
    Distribution::of(record.model.layers, dominants).l_star()
}

async fn redundancy_phase(
    model: &Model,
    facts: &FactFile,
    order: &[usize],
    record: &mut Record,
    known: &mut Known,
    observer: &mut dyn Observer,
) -> Result<()> {
    let settings = record.settings.clone();
    let traced: Vec<usize> = (0..record.facts.len()).filter(|&at| record.facts[at].traced().is_some()).collect();
    let mut wanted = Vec::new();
    for &position in &settings.positions {
        let l_star = l_star(record, position);
        begun::curves(record, position, l_star)?;
        wanted.extend(l_star.map(|ablated| (position, ablated)));
    }
    let of = traced.len() * wanted.len();
    let mut done = 0;
    for group in traced.chunks(settings.trace_batch.max(1)) {
        observer.event(Event::Progress { phase: StudyPhase::Redundancy, done, of })?;
        done += group.len() * wanted.len();
        let has = |fact: &FactRecord, position| fact.traced().is_some_and(|t| t.redundancy.contains_key(&position));
        if group.iter().all(|&at| wanted.iter().all(|&(position, _)| has(&record.facts[at], position))) {
            continue;
        }
        stopped(observer)?;
        for &at in group {
            let order_at = record.facts[at].order;
            known.tokens_of(order_at, model, &facts.facts[order[order_at]], &settings)?;
        }
        let orders: Vec<usize> = group.iter().map(|&at| record.facts[at].order).collect();
        let prepared: Vec<&TokenizedFact> = orders.iter().map(|order| &known.tokens[order]).collect();
        let kept: Option<Vec<CleanStates>> = orders.iter().map(|order| known.clean.remove(order)).collect();
        let clean = match kept {
            Some(kept) => kept,
            None => clean_states_of(model, &prepared, &settings.positions).await?,
        };
        // What a study that goes on has already is computed once more, so that batches are those of one that went through.
        let all = redundancy(model, &prepared, &settings, &wanted, &clean).await?;
        for (&at, curves) in group.iter().zip(all) {
            for (&(position, _), curve) in wanted.iter().zip(curves) {
                if has(&record.facts[at], position) {
                    continue;
                }
                let line = RedundancyLine { fact: record.facts[at].order, position, curve };
                observer.event(Event::Redundancy(&line))?;
                if let Some(traced) = record.facts[at].traced_mut() {
                    traced.redundancy.insert(position, line.curve);
                }
            }
        }
    }
    observer.event(Event::Progress { phase: StudyPhase::Redundancy, done: of, of })
}
