//! Values per layer as bars: sufficiency, losses and restored probability, of a study or of one fact.

use crate::words;
use engram_core::metrics::{Finding, Mean, MetricConvention, Part, SMALL, Summary, drop_at, finding, sufficiency};
use engram_core::record::{FactRecord, Traced};

/// One chart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bars {
    /// What is drawn.
    pub title: String,
    /// A bar per layer; layer `l` at `l - 1`.
    pub bars: Vec<Bar>,
    /// The layer to point at, and why.
    pub mark: Option<(usize, String)>,
    /// Its axis reaches at least so far.
    pub least: f64,
    /// What the chart shows, in a sentence, for those who do not see it.
    pub sentence: String,
}

/// One layer's value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bar {
    /// The value; `None` where the layer has none.
    pub value: Option<f64>,
    /// Standard error of the mean.
    pub sem: Option<f64>,
    /// Facts behind it; 1 for one fact's own value, 0 for a count of facts.
    pub n: usize,
}

impl Bar {
    fn one(value: f64) -> Self {
        Self { value: Some(value), sem: None, n: 1 }
    }

    fn mean(mean: &Mean) -> Self {
        Self { value: Some(mean.mean), sem: mean.sem, n: mean.n }
    }

    /// The value with its error, for a title or a table cell.
    pub fn words(&self) -> String {
        match self.value {
            None => "–".into(),
            Some(value) if self.n == 0 => words::count(value as usize, "fact"),
            Some(value) if self.n > 1 => words::mean(&Mean { mean: value, sem: self.sem, n: self.n }),
            Some(value) => words::number(value),
        }
    }

    /// Ends of the error bar.
    pub fn reach(&self) -> Option<(f64, f64)> {
        self.value.zip(self.sem).map(|(value, sem)| (value - sem, value + sem))
    }
}

impl Bars {
    fn new(title: &str, what: &str, bars: Vec<Bar>, mark: Option<(usize, String)>) -> Self {
        let sentence = sentence(what, &bars, mark.as_ref());
        Self { title: title.into(), bars, mark, least: 0.0, sentence }
    }

    /// Of a fact: where it shows no effect nothing may look large.
    fn of(self, effect: bool) -> Self {
        Self { least: if effect { 0.0 } else { SMALL }, ..self }
    }

    /// All values that an axis must hold, error bars included.
    pub fn values(&self) -> impl Iterator<Item = f64> {
        let bars = self.bars.iter();
        let held = bars.flat_map(|bar| [bar.value, bar.reach().map(|r| r.0), bar.reach().map(|r| r.1)]).flatten();
        held.chain([self.least])
    }
}

fn sentence(what: &str, bars: &[Bar], mark: Option<&(usize, String)>) -> String {
    let mut numbered = (1..).zip(bars).filter_map(|(layer, bar)| Some((layer, bar.value?)));
    let Some(first) = numbered.next() else { return format!("{what}: no values.") };
    let (highest, lowest) = numbered.fold((first, first), |(high, low), found| {
        (if found.1 > high.1 { found } else { high }, if found.1 < low.1 { found } else { low })
    });
    let mark = mark.map(|(layer, why)| format!(" Layer {layer} is marked: {why}.")).unwrap_or_default();
    format!(
        "{what} over {} layers: highest {} at layer {}, lowest {} at layer {}.{mark}",
        bars.len(),
        words::number(highest.1),
        highest.0,
        words::number(lowest.1),
        lowest.0
    )
}

/// Mean sufficiency over a study's facts, the global dominant layer marked.
pub fn study_sufficiency(summary: &Summary) -> Bars {
    let mark = summary.l_star.map(|layer| (layer, "l*, the most frequent dominant layer".to_owned()));
    let bars = summary.sufficiency.iter().map(Bar::mean).collect();
    Bars::new("Mean sufficiency: probability gained", "Mean sufficiency", bars, mark)
}

/// One fact's sufficiency, its dominant layer marked where it may be named; `None` when it was not traced at this patch
/// position.
pub fn fact_sufficiency(fact: &FactRecord, view: &MetricConvention) -> Option<Bars> {
    let curve = sufficiency(fact.traced()?, view.position)?;
    let found = finding(fact, view);
    let mark = found.and_then(Finding::layer).map(|layer| (layer, "the fact's dominant layer".to_owned()));
    let bars = curve.into_iter().map(Bar::one).collect();
    let chart = Bars::new("Sufficiency: probability gained", "Sufficiency", bars, mark);
    Some(chart.of(found.is_none_or(Finding::is_effect)))
}

