//! What a trace shows of one fact, and when it shows nothing (METHODS, "When no layer is named").

use super::{Dominant, MetricConvention, Share, dominant, sufficiency};
use crate::record::{FactRecord, Outcome, PatchPosition, Reason, Record, Traced};
use serde::{Deserialize, Serialize};

/// How much of the way from the corrupted to the clean run a patch must regain for its layer to be named.
pub const PEAK: f64 = 0.1;
/// Bars of a fact without an effect are drawn on an axis that reaches at least so far, in units of probability: drawn as
/// large as they fit, what is next to nothing would look like a finding.
pub const SMALL: f64 = 0.05;

/// What a trace shows of a fact at one patch position.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The model does not say the true answer: its first token has this rank, from 2; none where the first token is right
    /// and a later one is not.
    NotKnown(Option<u32>),
    /// Corrupting the subject takes less from the answer's probability than the settings ask for: this much.
    NotSensitive(f64),
    /// Patches only hurt, see [`Dominant::NotLocalized`].
    NotLocalized,
    /// No layer's patch recovers [`PEAK`] of the way; the best one recovers this share.
    NoPeak(f64),
    /// The dominant layer, `1..=L`.
    Layer(usize),
}

impl Finding {
    /// The layer that may be named.
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Layer(layer) => Some(layer),
            _ => None,
        }
    }

    /// Whether the curves and maps show an effect at all.
    pub fn is_effect(self) -> bool {
        !matches!(self, Self::NotKnown(_) | Self::NotSensitive(_))
    }
}

/// What a traced fact shows; `None` when it was not traced at this patch position. Whether it is known and sensitive is
/// what the record says. Under the paper's convention (`argmax_always`) there is always a peak.
pub fn finding(fact: &FactRecord, view: &MetricConvention) -> Option<Finding> {
    let traced = fact.traced()?;
    sufficiency(traced, view.position)?;
    let effect = f64::from(traced.p_clean) - f64::from(traced.p_corrupt);
    match &fact.outcome {
        Outcome::NotValidated(found) if found.reason == Reason::NotKnown => {
            let rank = traced.lens.as_ref().and_then(|lens| lens.rank_true.last().copied());
            return Some(Finding::NotKnown(rank.filter(|rank| *rank > 1)));
        }
        Outcome::NotValidated(_) => return Some(Finding::NotSensitive(effect)),
        // A threshold of 0 or below lets anything pass.
        _ if effect <= 0.0 => return Some(Finding::NotSensitive(effect)),
        _ => {}
    }
    layer_of(traced, view)
}

/// The layer of a traced fact, or why it has none, of a fact that is known and sensitive. `None` when it was not traced
/// at this patch position.
pub fn layer_of(traced: &Traced, view: &MetricConvention) -> Option<Finding> {
    let curve = sufficiency(traced, view.position)?;
    let effect = f64::from(traced.p_clean) - f64::from(traced.p_corrupt);
    let layer = match dominant(traced, view.position, view.argmax_always)? {
        Dominant::Layer(layer) => layer,
        Dominant::NotLocalized => return Some(Finding::NotLocalized),
    };
    let recovery = curve.iter().copied().fold(f64::NEG_INFINITY, f64::max) / effect;
    // The last layer under last-token recovers everything by definition.
    match recovery < PEAK && !view.argmax_always && view.position != PatchPosition::LastToken {
        true => Some(Finding::NoPeak(recovery)),
        false => Some(Finding::Layer(layer)),
    }
}

/// A fact's own layer: where the patch at the subject's last token helps most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnLayer {
    /// The layer, from 1.
    pub layer: usize,
    /// The patch there recovers enough for the layer to be named as the fact's dominant one (see [`PEAK`]); else it is
    /// the highest of a flat curve.
    pub peak: bool,
}

impl OwnLayer {
    /// The own layer of a traced fact under `subject-last`; `None` where no patch at the subject helps, or none was made.
    pub fn of(traced: &Traced) -> Option<Self> {
        let layer = dominant(traced, PatchPosition::SubjectLast, false)?.layer()?;
        let peak = matches!(layer_of(traced, &MetricConvention::default()), Some(Finding::Layer(_)));
        Some(Self { layer, peak })
    }
}

