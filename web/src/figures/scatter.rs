//! Dots over two axes: the paper's Figures 5 and 6, edits by depth and by what they did to the new answer.

use crate::scale::Scale;
use crate::words;
use engram_core::metrics::{Answer, judge, shown_edits};
use engram_core::record::{EditRecord, Record};

/// An axis with its ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it measures.
    pub name: &'static str,
    /// Value at its beginning.
    pub low: f64,
    /// Value at its end.
    pub high: f64,
    /// Values that are written beside it.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis that holds zero and these values, with round ticks.
    pub fn values(name: &'static str, values: impl IntoIterator<Item = f64>) -> Self {
        let scale = Scale::around_zero(values, 1.0);
        let ticks = scale.ticks().into_iter().map(|tick| (tick, scale.label(tick))).collect();
        Self { name, low: scale.low, high: scale.high, ticks }
    }

    /// A logarithmic axis; its values are powers of ten, its ticks 1, 2 and 5 times such a power.
    pub fn powers(name: &'static str, powers: impl IntoIterator<Item = f64>) -> Self {
        let all: Vec<f64> = powers.into_iter().filter(|power| power.is_finite()).collect();
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low > high { (6.0, 7.0) } else { (low.floor(), (high.floor() + 1.0).max(high.ceil())) };
        let factors: &[f64] = if high - low > 2.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let mut ticks = Vec::new();
        for power in low as i32..=high as i32 {
            for factor in factors {
                let value = f64::from(power) + factor.log10();
                if value <= high + 1e-9 {
                    ticks.push((value, size(factor * 10_f64.powi(power))));
                }
            }
        }
        Self { name, low, high, ticks }
    }

    /// Where a value lies, 0 to 1.
    pub fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// A size in short: `2 M`.
fn size(value: f64) -> String {
    let (unit, name) = match value {
        v if v >= 1e9 => (1e9, " B"),
        v if v >= 1e6 => (1e6, " M"),
        v if v >= 1e3 => (1e3, " k"),
        _ => (1.0, ""),
    };
    format!("{}{name}", words::fixed(value / unit, 0))
}

/// A dot.
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// Along the axis.
    pub x: f64,
    /// Up the axis.
    pub y: f64,
    /// Which study it belongs to, or which shade.
    pub series: usize,
    /// Drawn full; hollow otherwise.
    pub full: bool,
    /// What it is.
    pub words: String,
}

/// Dots over two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// What is drawn.
    pub title: String,
    /// The lower axis.
    pub x: Axis,
    /// The left axis.
    pub y: Axis,
    /// The dots, from left to right.
    pub dots: Vec<Dot>,
    /// Where both axes are equal, a line.
    pub diagonal: bool,
    /// Of many dots their depths, 0 to 1, with a colour each; empty where every dot has its study's mark.
    pub shades: Vec<(f64, String)>,
}

impl Scatter {
    /// A figure whose dots are walked from left to right.
    pub fn new(title: impl Into<String>, x: Axis, y: Axis, mut dots: Vec<Dot>) -> Self {
        dots.retain(|dot| dot.x.is_finite() && dot.y.is_finite());
        dots.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
        Self { title: title.into(), x, y, dots, diagonal: false, shades: Vec::new() }
    }

    /// The figure in a sentence.
    pub fn sentence(&self) -> String {
        format!("{}: {} over {} and {}.", self.title, words::count(self.dots.len(), "dot"), self.x.name, self.y.name)
    }

    /// The dot that is nearest to a place, both from 0 to 1.
    pub fn nearest(&self, x: f64, y: f64) -> Option<usize> {
        let away = |dot: &Dot| (self.x.place(dot.x) - x).powi(2) + (self.y.place(dot.y) - y).powi(2);
        let all = self.dots.iter().enumerate();
        all.min_by(|a, b| away(a.1).total_cmp(&away(b.1))).map(|found| found.0)
    }
}

