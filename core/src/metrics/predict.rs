//! Does localization predict editability? (METHODS, section 4.) Facts are edited at several layers; what each edit did is held
//! against what tracing says of the same fact at the same layer.
//!
//! Layers differ in how well they can be edited whatever the fact is, so the question is what tracing adds: with `y` of an edit
//! and `x` of its fact and layer, `R²` of layer means alone, and of layer means and one slope on `x` (Hase et al. 2023, section
//! 5). The difference is `(1 - R²) r²`, `r` the correlation of `x` and `y` about their layer means.

use super::{Dominant, Mean, Measure, dominant, edit_outcome};
use crate::facts::shuffled;
use crate::record::{EditRecord, PatchPosition, Record, Traced};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Times that facts are given each other's tracing effects, to see how often chance does as well.
pub const SHUFFLES: usize = 999;

/// What a clean activation restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectOf {
    /// The residual stream after the layer.
    Residual,
    /// The MLPs of a window of layers around it.
    Mlp,
}

/// A tracing effect: `p_patch - p_corrupt` at a fact's layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Effect {
    /// What is put back.
    pub of: EffectOf,
    /// Where.
    #[serde(rename = "reading")]
    pub position: PatchPosition,
}

impl Effect {
    /// Its name in tables: `residual, subject-last`.
    pub fn name(self) -> String {
        let of = match self.of {
            EffectOf::Residual => "residual",
            EffectOf::Mlp => "MLP window",
        };
        format!("{of}, {}", self.position.name())
    }

    /// A fact's effect at each layer.
    pub fn curve(self, traced: &Traced) -> Option<Vec<f64>> {
        let curves = match self.of {
            EffectOf::Residual => &traced.patched,
            EffectOf::Mlp => &traced.patched_mlp,
        };
        let curve = curves.get(&self.position).filter(|curve| !curve.is_empty())?;
        Some(curve.iter().map(|p| f64::from(*p) - f64::from(traced.p_corrupt)).collect())
    }
}

/// What an edit did, as a number that tracing might predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Editability {
    /// The share of the new answer's missing probability that the edit brought: `(p' - p) / (1 - p)` (Hase et al. 2023).
    Rewrite,
    /// Success as the paper counts it: some level is reached.
    Success,
    /// [`Measure::Es`].
    Es,
    /// [`Measure::Ps`].
    Ps,
    /// [`Measure::Ns`].
    Ns,
}

impl Editability {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rewrite, Self::Success, Self::Es, Self::Ps, Self::Ns];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite score",
            Self::Success => "success",
            Self::Es => "ES",
            Self::Ps => "PS",
            Self::Ns => "NS",
        }
    }

    /// Of one edit.
    pub fn of(self, edit: &EditRecord) -> Option<f64> {
        match self {
            Self::Rewrite => {
                let [before, after] = [edit.p_false, edit.p_false_after].map(f64::from);
                (before < 1.0).then(|| (after - before) / (1.0 - before))
            }
            Self::Success => Some(f64::from(u8::from(edit_outcome(edit, 0.0).success))),
            Self::Es => Measure::Es.of(edit, 1),
            Self::Ps => Measure::Ps.of(edit, 1),
            Self::Ns => Measure::Ns.of(edit, 1),
        }
    }
}

/// One layer: what edits there did, and what tracing says of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EditedLayer {
    /// The layer, `1..=L`.
    pub layer: usize,
    /// In the order of [`Editability::ALL`].
    pub editability: Vec<Option<Mean>>,
    /// In the order of [`Prediction::effects`].
    pub effects: Vec<Option<Mean>>,
}

/// How well one tracing effect predicts one outcome of edits, over facts times layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Relation {
    /// The effect.
    pub effect: Effect,
    /// The outcome.
    pub editability: Editability,
    /// Facts times layers.
    pub n: usize,
    /// Pearson's correlation over all of them.
    pub r: Option<f64>,
    /// The same about layer means: with each layer's mean taken off.
    pub within: Option<f64>,
    /// Share of the variance that the layer alone explains, `R²`.
    pub layer: f64,
    /// What the effect explains beyond it.
    pub added: Option<f64>,
    /// Share of shuffles (facts with each other's effects) in which the correlation about layer means is as strong, this
    /// one counted: a two-sided p-value of at least `1 / (SHUFFLES + 1)`.
    pub p: Option<f64>,
    /// The correlation with each layer's and each fact's mean taken off: whether tracing tells *where* a fact is edited best.
    /// A fact that is easier everywhere, and has larger effects everywhere, does not count here.
    pub place: Option<f64>,
    /// The p-value of `place`, from the same shuffles.
    pub p_place: Option<f64>,
}

