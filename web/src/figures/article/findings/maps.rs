//! Figure D: at which token and layer a clean state restores most, and the logit lens.

use super::super::finding::{Finding, joined};
use super::super::{Article, Study};
use crate::figures::lens::settled;
use crate::figures::trace::{Role, role};
use engram_core::metrics::SNAP;
use engram_core::record::{Maps, Traced};

/// The cell of a map that restores most, the first one on a tie: its token's role, and its layer. `None` where no cell
/// restores more than float noise. With `early` without the prompt's last token, whose end is the clean answer by
/// definition.
fn highest(traced: &Traced, map: &[Vec<f32>], early: bool) -> Option<(Role, usize)> {
    let (span, count) = (traced.corrupt_span, traced.corrupt_tokens.len());
    let cells = map.iter().enumerate().flat_map(|(at, row)| {
        (1..)
            .zip(row)
            .map(move |(layer, p)| (role(at, span, count), layer, f64::from(*p) - f64::from(traced.p_corrupt)))
    });
    let best = cells
        .filter(|(role, _, gain)| *gain > SNAP && !(early && *role == Role::LastToken))
        .reduce(|best, next| if next.2 > best.2 { next } else { best })?;
    Some((best.0, best.1))
}

/// The middle value, the lower one of two.
fn median(mut values: Vec<usize>) -> Option<usize> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// Where the maps of a study have their peaks: the most frequent role, with the median layer there.
fn peaks(what: &str, mapped: &[&Traced], map: fn(&Maps) -> &[Vec<f32>], early: bool) -> String {
    let found = mapped.iter().filter_map(|traced| highest(traced, map(traced.maps.as_ref()?), early));
    let found: Vec<(Role, usize)> = found.collect();
    let layers = |wanted: Role| found.iter().filter(|(role, _)| *role == wanted).map(|(_, layer)| *layer).collect();
    let all = Role::ALL.into_iter().map(|role| (role, layers(role)));
    let most = all.reduce(|best: (Role, Vec<usize>), next| if next.1.len() > best.1.len() { next } else { best });
    match most.and_then(|(role, layers)| Some((role, layers.len(), median(layers)?))) {
        Some((role, count, layer)) => {
            format!("{what}: {} in {count} of {} facts (median layer {layer})", role.full(), mapped.len())
        }
        None => format!("{what}: no cell raises p(true answer)"),
    }
}

/// Figure D: where each kind of map has its peak, and what the logit lens reads.
pub(super) fn maps(article: &Article<'_>) -> Finding {
    let one = |study: &Study<'_>| joined([mapped(study), lens(study)]);
    Finding::of(&article.studies, |study| Some(one(study))).with(
        "A cell: p(true answer) in the corrupted run with one clean state restored. The residual stream's last token is left out, \
         since its last layer gives the clean answer by definition.",
    )
}

fn mapped(study: &Study<'_>) -> Option<String> {
    let found: Vec<&Traced> =
        study.record.validated().map(|one| one.1).filter(|traced| traced.maps.is_some()).collect();
    let Some(window) = found.first().and_then(|traced| Some(traced.maps.as_ref()?.window)) else {
        return Some("No fact has token × layer maps.".into());
    };
    let layers = study.summary.layers;
    let wide = (window > 1 && window * 3 >= layers * 2).then(|| {
        format!("A window of {window} of {layers} layers locates tokens, hardly layers, in the maps of MLP and attention output.")
    });
    let told = [
        peaks("Highest cell before the last token, residual stream", &found, |maps| &maps.residual, true),
        peaks("MLP output", &found, |maps| &maps.mlp, false),
        peaks("attention output", &found, |maps| &maps.attention, false),
    ];
    Some(joined([Some(format!("{}.", told.join("; "))), wide]))
}

/// From which layer on the true answer can be read at the last token.
fn lens(study: &Study<'_>) -> Option<String> {
    let all = study.record.validated().filter_map(|(_, traced)| traced.lens.as_ref());
    let read: Vec<Option<usize>> = all.filter(|lens| !lens.rank_true.is_empty()).map(settled).collect();
    let leads: Vec<usize> = read.iter().flatten().copied().collect();
    let (ends, layers) = (leads.len(), study.summary.layers);
    let from = median(leads).map(|layer| format!(", from layer {layer} of {layers} on (median)"));
    (!read.is_empty()).then(|| {
        format!(
            "Logit lens at the last token: the true answer is the most probable token at the end for {ends} of {} facts{}.",
            read.len(),
            from.unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::article::finding::tests::begins;
    use crate::figures::sample;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{Lens, PatchPosition, Record};

    /// Five tokens; the subject is the second and third; a map with one cell above the baseline.
    fn map(position: usize, layer: usize, p: f32) -> Vec<Vec<f32>> {
        let mut map = vec![vec![0.1; 3]; 5];
        map[position][layer - 1] = p;
        map
    }

    fn record(window: usize) -> Record {
        let mut record = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1], &[0.5, 0.2, 0.1]]);
        let mut layer = 0;
        sample::each(&mut record, |traced| {
            layer += 1;
            traced.corrupt_tokens = ["The", " a", " b", " is", " in"].map(String::from).to_vec();
            traced.corrupt_span = [1, 3];
            let mut residual = map(2, layer, 0.4);
            residual[4] = vec![0.1, 0.6, 0.9];
            traced.maps = Some(Maps { window, residual, mlp: map(3, 2, 0.3), attention: vec![vec![0.1; 3]; 5] });
        });
        record
    }

    fn said(record: Record) -> String {
        maps(&Article::new(&[record], &MetricConvention::default())).to_string()
    }

    #[test]
    fn peaks_are_counted_by_their_role() {
        let told = said(record(1));
        let wanted = "Highest cell before the last token, residual stream: last subject token in 2 of 2 facts (median layer 1); MLP \
                      output: further token in 2 of 2 facts (median layer 2); attention output: no cell raises p(true answer). A cell";
        begins(&told, wanted);
        assert!(said(record(3)).contains("A window of 3 of 3 layers locates tokens"));
        assert!(said(sample::record()).starts_with("No fact has token × layer maps. A cell"));
    }

    #[test]
    fn the_lens_tells_from_where_the_answer_leads() {
        let with = |ranks: &[&[u32]]| {
            let mut record = record(1);
            let mut next = ranks.iter();
            sample::each(&mut record, |traced| {
                traced.lens = next.next().map(|ranks| Lens { rank_true: ranks.to_vec(), ..Lens::default() });
            });
            said(record)
        };
        assert!(
            with(&[&[9, 1, 1], &[9, 9, 2]]).contains("at the end for 1 of 2 facts, from layer 2 of 3 on (median).")
        );
        assert!(with(&[&[9, 1, 2], &[9, 9, 2]]).contains("at the end for 0 of 2 facts. A cell"));
    }
}
