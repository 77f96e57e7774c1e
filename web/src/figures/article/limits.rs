//! What this very study cannot say, computed from its records; only what applies.

use super::findings::panels::{Clip, clip};
use super::{Article, Study, say};
use crate::figures::compare;
use crate::state::BUNDLED;
use crate::words;
use engram_core::metrics::{NecessityAt, RedundancyAggregate, matched};
use engram_core::record::{Answer, Corruption, Reading, Record};
use std::collections::BTreeSet;

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// What it is about, in a word or two.
    pub topic: &'static str,
    /// What follows from it.
    pub text: String,
}

/// All limits that apply.
pub fn limits(article: &Article<'_>) -> Vec<Limit> {
    if article.studies.is_empty() {
        return Vec::new();
    }
    let all = [
        ("models", own_models(article)),
        ("size", small_models(article)),
        ("weights", quantised(article)),
        ("facts", few_facts(article)),
        ("comparison", settings_differ(article)),
        ("matched facts", matched_facts(article)),
        ("readings", readings(article)),
        ("not localized", not_localized(article)),
        ("corruption", corruption(article)),
        ("answers", answers(article)),
        ("ablation", ablation(article)),
        ("redundancy", redundancy(article)),
        ("edits", few_edits(article)),
        ("seed", seed(article)),
        ("errors", errors(article)),
        ("device", device(article)),
    ];
    all.into_iter().filter_map(|(topic, text)| Some(Limit { topic, text: text? })).collect()
}

fn those<'a>(article: &'a Article<'_>, holds: impl Fn(&Study<'_>) -> bool) -> Vec<&'a str> {
    article.studies.iter().filter(|study| holds(study)).map(|study| study.name.as_str()).collect()
}

/// Largest standard error of a share over so many facts, in percentage points: `sqrt(0.25 / n)`.
fn points(n: usize) -> String {
    words::fixed(50.0 / (n.max(1) as f64).sqrt(), 1)
}

fn is_bundled(record: &Record) -> bool {
    BUNDLED.contains(&record.model.name.as_str())
}

fn own_models(article: &Article<'_>) -> Option<String> {
    let own = those(article, |study| is_bundled(study.record));
    let facts = article.records().any(|record| record.source.name == "bundled facts");
    let models = (!own.is_empty()).then(|| {
        format!(
            "{} come with the program and were trained for it on its own facts: they show how the measures behave, not how \
             models of natural text store facts.",
            if own.len() == 1 { own[0].to_owned() } else { say::capital(&article.who(&own)) }
        )
        .replace(" come with", if own.len() == 1 { " comes with" } else { " come with" })
        .replace("and were trained", if own.len() == 1 { "and was trained" } else { "and were trained" })
    });
    let facts = (facts && own.len() < article.studies.len()).then(|| {
        "The facts are those that come with the program; they were chosen to be easy to learn, not to be representative."
            .to_owned()
    });
    match (models, facts) {
        (Some(models), Some(facts)) => Some(format!("{models} {facts}")),
        (models, facts) => models.or(facts),
    }
}

/// Parameters below which a model is called small here.
const SMALL: u64 = 1_000_000_000;

fn small_models(article: &Article<'_>) -> Option<String> {
    let sizes: Vec<u64> =
        article.records().map(|record| record.model.parameters).filter(|size| (1..SMALL).contains(size)).collect();
    let (low, high) = (sizes.iter().min()?, sizes.iter().max()?);
    let range = if low == high {
        words::parameters(*low)
    } else {
        format!("{} to {}", words::parameters(*low), words::parameters(*high))
    };
    Some(format!("With {range} nothing here shows that larger models store facts alike."))
}

fn quantised(article: &Article<'_>) -> Option<String> {
    let names = those(article, |study| study.record.model.dtype.to_lowercase().starts_with(['q', 'i']));
    (!names.is_empty()).then(|| {
        format!("The weights of {} were stored quantised; the findings are about these, not about the weights they came from.", article.who(&names))
    })
}

