//! Editing: the paper's success levels, side effects and verdicts (METHODS, section 4).

use super::{Check, Judgement, Mean, Scores, Share, Verdict, judge, own_edits, scores};
use crate::record::{EditRecord, Record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far an edit got; a prime marks the edited weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// `p_false' > p_true'`.
    L1,
    /// `p_false' - p_false > 0.03` and `p_true' - p_true < -0.03`.
    L2,
    /// `p_false' > 3 p_false` and `p_false' > 0.005`.
    L3,
}

impl Level {
    /// All levels, the strongest first.
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::L3];

    /// Whether an edit satisfies this level by itself.
    pub fn reached(self, edit: &EditRecord) -> bool {
        let [p_true, p_false] = [edit.p_true, edit.p_false].map(f64::from);
        let [true_after, false_after] = [edit.p_true_after, edit.p_false_after].map(f64::from);
        match self {
            Self::L1 => false_after > true_after,
            Self::L2 => false_after - p_false > 0.03 && true_after - p_true < -0.03,
            Self::L3 => false_after > 3.0 * p_false && false_after > 0.005,
        }
    }

    /// The name used in records and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        }
    }
}

/// What an edit did to unrelated facts' true answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SideEffects {
    /// Mean `|Δp|`.
    pub mean: f64,
    /// Worst `|Δp|`.
    pub worst: f64,
    /// Unrelated facts whose most probable token changed.
    pub flips: Share,
}

/// Side effects over the unrelated facts of some edits, each (edit, fact) pair counted once; `None` without any.
pub fn side_effects<'a>(edits: impl IntoIterator<Item = &'a EditRecord>) -> Option<SideEffects> {
    let pairs: Vec<_> = edits.into_iter().flat_map(|edit| &edit.unrelated).collect();
    let moved = |p: [f32; 2]| (f64::from(p[1]) - f64::from(p[0])).abs();
    Some(SideEffects {
        mean: Mean::of(pairs.iter().map(|one| moved(one.p_true)))?.mean,
        worst: pairs.iter().map(|one| moved(one.p_true)).reduce(f64::max)?,
        flips: Share::new(pairs.iter().filter(|one| one.flipped).count(), pairs.len())?,
    })
}

/// One edit, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EditOutcome {
    /// `order` of the fact.
    pub fact: usize,
    /// Edited block.
    pub layer: usize,
    /// `p_false > min_p_false` before the edit (0.0005 by default).
    pub editable: bool,
    /// Every level that the edit satisfies, strongest first.
    pub levels: Vec<Level>,
    /// The fact was editable and some level was reached.
    pub success: bool,
    /// Side effects of this edit.
    pub side_effects: Option<SideEffects>,
    /// All measures together.
    pub judgement: Judgement,
}

impl EditOutcome {
    /// The level to report: the first one satisfied.
    pub fn level(&self) -> Option<Level> {
        self.levels.first().copied()
    }
}

impl EditSummary {
    /// Edits that succeed as the paper counts them, though the new answer did not rise.
    pub fn silenced(&self) -> usize {
        let silenced = |outcome: &&EditOutcome| outcome.success && outcome.judgement.verdict == Verdict::Silenced;
        self.outcomes.iter().filter(silenced).count()
    }
}

/// Whether a fact counts as editable; with 0 every fact does.
fn editable(edit: &EditRecord, min_p_false: f32) -> bool {
    min_p_false == 0.0 || edit.p_false > min_p_false
}

/// Judges one edit.
pub fn edit_outcome(edit: &EditRecord, min_p_false: f32) -> EditOutcome {
    let editable = editable(edit, min_p_false);
    let levels: Vec<Level> = Level::ALL.into_iter().filter(|level| level.reached(edit)).collect();
    EditOutcome {
        fact: edit.fact,
        layer: edit.layer,
        editable,
        success: editable && !levels.is_empty(),
        levels,
        side_effects: side_effects([edit]),
        judgement: judge(edit),
    }
}

