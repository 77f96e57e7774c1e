//! What this very study cannot say, computed from its records; only what applies.

use super::findings::redundancy::{Clip, clip};
use super::{Article, Study, say};
use crate::figures::compare;
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
        ("patch positions", positions(article)),
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
    let facts = article.records.iter().any(|record| record.source.name == "bundled facts");
    let models = (!own.is_empty()).then(|| {
        format!(
            "{} come with the program and were trained for it on its own facts: they show how the measures behave, not \
             how models of natural text store facts.",
            if own.len() == 1 { own[0].to_owned() } else { say::capital(&article.who(&own)) }
        )
        .replace(" come with", if own.len() == 1 { " comes with" } else { " come with" })
        .replace("and were trained", if own.len() == 1 { "and was trained" } else { "and were trained" })
    });
    let facts = (facts && own.len() < article.studies.len())
        .then(|| "The facts are the program's own selection, not a sample of what models know.".to_owned());
    match (models, facts) {
        (Some(models), Some(facts)) => Some(format!("{models} {facts}")),
        (models, facts) => models.or(facts),
    }
}

/// Parameters below which a model is called small here.
const SMALL: u64 = 1_000_000_000;

fn small_models(article: &Article<'_>) -> Option<String> {
    let sizes: Vec<u64> =
        article.records.iter().map(|record| record.model.parameters).filter(|size| (1..SMALL).contains(size)).collect();
    let (low, high) = (sizes.iter().min()?, sizes.iter().max()?);
    let (low, high) = (words::parameters(*low), words::parameters(*high));
    let range = if low == high { low } else { format!("{} to {high}", low.trim_end_matches(" parameters")) };
    Some(format!("With {range} nothing here shows that larger models store facts the same way."))
}

fn quantised(article: &Article<'_>) -> Option<String> {
    let names = those(article, |study| study.record.model.dtype.to_lowercase().starts_with(['q', 'i']));
    (!names.is_empty()).then(|| {
        format!(
            "The weights of {} were stored quantised; the findings are about these, not about the weights they \
                 came from.",
            article.who(&names)
        )
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
    let records: Vec<&Record> = article.records.iter().collect();
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
    let facts = matched(article.records).len();
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

fn positions(article: &Article<'_>) -> Option<String> {
    let lacks = |wanted: PatchPosition| those(article, |study| !study.record.settings.positions.contains(&wanted));
    let told = |wanted: PatchPosition| {
        let names = lacks(wanted);
        (!names.is_empty()).then(|| format!("{} in {}", wanted.name(), article.who(&names)))
    };
    let missing: Vec<String> =
        [PatchPosition::SubjectLast, PatchPosition::LastToken].into_iter().filter_map(told).collect();
    (!missing.is_empty())
        .then(|| format!("The layers depend on the patch position, and {} was not measured.", say::list(&missing)))
}

fn not_localized(article: &Article<'_>) -> Option<String> {
    if article.view.position == PatchPosition::LastToken {
        return None;
    }
    if article.view.argmax_always {
        return Some(
            "Facts whose patches only hurt are counted at the last layer (the paper's convention), which makes \
             knowledge look late."
                .into(),
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
        .records
        .iter()
        .map(|record| match &record.settings.corruption {
            Corruption::Replace { with } => format!(
                "Every subject was replaced by the one text “{}”, which may have more or fewer tokens and brings an \
                 answer of its own; another text may give other layers.",
                words::short(&words::visible(with), 60)
            ),
            Corruption::Noise { sigmas, draws, .. } => format!(
                "Noise of {sigmas} σ makes embeddings that no token has, and every value is the mean over {}; weaker \
                 or stronger noise may give other layers.",
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
            "The probabilities are of the answers' first tokens{}: answers that begin with the same token are not \
             told apart.",
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
        format!(
            "Δ_nec and r_MLP at {place} come from zero ablation, which puts the models in a state that they do not \
             reach by themselves."
        )
    })
}

fn redundancy(article: &Article<'_>) -> Option<String> {
    let missing = those(article, |study| study.summary.redundancy.is_none());
    if missing.len() == article.studies.len() {
        return Some(format!("R was not measured under {}.", article.view.position.name()));
    }
    let clipped = those(article, |study| {
        let found = study.summary.redundancy.as_ref();
        article.view.redundancy == RedundancyAggregate::RatioOfMeans
            && found.is_some_and(|found| clip(found) != Clip::No)
    });
    let mut parts = Vec::new();
    if !clipped.is_empty() {
        parts.push(format!("R was clipped in {} and is not a measure there.", article.who(&clipped)));
    }
    if article.view.position == PatchPosition::LastToken {
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
    let without = those(article, |study| study.summary.edits.is_none() && !is_sequence(study.record));
    let fewest = match counts.iter().min() {
        None if article.records.iter().any(is_sequence) => return None,
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
    let seeds: BTreeSet<u64> = article.records.iter().map(|record| record.settings.seed).collect();
    let noise = article.records.iter().any(|record| matches!(record.settings.corruption, Corruption::Noise { .. }));
    let part = article.records.iter().any(|record| record.facts.len() < record.source.count);
    let edits = article.records.iter().any(Record::has_edits);
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
        "Standard errors are over facts, not over seeds or trained models: they say how sure a mean is for this model, \
         not how another model of its kind would do."
            .to_owned()
    })
}

fn device(article: &Article<'_>) -> Option<String> {
    let kinds: BTreeSet<&str> =
        article.records.iter().map(|record| record.device.kind.as_str()).filter(|kind| !kind.is_empty()).collect();
    let kinds: Vec<String> = kinds.into_iter().map(str::to_uppercase).map(|kind| words::visible(&kind)).collect();
    match kinds.as_slice() {
        [] => None,
        [one] => Some(format!(
            "All was computed in f32 on a {one}; another device may move the last digits, and with them a tie."
        )),
        several => Some(format!(
            "The studies ran on different kinds of device ({}) in f32; last digits may differ between them, and with \
             them a tie.",
            say::list(several)
        )),
    }
}

#[cfg(test)]
mod tests;
