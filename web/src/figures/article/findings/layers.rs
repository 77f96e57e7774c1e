//! Figures 2 and 3, A and B: where a restored state or an ablated block changes the answer.

use super::super::finding::{Finding, apart, joined, mean, near, peak, percent, share, value};
use super::super::{Article, Study};
use crate::figures::study::{Told, lines};
use engram_core::metrics::{Distribution, Mean, SNAP, dominant};
use engram_core::record::PatchPosition;

/// Figure 2: mean sufficiency at the article's patch position.
pub(super) fn sufficiency(article: &Article<'_>) -> Finding {
    let position = article.view.position;
    Finding::of(&article.studies, |study| Some(curve(study, position))).with(by_definition(position))
}

/// Figure 3: the same at the second patch position, and whether both name the same layer.
pub(super) fn second_position(article: &Article<'_>) -> Finding {
    let Some((position, studies)) = &article.other else {
        return Finding::note(format!("No study has a patch position other than {}.", article.view.position.name()));
    };
    let first = |study: &Study<'_>| article.studies.iter().find(|other| other.name == study.name);
    let one = |study| Some(joined([Some(curve(study, *position)), compared(first(study)?, study)]));
    Finding::of(studies, one).with(by_definition(*position))
}

/// What a patch after the last layer does whatever the model is.
pub(super) fn by_definition(position: PatchPosition) -> &'static str {
    match position {
        PatchPosition::LastToken => "By definition, restoring the last layer gives the clean answer.",
        _ => "By definition, restoring the last layer changes nothing, unless the subject ends the prompt.",
    }
}

fn curve(study: &Study<'_>, position: PatchPosition) -> String {
    let (means, layers, name) = (&study.summary.sufficiency, study.summary.layers, position.name());
    let Some(((layer, best), end)) = peak(means).zip(means.last()) else {
        return format!("Under {name}, no fact was traced.");
    };
    if position == PatchPosition::LastToken {
        let half = half_way(means).map_or_else(
            || format!("Under {name}, no layer's patch raises p(true answer) on average."),
            |half| format!("Under {name}, half of the effect is restored from layer {half} of {layers} on."),
        );
        let above = (best.mean > end.mean && apart(best, end)).then(|| {
            format!("Layer {layer} restores more than the clean run has ({} against {}).", value(best), value(end))
        });
        return joined([Some(half), above]);
    }
    if best.mean <= SNAP {
        return format!("Under {name}, no layer's patch raises p(true answer) on average.");
    }
    if near(best, 0.0) {
        return format!("Under {name}, no layer's mean sufficiency differs from 0 by more than its standard error.");
    }
    let close: Vec<String> = (1..)
        .zip(means)
        .filter(|(other, mean)| *other != layer && !apart(best, mean))
        .map(|(other, _)| other.to_string())
        .collect();
    let close = (!close.is_empty())
        .then(|| format!("Layers that do not differ from it by more than the standard errors: {}.", close.join(", ")));
    let peak = format!("Under {name}, mean sufficiency is highest at layer {layer} of {layers}: {}.", mean(best));
    joined([Some(peak), close])
}

/// From which layer on the mean stays at half of the last layer's or more.
fn half_way(means: &[Mean]) -> Option<usize> {
    let end = means.last()?.mean;
    let below = means.iter().rposition(|mean| mean.mean < end / 2.0).map_or(0, |at| at + 1);
    (end > 0.0).then_some(below + 1)
}

/// The earliest relative l* that the paper reports, layer 23 of 26 (METHODS, section 8); its latest is the last layer.
const PUBLISHED: f64 = 23.0 / 26.0;

/// l* under both patch positions, and which of them is as late as the paper's: METHODS asks for this.
fn compared(first: &Study<'_>, second: &Study<'_>) -> Option<String> {
    let (one, two) = (first.summary.l_star?, second.summary.l_star?);
    let [name, other] = [first, second].map(|study| study.summary.view.position.name());
    let late = |layer: usize| layer as f64 / first.summary.layers.max(1) as f64 >= PUBLISHED;
    let which = match (late(one), late(two)) {
        (true, true) => "both patch positions".to_owned(),
        (true, false) => format!("{name} only"),
        (false, true) => format!("{other} only"),
        (false, false) => "neither patch position".to_owned(),
    };
    Some(format!(
        "l* is layer {one} under {name}, layer {two} under {other}. l* as late as in the paper (from {} of the depth on): under \
         {which}.",
        percent(PUBLISHED)
    ))
}