fn few_facts(article: &Article<'_>) -> Option<String> {
    let fewest = article.studies.iter().map(|study| study.summary.validated).min()?;
    if fewest == 0 {
        let names = those(article, |study| study.summary.validated == 0);
        return Some(format!(
            "No fact passed both filters in {}, so there is nothing to localize.",
            article.who(&names)
        ));
    }
    // Below two points a share is as sure as three digits can say.
    let few = 50.0 / (fewest as f64).sqrt() >= 2.0;
    few.then(|| {
        format!(
            "Over {} a share has a standard error of up to {} percentage points.",
            words::count(fewest, "fact"),
            points(fewest)
        )
    })
}

/// Lines of [`compare::settings`] that tell models apart and are not settings.
const IDENTITY: [&str; 7] =
    ["model", "family", "size", "stored as", "weights SHA-256", "config SHA-256", "tokenizer SHA-256"];

fn settings_differ(article: &Article<'_>) -> Option<String> {
    let records: Vec<&Record> = article.records().collect();
    let differ = compare::settings(&records).into_iter().filter(|setting| setting.differs);
    let differ: Vec<&str> = differ.map(|setting| setting.name).filter(|name| !IDENTITY.contains(name)).collect();
    (!differ.is_empty())
        .then(|| format!("The studies differ in {}; differences between them may come from that.", say::list(&differ)))
}

/// Matched facts below which a comparison on them is of little use.
const FEW_MATCHED: usize = 30;

fn matched_facts(article: &Article<'_>) -> Option<String> {
    if article.studies.len() < 2 {
        return None;
    }
    let records: Vec<Record> = article.records().cloned().collect();
    let facts = matched(&records).len();
    let all: Vec<&str> = article.studies.iter().map(|study| study.name.as_str()).collect();
    match facts {
        0 => Some(format!(
            "No fact was validated by {}: differences between them may be differences between facts.",
            article.who(&all)
        )),
        few if few < FEW_MATCHED => Some(format!(
            "Only {} {} validated by {}, too few to compare on.",
            words::count(few, "fact"),
            if few == 1 { "was" } else { "were" },
            article.who(&all)
        )),
        _ => None,
    }
}

fn readings(article: &Article<'_>) -> Option<String> {
    let lacks = |wanted: Reading| those(article, |study| !study.record.settings.readings.contains(&wanted));
    let told = |wanted: Reading| {
        let names = lacks(wanted);
        (!names.is_empty()).then(|| format!("{} in {}", wanted.name(), article.who(&names)))
    };
    let missing: Vec<String> = [Reading::SubjectLast, Reading::LastToken].into_iter().filter_map(told).collect();
    (!missing.is_empty())
        .then(|| format!("Which position is patched decides the layers, and {} was not measured.", say::list(&missing)))
}

fn not_localized(article: &Article<'_>) -> Option<String> {
    if article.view.reading == Reading::LastToken {
        return None;
    }
    if article.view.argmax_always {
        return Some(
            "Facts whose patches only hurt are counted at the last layer (argmax-always), which makes knowledge look late.".into(),
        );
    }
    let lost = |study: &Study<'_>| study.summary.not_localized.is_some_and(|share| share.count > 0);
    let shares = article.studies.iter().filter(|study| lost(study)).filter_map(|study| study.summary.not_localized);
    let range = say::range(shares.map(|share| share.share), say::percent);
    (!range.is_empty()).then(|| {
        format!(
            "l*, C and the shares leave out the facts that are not localized, {range} of all{}.",
            article.within(&those(article, lost))
        )
    })
}

