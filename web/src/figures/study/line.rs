//! A line of the table: a fact, what became of it, its recovery over the layers, and how its edit ended.

use super::Ending;
use crate::figures::facts::parts;
use crate::words;
use engram_core::metrics::{Dominant, Finding, MetricConvention, dominant, finding, shown_edits, sufficiency};
use engram_core::record::{FactRecord, Outcome, Reason, Record};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Where a fact's peak is, or why it has none.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// The layer, from 1, and its recovery.
    Peak {
        /// The layer.
        layer: usize,
        /// Its recovery.
        value: f64,
    },
    /// No layer restores a tenth; the highest recovery.
    NoPeak(f64),
    /// The state was not restored at this position.
    Untraced,
    /// A filter excludes it.
    Excluded {
        /// Which one.
        reason: Reason,
        /// What the model says instead, where that is known.
        says: Option<String>,
    },
}

impl Place {
    /// The reason in a few words, with what the model says.
    pub fn why(&self) -> Option<String> {
        let Self::Excluded { reason, says } = self else { return None };
        Some(match (reason, says) {
            (Reason::NotKnown, Some(says)) => format!("not known: says {says}"),
            (Reason::NotKnown, None) => "not known".into(),
            (Reason::NotSensitive, _) => "not sensitive".into(),
            (other, _) => words::reason(*other).into(),
        })
    }
}

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Its `order`.
    pub order: usize,
    /// Its number on the page, from 1.
    pub number: usize,
    /// The prompt: before the subject, the subject, after it.
    pub parts: [String; 3],
    /// The true answer.
    pub answer: String,
    /// Its probability in the clean and in the corrupted run, where they were computed.
    pub p: [Option<f64>; 2],
    /// Where its peak is.
    pub place: Place,
    /// The paper's argmax layer, from 1, peak or not; none of a fact that is not localized.
    pub argmax: Option<usize>,
    /// Recovery layer by layer; empty where there is nothing to show.
    pub strip: Vec<f64>,
    /// How its edit ended; `None` without one.
    pub ending: Option<Ending>,
    /// Lines of equal keys are drawn alike.
    pub key: u64,
    /// What a search looks in, in small letters.
    pub(super) text: String,
}

/// The lines of a record under a view, in study order.
pub fn lines(record: &Record, view: &MetricConvention) -> Vec<Line> {
    let endings: HashMap<usize, Ending> =
        shown_edits(record).into_iter().map(|edit| (edit.fact, Ending::of(edit))).collect();
    record.facts.iter().map(|fact| line(fact, view, endings.get(&fact.order).copied())).collect()
}

/// `order` of the fact that is open: the wanted one, or else the first one that was traced, or the first at all.
pub fn shown_fact(record: &Record, wanted: Option<usize>) -> Option<usize> {
    let there = wanted.filter(|order| record.facts.iter().any(|fact| fact.order == *order));
    let traced = || record.validated().next().map(|found| found.0.order);
    there.or_else(traced).or_else(|| record.facts.first().map(|fact| fact.order))
}

fn line(fact: &FactRecord, view: &MetricConvention, ending: Option<Ending>) -> Line {
    let p = match &fact.outcome {
        Outcome::Dropped(dropped) => [dropped.p_clean, dropped.p_corrupt],
        _ => [fact.traced().map(|traced| traced.p_clean), fact.traced().map(|traced| traced.p_corrupt)],
    };
    let strip = recovery(fact, view).unwrap_or_default();
    let place = place(fact, view, &strip);
    let strip = if matches!(place, Place::Excluded { .. }) { Vec::new() } else { strip };
    let argmax = fact.validated().and_then(|traced| dominant(traced, view.position, view.argmax_always));
    let (parts, answer) = (parts(&fact.prompt, &fact.subject), words::visible(fact.target_true.trim()));
    let why = place.why().unwrap_or_default();
    let ended = ending.map_or("", Ending::word);
    let text = format!("{} {answer} {} {why} {ended}", parts.concat(), words::visible(&fact.relation)).to_lowercase();
    let mut line = Line {
        order: fact.order,
        number: fact.order.saturating_add(1),
        parts,
        answer,
        p: p.map(|p| p.map(f64::from)),
        place,
        argmax: argmax.and_then(Dominant::layer),
        strip,
        ending,
        key: 0,
        text,
    };
    line.key = key(&line);
    line
}

