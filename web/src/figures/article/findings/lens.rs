//! The logit lens over all facts that have one: from which layer on the answer can be read at the last token.

use super::super::{Article, Study, say};
use super::{At, agreement, joined};
use crate::figures::lens::settled;
use crate::words;
use engram_core::record::{Lens, Traced};

/// The middle value, the lower one of two.
fn median(values: &mut [usize]) -> Option<usize> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// What one study's lenses say.
struct Seen<'a> {
    name: &'a str,
    layers: usize,
    /// Facts with a lens.
    facts: usize,
    /// Layers from which on the answer leads, one for each fact where it does at the end.
    leads: Vec<usize>,
}

fn seen<'a>(study: &'a Study<'_>) -> Option<Seen<'a>> {
    let facts = study.record.validated().filter_map(|(_, traced): (_, &Traced)| traced.lens.as_ref());
    let lenses: Vec<&Lens> = facts.filter(|lens| !lens.rank_true.is_empty()).collect();
    let leads = lenses.iter().filter_map(|lens| settled(lens)).collect();
    (!lenses.is_empty()).then_some(Seen { name: &study.name, layers: study.summary.layers, facts: lenses.len(), leads })
}

/// The lens in sentences; `None` where no fact has one.
pub fn lens(article: &Article<'_>) -> Option<String> {
    let mut found: Vec<Seen<'_>> = article.studies.iter().filter_map(seen).collect();
    let facts: usize = found.iter().map(|one| one.facts).sum();
    if facts == 0 {
        return None;
    }
    let at: Vec<At<'_>> = found
        .iter_mut()
        .filter_map(|one| Some(At { name: one.name, layer: median(&mut one.leads)?, layers: one.layers }))
        .collect();
    let ends: usize = found.iter().map(|one| one.leads.len()).sum();
    let never = facts - ends;
    let opening = format!("In the logit lens at the last token of {},", words::count(facts, "fact"));
    let lead = match at.as_slice() {
        [] => format!("{opening} the answer is never the most probable token after the last layer."),
        [one] if found.len() == 1 => {
            let range = say::range(found[0].leads.iter().map(|layer| *layer as f64), |layer| words::fixed(layer, 0));
            let range = if range.contains(' ') { format!(" (layers {range})") } else { String::new() };
            format!("{opening} the answer leads from layer {} of {} on, by the median{range}.", one.layer, one.layers)
        }
        several => {
            let groups =
                say::groups(several.iter().map(|at| (format!("layer {} of {}", at.layer, at.layers), at.name)));
            let told: Vec<String> =
                groups.iter().map(|(layer, names)| format!("{layer} on in {}", article.who(names))).collect();
            format!("{opening} the answer leads, by the median, from {}.", told.join("; from "))
        }
    };
    let never = (never > 0 && ends > 0)
        .then(|| format!("In {} it is not the most probable token at the end.", words::count(never, "fact")));
    let few = (facts < 5).then(|| "So few facts are examples, not a statistic.".to_owned());
    Some(joined([Some(lead), agreement(&at), never, few]))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{PatchPosition, Record};

    fn record(ranks: &[&[u32]]) -> Record {
        let curves: Vec<&[f32]> = ranks.iter().map(|_| &[0.5, 0.2, 0.1][..]).collect();
        let mut record = sample::study("a", PatchPosition::SubjectLast, &curves);
        let mut next = ranks.iter();
        sample::each(&mut record, |traced| {
            traced.lens = next.next().map(|ranks| Lens { rank_true: ranks.to_vec(), ..Lens::default() });
        });
        record
    }

    fn said(records: &[Record]) -> String {
        lens(&Article::new(records, &MetricConvention::default())).unwrap_or_default()
    }

    #[test]
    fn the_answer_leads_from_a_layer_on() {
        let one = said(&[record(&[&[9, 1, 1], &[9, 9, 1], &[1, 9, 1]])]);
        assert!(
            one.contains(
                "at the last token of 3 facts, the answer leads from layer 3 of 3 on, by the \
                              median (layers 2 to 3)."
            ),
            "{one}"
        );
        assert!(one.contains("examples, not a statistic"), "{one}");
        let never = said(&[record(&[&[9, 1, 2], &[9, 9, 1]])]);
        assert!(never.contains("In 1 fact it is not the most probable token at the end."), "{never}");
        assert!(said(&[record(&[&[9, 1, 2]])]).contains("never the most probable token after the last layer"));
        let two = said(&[record(&[&[1, 1, 1]]), record(&[&[9, 9, 1]])]);
        assert!(two.contains("from layer 1 of 3 on in a; from layer 3 of 3 on in a (2)"), "{two}");
        assert!(two.contains("do not agree in depth"), "{two}");
        assert_eq!(said(&[sample::record()]), "");
    }
}
