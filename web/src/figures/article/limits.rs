//! What these studies cannot say, computed from their records; only what applies.

use super::finding::{Finding, joined, share};
use super::{Article, Study};
use crate::figures::compare;
use crate::figures::panels::{Clip, clip};
use crate::figures::sequence::is_sequence;
use crate::state::BUNDLED;
use crate::words;
use engram_core::metrics::{NecessityAt, RedundancyAggregate, matched};
use engram_core::record::{Answer, Corruption, PatchPosition, Record};
use std::collections::BTreeSet;

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What it is about, in a word or two.
    pub topic: &'static str,
    /// What follows from it, and for which studies.
    pub text: Finding,
}

/// What a limit may be about, in the order of the page.
const TOPICS: [&str; 16] = [
    "models",
    "size",
    "weights",
    "facts",
    "comparison",
    "matched facts",
    "patch positions",
    "not localized",
    "corruption",
    "answers",
    "ablation",
    "redundancy",
    "edits",
    "seed",
    "errors",
    "device",
];

/// All limits that apply.
pub fn limits(article: &Article<'_>) -> Vec<Limit> {
    let text = |topic| match together(topic, article) {
        Some(text) => Some(Finding::note(text)),
        None => Finding::of(&article.studies, |study| of_study(topic, study)).if_said(),
    };
    TOPICS.into_iter().filter_map(|topic| Some(Limit { topic, text: text(topic)? })).collect()
}

/// Largest standard error of a share over so many facts, in percentage points: `sqrt(0.25 / n)`.
fn points(n: usize) -> f64 {
    50.0 / (n.max(1) as f64).sqrt()
}

/// Parameters below which a model is called small here.
const SMALL: u64 = 1_000_000_000;
/// Edits of a study below which a success rate says little.
const FEW_EDITS: usize = 50;
/// Matched facts below which a comparison on them is of little use.
const FEW_MATCHED: usize = 30;
/// Lines of [`compare::settings`] that tell models apart and are not settings.
const IDENTITY: [&str; 7] =
    ["model", "family", "size", "stored as", "weights SHA-256", "config SHA-256", "tokenizer SHA-256"];