/// Figure A: l*, its lead, and what is not localized.
pub(super) fn dominant_layers(article: &Article<'_>) -> Finding {
    let note = match (article.view.position, article.view.argmax_always) {
        (PatchPosition::LastToken, _) => by_definition(PatchPosition::LastToken),
        (_, true) => {
            "A layer is always assigned, as in the paper: facts whose patches only hurt count at the last layer."
        }
        _ => {
            "A fact has no peak where its best layer recovers less than a tenth of the effect; it is not localized where no \
             layer's patch helps."
        }
    };
    Finding::of(&article.studies, |study| Some(l_star(study))).with(note)
}

fn l_star(study: &Study<'_>) -> String {
    let (found, name) = (&study.summary, study.summary.view.position.name());
    let (Some(layer), Some(at)) = (found.l_star, found.at_l_star) else {
        let what = if found.sufficiency.is_empty() { "traced" } else { "localized" };
        return format!("Under {name}, no fact was {what}.");
    };
    let counted = |what: &str, of: Option<engram_core::metrics::Share>| of.map(|of| format!("{what}: {}.", share(&of)));
    // The lab's sentence; what the paper counts differs where facts have no peak.
    let told = Told::of(study.record, &found.view, &lines(study.record, &found.view));
    let most = format!(
        "By the paper's count, each fact at its best layer, peak or not, l* is layer {layer} of {} with {} localized facts.",
        found.layers,
        share(&at)
    );
    let lost = counted("Not localized", found.not_localized.filter(|lost| lost.count > 0))
        .filter(|_| found.view.position != PatchPosition::LastToken && !found.view.argmax_always);
    joined([Some(told.head), told.others, Some(most), lead(&found.distribution, layer), lost, artefact(study)])
}

/// Ties for l*, and leads that counting alone may explain: the difference of two counts has a standard error of about
/// the square root of their sum.
fn lead(distribution: &Distribution, best: usize) -> Option<String> {
    let counts = &distribution.counts;
    let most = *counts.get(best - 1)?;
    let others = (1..).zip(counts).filter(|(layer, _)| *layer != best);
    let (next, count) = others.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
    match most - count {
        0 => Some(format!("Layer {next} has as many; on a tie the lowest layer counts.")),
        lead if lead * lead <= most + count => {
            Some(format!("Its lead over layer {next} ({most} against {count}) is within the counting error."))
        }
        _ => None,
    }
}

/// Facts that the last layer counts only because a layer is always assigned.
fn artefact(study: &Study<'_>) -> Option<String> {
    let view = study.summary.view;
    if !view.argmax_always || view.position == PatchPosition::LastToken {
        return None;
    }
    let found = study.record.validated().filter_map(|(_, traced)| dominant(traced, view.position, false));
    let count = Distribution::of(study.summary.layers, found).not_localized;
    (count > 0).then(|| format!("Not localized, and counted at the last layer: {count}, an artefact."))
}

/// Figure B: the block whose ablation costs most, whether it is l*, and the same of its two sublayers.
pub(super) fn ablations(article: &Article<'_>) -> Finding {
    Finding::of(&article.studies, |study| Some(ablated(study)))
}

