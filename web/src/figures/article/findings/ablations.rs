//! Effects of ablating a block, its attention or its MLP, layer by layer.

use super::super::{Article, Study, say};
use super::{At, agreement, joined, peak, places};
use engram_core::metrics::Mean;

/// Which block the facts need most, whether that is l*, and what each half of a block costs.
pub fn ablations(article: &Article<'_>) -> String {
    let found: Vec<(&Study<'_>, usize, Mean)> = article
        .studies
        .iter()
        .filter_map(|study| peak(&study.summary.maps.block).map(|(layer, mean)| (study, layer, *mean)))
        .filter(|(_, _, mean)| mean.mean > 0.0)
        .collect();
    if found.is_empty() {
        let measured = article.studies.iter().any(|study| !study.summary.maps.block.is_empty());
        return if measured {
            "No block's ablation lowers the answer's probability on average.".into()
        } else {
            "No fact was traced, so no block was ablated.".into()
        };
    }
    let at: Vec<At<'_>> = found
        .iter()
        .map(|(study, layer, _)| At { name: &study.name, layer: *layer, layers: study.summary.layers })
        .collect();
    let values: Vec<(&Study<'_>, Mean)> = found.iter().map(|(study, _, mean)| (*study, *mean)).collect();
    joined([
        Some(format!("The block whose ablation costs most is {}.", places(article, &at))),
        Some(format!("Without it the answer loses {}.", super::told(&values))),
        agreement(&at),
        against_l_star(article, &found),
        sublayers(article),
    ])
}

/// Whether the block that is missed most is the one that restores most often.
fn against_l_star(article: &Article<'_>, found: &[(&Study<'_>, usize, Mean)]) -> Option<String> {
    let with = found.iter().filter_map(|(study, layer, best)| {
        let l_star = study.summary.l_star?;
        let own = study.summary.maps.block.get(l_star - 1)?;
        let relation = match () {
            () if l_star == *layer => "It is l*",
            () if !say::apart(best, own) => {
                "It is not l*, though its loss does not differ from that of l* beyond the standard errors"
            }
            () => "It is not l*, which costs less",
        };
        Some((relation, study.name.as_str()))
    });
    let told: Vec<String> =
        say::groups(with).iter().map(|(relation, names)| format!("{relation}{}.", article.within(names))).collect();
    (!told.is_empty()).then(|| told.join(" "))
}

/// Which half of a block the facts need most, over all layers.
fn sublayers(article: &Article<'_>) -> Option<String> {
    let which = article.studies.iter().filter_map(|study| {
        let maps = &study.summary.maps;
        let ((at_attention, attention), (at_mlp, mlp)) = peak(&maps.attention).zip(peak(&maps.mlp))?;
        let said = match () {
            () if !say::apart(attention, mlp) => {
                "Attention's largest loss and the MLP's do not differ beyond the standard errors".to_owned()
            }
            () if attention.mean > mlp.mean => {
                format!("Attention's largest loss (layer {at_attention}) exceeds the MLP's (layer {at_mlp})")
            }
            () => format!("The MLP's largest loss (layer {at_mlp}) exceeds attention's (layer {at_attention})"),
        };
        Some((said, study.name.as_str()))
    });
    let told: Vec<String> =
        say::groups(which).iter().map(|(said, names)| format!("{said}{}.", article.within(names))).collect();
    (!told.is_empty()).then(|| told.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::sample;
    use super::*;
    use engram_core::metrics::MetricConvention;
    use engram_core::record::{PatchPosition, Record};

    fn record(block: [f32; 3], attention: [f32; 3], mlp: [f32; 3]) -> Record {
        let mut record = sample::study("a", PatchPosition::SubjectLast, &[&[0.5, 0.2, 0.1]]);
        sample::each(&mut record, |traced| {
            traced.without_block = block.to_vec();
            traced.without_attention = attention.to_vec();
            traced.without_mlp = mlp.to_vec();
        });
        record
    }

    fn said(record: Record) -> String {
        ablations(&Article::new(&[record], &MetricConvention::default()))
    }

    #[test]
    fn the_block_that_is_missed_is_held_against_l_star() {
        let own = said(record([0.4, 0.8, 0.8], [0.6, 0.9, 0.9], [0.7, 0.9, 0.9]));
        assert!(
            own.starts_with("The block whose ablation costs most is layer 1 of 3. Without it the answer loses 0.500"),
            "{own}"
        );
        assert!(
            own.contains("It is l*.") && own.contains("Attention's largest loss (layer 1) exceeds the MLP's"),
            "{own}"
        );
        let other = said(record([0.8, 0.8, 0.3], [0.9, 0.9, 0.9], [0.7, 0.9, 0.9]));
        assert!(other.contains("It is not l*, which costs less."), "{other}");
        assert!(other.contains("The MLP's largest loss (layer 1) exceeds attention's"), "{other}");
        let tie = said(record([0.5, 0.5, 0.5], [0.8, 0.9, 0.9], [0.8, 0.9, 0.9]));
        assert!(tie.contains("It is l*.") && tie.contains("do not differ beyond the standard errors"), "{tie}");
    }

    #[test]
    fn blocks_may_not_matter() {
        assert_eq!(
            said(record([0.95; 3], [0.9; 3], [0.9; 3])),
            "No block's ablation lowers the answer's probability on average."
        );
        let mut none = sample::record();
        none.facts.retain(|fact| fact.traced().is_none());
        assert_eq!(said(none), "No fact was traced, so no block was ablated.");
    }
}
