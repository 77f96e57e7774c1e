//! What a study found, in sentences, with what a reader must know before believing it (METHODS, section 2).

use crate::words;
use engram_core::metrics::{Finding, MetricConvention, Summary, finding};
use engram_core::record::{FactRecord, PatchPosition, Traced};

/// The finding of a study under a view.
pub fn study(summary: &Summary) -> Vec<String> {
    let mut lines = vec![format!(
        "{} of {} passed both filters: the model knows the answer, and loses it when the subject is corrupted.",
        summary.validated,
        words::count(summary.screened, "screened fact")
    )];
    if summary.validated == 0 {
        lines.push("So there are no means and no l*.".into());
        return lines;
    }
    if summary.sufficiency.is_empty() {
        lines.push(format!("No fact of this record was traced at patch position {}.", summary.view.position.name()));
        return lines;
    }
    match (summary.l_star, summary.at_l_star) {
        (Some(layer), Some(share)) => {
            let spread = summary.concentration.map_or(String::new(), |found| {
                format!(
                    " {} of {} layers hold more than 80 % of them (C = {:.3}).",
                    found.layers, summary.layers, found.c
                )
            });
            lines.push(format!(
                "Most often the dominant layer is {layer} of {}: {} of {}.{spread}",
                summary.layers,
                share.count,
                words::count(share.of, "localized fact")
            ));
        }
        _ => lines.push("No fact is localized.".into()),
    }
    if let Some(share) = summary.not_localized.filter(|share| share.count > 0) {
        let percent = words::fixed(share.share * 100.0, 1);
        lines.push(format!("{} of {} are not localized ({percent} %): no layer's patch helps.", share.count, share.of));
    }
    lines.extend(no_peak(summary));
    lines.extend(caution(summary.view));
    lines
}

/// How many of the facts that l* is counted over show no peak.
pub fn no_peak(summary: &Summary) -> Option<String> {
    let share = summary.no_peak.filter(|share| share.count > 0)?;
    let percent = words::fixed(share.share * 100.0, 1);
    Some(format!(
        "{} of {} ({percent} %) {} no peak: the best layer's clean state recovers less than a tenth of what \
         corrupting the subject takes. They count at their argmax, as in the paper, and no layer is named for them.",
        share.count,
        words::count(share.of, "localized fact"),
        if share.count == 1 { "has" } else { "have" }
    ))
}

/// The identity behind the last layer at a patch position.
fn caution(view: MetricConvention) -> Option<String> {
    match view.position {
        PatchPosition::LastToken => Some(
            "Under last-token the last layer gives the clean answer back by definition; a late peak is no finding."
                .into(),
        ),
        _ if view.argmax_always => Some(
            "A layer is always assigned (paper's convention): a fact whose patches only hurt counts at the last layer, \
             where the patch does nothing by definition."
                .into(),
        ),
        _ => None,
    }
}

/// What is said about one fact.
pub fn fact(fact: &FactRecord, traced: &Traced, view: &MetricConvention) -> Vec<String> {
    let (clean, corrupt) = (words::probability(traced.p_clean.into()), words::probability(traced.p_corrupt.into()));
    let mut lines = vec![format!(
        "The model gives “{}” a probability of {clean}; in the corrupted run, {corrupt}.",
        words::visible(&fact.target_true)
    )];
    if !fact.target_new.is_empty() {
        let p = words::probability(traced.p_false.into());
        lines.push(format!("“{}” has {p}.", words::visible(&fact.target_new)));
    }
    lines.push(said(fact, view));
    if finding(fact, view).is_some_and(Finding::is_effect) {
        lines.extend(caution(*view));
    }
    lines
}

/// The finding of a fact under a view, in a sentence.
pub fn said(fact: &FactRecord, view: &MetricConvention) -> String {
    let Some(found) = finding(fact, view) else {
        return format!("It was not traced at patch position {}.", view.position.name());
    };
    match found {
        Finding::NotKnown(_) | Finding::NotSensitive(_) => {
            format!("{} No layer is named.", without_effect(fact, found).unwrap_or_default())
        }
        Finding::NotLocalized => "Not localized: no layer's patch helps. No layer is named.".into(),
        Finding::NoPeak(share) => format!(
            "No peak: the best layer's clean state recovers {} % of what corrupting the subject takes. No layer is \
             named.",
            words::fixed(share.max(0.0) * 100.0, 1)
        ),
        Finding::Layer(layer) => format!("Its dominant layer is {layer}."),
    }
}

/// The same in a few words, for lists.
pub fn short(fact: &FactRecord, view: &MetricConvention) -> String {
    match finding(fact, view) {
        None => format!("not traced at {}", view.position.name()),
        Some(Finding::NotKnown(_)) => "not known".into(),
        Some(Finding::NotSensitive(_)) => "not sensitive".into(),
        Some(Finding::NotLocalized) => "not localized".into(),
        Some(Finding::NoPeak(_)) => "no peak".into(),
        Some(Finding::Layer(layer)) => format!("layer {layer}"),
    }
}