/// One dot an edit of every study.
fn dots(studies: &[(String, &Record)], place: impl Fn(&Record, &EditRecord) -> (f64, f64)) -> Vec<Dot> {
    let of = |(series, (name, record)): (usize, &(String, &Record))| {
        let one = |edit: &EditRecord| {
            let judged = judge(edit);
            let fact = record.facts.iter().find(|fact| fact.order == edit.fact);
            let prompt = fact.map_or_else(|| format!("fact {}", edit.fact), |fact| words::visible(&fact.prompt));
            let [before, after] = [edit.p_false, edit.p_false_after].map(|p| words::probability(p.into()));
            let words = format!(
                "{name}, {prompt}: layer {} of {}, p(new) {before} → {after}, {}",
                edit.layer,
                record.model.layers,
                judged.verdict.name()
            );
            let (x, y) = place(record, edit);
            Dot { x, y, series, full: judged.answer == Answer::Rewritten, words }
        };
        shown_edits(record).into_iter().map(one).collect::<Vec<_>>()
    };
    studies.iter().enumerate().flat_map(of).collect()
}

/// Figure 5: what each edit gained, over the depth at which it was made.
pub fn by_depth(studies: &[(String, &Record)]) -> Scatter {
    let dots = dots(studies, |record, edit| {
        let depth = edit.layer as f64 / record.model.layers.max(1) as f64;
        (depth, f64::from(edit.p_false_after) - f64::from(edit.p_false))
    });
    let y = Axis::values("p(new) gained", dots.iter().map(|dot| dot.y));
    Scatter::new("What edits gained, by depth", Axis::values("relative depth of the layer", [0.0, 1.0]), y, dots)
}

/// Figure 6: the new answer's probability after each edit, over that of the old answer.
pub fn both_answers(studies: &[(String, &Record)]) -> Scatter {
    let dots = dots(studies, |_, edit| (edit.p_true_after.into(), edit.p_false_after.into()));
    let x = Axis::values("p(old answer) after the edit", [0.0, 1.0]);
    let y = Axis::values("p(new answer) after the edit", [0.0, 1.0]);
    Scatter { diagonal: true, ..Scatter::new("Both answers after the edit", x, y, dots) }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn sizes_have_round_ticks() {
        let axis = Axis::powers("parameters", [6.26, 6.58]);
        let ticks: Vec<&str> = axis.ticks.iter().map(|tick| tick.1.as_str()).collect();
        assert_eq!(ticks, ["1 M", "2 M", "5 M", "10 M"]);
        assert!((axis.place(6.5) - 0.5).abs() < 1e-9);
        let wide = Axis::powers("parameters", [6.2, 9.9]);
        assert_eq!(wide.ticks.last().map(|tick| tick.1.as_str()), Some("10 B"));
        assert_eq!(Axis::powers("parameters", []).ticks.len(), 4);
        assert_eq!(Axis::powers("parameters", [6.0]).high, 7.0);
    }

    #[test]
    fn edits_become_dots() {
        let record = sample::record();
        let studies = [("a".to_owned(), &record), ("b".to_owned(), &record)];
        let figure = by_depth(&studies);
        assert_eq!(figure.dots.len(), 2);
        let dot = &figure.dots[0];
        assert_eq!((dot.x, dot.full), (0.5, true));
        assert!((dot.y - 0.49).abs() < 1e-6);
        assert_eq!(
            dot.words,
            "a, The capital of France is: layer 2 of 4, p(new) 0.0100 → 0.5000, rewritten, not all checked"
        );
        let several = sample::swept("c");
        let layers = by_depth(&[("c".to_owned(), &several)]).dots;
        assert_eq!(layers.iter().filter(|dot| dot.words.contains("layer 1 of 3")).count(), 3, "dominant layers only");
        assert_eq!(layers.len(), 4);
        let both = both_answers(&studies);
        assert!(both.diagonal && both.nearest(0.2, 0.5).is_some());
        assert_eq!(both.sentence().split(':').next(), Some("Both answers after the edit"));
    }
}
