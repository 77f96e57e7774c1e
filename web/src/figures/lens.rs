//! The logit lens of one fact: what the model would answer if it stopped after a layer.

use crate::words;
use engram_core::record::{FactRecord, Lens};

/// Both answers by layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LensChart {
    /// The true answer's line.
    pub old: Line,
    /// The counterfactual answer's line.
    pub new: Line,
    /// The most probable token by layer, spaces visible.
    pub top: Vec<String>,
    /// What the chart shows, in a sentence.
    pub sentence: String,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The answer in quotes.
    pub name: String,
    /// Probability by layer; layer `l` at `l - 1`.
    pub p: Vec<f64>,
    /// Rank by layer, from 1.
    pub rank: Vec<u32>,
}

impl Line {
    fn at(&self, layer: usize) -> Option<String> {
        let at = layer.checked_sub(1)?;
        Some(format!("{} {}, rank {}", self.name, words::probability(*self.p.get(at)?), self.rank.get(at)?))
    }
}

impl LensChart {
    /// The chart of a fact whose trace has a lens.
    pub fn of(fact: &FactRecord) -> Option<Self> {
        let lens = fact.traced()?.lens.as_ref().filter(|lens| !lens.p_true.is_empty())?;
        let name = |text: &str| format!("“{}”", words::visible(text.trim()));
        let p = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        let old = Line { name: name(&fact.target_true), p: p(&lens.p_true), rank: lens.rank_true.clone() };
        let new = Line { name: name(&fact.target_new), p: p(&lens.p_false), rank: lens.rank_false.clone() };
        let sentence = sentence(lens, &old.name);
        Some(Self { old, new, top: lens.top.iter().map(|text| words::token(text)).collect(), sentence })
    }

    /// Blocks.
    pub fn layers(&self) -> usize {
        self.old.p.len()
    }

    /// One layer in words.
    pub fn at(&self, layer: usize) -> String {
        let parts = [self.old.at(layer), self.new.at(layer)].into_iter().flatten();
        let top = layer.checked_sub(1).and_then(|at| self.top.get(at)).map(|top| format!("most probable {top}"));
        format!("Layer {layer}: {}", parts.chain(top).collect::<Vec<_>>().join("; "))
    }

    /// Column names and rows of the figure's table.
    pub fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let (old, new) = (&self.old.name, &self.new.name);
        let head = ["layer", &format!("p({old})"), &format!("rank of {old}"), &format!("p({new})")];
        let head = head.into_iter().map(str::to_owned).chain([format!("rank of {new}"), "most probable".into()]);
        let value = |values: &[f64], at: usize| values.get(at).map_or("–".into(), |p| words::number(*p));
        let rank = |ranks: &[u32], at: usize| ranks.get(at).map_or("–".into(), u32::to_string);
        let row = |at: usize| {
            vec![
                (at + 1).to_string(),
                value(&self.old.p, at),
                rank(&self.old.rank, at),
                value(&self.new.p, at),
                rank(&self.new.rank, at),
                self.top.get(at).cloned().unwrap_or_default(),
            ]
        };
        (head.collect(), (0..self.layers()).map(row).collect())
    }
}

/// From which layer on the true answer is the most probable one, to the end.
pub fn settled(lens: &Lens) -> Option<usize> {
    let wrong = lens.rank_true.iter().rposition(|rank| *rank != 1).map_or(0, |at| at + 1);
    (wrong < lens.rank_true.len()).then_some(wrong + 1)
}

fn sentence(lens: &Lens, name: &str) -> String {
    let last = lens.p_true.last().map_or(0.0, |p| f64::from(*p));
    let p = words::probability(last);
    match settled(lens) {
        Some(layer) => format!("{name} is the most probable token from layer {layer} on; it ends with p {p}."),
        None => format!("{name} is not the most probable token after the last layer; it ends with p {p}."),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn seen(ranks: [u32; 4]) -> Option<LensChart> {
        let mut fact = sample::record().facts.swap_remove(0);
        if let Some(traced) = fact.traced_mut() {
            traced.lens = Some(Lens {
                p_true: vec![0.001, 0.1, 0.5, 0.9],
                p_false: vec![0.0, 0.2, 0.1, 0.01],
                rank_true: ranks.to_vec(),
                rank_false: vec![900, 4, 2, 2],
                top: ["the", " Rome", " Paris", " Paris"].map(String::from).to_vec(),
            });
        }
        LensChart::of(&fact)
    }

    #[test]
    fn the_lens_is_told() {
        let Some(chart) = seen([120, 2, 1, 1]) else { panic!("there is a lens") };
        assert_eq!(chart.sentence, "“Paris” is the most probable token from layer 3 on; it ends with p 0.9000.");
        let said = "Layer 2: “Paris” 0.1000, rank 2; “Rome” 0.2000, rank 4; most probable ·Rome";
        assert_eq!(chart.at(2), said);
        assert_eq!(chart.at(9), "Layer 9: ");
        let (head, rows) = chart.table();
        assert_eq!((head.len(), rows.len(), rows[0][4].as_str()), (6, 4, "900"));
        let never = seen([120, 1, 1, 2]).map(|chart| chart.sentence);
        assert!(never.is_some_and(|said| said.contains("is not the most probable")));
        assert!(LensChart::of(&sample::record().facts[1]).is_none());
    }
}