/// Recovery layer by layer, from 0 in the corrupted run to 1 in the clean one; `None` where the state was not restored at this position,
/// or the corruption takes nothing.
pub(super) fn recovery(fact: &FactRecord, view: &MetricConvention) -> Option<Vec<f64>> {
    let traced = fact.traced()?;
    let effect = f64::from(traced.p_clean) - f64::from(traced.p_corrupt);
    let curve = sufficiency(traced, view.position).filter(|_| effect > 0.0)?;
    Some(curve.into_iter().map(|gained| gained / effect).collect())
}

fn place(fact: &FactRecord, view: &MetricConvention, strip: &[f64]) -> Place {
    if let Some((reason, detail)) = fact.outcome.why() {
        return Place::Excluded { reason, says: says(detail) };
    }
    let highest = || strip.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match finding(fact, view) {
        None => Place::Untraced,
        Some(Finding::Layer(layer)) => {
            Place::Peak { layer, value: strip.get(layer.saturating_sub(1)).copied().unwrap_or_default() }
        }
        Some(Finding::NoPeak(highest)) => Place::NoPeak(highest),
        Some(Finding::NotLocalized) => Place::NoPeak(highest()),
        Some(Finding::NotKnown(_)) => Place::Excluded { reason: Reason::NotKnown, says: None },
        Some(Finding::NotSensitive(_)) => Place::Excluded { reason: Reason::NotSensitive, says: None },
    }
}

/// The model's own answer in the line that a study notes: `greedy decoding gives " Chile" where …`.
fn says(detail: &str) -> Option<String> {
    let (said, _) = detail.strip_prefix("greedy decoding gives \"")?.split_once("\" where ")?;
    Some(words::visible(said.trim())).filter(|said| !said.is_empty())
}

/// Everything that a line shows, in a number.
fn key(line: &Line) -> u64 {
    let mut hash = DefaultHasher::new();
    (line.order, &line.parts, &line.answer, line.ending, &line.text).hash(&mut hash);
    let place = match line.place {
        Place::Peak { layer, value } => (layer, value.to_bits()),
        Place::NoPeak(highest) => (usize::MAX, highest.to_bits()),
        Place::Untraced | Place::Excluded { .. } => (0, 0),
    };
    place.hash(&mut hash);
    let numbers = line.strip.iter().copied().chain(line.p.into_iter().flatten());
    numbers.for_each(|number| number.to_bits().hash(&mut hash));
    hash.finish()
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::record::{Dropped, PatchPosition};

    #[test]
    fn every_fact_has_its_line() {
        let mut record = sample::record();
        let detail = "greedy decoding gives \" Abuja\" where \" N'Djamena\" is wanted".to_owned();
        let dropped = Dropped { reason: Reason::NotKnown, detail, p_clean: Some(0.2), p_corrupt: None };
        record.facts[1].outcome = Outcome::Dropped(dropped);
        let view = MetricConvention::default();
        let found = lines(&record, &view);
        assert_eq!(found.iter().map(|line| line.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(matches!(found[0].place, Place::Peak { layer: 2, value } if (value - 0.625).abs() < 1e-6));
        assert_eq!((found[0].strip.len(), found[0].ending), (4, Some(Ending::Unchecked)));
        assert_eq!(found[1].place.why().as_deref(), Some("not known: says Abuja"));
        assert_eq!((found[1].strip.len(), found[1].p[1]), (0, None));
        assert!(matches!(found[2].place, Place::NoPeak(highest) if highest.abs() < 1e-6), "{:?}", found[2].place);
        assert!(found[0].text.contains("france") && found[0].text.contains("unchecked"));
        let last = lines(&record, &view.with_position(PatchPosition::LastToken));
        assert_eq!((&last[0].place, last[0].strip.len()), (&Place::Untraced, 0));
    }

    #[test]
    fn a_key_changes_with_what_is_shown() {
        let mut record = sample::record();
        let view = MetricConvention::default();
        let before = lines(&record, &view);
        assert_eq!(before, lines(&record, &view));
        record.edits = None;
        let after = lines(&record, &view);
        assert_ne!(before[0].key, after[0].key);
        assert_eq!(before[2].key, after[2].key);
        let paper = lines(&record, &MetricConvention { argmax_always: true, ..view });
        assert!(matches!(paper[2].place, Place::Peak { layer: 4, .. }));
        assert_ne!(after[2].key, paper[2].key);
    }

    #[test]
    fn only_a_note_of_greedy_decoding_has_an_answer() {
        assert_eq!(says("p rises by 0.1"), None);
        assert_eq!(says("greedy decoding gives \"\" where \"x\" is wanted"), None);
        assert_eq!(says("greedy decoding gives \" Rio\" where \"x\" is wanted").as_deref(), Some("Rio"));
    }
}
