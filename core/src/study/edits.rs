//! Stage 3 of a study: which facts are edited, where, in which parts; and the edits.

use super::work::{Work, go_on};
use super::{Event, begun};
use crate::edit::{EditBatch, EditTarget, Evidence, MeasuredEdit, Retracer, Solved, Step, measure, prepare, solve};
use crate::error::{Error, Kind, Result};
use crate::facts::{Fact, FactFile};
use crate::journal::MlpLine;
use crate::load::Model;
use crate::metrics::{Dominant, dominant, edited_layers};
use crate::protocol::StudyPhase;
use crate::record::{EditMethod, EditRecord, EditSettings, FactRecord, Record, Retrace, Settings, Traced};
use crate::trace::{TokenizedFact, capture_facts, mlp_windows};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Edits that are searched together, before the first of them is in the journal.
pub(super) const TOGETHER: usize = 64;

/// Parts whose prompts are kept for the methods that follow.
const KEPT: usize = 4;

/// A fact that is edited, and where.
pub(super) struct Chosen<'a> {
    pub(super) order: usize,
    pub(super) fact: &'a Fact,
    /// Ascending.
    pub(super) layers: Vec<usize>,
    unrelated: Vec<(usize, &'a Fact)>,
    pub(super) alike: Vec<(usize, &'a Fact)>,
}

/// The edits that a record's settings ask for: the first editable facts in study order, localized ones where their dominant
/// layer is edited.
pub(super) fn chosen<'a>(record: &Record, facts: &'a FactFile, order: &[usize]) -> Vec<Chosen<'a>> {
    let edit = &record.settings.edit;
    let source = |fact: &FactRecord| &facts.facts[order[fact.order]];
    let all: Vec<_> = record.validated().collect();
    let mut places = Vec::new();
    for (at, (_, traced)) in all.iter().enumerate() {
        if places.len() == edit.facts {
            break;
        }
        let layers = edited_layers(record, traced);
        if !layers.is_empty() && edit.editable(traced.p_false) {
            places.push((at, layers));
        }
    }
    // What is edited together with a fact is not watched beside it.
    let joint = edit.methods.iter().any(EditMethod::is_joint);
    let together: BTreeSet<usize> = places.iter().map(|&(at, _)| at).filter(|_| joint).collect();
    let one = |(at, layers): (usize, Vec<usize>)| {
        let (fact, _) = all[at];
        let other = |at: &usize| {
            let (other, _) = all[*at];
            other.relation != fact.relation && other.subject != fact.subject && !together.contains(at)
        };
        // The facts that come next in study order, another relation and another subject.
        let unrelated = (at + 1..all.len()).chain(0..at).filter(other).take(edit.unrelated);
        let unrelated = unrelated.map(|at| (all[at].0.order, source(all[at].0))).collect();
        let own = source(fact);
        let known = all.iter().map(|(other, _)| (other.order, source(other)));
        let alike = known.filter(|(_, other)| other.has_wanted_answer_of(own)).collect();
        Chosen { order: fact.order, fact: own, layers, unrelated, alike }
    };
    places.into_iter().map(one).collect()
}