fn ablated(study: &Study<'_>) -> String {
    let maps = &study.summary.maps;
    let Some((layer, best)) = peak(&maps.block) else {
        return "No block was ablated, because no fact was traced.".into();
    };
    if best.mean <= 0.0 {
        return "No block's ablation lowers p(true answer) on average.".into();
    }
    let most =
        format!("Ablating block {layer} of {} costs the most p(true answer): {}.", study.summary.layers, mean(best));
    let own = study.summary.l_star.and_then(|l_star| Some((l_star, maps.block.get(l_star - 1)?)));
    let own = own.map(|(l_star, own)| match apart(best, own) {
        _ if l_star == layer => "It is l*.".to_owned(),
        false => format!("l*, block {l_star}, does not differ from it by more than the standard errors."),
        true => format!("l*, block {l_star}, costs less: {}.", value(own)),
    });
    let parts = peak(&maps.attention).zip(peak(&maps.mlp)).map(|((a, attention), (m, mlp))| {
        let same = if apart(attention, mlp) { "" } else { "; no difference beyond the standard errors" };
        let (attention, mlp) = (value(attention), value(mlp));
        format!("Largest loss without attention output: {attention} (layer {a}); without MLP output: {mlp} (layer {m}){same}.")
    });
    joined([Some(most), own, parts])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::article::finding::tests::{begins, ends, has};
    use crate::figures::sample;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::Record;

    fn subject(curves: &[&[f32]]) -> Record {
        sample::study("a", PatchPosition::SubjectLast, curves)
    }

    fn said(of: fn(&Article<'_>) -> Finding, record: &Record) -> String {
        of(&Article::new(std::slice::from_ref(record), &MetricConvention::default())).to_string()
    }

    #[test]
    fn a_peak_is_named_where_there_is_one() {
        let of = |curves: &[&[f32]]| said(sufficiency, &subject(curves));
        let peak = of(&[&[0.5, 0.2, 0.1, 0.1], &[0.52, 0.2, 0.1, 0.1]]);
        let wanted =
            "Under subject-last, mean sufficiency is highest at layer 1 of 4: 0.410 ± 0.010 (n = 2). By definition";
        begins(&peak, wanted);
        let close = of(&[&[0.5, 0.4, 0.1, 0.1], &[0.3, 0.4, 0.1, 0.1]]);
        has(&close, "by more than the standard errors: 2. By definition");
        assert!(of(&[&[0.5, 0.1], &[0.05, 0.1]]).contains("no layer's mean sufficiency differs from 0"));
        assert!(of(&[&[0.05, 0.02, 0.1]]).contains("no layer's patch raises p(true answer)"));
        let none = sample::study("b", PatchPosition::LastToken, &[&[0.1, 0.9]]);
        assert!(said(sufficiency, &none).starts_with("Under subject-last, no fact was traced."));
    }

    #[test]
    fn the_second_position_is_compared_with_the_first() {
        let mut record = subject(&[&[0.5, 0.2, 0.1, 0.1]]);
        assert!(said(second_position, &record).starts_with("No study has a patch position other than subject-last."));
        record.settings.positions.push(PatchPosition::LastToken);
        let mut under = |curve: &[f32]| {
            sample::each(&mut record, |traced| drop(traced.patched.insert(PatchPosition::LastToken, curve.to_vec())));
            said(second_position, &record)
        };
        let late = under(&[0.1, 0.1, 0.3, 0.9]);
        begins(&late, "Under last-token, half of the effect is restored from layer 4 of 4 on. l* is");
        has(&late, "layer 1 under subject-last, layer 4 under last-token.");
        has(&late, "on): under last-token only.");
        let early = under(&[0.95, 0.2, 0.1, 0.9]);
        has(&early, "on): under neither patch position.");
        has(&early, "Layer 1 restores more than the clean run");
    }

    #[test]
    fn ties_leads_and_what_is_not_localized_are_told() {
        let (one, two): (&[f32], &[f32]) = (&[0.5, 0.2, 0.1], &[0.2, 0.5, 0.1]);
        let of = |curves: &[&[f32]]| said(dominant_layers, &subject(curves));
        assert!(of(&[one, two]).contains("Layer 2 has as many; on a tie the lowest layer counts."));
        assert!(of(&[one, one, two]).contains("Its lead over layer 2 (2 against 1) is within the counting error."));
        let clear = of(&[one; 9]);
        let wanted = "In 9 of 9 known facts the peak is at layer 1 of 3, on the last token of the subject. By the paper's count, each \
                      fact at its best layer, peak or not, l* is layer 1 of 3 with 9 of 9 (100.0 %) localized facts. A fact has";
        begins(&clear, wanted);
        let lost = subject(&[one, one, one, &[0.05, 0.0, 0.1]]);
        assert!(said(dominant_layers, &lost).contains("Not localized: 1 of 4 (25.0 %)."));
        let always = MetricConvention { argmax_always: true, ..MetricConvention::default() };
        let told = dominant_layers(&Article::new(&[lost], &always)).to_string();
        assert!(
            told.contains("counted at the last layer: 1, an artefact") && !told.contains("Not localized: "),
            "{told}"
        );
        assert!(of(&[&[0.05, 0.02, 0.1]]).starts_with("Under subject-last, no fact was localized."));
    }

    #[test]
    fn the_costliest_block_is_compared_with_l_star() {
        let of = |block: [f32; 3], attention: [f32; 3], mlp: [f32; 3]| {
            let mut record = subject(&[&[0.5, 0.2, 0.1]]);
            sample::each(&mut record, |traced| {
                (traced.without_block, traced.without_attention) = (block.to_vec(), attention.to_vec());
                traced.without_mlp = mlp.to_vec();
            });
            said(ablations, &record)
        };
        let own = of([0.4, 0.8, 0.8], [0.6, 0.9, 0.9], [0.7, 0.9, 0.9]);
        begins(&own, "Ablating block 1 of 3 costs the most p(true answer): 0.500 (n = 1). It is l*. Largest");
        ends(&own, "without attention output: 0.300 (layer 1); without MLP output: 0.200 (layer 1).");
        let other = of([0.8, 0.8, 0.3], [0.9, 0.9, 0.8], [0.8, 0.9, 0.9]);
        has(&other, "l*, block 1, costs less: 0.100.");
        has(&other, "no difference");
        assert_eq!(of([0.95; 3], [0.9; 3], [0.9; 3]), "No block's ablation lowers p(true answer) on average.");
        let mut none = sample::record();
        none.facts.retain(|fact| fact.traced().is_none());
        assert_eq!(said(ablations, &none), "No block was ablated, because no fact was traced.");
    }
}
