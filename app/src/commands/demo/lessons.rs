//! What the demo's records say, next to what the paper claims; computed from the records, whichever way it falls.

use engram_core::metrics::{Mean, MetricConvention, Summary, Verdict, summarize};
use engram_core::record::{PatchPosition, Reason, Record};
use engram_core::train::Recipe;

/// A question and its answer, a line a paragraph.
pub(super) struct Lesson {
    pub(super) question: &'static str,
    pub(super) lines: Vec<String>,
}

/// A record at both patch positions, and how its model was trained.
struct Studied<'a> {
    record: &'a Record,
    subject: Summary,
    last: Summary,
    /// Mean probability that a training step left a block out.
    dropping: Option<f64>,
}

/// All lessons. The last record is the large baseline.
pub(super) fn all(records: &[Record], recipes: &[Recipe]) -> Vec<Lesson> {
    let view = MetricConvention::default();
    let studied: Vec<Studied<'_>> = records
        .iter()
        .map(|record| Studied {
            record,
            subject: summarize(record, &view),
            last: summarize(record, &view.with_position(PatchPosition::LastToken)),
            dropping: recipes.iter().find(|recipe| recipe.name == record.model.name).map(dropping),
        })
        .collect();
    vec![knowledge(&studied), position(&studied), larger(&studied), hypothesis(&studied)]
}

fn dropping(recipe: &Recipe) -> f64 {
    let blocks = &recipe.dropping.blocks;
    blocks.iter().sum::<f64>() / blocks.len().max(1) as f64
}

