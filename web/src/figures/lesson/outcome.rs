//! A prediction held against what was measured.

use super::ask::Show;
use super::ask::{Ask, Predict};
use super::file::Step;
use super::markdown::Block;
use super::stage::{Group, stage};
use super::values::{Kind, Measured, filled, highest, written};
use crate::words;
use engram_core::metrics::{Finding, MetricConvention, finding};
use engram_core::record::{Corruption, FactRecord, PatchPosition};

/// Both runs, as they were measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runs {
    /// The answer whose probability this is.
    pub answer: String,
    /// What the subject was replaced by.
    pub instead: String,
    /// Its probability in the clean and in the corrupted run.
    pub p: [f32; 2],
    /// The same of a second model, with its name.
    pub beside: Option<(String, [f32; 2])>,
}

/// What becomes of a prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is what was measured.
    Exact,
    /// It is close enough.
    Near,
    /// Something else was measured.
    Other,
    /// Nothing was measured that it could be held against: why.
    Nothing(String),
}

/// How a prediction ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What becomes of it.
    pub verdict: Verdict,
    /// The prediction, in words.
    pub mine: String,
    /// What was measured in its place, in words.
    pub best: String,
    /// What is said to it.
    pub told: Vec<Block>,
    /// What one would have expected.
    pub expected: Vec<Block>,
    /// Both runs.
    pub runs: Runs,
    /// What is drawn.
    pub stage: Vec<Group>,
    /// The choice that is right, from 0, where there are choices.
    pub place: Option<usize>,
    /// The group and the bar that were predicted, and those that were measured, from 0.
    pub marks: [Option<(usize, usize)>; 2],
}

/// A prediction in words. It is a place among options, tokens or layers from 0, or a number (in per cent where the value is one).
fn wording(ask: &Ask, labels: &[String], mine: f64) -> String {
    let at = mine.max(0.0) as usize;
    match ask.predict {
        Predict::Option => ask.options.get(at).cloned().unwrap_or_default(),
        Predict::Token => labels.get(at).map(|label| label.trim_start_matches('·').to_owned()).unwrap_or_default(),
        Predict::Layer => format!("layer {}", at + 1),
        Predict::Number => match ask.of.map(|of| of.kind()) {
            Some(kind @ Kind::Percent) => written(mine / 100.0, kind),
            Some(kind) => written(mine, kind),
            None => String::new(),
        },
    }
}

/// Why a fact has nothing that a prediction could be held against, by the rules of every other screen.
fn nothing(ask: &Ask, fact: &FactRecord) -> Option<String> {
    let curve = match (ask.predict, ask.of, ask.show.first()) {
        (Predict::Layer, Some(of), _) => of.layer_of(),
        (Predict::Layer, None, Some(Show::Layers(curve))) => Some(*curve),
        _ => None,
    };
    let position = curve.and_then(|curve| curve.position());
    let view = MetricConvention::default().with_position(position.unwrap_or(PatchPosition::SubjectLast));
    let traced = fact.traced()?;
    let answer = words::visible(fact.target_true.trim());
    let [clean, corrupt] = [traced.p_clean, traced.p_corrupt].map(|p| words::percent_of(p.into()));
    match finding(fact, &view)? {
        Finding::NotKnown(_) => {
            Some(format!("The model does not give “{answer}” ({clean}): there is no fact to locate."))
        }
        Finding::NotSensitive(_) => Some(format!(
            "The answer “{answer}” has {clean} in the clean run and {corrupt} in the corrupted one. It hardly depends on the subject, \
             so there is nothing to locate."
        )),
        Finding::NotLocalized | Finding::NoPeak(_) if position.is_some() => Some(
            "No state of this token alone restores a tenth of the answer: there is no peak, and no layer to name."
                .into(),
        ),
        _ => None,
    }
}