/// What becomes of choosing a layer by tracing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Choice {
    /// Rewrite score at each fact's dominant layer.
    pub dominant: Mean,
    /// The same facts at the one layer that is best for all the other facts.
    pub fixed: Mean,
    /// The layer that is best for all of them.
    pub best: usize,
    /// Facts whose dominant layer is their own best one, or one of several that are.
    pub own_best: usize,
}

/// The answer for one record and method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// The method, for people.
    pub method: String,
    /// Its place among the settings' methods, as edits name it.
    pub place: usize,
    /// Facts that are edited at every layer.
    pub facts: usize,
    /// Tracing effects that the record has.
    pub effects: Vec<Effect>,
    /// Layers that are edited, ascending.
    pub layers: Vec<EditedLayer>,
    /// Every effect with every outcome, effect after effect.
    pub relations: Vec<Relation>,
    /// By the convention's position; `None` where no fact has a dominant layer among those that are edited.
    pub choice: Option<Choice>,
}

/// Fewest facts of which anything is said: four have too few orders for a p-value of 0.05.
const FEWEST: usize = 5;

impl Relation {
    /// What tracing tells of where a fact is edited best, in words.
    pub fn words(&self, facts: usize) -> &'static str {
        let (Some(place), Some(p)) = (self.place, self.p_place) else {
            return "cannot tell where a fact is edited best: one of the two does not vary";
        };
        match (facts < FEWEST, p <= 0.05, place.abs() >= 0.3, place > 0.0) {
            (true, ..) => "was asked about too few facts to tell where one is edited best",
            (_, false, ..) => "tells no more than chance about where a fact is edited best",
            (_, true, false, true) => "tells a little about where a fact is edited best",
            (_, true, true, true) => "tells where a fact is edited best",
            (_, true, false, false) => "points slightly away from where a fact is edited best",
            (_, true, true, false) => "points away from where a fact is edited best",
        }
    }
}

impl Prediction {
    /// The answer in one sentence; `None` where nothing varies.
    pub fn sentence(&self) -> Option<String> {
        let main = self.main()?;
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let added = match (main.added, main.p) {
            (Some(added), Some(p)) => {
                format!("the fact's own tracing effect there adds {} (p = {p:.3})", percent(added))
            }
            _ => "nothing can be said of the fact's own tracing effect there".to_owned(),
        };
        let place = match (main.place, main.p_place) {
            (Some(place), Some(p)) => format!("; r = {place:.2} about the means of layers and facts, p = {p:.3}"),
            _ => String::new(),
        };
        Some(format!(
            "{}: causal tracing {} ({}, {} facts at {} layers{place}). The layer alone explains {} of the variance of the \
             rewrite score; {added}.",
            self.method,
            main.words(self.facts),
            main.effect.name(),
            self.facts,
            self.layers.len(),
            percent(main.layer),
        ))
    }

    /// The relation of one pair.
    pub fn relation(&self, effect: Effect, editability: Editability) -> Option<&Relation> {
        self.relations.iter().find(|one| one.effect == effect && one.editability == editability)
    }

    /// The pair that sentences are about: what the residual stream restores at the position that edits change, with the
    /// rewrite score.
    pub fn main(&self) -> Option<&Relation> {
        let at = |position| self.relation(Effect { of: EffectOf::Residual, position }, Editability::Rewrite);
        at(PatchPosition::SubjectLast).or_else(|| at(PatchPosition::LastToken))
    }
}

/// The answer for each method of a record whose facts are edited at several layers; nothing for others.
pub fn predictions(record: &Record) -> Vec<Prediction> {
    if !record.settings.edit.layers.is_sweep() {
        return Vec::new();
    }
    let methods = record.settings.edit.methods.iter().enumerate();
    methods.filter_map(|(at, method)| prediction(record, at, method.title())).collect()
}

