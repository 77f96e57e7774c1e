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
        Some(Finding::NotKnown(rank)) => {
            format!("Not known: {rank} is the answer's rank among the model's next tokens. No layer is named.")
        }
        Some(Finding::NotSensitive(effect)) => format!(
            "Not sensitive: hiding the subject changes the answer's probability by {} only. No layer is named.",
            words::number(effect)
        ),
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
}
