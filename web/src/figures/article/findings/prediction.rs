//! Does tracing predict where an edit works? What is said of it: the answer, what becomes of choosing a layer by tracing, and
//! both figures.

use super::super::{Article, say};
use super::joined;
use crate::figures::prediction::{is_swept, models, over_models};
use crate::words;
use engram_core::metrics::{Choice, EditedLayer, Mean, Prediction};

/// The studies with an answer, each with that of its first method.
fn answered<'a>(article: &'a Article<'_>) -> Vec<(&'a str, &'a Prediction)> {
    let named = article.studies.iter().map(|study| study.name.as_str()).zip(&article.predictions);
    named.filter_map(|(name, all)| Some((name, all.first()?))).collect()
}

/// A sentence of a study, with its name where there are several.
fn of(article: &Article<'_>, name: &str, said: String) -> String {
    if article.studies.len() == 1 { said } else { format!("{name}: {said}") }
}

/// The answer, a paragraph a study; one that says why there is none, where facts were edited at several layers all the same.
pub fn answers(article: &Article<'_>) -> Vec<String> {
    let one = |(name, prediction): (&str, &Prediction)| {
        let told = joined([Some(answer(prediction)?), prediction.choice.as_ref().map(choice)]);
        Some(of(article, name, told))
    };
    let told: Vec<String> = answered(article).into_iter().filter_map(one).collect();
    if told.is_empty() && article.records.iter().any(is_swept) {
        return vec!["Too few facts were edited at all of the layers: an answer takes two.".into()];
    }
    told
}

/// [`Prediction::sentence`] with the page's minus sign.
fn answer(prediction: &Prediction) -> Option<String> {
    Some(prediction.sentence()?.replace("= -", "= −"))
}

/// What becomes of choosing a layer by tracing.
fn choice(choice: &Choice) -> String {
    let [own, fixed] = [choice.dominant, choice.fixed].map(|mean| words::fixed(mean.mean, 2));
    format!(
        "Edited at its dominant layer a fact reaches a rewrite score of {own}; at the layer that is best for the other \
         facts, layer {} over all, {fixed}. The dominant layer is the best one for {} of {}.",
        choice.best,
        choice.own_best,
        words::count(choice.dominant.n, "fact")
    )
}

/// The answer in the abstract, in one sentence.
pub(super) fn headline(article: &Article<'_>) -> Option<String> {
    let found = answered(article);
    if let [(_, prediction)] = found.as_slice() {
        return answer(prediction);
    }
    let one = |(name, prediction): &(&str, &Prediction)| {
        let main = prediction.main()?;
        Some(format!("{} in {name} (p = {})", say::percent(main.added?), words::fixed(main.p?, 3)))
    };
    let told: Vec<String> = found.iter().filter_map(one).collect();
    (!told.is_empty()).then(|| {
        format!(
            "Beyond which layer it is, a fact's own tracing effect explains so much of the variance of edits' rewrite score: {}.",
            told.join("; ")
        )
    })
}

/// Means of the rewrite score with their layers, and those of the effect that the answer is about.
fn means(prediction: &Prediction) -> Option<[Vec<(usize, Mean)>; 2]> {
    let effect = prediction.main()?.effect;
    let place = prediction.effects.iter().position(|one| *one == effect)?;
    let all = |of: &dyn Fn(&EditedLayer) -> Option<Mean>| {
        prediction.layers.iter().filter_map(|layer| Some((layer.layer, of(layer)?))).collect()
    };
    Some([all(&|layer| *layer.editability.first()?), all(&|layer| *layer.effects.get(place)?)])
}

fn highest(means: &[(usize, Mean)]) -> Option<&(usize, Mean)> {
    means.iter().reduce(|best, next| if next.1.mean > best.1.mean { next } else { best })
}