/// A fact with its edits, a layer each.
type Edited<'a> = (&'a Traced, Vec<&'a EditRecord>);

fn prediction(record: &Record, method: usize, title: String) -> Option<Prediction> {
    let edits = record.edits.iter().flatten().filter(|edit| edit.method == method);
    let mut of_fact: BTreeMap<usize, BTreeMap<usize, &EditRecord>> = BTreeMap::new();
    for edit in edits {
        of_fact.entry(edit.fact).or_default().insert(edit.layer, edit);
    }
    let layers: Vec<usize> =
        of_fact.values().map(|edits| edits.keys().copied().collect::<Vec<_>>()).max_by_key(Vec::len)?;
    let mut traced: BTreeMap<usize, &Traced> = BTreeMap::new();
    for (fact, own) in record.validated() {
        traced.insert(fact.order, own);
    }
    // Of a study that was stopped the last fact may lack layers.
    let whole = of_fact.iter().filter(|(_, edits)| edits.keys().copied().eq(layers.iter().copied()));
    let facts: Vec<Edited<'_>> =
        whole.filter_map(|(order, edits)| Some((*traced.get(order)?, edits.values().copied().collect()))).collect();
    if facts.is_empty() || layers.len() < 2 {
        return None;
    }
    let effects: Vec<Effect> = [EffectOf::Residual, EffectOf::Mlp]
        .into_iter()
        .flat_map(|of| record.settings.positions.iter().map(move |&position| Effect { of, position }))
        .filter(|effect| facts.iter().any(|(traced, _)| effect.curve(traced).is_some()))
        .collect();
    let row = |(at, &layer): (usize, &usize)| EditedLayer {
        layer,
        editability: Editability::ALL
            .map(|one| Mean::of(facts.iter().filter_map(|(_, edits)| one.of(edits[at]))))
            .into(),
        effects: effects
            .iter()
            .map(|effect| {
                Mean::of(facts.iter().filter_map(|(traced, _)| effect.curve(traced)?.get(layer - 1).copied()))
            })
            .collect(),
    };
    let mut orders = Orders { seed: record.settings.seed, of: BTreeMap::new() };
    let pairs = effects.iter().flat_map(|&effect| Editability::ALL.map(|editability| (effect, editability)));
    let relations =
        pairs.filter_map(|(effect, editability)| relation(effect, editability, &facts, &layers, &mut orders)).collect();
    Some(Prediction {
        method: title,
        place: method,
        facts: facts.len(),
        layers: layers.iter().enumerate().map(row).collect(),
        relations,
        choice: choice(&facts, &layers, record.settings.edit.position),
        effects,
    })
}

/// Orders of so many facts, drawn once.
struct Orders {
    seed: u64,
    of: BTreeMap<usize, Vec<Vec<usize>>>,
}

impl Orders {
    fn of(&mut self, facts: usize) -> &[Vec<usize>] {
        let seeds = (1..=SHUFFLES as u64).map(|time| self.seed.wrapping_add(time));
        self.of.entry(facts).or_insert_with(|| seeds.map(|seed| shuffled(facts, seed)).collect())
    }
}

/// A row of each fact that has both, a column of each layer.
fn relation(
    effect: Effect,
    editability: Editability,
    facts: &[Edited<'_>],
    layers: &[usize],
    orders: &mut Orders,
) -> Option<Relation> {
    let row = |(traced, edits): &Edited<'_>| {
        let curve = effect.curve(traced)?;
        let x: Vec<f64> = layers.iter().map(|layer| curve.get(layer - 1).copied()).collect::<Option<_>>()?;
        let y: Vec<f64> = edits.iter().map(|edit| editability.of(edit)).collect::<Option<_>>()?;
        Some((x, y))
    };
    let (x, y): (Vec<Vec<f64>>, Vec<Vec<f64>>) = facts.iter().filter_map(row).unzip();
    if x.len() < 2 {
        return None;
    }
    let orders = orders.of(x.len());
    let [all_x, all_y] = [&x, &y].map(|rows| about(rows, Means::Whole));
    let [own_x, own_y] = [&x, &y].map(|rows| about(rows, Means::Columns));
    let [place_x, place_y] = [&own_x, &own_y].map(|rows| about(rows, Means::Rows));
    let (spread, rest) = (dot(&all_y, &all_y), dot(&own_y, &own_y));
    let layer = if spread > 0.0 { 1.0 - rest / spread } else { 0.0 };
    let (within, place) = (correlation(&own_x, &own_y), correlation(&place_x, &place_y));
    let [p, p_place] = [(within, &own_x, &own_y), (place, &place_x, &place_y)].map(|(found, x, y)| {
        found?;
        // Means and lengths stay what they are: products tell which correlation is stronger.
        let found = dot(x, y).abs() * (1.0 - 1e-12);
        let shuffled = |order: &[usize]| order.iter().zip(y).map(|(&at, y)| product(&x[at], y)).sum::<f64>();
        let as_strong = orders.iter().filter(|order| shuffled(order).abs() >= found);
        Some((1 + as_strong.count()) as f64 / (1 + SHUFFLES) as f64)
    });
    let added = within.map(|within| (1.0 - layer) * within * within);
    let (n, r) = (x.len() * layers.len(), correlation(&all_x, &all_y));
    Some(Relation { effect, editability, n, r, within, layer, added, p, place, p_place })
}