const PARTS: [(Part, &str, &str); 3] = [
    (Part::Block, "Block ablation", "Probability lost by ablating the block"),
    (Part::Attention, "Attention ablation", "Probability lost by ablating attention"),
    (Part::Mlp, "MLP ablation", "Probability lost by ablating the MLP"),
];

/// Mean losses over a study's facts: block, attention, MLP; `l*` marked, where the indices are read.
pub fn study_losses(summary: &Summary) -> [Bars; 3] {
    let mark = summary.l_star.map(|layer| (layer, "l*, where the indices are read".to_owned()));
    PARTS.map(|(part, title, what)| {
        let means = match part {
            Part::Block => &summary.maps.block,
            Part::Attention => &summary.maps.attention,
            Part::Mlp => &summary.maps.mlp,
        };
        Bars::new(title, what, means.iter().map(Bar::mean).collect(), mark.clone())
    })
}

/// One fact's losses: block, attention, MLP; the layer that it needs most marked, where the fact shows an effect.
pub fn fact_losses(fact: &FactRecord) -> [Bars; 3] {
    let (none, named) = (Traced::default(), fact.validated().is_some());
    let traced = fact.traced().unwrap_or(&none);
    let layers = traced.without_block.len().max(traced.without_attention.len()).max(traced.without_mlp.len());
    PARTS.map(|(part, title, what)| {
        let drop = |layer| drop_at(traced, part, layer).map(Bar::one).unwrap_or_default();
        let bars: Vec<Bar> = (1..=layers).map(drop).collect();
        let best = (1..).zip(&bars).filter_map(|(layer, bar)| Some((layer, bar.value.filter(|v| *v > 0.0)?)));
        let best = best.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let mark = best.filter(|_| named).map(|(layer, _)| (layer, "the largest loss".to_owned()));
        Bars::new(title, what, bars, mark).of(named)
    })
}

/// What patching another layer restores when `l*` is ablated: the curve behind R. `None` without a second pass.
pub fn study_redundancy(summary: &Summary) -> Option<Bars> {
    let ablated = summary.redundancy?.ablated;
    let bar = |mean: &Option<Mean>| mean.as_ref().map(Bar::mean).unwrap_or_default();
    let bars: Vec<Bar> = summary.redundancy_curve.iter().map(bar).collect();
    let mark = Some((ablated, "ablated".to_owned()));
    let title = format!("Probability gained with layer {ablated} ablated");
    Some(Bars::new(&title, &title, bars, mark))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::metrics::summarize;
    use engram_core::record::{PatchPosition, Reason};

    #[test]
    fn a_study_has_bars_for_every_layer() {
        let record = sample::record();
        let summary = summarize(&record, &MetricConvention::default());
        let chart = study_sufficiency(&summary);
        assert_eq!(chart.bars.len(), 4);
        assert_eq!(chart.mark.as_ref().map(|mark| mark.0), Some(2));
        assert!(chart.sentence.starts_with("Mean sufficiency over 4 layers: highest"), "{}", chart.sentence);
        assert_eq!(chart.values().count(), 13);
        assert!(study_losses(&summary).iter().all(|chart| chart.bars.len() == 4));
        assert!(study_redundancy(&summary).is_none());
    }

    #[test]
    fn one_fact_marks_its_own_layers() {
        let record = sample::record();
        let fact = &record.facts[0];
        let chart = fact_sufficiency(fact, &MetricConvention::default());
        assert_eq!(chart.and_then(|chart| chart.mark).map(|mark| mark.0), Some(2));
        assert!(fact_sufficiency(fact, &MetricConvention::default().with_position(PatchPosition::SameIndex)).is_none());
        let [block, _, mlp] = fact_losses(fact);
        assert_eq!(block.mark.map(|mark| mark.0), Some(1));
        assert_eq!(mlp.mark, None, "no loss is above zero");
        assert_eq!(mlp.bars[0].words(), "−0.1000");
        assert_eq!(Bar::default().words(), "–");
        let unknown = sample::not_validated(fact, Reason::NotKnown);
        assert_eq!(fact_sufficiency(&unknown, &MetricConvention::default()).and_then(|chart| chart.mark), None);
        assert_eq!(fact_losses(&unknown).map(|chart| chart.mark), [None, None, None]);
        assert_eq!(fact_losses(&unknown).map(|chart| chart.least), [SMALL; 3]);
        assert_eq!(fact_losses(fact).map(|chart| chart.least), [0.0; 3]);
    }
}
