//! Studies that edit facts at several layers, one after the other, or trace both answers again.

use super::super::Article;
use super::super::finding::{Finding, joined, value};
use crate::figures::prediction::{is_swept, models, over_models};
use crate::figures::sequence::{is_sequence, titled};
use crate::words;
use engram_core::metrics::{
    BROKEN_FACTS, BROKEN_TEXT, Choice, EditedLayer, Mean, Prediction, SequenceSummary, retrace_summaries,
    sequence_summaries,
};
use engram_core::record::PatchPosition;

/// A sentence from a study's prediction by its first method.
fn predicted(article: &Article<'_>, say: impl Fn(&Prediction) -> Option<String>) -> Finding {
    let first = |name: &str| article.studies.iter().position(|study| study.name == name);
    Finding::of(&article.studies, |study| say(article.predictions.get(first(&study.name)?)?.first()?))
}

/// Whether tracing predicts where an edit works; nothing where no fact is edited at several layers.
pub(super) fn prediction(article: &Article<'_>) -> Option<Finding> {
    let told = predicted(article, |found| Some(joined([Some(answer(found)?), found.choice.as_ref().map(choice)])));
    if told.said.is_empty() {
        let few = || Finding::note("Too few facts were edited at all of these layers: an answer takes two.");
        return article.records.iter().any(is_swept).then(few);
    }
    let all = article.studies.iter().zip(&article.predictions);
    let rows = models(all.filter_map(|(study, all)| Some((study.name.as_str(), study.record, all.first()?))));
    Some(if rows.len() > 1 { told.with(over_models(&rows)) } else { told })
}

/// [`Prediction::sentence`] with the page's minus sign.
fn answer(prediction: &Prediction) -> Option<String> {
    Some(prediction.sentence()?.replace("= -", "= −"))
}

/// What becomes of choosing a layer by tracing.
fn choice(choice: &Choice) -> String {
    format!(
        "Mean rewrite score at each fact's dominant layer {:.2}, at the layer that is best for the other facts (layer {} over \
         all) {:.2}. The dominant layer is the best one for {} of {} facts.",
        choice.dominant.mean, choice.best, choice.fixed.mean, choice.own_best, choice.dominant.n
    )
}

/// Figure E: where edits work best, and where tracing finds most.
pub(super) fn by_layer(article: &Article<'_>) -> Finding {
    let best = |means: Vec<Option<Mean>>, found: &Prediction| {
        let means = found.layers.iter().zip(means).filter_map(|(layer, mean)| Some((layer.layer, mean?)));
        means.reduce(|best, next| if next.1.mean > best.1.mean { next } else { best })
    };
    let one = |found: &Prediction| {
        let effect = found.main()?.effect;
        let place = found.effects.iter().position(|one| *one == effect)?;
        let all = |of: &dyn Fn(&EditedLayer) -> Option<Mean>| best(found.layers.iter().map(of).collect(), found);
        let (edits, tracing) = (all(&|layer| *layer.editability.first()?)?, all(&|layer| *layer.effects.get(place)?)?);
        Some(format!(
            "{} ({} facts): the mean rewrite score is highest at layer {} ({}), the mean tracing effect ({}) at layer {} ({}).",
            found.method,
            found.facts,
            edits.0,
            value(&edits.1),
            effect.name(),
            tracing.0,
            value(&tracing.1)
        ))
    };
    predicted(article, one).with("Bands: one standard error of the mean.")
}

/// Figure F: how tracing effect and rewrite score go together.
pub(super) fn dots(article: &Article<'_>) -> Finding {
    let one = |found: &Prediction| {
        let main = found.main()?;
        let r = |r: Option<f64>| r.map_or("undefined".into(), |r| words::fixed(r, 2));
        Some(format!("r = {} over {} edits; about layer means r = {}.", r(main.r), main.n, r(main.within)))
    };
    predicted(article, one)
        .with("A dot: a fact edited at a layer. r: Pearson's correlation of tracing effect and rewrite score.")
}

/// What the edits changed in the traces of both answers; nothing where they were not traced again.
pub(super) fn retrace(article: &Article<'_>) -> Option<Finding> {
    let one = |study: &super::super::Study<'_>| {
        let all = retrace_summaries(study.record, &article.view);
        Some(joined(all.iter().map(engram_core::metrics::RetraceSummary::sentence)))
    };
    Finding::of(&article.studies, one).if_said()
}