/// A limit of one study.
fn of_study(topic: &str, study: &Study<'_>) -> Option<String> {
    let (record, found, view) = (study.record, &study.summary, study.summary.view);
    let (model, settings, at_last_token) = (&record.model, &record.settings, view.position == PatchPosition::LastToken);
    let text: String = match topic {
        "models" if BUNDLED.contains(&model.name.as_str()) => {
            "The model comes with the program and was trained on its facts. It shows how the measures behave, not how models of \
             natural text store facts."
                .into()
        }
        "models" if record.source.name == "bundled facts" => {
            "The facts are the program's selection, not a sample of what the model knows.".into()
        }
        "size" if (1..SMALL).contains(&model.parameters) => format!(
            "The model has {}. Nothing here shows that larger models store facts the same way.",
            words::parameters(model.parameters)
        ),
        "weights" if model.dtype.to_lowercase().starts_with(['q', 'i']) => {
            "The weights were stored quantised. The findings are about these, not about the weights before quantisation.".into()
        }
        "facts" if found.validated == 0 => "No fact passed both filters, so nothing was localized.".into(),
        // Below two points a share is as sure as three digits can say.
        "facts" if points(found.validated) >= 2.0 => format!(
            "Over {}, the standard error of a share is up to {:.1} percentage points.",
            words::count(found.validated, "fact"),
            points(found.validated)
        ),
        "patch positions" => {
            let both = [PatchPosition::SubjectLast, PatchPosition::LastToken].into_iter();
            let missing: Vec<&str> =
                both.filter(|wanted| !settings.positions.contains(wanted)).map(PatchPosition::name).collect();
            if missing.is_empty() {
                return None;
            }
            format!("Dominant layers depend on the patch position. Not measured: {}.", missing.join(", "))
        }
        "not localized" if at_last_token => return None,
        "not localized" if view.argmax_always => {
            "Facts whose patches only hurt count at the last layer (the paper's convention), which makes knowledge look late.".into()
        }
        "not localized" => {
            let lost = found.not_localized.filter(|lost| lost.count > 0)?;
            format!("l*, C and shares of layers exclude the facts that are not localized: {}.", share(&lost))
        }
        "corruption" => match &settings.corruption {
            Corruption::Replace { with } => format!(
                "Every subject was replaced by “{}”, which may have more or fewer tokens and answers of its own. Another replacement \
                 may give other layers.",
                words::short(&words::visible(with), 60)
            ),
            Corruption::Noise { sigmas, draws, .. } => format!(
                "Noise of {sigmas} σ gives embeddings that no token has; every value is the mean over {}. Other noise may give other \
                 layers.",
                words::count(*draws, "draw")
            ),
        },
        "answers" if settings.answer == Answer::FirstToken => {
            "Probabilities are of the answers' first tokens. Answers with the same first token are not told apart.".into()
        }
        "ablation" if !found.maps.block.is_empty() => {
            let place = if view.necessity_at == NecessityAt::LStar { "l*" } else { "each fact's own layer" };
            format!(
                "Δ_nec and r_MLP at {place} come from zero ablation, which puts the model in a state that it does not reach by itself."
            )
        }
        "redundancy" => {
            let Some(r) = found.redundancy else { return Some(format!("R was not measured under {}.", view.position.name())) };
            let clipped = view.redundancy == RedundancyAggregate::RatioOfMeans && clip(&r) != Clip::No;
            let clipped = clipped.then(|| "R is clipped and uninformative here.".to_owned());
            let bound = || "Under last-token, R has a lower bound that follows from definitions.".to_owned();
            joined([clipped, at_last_token.then(bound)])
        }
        "edits" => match found.edits.as_ref().map(|edits| edits.editable) {
            None if is_sequence(record) => return None,
            None => "No fact was edited: whether facts can be edited where they are localized is open.".into(),
            Some(0) => "No edit counts, so nothing is known about success.".into(),
            Some(few) if few < FEW_EDITS => format!(
                "Over {}, the standard error of a success rate is up to {:.1} percentage points.",
                words::count(few, "edit"),
                points(few)
            ),
            Some(_) => return None,
        },
        "device" if !record.device.kind.is_empty() => {
            let kind = words::visible(&record.device.kind.to_uppercase());
            format!("Computed on a {kind}. Another device may change the last digits, and with them a tie.")
        }
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A limit of all studies together.
fn together(topic: &str, article: &Article<'_>) -> Option<String> {
    match topic {
        "comparison" => {
            let records: Vec<&Record> = article.records.iter().collect();
            let differ = compare::settings(&records).into_iter().filter(|setting| setting.differs);
            let differ: Vec<&str> =
                differ.map(|setting| setting.name).filter(|name| !IDENTITY.contains(name)).collect();
            let told = || {
                format!(
                    "The studies differ in: {}. Differences in their results may come from that.",
                    differ.join(", ")
                )
            };
            (!differ.is_empty()).then(told)
        }
        "matched facts" if article.studies.len() > 1 => {
            let facts = matched(article.records).len();
            let told = || {
                format!(
                    "Facts that every study validated: {facts}. Other differences may be differences between facts."
                )
            };
            (facts < FEW_MATCHED).then(told)
        }
        "seed" => {
            let any = |holds: fn(&Record) -> bool| article.records.iter().any(holds);
            let drawn = [
                (any(|record| record.facts.len() < record.source.count), "the sample of facts"),
                (any(|record| matches!(record.settings.corruption, Corruption::Noise { .. })), "the noise"),
                (any(Record::has_edits), "the search for edits"),
            ];
            let drawn: Vec<&str> = drawn.into_iter().filter_map(|(drawn, what)| drawn.then_some(what)).collect();
            let seeds: BTreeSet<u64> = article.records.iter().map(|record| record.settings.seed).collect();
            let only = seeds.first().filter(|_| seeds.len() == 1 && !drawn.is_empty())?;
            Some(format!("One seed, {only}, decided: {}. The variation over seeds was not measured.", drawn.join(", ")))
        }
        "errors" if article.studies.iter().any(|study| study.summary.validated > 1) => Some(
            "Standard errors are over facts. They do not include the variation over seeds or trained models.".into(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::RedundancyCurve;

    fn text(records: &[Record], topic: &str) -> Option<String> {
        let all = limits(&Article::new(records, &MetricConvention::default()));
        all.into_iter().find(|limit| limit.topic == topic).map(|limit| limit.text.to_string())
    }

    fn has(records: &[Record], topic: &str, part: &str) {
        let found = text(records, topic);
        assert!(found.as_ref().is_some_and(|text| text.contains(part)), "{topic}: {found:?}");
    }

    #[test]
    fn only_what_applies() {
        let mut one = sample::record();
        let alone = std::slice::from_ref(&one);
        has(alone, "facts", "Over 2 facts, the standard error of a share is up to 35.4 percentage points");
        has(alone, "not localized", "1 of 2 (50.0 %).");
        has(alone, "redundancy", "R was not measured under subject-last");
        has(alone, "edits", "Over 1 edit, the standard error of a success rate is up to 50.0 percentage points");
        for topic in ["models", "size", "weights", "comparison", "matched facts", "device", "patch positions"] {
            assert_eq!(text(alone, topic), None, "{topic}");
        }
        one.model.name = "engram-phi".into();
        (one.model.parameters, one.model.dtype, one.device.kind) = (2_000_000, "q4_1".into(), "cpu".into());
        one.source.count = 100;
        one.settings.positions.pop();
        one.settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.1 };
        one.settings.answer = Answer::Sequence;
        one.edits = None;
        let alone = std::slice::from_ref(&one);
        has(alone, "models", "comes with the program");
        has(alone, "size", "The model has 2.0 M parameters.");
        has(alone, "weights", "quantised");
        has(alone, "device", "on a CPU");
        has(alone, "patch positions", "Not measured: last-token.");
        has(alone, "corruption", "Noise of 3 σ");
        has(alone, "seed", "One seed, 42, decided: the sample of facts, the noise.");
        has(alone, "edits", "No fact was edited");
        assert_eq!(text(alone, "answers"), None);
        assert!(text(&[], "errors").is_none());
    }

    #[test]
    fn comparisons_have_limits_of_their_own() {
        let mut first = sample::record();
        let mut two = first.clone();
        two.model.name = "b".into();
        let pair = [first.clone(), two.clone()];
        assert_eq!(text(&pair, "comparison"), None);
        has(&pair, "matched facts", "Facts that every study validated: 2.");
        two.settings.seed = 7;
        two.source.name = "other.json".into();
        two.facts.iter_mut().for_each(|fact| fact.prompt.push('x'));
        (first.device.kind, two.device.kind) = ("cpu".into(), "gpu".into());
        let pair = [first, two];
        has(&pair, "comparison", "differ in: device, facts, sample.");
        has(&pair, "matched facts", "Facts that every study validated: 0.");
        has(&pair, "device", "b: Computed on a GPU.");
        assert!(text(&pair, "seed").is_none(), "two seeds are no single seed");
    }

    #[test]
    fn a_clipped_r_is_a_limit() {
        let mut one = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1]]);
        sample::each(&mut one, |traced| {
            let patched = vec![None, Some(0.3), Some(0.1)];
            traced.redundancy.insert(PatchPosition::SubjectLast, RedundancyCurve { ablated: 1, patched });
        });
        assert_eq!(text(std::slice::from_ref(&one), "redundancy"), None);
        sample::each(&mut one, |traced| traced.without_block[0] = 0.89);
        has(&[one], "redundancy", "R is clipped and uninformative here.");
    }
}