/// Which means are taken off.
#[derive(Clone, Copy)]
enum Means {
    /// One of everything.
    Whole,
    /// Of each column: a layer's.
    Columns,
    /// Of each row: a fact's.
    Rows,
}

/// Rows without their means.
fn about(rows: &[Vec<f64>], means: Means) -> Vec<Vec<f64>> {
    let (count, columns) = (rows.len() as f64, rows[0].len());
    let mean = |row: &[f64]| row.iter().sum::<f64>() / columns as f64;
    let by_column: Vec<f64> = (0..columns).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / count).collect();
    let whole = mean(&by_column);
    let one = |row: &Vec<f64>| {
        let own = mean(row);
        let off = |at: usize| match means {
            Means::Whole => whole,
            Means::Columns => by_column[at],
            Means::Rows => own,
        };
        // Of equal numbers nothing is left, whatever their mean rounds to.
        let less = |(at, value): (usize, &f64)| match value - off(at) {
            rest if rest.abs() < 1e-12 => 0.0,
            rest => rest,
        };
        row.iter().enumerate().map(less).collect()
    };
    rows.iter().map(one).collect()
}

fn product(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn dot(one: &[Vec<f64>], other: &[Vec<f64>]) -> f64 {
    one.iter().zip(other).map(|(a, b)| product(a, b)).sum()
}

/// Of rows without their means; none where one of them does not vary.
fn correlation(x: &[Vec<f64>], y: &[Vec<f64>]) -> Option<f64> {
    let length = (dot(x, x) * dot(y, y)).sqrt();
    (length > 0.0).then(|| dot(x, y) / length)
}

fn choice(facts: &[Edited<'_>], layers: &[usize], position: PatchPosition) -> Option<Choice> {
    let score = |edits: &[&EditRecord]| -> Option<Vec<f64>> {
        edits.iter().map(|edit| Editability::Rewrite.of(edit)).collect()
    };
    let with_layer = |(traced, edits): &Edited<'_>| {
        let Some(Dominant::Layer(layer)) = dominant(traced, position, false) else { return None };
        Some((layers.iter().position(|&one| one == layer)?, score(edits)?))
    };
    let all: Vec<(usize, Vec<f64>)> = facts.iter().filter_map(with_layer).collect();
    let sums: Vec<f64> = (0..layers.len()).map(|at| all.iter().map(|(_, scores)| scores[at]).sum()).collect();
    let best = |values: &[f64]| (0..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best });
    let for_others = |scores: &[f64]| {
        let others: Vec<f64> = sums.iter().zip(scores).map(|(sum, own)| sum - own).collect();
        scores[best(&others)]
    };
    if all.len() < 2 {
        return None;
    }
    let is_best = |scores: &[f64], at: usize| scores.iter().all(|score| *score <= scores[at]);
    Some(Choice {
        dominant: Mean::of(all.iter().map(|(own, scores)| scores[*own]))?,
        fixed: Mean::of(all.iter().map(|(_, scores)| for_others(scores)))?,
        best: layers[best(&sums)],
        own_best: all.iter().filter(|(own, scores)| is_best(scores, *own)).count(),
    })
}

#[cfg(test)]
mod tests;
