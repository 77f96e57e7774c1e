//! Figure 4: C, Δ_nec, r_MLP, R and the last layer's share.

use super::super::finding::{Finding, apart, mean, near, share};
use super::super::{Article, Study};
use crate::figures::panels::{Clip, clip};
use engram_core::metrics::{Mean, NecessityAt, RedundancyAggregate};
use engram_core::record::PatchPosition;

/// The caption: all metrics of a study in a line.
pub(super) fn panels(article: &Article<'_>) -> Finding {
    let place = match article.view.necessity_at {
        NecessityAt::LStar => "l*",
        NecessityAt::PerFact => "each fact's dominant layer",
    };
    let by_definition = match article.view.position {
        PatchPosition::LastToken => {
            " Under last-token, R and the last layer's share follow from definitions: the last patch restores the clean answer, \
             and below an ablated last block the patch leaves what that ablation leaves. They say nothing about other layers."
        }
        _ => " By definition, restoring the last layer changes nothing at this patch position.",
    };
    let note = format!(
        "C: share of the layers that hold more than 80 % of the localized facts. Δ_nec: loss of p(true answer) when the block at \
         {place} is ablated. r_MLP: share of the MLP output in the losses without attention output and without MLP output. R: \
         share of Δ_nec at l* that a clean state of another layer restores.{by_definition}"
    );
    Finding::of(&article.studies, |study| Some(metrics(study))).with(note)
}