fn corruption(article: &Article<'_>) -> Option<String> {
    let kinds: BTreeSet<String> = article
        .records()
        .map(|record| match &record.settings.corruption {
            Corruption::Replace { with } => format!(
                "Every subject was replaced by the one text “{}”, which may have more or fewer tokens and brings an answer of \
                 its own; another text may give other layers.",
                words::short(&words::visible(with), 60)
            ),
            Corruption::Noise { sigmas, draws, .. } => format!(
                "Noise of {sigmas} σ makes embeddings that no token has, and every value is the mean over {}; weaker or \
                 stronger noise may give other layers.",
                words::count(*draws, "draw")
            ),
        })
        .collect();
    Some(kinds.into_iter().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}

fn answers(article: &Article<'_>) -> Option<String> {
    let names = those(article, |study| study.record.settings.answer == Answer::FirstToken);
    (!names.is_empty()).then(|| {
        format!(
            "The probabilities are of the answers' first tokens{}: other answers that begin alike count as the same.",
            if names.len() == article.studies.len() { String::new() } else { article.within(&names) }
        )
    })
}

fn ablation(article: &Article<'_>) -> Option<String> {
    let traced = article.studies.iter().any(|study| !study.summary.maps.block.is_empty());
    let place = match article.view.necessity_at {
        NecessityAt::LStar => "l*",
        NecessityAt::PerFact => "each fact's own layer",
    };
    traced.then(|| {
        format!("Δ_nec and r_MLP at {place} come from contributions set to zero, a state that the models do not have by themselves.")
    })
}

fn redundancy(article: &Article<'_>) -> Option<String> {
    let missing = those(article, |study| study.summary.redundancy.is_none());
    if missing.len() == article.studies.len() {
        return Some(format!("R was not measured under {}.", article.view.reading.name()));
    }
    let clipped = those(article, |study| {
        let found = study.summary.redundancy.as_ref();
        article.view.redundancy == RedundancyAggregate::RatioOfMeans
            && found.is_some_and(|found| clip(found) != Clip::No)
    });
    let mut parts = Vec::new();
    if !clipped.is_empty() {
        parts.push(format!("R was clipped in {} and is no measure there.", article.who(&clipped)));
    }
    if article.view.reading == Reading::LastToken {
        parts.push("Under last-token R has a floor that follows from definitions.".to_owned());
    }
    if !missing.is_empty() {
        parts.push(format!("R was not measured in {}.", article.who(&missing)));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Edits of a study below which a success rate says little.
const FEW_EDITS: usize = 50;

fn few_edits(article: &Article<'_>) -> Option<String> {
    let counts: Vec<usize> =
        article.studies.iter().filter_map(|study| Some(study.summary.edits.as_ref()?.editable)).collect();
    let without = those(article, |study| study.summary.edits.is_none());
    let fewest = match counts.iter().min() {
        None => return Some("No fact was edited: whether facts can be rewritten where they are found is open.".into()),
        Some(fewest) => *fewest,
    };
    let mut parts = Vec::new();
    if fewest < FEW_EDITS {
        let each = if counts.len() > 1 { " in a study" } else { "" };
        parts.push(match fewest {
            0 => format!("No edit counts{each}, so nothing is known about success there."),
            few => format!(
                "With {}{each} a rate of success has a standard error of up to {} percentage points.",
                words::count(few, "edit"),
                points(few)
            ),
        });
    }
    if !without.is_empty() {
        parts.push(format!("No fact was edited in {}.", article.who(&without)));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn seed(article: &Article<'_>) -> Option<String> {
    let seeds: BTreeSet<u64> = article.records().map(|record| record.settings.seed).collect();
    let noise = article.records().any(|record| matches!(record.settings.corruption, Corruption::Noise { .. }));
    let part = article.records().any(|record| record.facts.len() < record.source.count);
    let edits = article.records().any(|record| record.edits.is_some());
    let drawn: Vec<&str> =
        [(part, "which facts are looked at"), (noise, "the noise"), (edits, "the directions of the edits' search")]
            .into_iter()
            .filter_map(|(drawn, what)| drawn.then_some(what))
            .collect();
    let only = seeds.first().filter(|_| seeds.len() == 1 && !drawn.is_empty())?;
    Some(format!("One seed, {only}, decided {}; how much another one changes was not measured.", say::list(&drawn)))
}

fn errors(article: &Article<'_>) -> Option<String> {
    let some = article.studies.iter().any(|study| study.summary.validated > 1);
    some.then(|| {
        "Standard errors are over facts, not over seeds or trained models: they say how sure a mean is for this model, not \
         how another model of its kind would do."
            .to_owned()
    })
}

fn device(article: &Article<'_>) -> Option<String> {
    let kinds: BTreeSet<&str> =
        article.records().map(|record| record.device.kind.as_str()).filter(|kind| !kind.is_empty()).collect();
    let kinds: Vec<String> = kinds.into_iter().map(str::to_uppercase).map(|kind| words::visible(&kind)).collect();
    match kinds.as_slice() {
        [] => None,
        [one] => Some(format!(
            "All was computed in f32 on a {one}; another device may move the last digits, and with them a tie."
        )),
        several => Some(format!(
            "The studies ran on different kinds of device ({}) in f32; last digits may differ between them, and with them a tie.",
            say::list(several)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use engram_core::metrics::View;
    use engram_core::record::RedundancyCurve;

    fn of(records: &[Record]) -> Vec<Limit> {
        limits(&Article::new(records, &View::default()))
    }

    fn text(records: &[Record], topic: &str) -> Option<String> {
        of(records).into_iter().find(|limit| limit.topic == topic).map(|limit| limit.text)
    }

    fn has(records: &[Record], topic: &str, part: &str) {
        let found = text(records, topic);
        assert!(found.as_ref().is_some_and(|text| text.contains(part)), "{topic}: {found:?}");
    }

    #[test]
    fn only_what_applies() {
        let mut one = sample::record();
        let alone = std::slice::from_ref(&one);
        has(alone, "facts", "Over 2 facts a share has a standard error of up to 35.4 percentage points");
        has(alone, "not localized", "50.0 % of all.");
        has(alone, "redundancy", "R was not measured under subject-last");
        has(alone, "edits", "With 1 edit a rate of success has a standard error of up to 50.0 percentage points");
        for topic in ["models", "size", "weights", "comparison", "matched facts", "device", "readings"] {
            assert_eq!(text(alone, topic), None, "{topic}");
        }
        one.model.name = "engram-phi".into();
        one.model.parameters = 2_000_000;
        one.model.dtype = "q4_1".into();
        one.device.kind = "cpu".into();
        one.source.count = 100;
        one.settings.readings.pop();
        one.settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.1 };
        one.settings.answer = Answer::Sequence;
        one.edits = None;
        let alone = std::slice::from_ref(&one);
        has(alone, "models", "engram-phi comes with the program and was trained for it");
        has(alone, "size", "With 2.0 M parameters");
        has(alone, "weights", "quantised");
        has(alone, "device", "on a CPU");
        has(alone, "readings", "last-token in engram-phi was not measured");
        has(alone, "corruption", "Noise of 3 σ");
        has(alone, "seed", "One seed, 42, decided which facts are looked at and the noise");
        has(alone, "edits", "No fact was edited");
        assert_eq!(text(alone, "answers"), None);
        assert!(of(&[]).is_empty());
    }

    #[test]
    fn comparisons_have_limits_of_their_own() {
        let one = sample::record();
        let mut two = one.clone();
        two.model.name = "b".into();
        let pair = [one.clone(), two.clone()];
        assert_eq!(text(&pair, "comparison"), None);
        has(&pair, "matched facts", "Only 2 facts were validated by both models");
        two.settings.seed = 7;
        two.source.name = "other.json".into();
        two.device.kind = "gpu".into();
        two.facts.iter_mut().for_each(|fact| fact.prompt.push('x'));
        let mut first = one;
        first.device.kind = "cpu".into();
        let pair = [first, two];
        has(&pair, "comparison", "differ in device, facts and wanted;");
        has(&pair, "matched facts", "No fact was validated by both models");
        has(&pair, "device", "different kinds of device (CPU and GPU)");
        assert!(text(&pair, "seed").is_none(), "two seeds are no single seed");
    }

    #[test]
    fn a_clipped_r_is_a_limit() {
        let mut one = sample::study("a", Reading::SubjectLast, &[&[0.5, 0.2, 0.1]]);
        sample::each(&mut one, |traced| {
            let patched = vec![None, Some(0.3), Some(0.1)];
            traced.redundancy.insert(Reading::SubjectLast, RedundancyCurve { ablated: 1, patched });
        });
        assert_eq!(text(std::slice::from_ref(&one), "redundancy"), None);
        sample::each(&mut one, |traced| traced.without_block[0] = 0.89);
        has(&[one], "redundancy", "R was clipped in a and is no measure there.");
    }
}
