//! The search for v* as a curve: how far the old answer's logit is above the new one's, step by step.

use crate::words;

/// Most points that are drawn; more would fall on the same pixels.
const MOST_POINTS: usize = 400;

/// The curve so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LossCurve {
    /// Step and logit margin, in order.
    pub points: Vec<(usize, f64)>,
    /// Steps in all.
    pub of: usize,
    /// It is the loss of a search by gradients; else the logit margin.
    pub gradients: bool,
}

impl LossCurve {
    /// A finished curve, as a record has it: before each step and after the last.
    pub fn whole(loss: &[f32], gradients: bool) -> Self {
        let points = loss.iter().enumerate().map(|(step, loss)| (step, f64::from(*loss))).collect();
        Self { points, of: loss.len().saturating_sub(1), gradients }
    }

    /// Takes in a step. Steps that come twice or are no numbers are passed over.
    pub fn push(&mut self, step: usize, of: usize, loss: f32) {
        self.of = of;
        let later = self.points.last().is_none_or(|last| last.0 < step);
        if later && loss.is_finite() {
            self.points.push((step, loss.into()));
        }
    }

    /// The points that are drawn: the first and the last, and between them as many as a screen can show.
    pub fn drawn(&self) -> Vec<(usize, f64)> {
        let every = self.points.len().div_ceil(MOST_POINTS).max(1);
        let last = self.points.len().saturating_sub(1);
        let kept = self.points.iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last);
        kept.map(|(_, point)| *point).collect()
    }

    /// The first step after which the new answer is the more probable one.
    pub fn crossed(&self) -> Option<usize> {
        self.points.iter().find(|(_, loss)| *loss < 0.0).map(|(step, _)| *step)
    }

    /// What it is of.
    pub fn caption(&self) -> &'static str {
        match self.gradients {
            true => "Loss of the search: the new answer's -log p, with its penalties",
            false => "Logit of the old answer minus that of the new",
        }
    }

    /// What the curve shows, in a sentence.
    pub fn sentence(&self) -> String {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return "The search has not begun.".into();
        };
        let [from, to] = [first.1, last.1].map(|loss| words::fixed(loss, 2));
        if self.gradients {
            return format!("Loss of the search: {from} at first, {to} after step {} of {}.", last.0, self.of);
        }
        let margin =
            format!("Logit of the old answer minus that of the new: {from} at first, {to} after step {}", last.0);
        match self.crossed() {
            Some(0) => format!("{margin} of {}; the new answer was ahead from the start.", self.of),
            Some(step) => format!("{margin} of {}; the new answer is ahead from step {step} on.", self.of),
            None => format!("{margin} of {}; the old answer is still ahead.", self.of),
        }
    }

    /// Column names and rows of the figure's table, ten steps apart.
    pub fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let last = self.points.last().map(|point| point.0);
        let kept = self.points.iter().filter(|(step, _)| step % 10 == 0 || Some(*step) == last);
        let rows = kept.map(|(step, loss)| vec![step.to_string(), words::number(*loss)]).collect();
        (vec!["step".into(), if self.gradients { "loss" } else { "logit margin" }.into()], rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_told() {
        let curve = LossCurve::whole(&[4.0, 1.0, -1.0], false);
        assert_eq!((curve.of, curve.crossed()), (2, Some(2)));
        assert!(curve.sentence().ends_with("−1.00 after step 2 of 2; the new answer is ahead from step 2 on."));
        assert_eq!(LossCurve::default().sentence(), "The search has not begun.");
        assert_eq!(curve.table().1.len(), 2);
    }

    #[test]
    fn a_live_curve_grows_and_stays_drawable() {
        let mut curve = LossCurve::default();
        for step in 0..=2000 {
            curve.push(step, 2000, 5.0 - step as f32 / 1000.0);
        }
        curve.push(2000, 2000, 9.0);
        curve.push(2001, 2000, f32::NAN);
        assert_eq!((curve.points.len(), curve.drawn().last().map(|last| last.0)), (2001, Some(2000)));
        assert!(curve.drawn().len() <= MOST_POINTS + 1);
        assert!(curve.sentence().ends_with("the old answer is still ahead."));
    }
}