/// Why neither curves nor maps of a fact show an effect, in a sentence.
fn without_effect(fact: &FactRecord, finding: Finding) -> Option<String> {
    match finding {
        Finding::NotKnown(Some(rank)) => {
            Some(format!("Not known: the answer ranks {rank} among the model's next tokens, not first."))
        }
        Finding::NotKnown(None) => {
            let detail = fact.outcome.why().map(|why| why.1).filter(|detail| !detail.is_empty());
            let detail = detail.map_or_else(|| "the model goes on with another answer".into(), words::visible);
            Some(format!("Not known: {detail}."))
        }
        Finding::NotSensitive(effect) if effect < 0.0 => Some(format!(
            "Not sensitive: corrupting the subject raises the answer's probability, by {}.",
            words::number(-effect)
        )),
        Finding::NotSensitive(effect) => Some(format!(
            "Not sensitive: corrupting the subject lowers the answer's probability by {} only.",
            words::number(effect)
        )),
        _ => None,
    }
}

/// The same of a traced fact, whatever the patch position.
pub fn nothing(fact: &FactRecord) -> Option<String> {
    let position = *fact.traced()?.patched.keys().next()?;
    without_effect(fact, finding(fact, &MetricConvention::default().with_position(position))?)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::metrics::summarize;
    use engram_core::record::{Dropped, Outcome, Reason};

    #[test]
    fn a_study_is_told_with_its_caveats() {
        let record = sample::record();
        let lines = study(&summarize(&record, &MetricConvention::default()));
        assert!(lines[0].starts_with("2 of 3 screened facts passed both filters"), "{lines:?}");
        assert!(lines[1].contains("dominant layer is 2 of 4: 1 of 1 localized fact"), "{lines:?}");
        assert!(lines[2].contains("1 of 2 are not localized (50.0 %)"), "{lines:?}");
        let last = study(&summarize(&record, &MetricConvention::default().with_position(PatchPosition::LastToken)));
        assert!(last.iter().any(|line| line.contains("No fact of this record")), "{last:?}");
    }

    #[test]
    fn a_fact_is_told() {
        let record = sample::record();
        let Some(traced) = record.facts[2].traced() else { panic!("the sample's last fact is traced") };
        let lines = fact(&record.facts[2], traced, &MetricConvention::default());
        assert!(lines.iter().any(|line| line.starts_with("Not localized")), "{lines:?}");
    }

    #[test]
    fn no_layer_is_named_where_there_is_none() {
        let record = sample::record();
        let Some(traced) = record.facts[0].traced() else { panic!("the sample's first fact is traced") };
        let said = |change: &dyn Fn(&mut Traced), reason: Option<Reason>| {
            let mut fact = record.facts[0].clone();
            let mut traced = traced.clone();
            change(&mut traced);
            let drop = |reason| Dropped { reason, detail: "it says “x”".into(), p_clean: None, p_corrupt: None };
            fact.outcome = Outcome::of(traced, reason.map(drop).as_ref());
            let traced = fact.traced().cloned().unwrap_or_default();
            (
                super::fact(&fact, &traced, &MetricConvention::default()).join(" "),
                nothing(&fact),
                short(&fact, &MetricConvention::default()),
            )
        };
        let (usual, none, list) = said(&|_| {}, None);
        assert!(usual.contains("dominant layer is") && none.is_none(), "{usual}");
        assert_eq!(list, "layer 2");
        let ranked =
            |rank: u32| move |traced: &mut Traced| traced.lens.get_or_insert_default().rank_true = vec![5000, rank];
        let (unknown, why, list) = said(&ranked(737), Some(Reason::NotKnown));
        assert!(unknown.contains("ranks 737") && unknown.contains("No layer is named") && why.is_some(), "{unknown}");
        assert_eq!(list, "not known");
        let (later, why, _) = said(&ranked(1), Some(Reason::NotKnown));
        assert!(later.contains("Not known: it says “x”. No layer is named") && why.is_some(), "{later}");
        let (insensitive, why, list) =
            said(&|traced| traced.p_corrupt = traced.p_clean - 0.0002, Some(Reason::NotSensitive));
        assert!(
            insensitive.contains("Not sensitive") && why.is_some_and(|why| why.contains("by 0.0002 only")),
            "{insensitive}"
        );
        assert_eq!(list, "not sensitive");
        let (risen, ..) = said(&|traced| traced.p_corrupt = traced.p_clean + 0.04, Some(Reason::NotSensitive));
        assert!(risen.contains("raises the answer's probability, by 0.04"), "{risen}");
        let (flat, why, list) = said(
            &|traced| {
                let p = traced.p_corrupt + 0.01 * (traced.p_clean - traced.p_corrupt);
                traced.patched.values_mut().flatten().for_each(|patched| *patched = p);
            },
            None,
        );
        assert_eq!(list, "no peak");
        assert!(flat.contains("No peak") && flat.contains("1.0 %") && why.is_none(), "{flat}");
        assert!([unknown, later, insensitive, risen, flat].iter().all(|said| !said.contains("dominant layer")));
    }
}