fn metrics(study: &Study<'_>) -> String {
    let found = &study.summary;
    let last = found.at_last.map(|at| format!("{} localized facts at the last layer", share(&at)));
    let parts = [concentration(study), necessity(study), mlp_ratio(study), Some(redundancy(study)), last];
    format!("{}.", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn concentration(study: &Study<'_>) -> Option<String> {
    let (found, localized) = (study.summary.concentration?, study.summary.distribution.localized());
    let few = if localized < study.summary.layers { ", fewer than layers" } else { "" };
    Some(format!(
        "C = {:.3} ({} of {} layers; localized facts: {localized}{few})",
        found.c, found.layers, study.summary.layers
    ))
}

fn necessity(study: &Study<'_>) -> Option<String> {
    let found = study.summary.necessity?;
    let reading = match found.mean {
        _ if near(&found, 0.0) => ", not different from 0",
        below if below < 0.0 => ": ablation raises p(true answer)",
        _ => "",
    };
    Some(format!("Δ_nec = {}{reading}", mean(&found)))
}

fn mlp_ratio(study: &Study<'_>) -> Option<String> {
    let (found, summary) = (study.summary.mlp_ratio?, &study.summary);
    let reading = match found.mean {
        _ if near(&found, 0.5) => "neither output contributes more",
        above if above > 0.5 => "the MLP output contributes more",
        _ => "the attention output contributes more",
    };
    // A sublayer that costs more than its block: the ratio weighs two disturbances, not two parts of a loss.
    let costs_more = |part: Option<Mean>| {
        part.zip(summary.necessity).is_some_and(|(part, block)| part.mean > block.mean && apart(&part, &block))
    };
    let odd = costs_more(summary.attention) || costs_more(summary.mlp);
    let odd = if odd { ", but one of them alone costs more than the whole block" } else { "" };
    Some(format!("r_MLP = {}: {reading}{odd}", mean(&found)))
}

/// R of a study, or why there is none.
pub(super) fn redundancy(study: &Study<'_>) -> String {
    let summary = &study.summary;
    let Some(found) = summary.redundancy else { return "R was not measured".into() };
    let per_fact = summary.view.redundancy == RedundancyAggregate::MeanOfClipped;
    let value = match clip(&found) {
        Clip::One if !per_fact => "R is clipped at 1 and uninformative here".to_owned(),
        Clip::Zero if !per_fact => "R = 0: ablating l* costs nothing, or no patch restores anything".to_owned(),
        Clip::Meaningless if !per_fact => "R is undefined: restored probability and Δ_nec are both below 0".to_owned(),
        _ => format!("R = {}", mean(&found.r)),
    };
    let elsewhere = summary.l_star.filter(|l_star| *l_star != found.ablated);
    let elsewhere = elsewhere.map(|_| format!(", with block {} ablated, which is not l* here", found.ablated));
    format!("{value}{}", elsewhere.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::article::finding::tests::has;
    use crate::figures::sample;
    use engram_core::metrics::{MetricConvention, Redundancy};
    use engram_core::record::{RedundancyCurve, Traced};

    const EARLY: &[&[f32]] = &[&[0.5, 0.2, 0.1, 0.1], &[0.5, 0.2, 0.1, 0.1]];

    /// The caption of a study of two facts, changed one after the other.
    fn said(change: impl FnMut(&mut Traced)) -> String {
        let mut record = sample::study("a", PatchPosition::SubjectLast, EARLY);
        sample::each(&mut record, change);
        panels(&Article::new(&[record], &MetricConvention::default())).to_string()
    }

    #[test]
    fn metrics_come_with_what_they_mean() {
        let plain = said(|_| ());
        has(
            &plain,
            "C = 0.250 (1 of 4 layers; localized facts: 2, fewer than layers); Δ_nec = 0.300 ± 0.000 (n = 2); r_MLP = ",
        );
        has(&plain, "R was not measured; 0 of 2 (0.0 %) localized facts at the last layer. C: share");
        has(
            &said(|traced| traced.without_block[0] = 0.95),
            "Δ_nec = −0.050 ± 0.000 (n = 2): ablation raises p(true answer)",
        );
        let mut sign = 0.1;
        let even = said(|traced| {
            traced.without_block[0] = 0.9 + sign;
            traced.without_attention[0] = 0.8 + sign / 2.0;
            traced.without_mlp[0] = 0.8 - sign / 2.0;
            sign = -sign;
        });
        has(&even, "(n = 2), not different from 0; r_MLP = ");
        has(&even, ": neither output contributes more");
        let part = |attention, mlp| {
            said(move |traced| (traced.without_attention[0], traced.without_mlp[0]) = (attention, mlp))
        };
        has(&part(0.8, 0.7), ": the MLP output contributes more; R");
        has(&part(0.7, 0.8), ": the attention output contributes more; R");
        has(&part(0.2, 0.8), "contributes more, but one of them alone costs more than the whole block; R");
    }

    #[test]
    fn r_says_where_it_is_uninformative() {
        let with = |ablated: usize, best: f32, without: f32| {
            said(move |traced| {
                let mut patched = vec![Some(0.1), Some(best), Some(0.1), Some(0.1)];
                patched[ablated - 1] = None;
                traced.redundancy.insert(PatchPosition::SubjectLast, RedundancyCurve { ablated, patched });
                traced.without_block[ablated - 1] = without;
            })
        };
        has(&with(1, 0.2, 0.5), "; R = 0.250 (n = 2); ");
        has(&with(1, 0.9, 0.8), "; R is clipped at 1 and uninformative here; ");
        has(&with(1, 0.2, 0.95), "; R = 0: ");
        let negative = Mean { mean: -0.1, sem: None, n: 2 };
        let found = Redundancy { ablated: 1, r: negative, restored: negative, necessity: negative };
        assert_eq!(clip(&found), Clip::Meaningless);
        has(&with(3, 0.2, 0.5), "R = 0.250 (n = 2), with block 3 ablated, which is not l* here; ");
    }

    #[test]
    fn under_last_token_r_is_no_finding() {
        let record = sample::study("a", PatchPosition::LastToken, EARLY);
        let view = MetricConvention::default().with_position(PatchPosition::LastToken);
        has(
            &panels(&Article::new(&[record], &view)).to_string(),
            "R and the last layer's share follow from definitions",
        );
    }
}