/// Stage 3 of one record, by one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EditSummary {
    /// The method, for people.
    pub method: String,
    /// As the field measures them.
    pub scores: Scores,
    /// Edits recorded.
    pub tried: usize,
    /// All edits by verdict; every verdict has an entry.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// Paraphrases of all edits that follow.
    pub following: Option<Share>,
    /// Neighbours of all edits that are unharmed.
    pub neighbours: Option<Share>,
    /// Unrelated facts of all edits that are unharmed.
    pub unrelated: Option<Share>,
    /// Those of editable facts; everything below is over these.
    pub editable: usize,
    /// Successful edits, out of the editable.
    pub success: Option<Share>,
    /// Edits that satisfy each level (one edit may satisfy several).
    pub by_level: BTreeMap<Level, usize>,
    /// Edits by the first level that they satisfy (sums to the successes).
    pub by_first_level: BTreeMap<Level, usize>,
    /// Edits per layer.
    pub layers: BTreeMap<usize, usize>,
    /// Mean `p(true)` before.
    pub p_true: Option<Mean>,
    /// Mean `p(true)` with the edited weights.
    pub p_true_after: Option<Mean>,
    /// Mean `p(false)` before.
    pub p_false: Option<Mean>,
    /// Mean `p(false)` with the edited weights.
    pub p_false_after: Option<Mean>,
    /// Side effects over all their unrelated facts.
    pub side_effects: Option<SideEffects>,
    /// All edits, restored bit for bit (those of facts that are not editable included).
    pub all_restored: bool,
    /// Each edit, in record order (those of facts that are not editable included).
    pub outcomes: Vec<EditOutcome>,
}

/// Summarises the edits that figures and sentences are about ([`super::shown_edits`]); `None` when Stage 3 was not run.
pub fn edit_summary(record: &Record) -> Option<EditSummary> {
    record.edits.as_ref()?;
    let method = record.settings.edit.methods.first()?;
    Some(summary(method.title(), own_edits(record, 0), record.settings.edit.min_p_false))
}

/// Summarises Stage 3, method by method, with one edit a fact where several layers are edited; nothing when it was not run.
pub fn edit_summaries(record: &Record) -> Vec<EditSummary> {
    if record.edits.is_none() {
        return Vec::new();
    }
    let methods = record.settings.edit.methods.iter().enumerate();
    methods
        .map(|(at, method)| summary(method.title(), own_edits(record, at), record.settings.edit.min_p_false))
        .collect()
}

fn summary(method: String, edits: Vec<&EditRecord>, min_p_false: f32) -> EditSummary {
    let outcomes: Vec<EditOutcome> = edits.iter().map(|edit| edit_outcome(edit, min_p_false)).collect();
    let editable: Vec<&EditRecord> = edits.iter().copied().filter(|edit| editable(edit, min_p_false)).collect();
    let counted = || outcomes.iter().filter(|outcome| outcome.editable);
    let per_level = |holds: &dyn Fn(&EditOutcome, Level) -> bool| {
        Level::ALL.into_iter().map(|level| (level, counted().filter(|outcome| holds(outcome, level)).count())).collect()
    };
    let mut layers = BTreeMap::new();
    for edit in &editable {
        *layers.entry(edit.layer).or_insert(0) += 1;
    }
    let mean = |value: fn(&EditRecord) -> f32| Mean::of(editable.iter().map(|edit| f64::from(value(edit))));
    let ended = |verdict| outcomes.iter().filter(|outcome| outcome.judgement.verdict == verdict).count();
    EditSummary {
        method,
        scores: scores(edits.iter().copied()),
        tried: edits.len(),
        verdicts: Verdict::ALL.into_iter().map(|verdict| (verdict, ended(verdict))).collect(),
        following: shares(&outcomes, |judgement| judgement.paraphrases),
        neighbours: shares(&outcomes, |judgement| judgement.neighbours),
        unrelated: shares(&outcomes, |judgement| judgement.unrelated),
        editable: editable.len(),
        success: Share::new(counted().filter(|outcome| outcome.success).count(), editable.len()),
        by_level: per_level(&|outcome, level| outcome.levels.contains(&level)),
        by_first_level: per_level(&|outcome, level| outcome.level() == Some(level)),
        layers,
        p_true: mean(|edit| edit.p_true),
        p_true_after: mean(|edit| edit.p_true_after),
        p_false: mean(|edit| edit.p_false),
        p_false_after: mean(|edit| edit.p_false_after),
        side_effects: side_effects(editable.iter().copied()),
        all_restored: edits.iter().all(|edit| edit.restored),
        outcomes,
    }
}

/// A check of all edits together; `None` where none of them could make it.
fn shares(outcomes: &[EditOutcome], of: fn(&Judgement) -> Option<Check>) -> Option<Share> {
    let all: Vec<Share> = outcomes.iter().filter_map(|outcome| Some(of(&outcome.judgement)?.share)).collect();
    Share::new(all.iter().map(|share| share.count).sum(), all.iter().map(|share| share.of).sum())
}