/// Figure H.
pub(super) fn retrace_figure(article: &Article<'_>) -> Finding {
    let place = match article.view.position {
        PatchPosition::LastToken => "the last token",
        _ => "the subject's last token",
    };
    Finding::note(format!(
        "Mean sufficiency when the clean residual stream of {place} is restored in the corrupted run, layer by layer, with and \
         without each fact's edit. Bands: one standard error of the mean."
    ))
}

/// Edits in sequence: what became of the model; nothing where there are none.
pub(super) fn sequences(article: &Article<'_>) -> Option<Finding> {
    let one = |study: &super::super::Study<'_>| {
        let all = sequence_summaries(study.record);
        let layers = all.iter().any(|one| one.layer != all[0].layer);
        let told = |one: &SequenceSummary| {
            let said = one.sentence()?;
            // Sequences of one study differ in their method, which the sentence has, and in their layer.
            Some(if layers { format!("{}: {said}", titled(&study.name, one)) } else { said })
        };
        Some(joined(all.iter().map(told)))
    };
    let begun = || Finding::note("No sequence has reached its first checkpoint.");
    Finding::of(&article.studies, one).if_said().or_else(|| article.records.iter().any(is_sequence).then(begun))
}

/// Figure G.
pub(super) fn sequence_figure() -> Finding {
    Finding::note(format!(
        "Means over all edits in force, measured with the later ones in place. A model counts as collapsed where its perplexity is \
         above {BROKEN_TEXT} times that of the unedited model, or where it keeps less than {:.0} % of the unedited facts.",
        100.0 * BROKEN_FACTS
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::article::finding::tests::{begins, ends, has};
    use crate::figures::sample;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::Record;

    fn said(of: fn(&Article<'_>) -> Option<Finding>, records: &[Record]) -> Option<String> {
        of(&Article::new(records, &MetricConvention::default())).map(|finding| finding.to_string())
    }

    #[test]
    fn predictions_name_layers_and_facts() {
        let one = [sample::swept("a")];
        let told = said(prediction, &one).unwrap_or_default();
        begins(&told, "ROME: causal tracing was asked about too few facts");
        let wanted = "Mean rewrite score at each fact's dominant layer 0.53, at the layer that is best for the other facts (layer \
                      2 over all) 0.71. The dominant layer is the best one for 2 of 4 facts.";
        ends(&told, wanted);
        let both =
            said(prediction, &[sample::swept("a"), sample::study("b", PatchPosition::SubjectLast, &[&[0.5, 0.1]])]);
        assert!(both.is_some_and(|told| told.starts_with("a: ROME: ")));
        let wanted = "ROME (4 facts): the mean rewrite score is highest at layer 2 (0.708 ± 0.125), the mean tracing effect (residual, \
                      subject-last) at layer 1 (0.";
        let layers = said(|article| Some(by_layer(article)), &one).unwrap_or_default();
        begins(&layers, wanted);
        assert!(
            said(|article| Some(dots(article)), &one).is_some_and(|told| told.contains(" over 12 edits; about layer"))
        );
        let mut stopped = one[0].clone();
        stopped.edits.iter_mut().for_each(|edits| edits.truncate(2));
        assert!(said(prediction, &[stopped]).is_some_and(|told| told.starts_with("Too few facts")));
        assert_eq!(said(prediction, &[sample::record()]), None);
    }

    #[test]
    fn traces_after_edits_and_sequences_are_told() {
        let told = said(retrace, &[sample::retraced("a")]).unwrap_or_default();
        begins(&told, "ROME, 4 edits: ");
        has(&told, "For the new answer +0.700 (layer 3) after");
        let mut turn = sample::edited_in_turn("a");
        let told = said(sequences, std::slice::from_ref(&turn)).unwrap_or_default();
        begins(&told, "ROME, 4 edits in sequence: ES ");
        has(&told, "collapsed");
        turn.sequences[0].checkpoints.clear();
        assert!(said(sequences, &[turn]).is_some_and(|told| told.starts_with("No sequence has reached")));
        let other = [sample::record()];
        assert_eq!([said(retrace, &other), said(sequences, &other)], [None, None]);
    }
}