/// Holds a prediction against what was measured.
///
/// # Errors
/// Why there is nothing to hold it against, with what to do.
pub fn outcome(step: &Step, measured: &Measured, mine: f64) -> Result<Outcome, String> {
    let ask = &step.ask;
    let stage = stage(ask, measured);
    let value =
        ask.of.map(|of| of.of(measured).ok_or("this fact does not have the value that is asked for")).transpose()?;
    // Where the second model is asked about, its bars are the ones that were predicted.
    let group = match ask.of {
        Some(of) if of.is_beside() => stage
            .iter()
            .position(|group| measured.beside.as_ref().is_some_and(|beside| group.note == beside.model.name))
            .unwrap_or(0),
        _ => 0,
    };
    let bars =
        || stage.get(group).map(|group| group.bars.iter().map(|bar| bar.value).collect::<Vec<_>>()).unwrap_or_default();
    let none = "nothing was measured for this prompt";
    let fact = measured.record.facts.first();
    let about = match ask.of {
        Some(of) if of.is_beside() => measured.beside.as_ref().and_then(|record| record.facts.first()),
        _ => fact,
    };
    let why = about.and_then(|fact| nothing(ask, fact));
    let (right, best) = match ask.predict {
        _ if why.is_some() => (false, mine),
        Predict::Token | Predict::Layer => {
            let (bars, best) = match value {
                Some(layer) => (Vec::new(), layer - 1.0),
                None => (bars(), highest(&bars()).ok_or(none)? as f64),
            };
            let bar = |at: f64| bars.get(at as usize).copied().flatten();
            let as_high = bar(mine).zip(bar(best)).is_some_and(|(mine, best)| mine >= best - ask.near);
            ((mine - best).abs() <= ask.within || as_high, best)
        }
        Predict::Option => {
            let value = value.ok_or(none)?;
            let best = ask.bounds.iter().filter(|bound| value >= **bound).count() as f64;
            (mine.round() == best, best)
        }
        Predict::Number => {
            let percent = ask.of.is_some_and(|of| of.kind() == Kind::Percent);
            let best = value.ok_or(none)? * if percent { 100.0 } else { 1.0 };
            ((mine - best).abs() <= ask.within, best)
        }
    };
    let labels: Vec<String> =
        stage.get(group).map(|group| group.bars.iter().map(|bar| bar.label.clone()).collect()).unwrap_or_default();
    let [mine_said, best_said] = [mine, best].map(|one| wording(ask, &labels, one));
    let mark = |at: f64| (matches!(ask.predict, Predict::Token | Predict::Layer)).then_some((group, at as usize));
    let texts = |blocks: &[Block]| filled(blocks, ask, Some(measured), &mine_said, &best_said);
    let traced = fact.and_then(|fact| fact.traced()).ok_or(none)?;
    let beside = measured.beside.as_ref().and_then(|record| {
        let traced = record.facts.first()?.traced()?;
        Some((words::visible(&record.model.name), [traced.p_clean, traced.p_corrupt]))
    });
    let runs = Runs {
        answer: fact.map(|fact| words::visible(fact.target_true.trim())).unwrap_or_default(),
        instead: match &measured.record.settings.corruption {
            Corruption::Replace { with } => words::visible(with),
            Corruption::Noise { .. } => String::new(),
        },
        p: [traced.p_clean, traced.p_corrupt],
        beside,
    };
    let why_not = why.is_some();
    let verdict = match why {
        Some(why) => Verdict::Nothing(why),
        None if right && mine_said == best_said => Verdict::Exact,
        None if right => Verdict::Near,
        None => Verdict::Other,
    };
    Ok(Outcome {
        runs,
        verdict,
        told: texts(&step.told),
        expected: texts(&step.expected),
        place: (ask.predict != Predict::Number && !why_not).then_some(best as usize),
        marks: if why_not { [None; 2] } else { [mark(mine), mark(best)] },
        mine: mine_said,
        best: best_said,
        stage,
    })
}