/// The figure over layers.
pub fn by_layer(article: &Article<'_>) -> String {
    let one = |(name, prediction): (&str, &Prediction)| {
        let [scores, effects] = means(prediction)?;
        let (best, effect) = (highest(&scores)?, highest(&effects)?);
        let worst = scores.iter().reduce(|worst, next| if next.1.mean < worst.1.mean { next } else { worst })?;
        let told = format!(
            "Over {}, edits by {} work best at layer {} (rewrite score {}) and least at layer {} ({}); tracing finds most \
             at layer {} ({}: {}).",
            words::count(prediction.facts, "fact"),
            prediction.method,
            best.0,
            say::value(&best.1),
            worst.0,
            say::value(&worst.1),
            effect.0,
            prediction.main()?.effect.name(),
            say::value(&effect.1)
        );
        Some(of(article, name, told))
    };
    let told: Vec<String> = answered(article).into_iter().filter_map(one).collect();
    format!("{} The band is one standard error of the mean.", told.join(" "))
}

/// The dots.
pub fn dots(article: &Article<'_>) -> String {
    let one = |(name, prediction): (&str, &Prediction)| {
        let main = prediction.main()?;
        let told = match (main.r, main.within) {
            (Some(r), Some(within)) => format!(
                "Over {} effect and score go together with r = {}; about the means of their layers with r = {}.",
                words::count(main.n, "edit"),
                words::fixed(r, 2),
                words::fixed(within, 2)
            ),
            _ => format!("Over {} one of the two does not vary.", words::count(main.n, "edit")),
        };
        Some(of(article, name, told))
    };
    let told: Vec<String> = answered(article).into_iter().filter_map(one).collect();
    told.join(" ")
}

/// How R and C go with success, where several studies have an answer.
pub fn several(article: &Article<'_>) -> Option<String> {
    let all: Vec<_> = article.studies.iter().zip(&article.predictions).collect();
    let first = all.iter().filter_map(|(study, all)| Some((study.name.as_str(), study.record, all.first()?)));
    let rows = models(first);
    (rows.len() > 1).then(|| over_models(&rows))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::Record;

    fn said<T>(of: fn(&Article<'_>) -> T, records: &[Record]) -> T {
        of(&Article::new(records, &MetricConvention::default()))
    }

    #[test]
    fn the_answer_names_layers_and_facts() {
        let record = sample::swept("a");
        let told = said(answers, std::slice::from_ref(&record));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("ROME: causal tracing was asked about too few facts"), "{told:?}");
        assert!(
            told[0].ends_with(
                "Edited at its dominant layer a fact reaches a rewrite score of 0.53; at the layer that is best for the \
                 other facts, layer 2 over all, 0.71. The dominant layer is the best one for 2 of 4 facts."
            ),
            "{told:?}"
        );
        assert_eq!(said(headline, std::slice::from_ref(&record)).map(|line| told[0].starts_with(&line)), Some(true));
        let both = said(answers, &[record.clone(), sample::swept("b")]);
        assert!(both.len() == 2 && both[1].starts_with("b: ROME: "), "{both:?}");
        let line = said(headline, &[record.clone(), sample::swept("b")]).unwrap_or_default();
        assert!(line.contains(" % in a (p = ") && line.contains("; ") && line.contains(" in b "), "{line}");
        let mut stopped = record;
        stopped.edits.iter_mut().for_each(|edits| edits.truncate(2));
        assert_eq!(said(answers, &[stopped]), ["Too few facts were edited at all of the layers: an answer takes two."]);
        assert_eq!(said(answers, &[sample::record()]), Vec::<String>::new());
        assert_eq!(said(headline, &[sample::record()]), None);
    }

    #[test]
    fn figures_are_told() {
        let records = [sample::swept("a")];
        let told = said(by_layer, &records);
        assert!(
            told.starts_with(
                "Over 4 facts, edits by ROME work best at layer 2 (rewrite score 0.708 ± 0.125) and least at"
            ),
            "{told}"
        );
        assert!(told.contains("tracing finds most at layer 1 (residual, subject-last: 0."), "{told}");
        let told = said(dots, &records);
        assert!(told.starts_with("Over 12 edits effect and score go together with r = "), "{told}");
        assert_eq!(said(several, &records), None);
        let two = said(several, &[sample::swept("a"), sample::swept("b")]);
        assert_eq!(two.as_deref(), Some("Over 2 models no correlation is told."));
    }
}