/// How many of the facts that have a dominant layer have no peak there. `None` without such facts, under the paper's
/// convention, and under last-token, whose last layer recovers everything.
pub fn no_peak(record: &Record, view: &MetricConvention) -> Option<Share> {
    if view.argmax_always || view.position == PatchPosition::LastToken {
        return None;
    }
    let localized = |traced: &Traced| matches!(dominant(traced, view.position, false), Some(Dominant::Layer(_)));
    let facts = record.validated().filter(|(_, traced)| localized(traced));
    let (flat, all) = facts.fold((0, 0), |(flat, all), (fact, _)| {
        let named = finding(fact, view).and_then(Finding::layer).is_some();
        (flat + usize::from(!named), all + 1)
    });
    Share::new(flat, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Fact;
    use crate::record::{Dropped, Lens};

    fn fact(p: [f32; 2], patched: &[f32], dropped: Option<(Reason, u32)>) -> FactRecord {
        let traced = Traced {
            p_clean: p[0],
            p_corrupt: p[1],
            patched: [(PatchPosition::SubjectLast, patched.to_vec()), (PatchPosition::LastToken, patched.to_vec())]
                .into(),
            lens: dropped.map(|(_, rank)| Lens { rank_true: vec![9, rank], ..Lens::default() }),
            ..Traced::default()
        };
        let dropped =
            dropped.map(|(reason, _)| Dropped { reason, detail: String::new(), p_clean: None, p_corrupt: None });
        Fact::default().record(0, Outcome::of(traced, dropped.as_ref()))
    }

    #[test]
    fn a_layer_is_named_only_where_there_is_one() {
        let of = |fact: &FactRecord| finding(fact, &MetricConvention::default());
        let peak = [0.2, 0.5, 0.1];
        assert_eq!(of(&fact([0.9, 0.1], &peak, None)), Some(Finding::Layer(2)));
        assert_eq!(of(&fact([0.9, 0.1], &peak, Some((Reason::NotKnown, 737)))), Some(Finding::NotKnown(Some(737))));
        let later = fact([0.9, 0.1], &peak, Some((Reason::NotKnown, 1)));
        assert_eq!(of(&later), Some(Finding::NotKnown(None)), "only the answer's first token is right");
        let insensitive = fact([0.9, 0.88], &[0.9, 0.5, 0.88], Some((Reason::NotSensitive, 1)));
        assert!(matches!(of(&insensitive), Some(Finding::NotSensitive(effect)) if (effect - 0.02).abs() < 1e-6));
        let any = fact([0.5, 0.5], &[0.6, 0.5, 0.5], None);
        assert_eq!(of(&any), Some(Finding::NotSensitive(0.0)), "validated by a threshold of 0");
        assert_eq!(of(&fact([0.9, 0.1], &[0.05, 0.05, 0.1], None)), Some(Finding::NotLocalized));
        let flat = fact([0.9, 0.1], &[0.12, 0.16, 0.1], None);
        assert!(matches!(of(&flat), Some(Finding::NoPeak(share)) if (share - 0.075).abs() < 1e-6));
        // The paper's convention names its argmax, and the last token's last layer is no peak that could be missed.
        let paper = MetricConvention { argmax_always: true, ..MetricConvention::default() };
        assert_eq!(finding(&flat, &paper), Some(Finding::Layer(2)));
        assert_eq!(
            finding(&flat, &MetricConvention::default().with_position(PatchPosition::LastToken)),
            Some(Finding::Layer(2))
        );
        assert_eq!(finding(&flat, &MetricConvention::default().with_position(PatchPosition::SameIndex)), None);
    }

    #[test]
    fn an_older_record_of_a_question_is_read_as_its_numbers_are() {
        let mut record = crate::record::Record {
            engram: 1,
            program: String::new(),
            settings: crate::record::Settings::default(),
            model: crate::record::ModelInfo { layers: 3, ..Default::default() },
            device: Default::default(),
            source: Default::default(),
            facts: vec![],
            edits: None,
            sequences: Vec::new(),
            runs: Vec::new(),
        };
        let with = |p: [f32; 2], rank| {
            let mut fact = fact(p, &[0.2, 0.5, 0.1], None);
            fact.traced_mut().expect("traced").lens = Some(Lens {
                rank_true: vec![9, 9, rank],
                rank_false: vec![1; 3],
                p_true: vec![0.0; 3],
                p_false: vec![0.0; 3],
                top: vec![String::new(); 3],
            });
            fact
        };
        record.facts = vec![with([0.0002, 0.0001], 737), with([0.9, 0.87], 1), with([0.9, 0.1], 1)];
        let read = |record: &crate::record::Record| {
            let bytes = crate::journal::to_json(record).expect("it is finite");
            let read = crate::journal::from_bytes("old", &bytes).expect("it reads");
            let packed =
                crate::pack::unpack(&crate::pack::pack(std::slice::from_ref(record)).expect("packs")).expect("unpacks");
            assert_eq!(packed, std::slice::from_ref(&read), "a page's copy is read in the same way");
            read
        };
        let names = |record: &crate::record::Record| {
            record
                .facts
                .iter()
                .map(|fact| fact.outcome.why().map_or("validated", |why| why.0.name()))
                .collect::<Vec<_>>()
        };
        let new = read(&record);
        assert_eq!(names(&new), ["not-known", "not-sensitive", "validated"]);
        assert_eq!(read(&new), new, "what is written now is read as it is");
        record.source.sha256 = "of a study".into();
        assert_eq!(names(&read(&record)), ["validated"; 3], "a study's filters were computed, not read off");
    }
}