/// The chosen facts at their layers, in the order in which a method edits them: those that edit many facts together take
/// layer after layer, the others fact after fact, so that a fact's prompts serve all of its layers.
fn in_order(chosen: &[Chosen<'_>], joint: bool) -> Vec<(usize, usize)> {
    let pairs = chosen.iter().enumerate().flat_map(|(at, one)| one.layers.iter().map(move |&layer| (at, layer)));
    let mut pairs: Vec<(usize, usize)> = pairs.collect();
    if joint {
        pairs.sort_by_key(|&(at, layer)| (layer, at));
    }
    pairs
}

/// Every edit as method, fact (its `order`) and layer, in a study's order.
pub(super) fn wanted(chosen: &[Chosen<'_>], methods: &[EditMethod]) -> Vec<(usize, usize, usize)> {
    let of = |(at, method): (usize, &EditMethod)| {
        let pairs = in_order(chosen, method.is_joint()).into_iter();
        pairs.map(|(fact, layer)| (at, chosen[fact].order, layer)).collect::<Vec<_>>()
    };
    methods.iter().enumerate().flat_map(of).collect()
}

/// A part of the edits: the method's place, and which of its edits, by their places in its order.
pub(super) type EditPart = (usize, Range<usize>);

/// The edits that are searched together, in a study's order. `at_once`: so many of each method have room.
pub(super) fn edit_parts(chosen: &[Chosen<'_>], edit: &EditSettings, at_once: &[usize]) -> Vec<EditPart> {
    let of = |(at, method): (usize, &EditMethod)| {
        let parts = parts(method, &in_order(chosen, method.is_joint()), edit, at_once[at]);
        parts.into_iter().map(move |part| (at, part)).collect::<Vec<_>>()
    };
    edit.methods.iter().enumerate().flat_map(of).collect()
}

/// The targets (fact, layer) that are searched together, by their places in a method's order.
fn parts(method: &EditMethod, targets: &[(usize, usize)], edit: &EditSettings, at_once: usize) -> Vec<Range<usize>> {
    let most = match (method.is_joint(), edit.batch) {
        (true, 0) => targets.len(),
        (true, batch) => batch,
        // All layers of a fact, where there is room for them.
        (false, _) => {
            let layers = targets.iter().filter(|(fact, _)| *fact == targets[0].0).count();
            at_once.min((TOGETHER / layers.max(1)).max(1) * layers)
        }
    };
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (at, (_, layer)) in targets.iter().enumerate() {
        match parts.last_mut() {
            Some(part) if part.len() < most && (!method.is_joint() || targets[part.start].1 == *layer) => {
                part.end = at + 1;
            }
            _ => parts.push(at..at + 1),
        }
    }
    parts
}

impl<'a> Work<'a> {
    /// The facts that are edited.
    pub(super) fn chosen(&self) -> Vec<Chosen<'a>> {
        chosen(&self.record, self.facts, &self.order)
    }

    /// Second moments of the layers that are edited, and tokens of the facts.
    pub(super) async fn prepare(&mut self, chosen: &[Chosen<'_>]) -> Result<()> {
        let layers: BTreeSet<usize> = chosen.iter().flat_map(|one| one.layers.iter().copied()).collect();
        let observer = &mut *self.observer;
        let mut told = |done, of| {
            observer.event(Event::Progress { phase: StudyPhase::SecondMoment, done, of })?;
            go_on(observer)
        };
        prepare(self.model, &self.settings.edit, &layers, &mut told).await?;
        self.tokenize(chosen.iter().map(|one| one.order))
    }

    /// What MLPs restore of some facts.
    pub(super) async fn mlp_of(&mut self, group: &[usize]) -> Result<Vec<MlpLine>> {
        self.tokenize(group.iter().copied())?;
        let (model, settings) = (&*self.model, &self.settings);
        let prepared: Vec<&TokenizedFact> = group.iter().map(|place| &self.tokens[place]).collect();
        let p_corrupt = |place: &usize| self.record.facts[*place].traced().map_or(0.0, |traced| traced.p_corrupt);
        let p_corrupt: Vec<f32> = group.iter().map(p_corrupt).collect();
        let captured = capture_facts(model, &prepared, settings).await?;
        let all = mlp_windows(model, &prepared, &p_corrupt, settings, &captured).await?;
        Ok(group.iter().zip(all).map(|(&fact, patched)| MlpLine { fact, patched }).collect())
    }

    /// Where facts are edited at several layers: what MLPs restore of each.
    pub(super) async fn mlp_windows(&mut self) -> Result<()> {
        if !self.settings.edit.layers.is_sweep() {
            return Ok(());
        }
        let places: Vec<usize> = self.chosen().iter().map(|one| one.order).collect();
        let has = |fact: &FactRecord| fact.traced().is_some_and(|traced| !traced.patched_mlp.is_empty());
        let (mut done, of) = (0, places.len());
        for group in self.groups(&places) {
            self.progress(StudyPhase::Mlp, done, of)?;
            done += group.len();
            if group.iter().all(|&place| has(&self.record.facts[place])) {
                continue;
            }
            self.go_on()?;
            for line in self.mlp_of(&group).await? {
                if has(&self.record.facts[line.fact]) {
                    continue;
                }
                self.observer.event(Event::Mlp(&line))?;
                if let Some(traced) = self.record.facts[line.fact].traced_mut() {
                    traced.patched_mlp = line.patched;
                }
            }
        }
        self.progress(StudyPhase::Mlp, of, of)
    }

    /// Every edit, found in parts and measured one by one; of `only` part where one is named. `at_once`: so many edits of each method
    /// have room.
    pub(super) async fn edits(&mut self, at_once: &[usize], only: Option<usize>) -> Result<()> {
        let chosen = self.chosen();
        let of = wanted(&chosen, &self.settings.edit.methods).len();
        let edits = self.record.edits.get_or_insert_default();
        if only.is_none() {
            begun::edits(edits, &chosen, &self.settings.edit.methods)?;
        }
        if edits.len() == of {
            return Ok(());
        }
        self.go_on()?;
        self.prepare(&chosen).await?;
        let Self { model, settings, record, tokens, observer, .. } = self;
        let (model, settings) = (&**model, &*settings);
        let (facts, edits) = (&record.facts, record.edits.get_or_insert_default());
        let methods = &settings.edit.methods;
        let targets = |joint| -> Vec<EditTarget<'_>> {
            let one = |(at, layer): (usize, usize)| {
                let Chosen { order, fact, unrelated, alike, .. } = &chosen[at];
                let tokens = tokens[order].clone();
                EditTarget { order: *order, fact, tokens, layer, unrelated: unrelated.clone(), alike: alike.clone() }
            };
            in_order(&chosen, joint).into_iter().map(one).collect()
        };
        let both = [targets(false), targets(true)];
        let of_method = |method: &EditMethod| both[usize::from(method.is_joint())].as_slice();
        let parts = edit_parts(&chosen, &settings.edit, at_once).into_iter().enumerate();
        let parts = parts.filter(|(place, _)| only.is_none_or(|only| only == *place));
        let work: Vec<(usize, &EditMethod, Range<usize>)> =
            parts.map(|(_, (at, part))| (at, &methods[at], part)).collect();
        let steps: usize = work.iter().map(|(_, method, _)| method.steps()).sum();
        let (mut stepped, mut retracer) = (0, Retracer::default());
        // Methods that edit the same facts share what is known of their prompts, until the last of them has edited these.
        let key_of = |method: &EditMethod, part: &Range<usize>| (method.is_joint(), part.start, part.end);
        let mut batches: BTreeMap<(bool, usize, usize), EditBatch<'_>> = BTreeMap::new();
        for (place, (at, method, part)) in work.iter().enumerate() {
            let at = *at;
            let jobs = &of_method(method)[part.clone()];
            let has = |edits: &[EditRecord], job: &EditTarget<'_>| {
                edits.iter().any(|edit| edit.is_of(at, job.order, job.layer))
            };
            let before = stepped;
            stepped += method.steps();
            if jobs.iter().all(|job| has(edits, job)) {
                continue;
            }
            // All of a part are searched as one batch, also when a resumed study lacks only some of them.
            go_on(*observer)?;
            let key = key_of(method, part);
            batches.retain(|known, _| work[place..].iter().any(|(_, method, part)| key_of(method, part) == *known));
            // Many parts are not kept: they are made anew.
            while batches.len() > KEPT {
                batches.pop_last();
            }
            let batch = match batches.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => place.insert(EditBatch::capture(model, jobs).await?),
            };
            let batch = &*batch;
            let mut progress = |step: Step<'_>| {
                let done = before + step.done * method.steps() / step.of.max(1);
                observer.event(Event::Progress { phase: StudyPhase::Optimize, done, of: steps })?;
                go_on(*observer)
            };
            let mut solved = solve(batch, method, settings, &mut progress).await?;
            // A search may end early.
            observer.event(Event::Progress { phase: StudyPhase::Optimize, done: stepped, of: steps })?;
            // On a device a batch's shape moves last bits: there those that are known are measured again, for the others' sake.
            if model.compute.is_cpu() {
                solved.retain(|one| one.targets.iter().any(|&target| !has(edits, &jobs[target])));
            }
            observer.event(Event::Progress { phase: StudyPhase::Edit, done: edits.len(), of })?;
            let known: Vec<bool> = jobs.iter().map(|job| has(edits, job)).collect();
            let mut finish = |edit: EditRecord| {
                if !edits.iter().any(|known| known.is_of(at, edit.fact, edit.layer)) {
                    observer.event(Event::Edit(&edit))?;
                    edits.push(edit);
                }
                observer.event(Event::Progress { phase: StudyPhase::Edit, done: edits.len(), of })?;
                // After the last one there is nothing to stop.
                if edits.len() < of { go_on(*observer) } else { Ok(()) }
            };
            if !settings.edit.retrace {
                measured(batch, (at, &solved), settings, &mut |edit| finish(edit.record)).await?;
                continue;
            }
            let mut all = Vec::new();
            let mut keep = |edit: MeasuredEdit| {
                all.push(edit);
                Ok(())
            };
            measured(batch, (at, &solved), settings, &mut keep).await?;
            for edit in all {
                let place = edit.record.fact;
                let job = jobs.iter().zip(&known).find(|(job, _)| edit.record.is_of(at, job.order, job.layer));
                let of = job.filter(|(_, known)| !**known);
                let retrace = match of.and_then(|(job, _)| Some((place, job.fact, facts[place].traced()?))) {
                    Some(of) => retraced(&mut retracer, model, &edit, of, settings).await?,
                    None => None,
                };
                let record = edit.record;
                finish(EditRecord { retrace, ..record })?;
            }
        }
        Ok(())
    }
}