/// Here, unlike with a model from elsewhere, it is known what was told.
fn knowledge(studied: &[Studied<'_>]) -> Lesson {
    let mut lines = vec![
        "The facts that these models were trained on are known, so what they do not know is known too.".to_string(),
    ];
    for Studied { record, subject, .. } in studied {
        let count = |reason| subject.dropped.get(&reason).copied().unwrap_or(0);
        let editable = record.validated().filter(|(_, t)| t.p_false > record.settings.edit.min_p_false).count();
        lines.push(format!(
            "- {}: asked {}, wrong on {}, not sensitive to the subject {}, validated {}; mean p of the true answer {}, \
             {} % of the facts editable by the paper's filter.",
            record.model.name,
            subject.screened,
            count(Reason::NotKnown),
            count(Reason::NotSensitive),
            subject.validated,
            mean(subject.p_clean, 2),
            percent(editable, subject.validated),
        ));
    }
    Lesson { question: "Which of the facts do they hold?", lines }
}

fn position(studied: &[Studied<'_>]) -> Lesson {
    let mut lines = Vec::new();
    let mut moved = 0;
    for Studied { record, subject, last, .. } in studied {
        let layers = record.model.layers;
        let layer = |l_star: Option<usize>| l_star.map_or("none".to_string(), |l| format!("{l} of {layers}"));
        let lost = subject.not_localized.map_or(0, |share| share.count);
        let late = last.at_last.map_or(0.0, |share| share.share * 100.0);
        moved += usize::from(last.l_star > subject.l_star);
        lines.push(format!(
            "- {}: l* is {} when the subject's last token is patched ({} facts, {lost} not localized), {} when the \
             prompt's last token is ({late:.0} % of the facts at the final layer).",
            record.model.name,
            layer(subject.l_star),
            at(subject),
            layer(last.l_star),
        ));
    }
    lines.push(format!(
        "The same facts in the same models: the dominant layer moves later with the patched position in {moved} of {} \
         models. Under last-token the final layer gives the clean prediction back by definition. The paper writes the \
         subject's final token and reports layers 23 of 26, 28 of 28, 35 of 36 and 31 of 32; eq. 1 read so gives \
         exactly 0 at the final layer.",
        studied.len()
    ));
    Lesson { question: "Does the dominant layer move with the patched position?", lines }
}

fn larger(studied: &[Studied<'_>]) -> Lesson {
    let question = "Is the larger sibling more redundant?";
    let (Some(large), Some(small)) = (studied.last(), studied.first()) else {
        return Lesson { question, lines: Vec::new() };
    };
    let line = |s: &Studied<'_>| {
        format!(
            "- {}: {:.1} million parameters, {} layers; R {}; {} of p left without one block, on average over the \
             blocks; C {}.",
            s.record.model.name,
            s.record.model.parameters as f64 / 1e6,
            s.record.model.layers,
            r(&s.subject),
            left(kept(&s.subject)),
            s.subject.concentration.map_or("–".into(), |c| format!("{:.3}", c.c)),
        )
    };
    let found = match (kept(&small.subject), kept(&large.subject)) {
        (Some(a), Some(b)) if b > a => {
            "Removing a block costs the larger one less: by this it is the more redundant one."
        }
        (Some(a), Some(b)) if b < a => {
            "Removing a block costs the larger one more: by this it is the less redundant one."
        }
        _ => "The two cannot be told apart.",
    };
    let found = match large.record.model.layers > small.record.model.layers {
        true => format!("{found} (Each of more blocks does less anyway.)"),
        false => found.to_string(),
    };
    let claim = "The paper finds R = 0.047 for the 3-billion Llama and 0.468 for the 8-billion one.";
    Lesson { question, lines: vec![line(small), line(large), format!("{found} {claim}")] }
}

fn hypothesis(studied: &[Studied<'_>]) -> Lesson {
    let mut lines = vec![
        "The paper: the less redundantly a model stores facts, the more easily they are edited. These models were made \
         to differ: blocks were left out at random while training, rarely or often, so that others had to know the \
         same."
            .to_string(),
    ];
    let mut pairs = Vec::new();
    for s in studied {
        let Some(edits) = &s.subject.edits else { continue };
        let kept = kept(&s.subject);
        lines.push(format!(
            "- {}: blocks left out {}, {} of p left without one block, R {}; {} edits of editable facts succeed by the \
             paper's criterion, {} of all {} rewrite the fact without harm, p of the new answer {} -> {}, {} of \
             unrelated predictions flip.",
            s.record.model.name,
            s.dropping.map_or("?".into(), |p| format!("{:.0} % of the time", p * 100.0)),
            left(kept),
            r(&s.subject),
            edits.success.map_or("no".into(), |share| format!("{} of {}", share.count, share.of)),
            edits.verdicts.get(&Verdict::Rewritten).copied().unwrap_or(0),
            edits.tried,
            mean(edits.p_false, 3),
            mean(edits.p_false_after, 3),
            edits.side_effects.as_ref().map_or("–".into(), |side| format!("{:.0} %", side.flips.share * 100.0)),
        ));
        if let (Some(kept), Some(success)) = (kept, edits.success) {
            pairs.push((kept, success.share));
        }
    }
    lines.extend(pair(studied));
    let (with, against) = ordered(&pairs);
    let verdict = match with.cmp(&against) {
        std::cmp::Ordering::Greater => "more often as the paper says than against it",
        std::cmp::Ordering::Less => "more often against what the paper says than with it",
        std::cmp::Ordering::Equal => "as often one way as the other",
    };
    lines.push(format!(
        "Of the pairs of models that differ in both, {with} are ordered as the paper says (less redundant, more \
         successful edits) and {against} the other way round: {verdict}. With {} models that is a hint, not a proof.",
        pairs.len()
    ));
    Lesson { question: "Does less redundancy mean more editable?", lines }
}

/// The first two models have one body and one size; what differs is how often blocks were left out.
fn pair(studied: &[Studied<'_>]) -> Option<String> {
    let [one, other, ..] = studied else { return None };
    let of = |s: &Studied<'_>| {
        let edits = s.subject.edits.as_ref()?;
        Some((kept(&s.subject)?, edits.success?.share, edits.p_false_after?.mean))
    };
    let ((kept_one, success_one, p_one), (kept_other, success_other, p_other)) = (of(one)?, of(other)?);
    let word = |more: bool| if more { "more" } else { "less" };
    let success = match success_one.total_cmp(&success_other) {
        std::cmp::Ordering::Equal => "as often".to_string(),
        order => format!("{} often", word(order.is_gt())),
    };
    Some(format!(
        "The controlled pair: {} and {} have the same body and the same facts. {} is the {} redundant one; its edits \
         succeed {success} and bring the new answer to {p_one:.3} against {p_other:.3}.",
        one.record.model.name,
        other.record.model.name,
        one.record.model.name,
        word(kept_one > kept_other),
    ))
}

/// Pairs in which the less redundant has more success, and those in which it has less.
fn ordered(pairs: &[(f64, f64)]) -> (usize, usize) {
    let (mut with, mut against) = (0, 0);
    for (at, one) in pairs.iter().enumerate() {
        for other in &pairs[at + 1..] {
            let product = (one.0 - other.0) * (one.1 - other.1);
            with += usize::from(product < 0.0);
            against += usize::from(product > 0.0);
        }
    }
    (with, against)
}

/// Redundancy as it is measured here: the share of p_clean that is left without one block, on average over the blocks.
/// (R of eq. 3 asks about one block only, and is clipped where the patch restores more than the ablation took.)
fn kept(summary: &Summary) -> Option<f64> {
    let drops = &summary.maps.block;
    let mean = drops.iter().map(|drop| drop.mean).sum::<f64>() / drops.len().max(1) as f64;
    Some(1.0 - mean / summary.p_clean?.mean)
}

fn left(kept: Option<f64>) -> String {
    kept.map_or("–".into(), |kept| format!("{:.0} %", kept * 100.0))
}

fn r(summary: &Summary) -> String {
    summary.redundancy.map_or("–".into(), |redundancy| format!("{:.3}", redundancy.r.mean))
}

fn at(summary: &Summary) -> String {
    summary.at_l_star.map_or("no".into(), |share| format!("{} of {}", share.count, share.of))
}

fn mean(value: Option<Mean>, decimals: usize) -> String {
    value.map_or("–".into(), |mean| format!("{:.decimals$}", mean.mean))
}

fn percent(count: usize, of: usize) -> String {
    if of == 0 { "–".into() } else { format!("{:.0}", 100.0 * count as f64 / of as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_both_ways() {
        assert_eq!(ordered(&[(0.9, 0.5), (0.5, 0.8), (0.1, 1.0)]), (3, 0));
        assert_eq!(ordered(&[(0.9, 0.5), (0.9, 0.8), (0.1, 0.2)]), (0, 2));
    }
}
