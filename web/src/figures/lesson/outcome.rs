//! A prediction held against what was measured.

use super::ask::{Ask, Predict};
use super::file::Step;
use super::markdown::Block;
use super::stage::{Group, stage};
use super::values::{Kind, Measured, filled, highest, written};
use crate::words;
use engram_core::record::Corruption;

/// Both runs, as they were measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runs {
    /// The answer whose probability this is.
    pub answer: String,
    /// What the subject was replaced by.
    pub instead: String,
    /// Its probability in the clean and in the corrupted run.
    pub p: [f32; 2],
}

/// How a prediction ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// It was right.
    pub right: bool,
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
    let (right, best) = match ask.predict {
        Predict::Token | Predict::Layer => {
            let best = match value {
                Some(layer) => layer - 1.0,
                None => highest(&bars()).ok_or(none)? as f64,
            };
            ((mine - best).abs() <= ask.within, best)
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
    let fact = measured.record.facts.first();
    let traced = fact.and_then(|fact| fact.traced()).ok_or(none)?;
    let runs = Runs {
        answer: fact.map(|fact| words::visible(fact.target_true.trim())).unwrap_or_default(),
        instead: match &measured.record.settings.corruption {
            Corruption::Replace { with } => words::visible(with),
            Corruption::Noise { .. } => String::new(),
        },
        p: [traced.p_clean, traced.p_corrupt],
    };
    Ok(Outcome {
        runs,
        right,
        told: texts(&step.told[usize::from(!right)]),
        expected: texts(&step.expected),
        place: (ask.predict != Predict::Number).then_some(best as usize),
        marks: [mark(mine), mark(best)],
        mine: mine_said,
        best: best_said,
        stage,
    })
}