/// Measures edits. One after which the model gives no finite numbers has failed, and ends no study.
async fn measured(
    batch: &EditBatch<'_>,
    (method, solved): (usize, &[Solved]),
    settings: &Settings,
    done: &mut dyn FnMut(MeasuredEdit) -> Result<()>,
) -> Result<()> {
    let numeric = |error: &Error| error.kind == Kind::Numeric;
    let failed = match measure(batch, (method, solved), settings, done).await {
        Err(error) if numeric(&error) => error,
        other => return other,
    };
    if solved.len() > 1 {
        // Which one it is shows alone. What is measured already is measured again.
        for one in solved {
            Box::pin(measured(batch, (method, std::slice::from_ref(one)), settings, done)).await?;
        }
        return Ok(());
    }
    let Some(one) = solved.first().filter(|one| !one.overlay.terms.is_empty()) else { return Err(failed) };
    let why = Some(failed.message().to_owned());
    let evidence = one.evidence.iter().map(|known| Evidence { failed: why.clone(), ..known.clone() });
    let nothing = Solved { targets: one.targets.clone(), evidence: evidence.collect(), ..Solved::default() };
    measure(batch, (method, &[nothing]), settings, done).await
}

/// Both answers traced again; nothing of an edit that failed or ruined the model, and in a sweep only at the dominant layer.
async fn retraced(
    retracer: &mut Retracer,
    model: &Model,
    MeasuredEdit { record, overlay }: &MeasuredEdit,
    (order, fact, own): (usize, &Fact, &Traced),
    settings: &Settings,
) -> Result<Option<Box<Retrace>>> {
    let dominant = || dominant(own, settings.edit.position, false).and_then(Dominant::layer);
    let wanted = !settings.edit.layers.is_sweep() || dominant() == Some(record.layer);
    if !wanted || overlay.terms.is_empty() {
        return Ok(None);
    }
    match retracer.retrace(model, overlay.clone(), (order, fact, own), settings).await {
        Err(error) if error.kind == Kind::Numeric => Ok(None),
        other => Ok(Some(Box::new(other?))),
    }
}
