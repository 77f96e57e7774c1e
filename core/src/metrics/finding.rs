//! What a trace shows of one fact, and when it shows nothing (METHODS, "When no layer is named").

use super::{Dominant, View, dominant, sufficiency};
use crate::record::{Reading, Traced};
use serde::{Deserialize, Serialize};

/// How much of the way from the corrupted to the clean run a patch must regain for its layer to be named.
pub const PEAK: f64 = 0.1;
/// What hiding the subject must take from the answer's probability: the filter's default.
pub const MIN_EFFECT: f64 = 0.05;

/// What a trace shows of a fact under one reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The model does not say the true answer: its first token has this rank, from 2.
    NotKnown(u32),
    /// Hiding the subject takes less than [`MIN_EFFECT`] from the answer's probability: this much.
    NotSensitive(f64),
    /// Patches only hurt, see [`Dominant::NotLocalized`].
    NotLocalized,
    /// No layer's patch regains [`PEAK`] of the way; the best one regains this share.
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

/// What a traced fact shows; `None` when it was not traced under this reading. Under the paper's convention
/// (`argmax_always`) there is always a peak. Whether the model knows the fact is read off the logit lens; a fact without
/// one was validated by a study.
pub fn finding(traced: &Traced, view: &View) -> Option<Finding> {
    let curve = sufficiency(traced, view.reading)?;
    if let Some(&rank) = traced.lens.as_ref().and_then(|lens| lens.rank_true.last()).filter(|rank| **rank > 1) {
        return Some(Finding::NotKnown(rank));
    }
    let effect = f64::from(traced.p_clean) - f64::from(traced.p_corrupt);
    if effect < MIN_EFFECT {
        return Some(Finding::NotSensitive(effect));
    }
    let layer = match dominant(traced, view.reading, view.argmax_always)? {
        Dominant::Layer(layer) => layer,
        Dominant::NotLocalized => return Some(Finding::NotLocalized),
    };
    let recovery = curve.iter().copied().fold(f64::NEG_INFINITY, f64::max) / effect;
    // The last layer under last-token regains everything by definition.
    match recovery < PEAK && !view.argmax_always && view.reading != Reading::LastToken {
        true => Some(Finding::NoPeak(recovery)),
        false => Some(Finding::Layer(layer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Lens;

    fn traced(p: [f32; 2], patched: &[f32], rank: Option<u32>) -> Traced {
        Traced {
            p_clean: p[0],
            p_corrupt: p[1],
            patched: [(Reading::SubjectLast, patched.to_vec()), (Reading::LastToken, patched.to_vec())].into(),
            lens: rank.map(|rank| Lens { rank_true: vec![9, rank], ..Lens::default() }),
            ..Traced::default()
        }
    }

    #[test]
    fn a_layer_is_named_only_where_there_is_one() {
        let of = |traced: &Traced| finding(traced, &View::default());
        assert_eq!(of(&traced([0.9, 0.1], &[0.2, 0.5, 0.1], Some(1))), Some(Finding::Layer(2)));
        assert_eq!(of(&traced([0.9, 0.1], &[0.2, 0.5, 0.1], None)), Some(Finding::Layer(2)), "validated by a study");
        assert_eq!(of(&traced([0.9, 0.1], &[0.2, 0.5, 0.1], Some(737))), Some(Finding::NotKnown(737)));
        assert!(matches!(of(&traced([0.9, 0.88], &[0.9, 0.5, 0.88], Some(1))), Some(Finding::NotSensitive(_))));
        assert_eq!(of(&traced([0.9, 0.1], &[0.05, 0.05, 0.1], Some(1))), Some(Finding::NotLocalized));
        let flat = traced([0.9, 0.1], &[0.12, 0.16, 0.1], Some(1));
        assert!(matches!(of(&flat), Some(Finding::NoPeak(share)) if (share - 0.075).abs() < 1e-6));
        // The paper's convention names its argmax, and the last token's last layer is no peak that could be missed.
        let paper = View { argmax_always: true, ..View::default() };
        assert_eq!(finding(&flat, &paper), Some(Finding::Layer(2)));
        assert_eq!(finding(&flat, &View::default().with_reading(Reading::LastToken)), Some(Finding::Layer(2)));
        assert_eq!(finding(&flat, &View::default().with_reading(Reading::SameIndex)), None);
    }
}
