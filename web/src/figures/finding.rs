//! What a study found, in sentences, with what a reader must know before believing it (METHODS, section 2).

use crate::words;
use engram_core::metrics::{Finding, Summary, View, finding};
use engram_core::record::{FactRecord, Reading, Traced};

/// The finding of a study under a view.
pub fn study(summary: &Summary) -> Vec<String> {
    let mut lines = vec![format!(
        "{} of {} passed both filters: the model knows the answer, and loses it when the subject is hidden.",
        summary.validated,
        words::count(summary.screened, "screened fact")
    )];
    if summary.sufficiency.is_empty() {
        lines.push(format!("No fact of this record was traced under the {} reading.", summary.view.reading.name()));
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
    lines.extend(caution(summary.view));
    lines
}

/// The identity behind a reading's last layer.
fn caution(view: View) -> Option<String> {
    match view.reading {
        Reading::LastToken => Some(
            "Under last-token the last layer gives the clean answer back by definition; a late peak is no finding."
                .into(),
        ),
        _ if view.argmax_always => Some(
            "Argmax always: a fact whose patches only hurt counts at the last layer, where the patch does nothing by \
             definition."
                .into(),
        ),
        _ => None,
    }
}

/// What is said about one fact.
pub fn fact(fact: &FactRecord, traced: &Traced, view: &View) -> Vec<String> {
    let (clean, corrupt) = (words::probability(traced.p_clean.into()), words::probability(traced.p_corrupt.into()));
    let mut lines = vec![format!(
        "The model gives “{}” a probability of {clean}; with the subject hidden, {corrupt}.",
        words::visible(&fact.target_true)
    )];
    if !fact.target_new.is_empty() {
        let p = words::probability(traced.p_false.into());
        lines.push(format!("“{}” has {p}.", words::visible(&fact.target_new)));
    }
    let percent = |share: f64| words::fixed(share.max(0.0) * 100.0, 1);
    lines.push(match finding(traced, view) {
        None => format!("It was not traced under the {} reading.", view.reading.name()),
        Some(none @ (Finding::NotKnown(_) | Finding::NotSensitive(_))) => {
            format!("{} No layer is named.", without_effect(none).unwrap_or_default())
        }
        Some(Finding::NotLocalized) => "Not localized: no layer's patch helps.".into(),
        Some(Finding::NoPeak(share)) => format!(
            "No peak: the best layer's clean state regains {} % of what hiding the subject takes. No layer is named.",
            percent(share)
        ),
        Some(Finding::Layer(layer)) => format!("Its dominant layer is {layer}."),
    });
    lines.extend(caution(*view));
    lines
}

/// Why neither curves nor maps of a fact show an effect, in a sentence.
fn without_effect(finding: Finding) -> Option<String> {
    match finding {
        Finding::NotKnown(rank) => {
            Some(format!("Not known: the answer ranks {rank} among the model's next tokens, not first."))
        }
        Finding::NotSensitive(effect) => Some(format!(
            "Not sensitive: hiding the subject changes the answer's probability by {} only.",
            words::number(effect)
        )),
        _ => None,
    }
}

/// The same of a traced fact, whatever the reading.
pub fn nothing(traced: &Traced) -> Option<String> {
    let reading = *traced.patched.keys().next()?;
    without_effect(finding(traced, &View::default().with_reading(reading))?)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use engram_core::metrics::summarize;

    #[test]
    fn a_study_is_told_with_its_caveats() {
        let record = sample::record();
        let lines = study(&summarize(&record, &View::default()));
        assert!(lines[0].starts_with("2 of 3 screened facts passed both filters"), "{lines:?}");
        assert!(lines[1].contains("dominant layer is 2 of 4: 1 of 1 localized fact"), "{lines:?}");
        assert!(lines[2].contains("1 of 2 are not localized (50.0 %)"), "{lines:?}");
        let last = study(&summarize(&record, &View::default().with_reading(Reading::LastToken)));
        assert!(last.iter().any(|line| line.contains("No fact of this record")), "{last:?}");
    }

    #[test]
    fn a_fact_is_told() {
        let record = sample::record();
        let Some(traced) = record.facts[2].traced() else { panic!("the sample's last fact is traced") };
        let lines = fact(&record.facts[2], traced, &View::default());
        assert!(lines.iter().any(|line| line.starts_with("Not localized")), "{lines:?}");
    }

    #[test]
    fn no_layer_is_named_where_there_is_none() {
        let record = sample::record();
        let Some(traced) = record.facts[0].traced() else { panic!("the sample's first fact is traced") };
        let said = |change: &dyn Fn(&mut Traced)| {
            let mut traced = traced.clone();
            change(&mut traced);
            (fact(&record.facts[0], &traced, &View::default()).join(" "), nothing(&traced))
        };
        let (usual, none) = said(&|_| {});
        assert!(usual.contains("dominant layer is") && none.is_none(), "{usual}");
        let (unknown, why) = said(&|traced| {
            traced.lens.get_or_insert_default().rank_true = vec![5000, 737];
        });
        assert!(unknown.contains("ranks 737") && unknown.contains("No layer is named") && why.is_some(), "{unknown}");
        let (insensitive, why) = said(&|traced| traced.p_corrupt = traced.p_clean - 0.0002);
        assert!(
            insensitive.contains("Not sensitive") && why.is_some_and(|why| why.contains("0.0002")),
            "{insensitive}"
        );
        let (flat, why) = said(&|traced| {
            let p = traced.p_corrupt + 0.01 * (traced.p_clean - traced.p_corrupt);
            traced.patched.values_mut().flatten().for_each(|patched| *patched = p);
        });
        assert!(flat.contains("No peak") && flat.contains("1.0 %") && why.is_none(), "{flat}");
        assert!([unknown, insensitive, flat].iter().all(|said| !said.contains("dominant layer")));
    }
}
