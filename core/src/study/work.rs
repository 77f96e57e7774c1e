//! A study at work: what all of its phases need.

use super::{Event, Observer};
use crate::error::{Error, Result};
use crate::facts::{Fact, FactFile, shuffled};
use crate::load::Model;
use crate::metrics::{Distribution, dominant};
use crate::protocol::StudyPhase;
use crate::record::{PatchPosition, Record, Settings};
use crate::trace::{CleanStates, TokenizedFact, tokenize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A study at work. Facts are named by their places in study order, which a record has as `order`.
pub(super) struct Work<'a> {
    pub(super) model: &'a mut Model,
    pub(super) facts: &'a FactFile,
    /// The facts' places in their file, in study order.
    pub(super) order: Vec<usize>,
    pub(super) settings: Settings,
    pub(super) record: Record,
    /// Tokens: made once, when a fact is screened, or when a study that goes on needs them first.
    pub(super) tokens: BTreeMap<usize, TokenizedFact>,
    /// Clean states, for the second pass.
    pub(super) clean: BTreeMap<usize, CleanStates>,
    /// Clean states are kept.
    pub(super) keeps: bool,
    pub(super) observer: &'a mut dyn Observer,
}

impl<'a> Work<'a> {
    /// Clean states are kept where there is memory for those of all facts. On a device a batch's shape moves last bits, and
    /// a study that goes on has to compute them in batches of its own: there everyone does.
    pub(super) fn new(
        model: &'a mut Model,
        facts: &'a FactFile,
        record: Record,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let settings = record.settings.clone();
        let bytes = CleanStates::bytes(model, settings.n, settings.positions.len());
        let keeps = model.compute.is_cpu() && bytes <= model.plan.bytes / 8;
        let order = shuffled(facts.facts.len(), settings.seed);
        let (tokens, clean) = (BTreeMap::new(), BTreeMap::new());
        Self { model, facts, order, settings, record, tokens, clean, keeps, observer }
    }

    pub(super) fn fact(&self, place: usize) -> &'a Fact {
        &self.facts.facts[self.order[place]]
    }

    pub(super) fn progress(&mut self, phase: StudyPhase, done: usize, of: usize) -> Result<()> {
        self.observer.event(Event::Progress { phase, done, of })
    }

    /// An error where someone wants the study to stop.
    pub(super) fn go_on(&self) -> Result<()> {
        go_on(self.observer)
    }

    /// Sees to it that tokens of facts are known.
    pub(super) fn tokenize(&mut self, places: impl IntoIterator<Item = usize>) -> Result<()> {
        for place in places {
            let fact = self.fact(place);
            let changed = |_| {
                Error::input(format!("fact {} is not what it was when the study began", fact.id))
                    .hint("the facts file changed: start again with --fresh")
                    .in_page("the facts changed: start the study anew")
            };
            if let Entry::Vacant(free) = self.tokens.entry(place) {
                free.insert(tokenize(self.model, fact, &self.settings)?.map_err(changed)?);
            }
        }
        Ok(())
    }

    /// Places of facts, so many together as are traced at once.
    pub(super) fn groups(&self, places: &[usize]) -> Vec<Vec<usize>> {
        places.chunks(self.settings.trace_batch.max(1)).map(<[usize]>::to_vec).collect()
    }

    /// l* of a patch position over all traced facts.
    pub(super) fn l_star(&self, position: PatchPosition) -> Option<usize> {
        l_star(&self.record, position)
    }
}

pub(super) fn go_on(observer: &dyn Observer) -> Result<()> {
    match observer.stop() {
        true => Err(Error::cancelled()),
        false => Ok(()),
    }
}

pub(super) fn l_star(record: &Record, position: PatchPosition) -> Option<usize> {
    let dominants = record.validated().filter_map(|(_, traced)| dominant(traced, position, false));
    Distribution::of(record.model.layers, dominants).l_star()
}
