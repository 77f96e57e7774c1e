//! What stands beneath the finding: which outputs alone restore the answer, and what about the tokens bounds what the map can show.

use super::{CARRIES, Cursor, TraceMaps, beyond_subject};
use crate::words;
use engram_core::protocol::MapSite;
use engram_core::record::FactRecord;

/// A row's token in quotation marks; an averaged row's role without them.
pub(super) fn quoted(maps: &TraceMaps, row: usize) -> String {
    let averaged = maps.rows.get(row).is_some_and(|row| row.averaged);
    if averaged { format!("the {}", maps.token(row)) } else { format!("“{}”", maps.token(row)) }
}

/// A row's place among the subject's tokens, in brackets; unless `always`, only where another row has the same token.
pub(super) fn placed(maps: &TraceMaps, row: usize, always: bool) -> String {
    let subject = |at: &usize| maps.rows[*at].role.is_subject();
    let (before, of) = ((0..row).filter(subject).count(), (0..maps.rows.len()).filter(subject).count());
    let twins = maps.rows.iter().filter(|other| other.text == maps.rows[row].text).count();
    let wanted = subject(&row) && !maps.rows[row].averaged && (always || twins > 1);
    if wanted { format!(" ({} of the {of} subject tokens)", words::ordinal(before + 1)) } else { String::new() }
}

/// The sites whose highest cell restores the answer, the higher one first; with the cell through which attention moves the answer,
/// where that is another one.
pub(super) fn alone(maps: &TraceMaps, moved: Option<usize>) -> Option<String> {
    let place = |site: MapSite, at: Cursor| {
        let layers = match maps.put_back(site, at.layer) {
            (first, last) if first == last => format!("layer {first}"),
            (first, last) => format!("layers {first}–{last}"),
        };
        format!("at {}{}, {layers}", quoted(maps, at.row), placed(maps, at.row, false))
    };
    let found = |(site, name): (MapSite, &str)| {
        let peak = maps.peak(site).filter(|peak| peak.value >= CARRIES)?;
        let last = moved.filter(|_| site == MapSite::Attention && peak.at.row != maps.last());
        let last = last.map(|layer| Cursor { row: maps.last(), layer });
        let also =
            last.and_then(|at| Some(format!(" (and {} {})", words::fixed(maps.value(site, at)?, 2), place(site, at))));
        let (value, place) = (words::fixed(peak.value, 2), place(site, peak.at));
        Some((peak.value, name.to_owned(), format!("{value} {place}{}", also.unwrap_or_default())))
    };
    let mut both: Vec<_> =
        [(MapSite::Mlp, "MLP"), (MapSite::Attention, "Attention")].into_iter().filter_map(found).collect();
    both.sort_by(|one, other| other.0.total_cmp(&one.0));
    match both.as_slice() {
        [] => None,
        [(_, name, said)] => Some(format!("{name} alone restores {said}.")),
        [(_, name, said), (_, other, also), ..] => {
            let other = if other == "MLP" { "MLP" } else { "attention" };
            Some(format!("{name} alone restores {said}; {other} alone {also}."))
        }
    }
}

/// What the subject's tokens keep the map from showing: the last one is the same in both runs, or is the only one.
pub(super) fn caveat(maps: &TraceMaps, fact: &FactRecord, instead: Option<&str>, taken_over: bool) -> Option<String> {
    let row = maps.subject_last().filter(|row| *row != maps.last() && !maps.rows[*row].averaged)?;
    let token = quoted(maps, row);
    if maps.rows[row].same {
        return Some(format!(
            "{token} is the same in both runs, so its row shows only what it takes from earlier tokens: replace the subject by another \
             name."
        ));
    }
    let one = maps.rows.iter().filter(|row| row.role.is_subject()).count() == 1;
    // Further tokens of a longer replacement would stay.
    let whole = fact.traced().is_some_and(|traced| beyond_subject(traced).is_empty());
    (one && whole && taken_over).then(|| {
        let what = if instead.is_some() { "the whole replacement" } else { "all of the noise" };
        format!(
            "{token} is one token, so an early restore undoes {what}: look at the layer where the last token takes over."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::machu;
    use super::*;
    use engram_core::record::Traced;

    fn maps(traced: Traced) -> TraceMaps {
        TraceMaps::of(&machu::fact(traced), false).expect("it is traced")
    }

    #[test]
    fn the_higher_site_is_named_first_with_its_cell() {
        let said = alone(&maps(machu::traced()), Some(5)).unwrap_or_default();
        assert_eq!(said, "MLP alone restores 0.90 at “Picchu”, layers 1–2; attention alone 0.90 at “of”, layers 3–5.");
        let mut traced = machu::traced();
        let there = traced.maps.as_mut().expect("maps");
        there.window = 1;
        there.attention[1][0] = 0.98;
        there.mlp[2] = vec![0.5; machu::LAYERS];
        let said = alone(&maps(traced.clone()), Some(5)).unwrap_or_default();
        assert_eq!(said, "Attention alone restores 1.10 at “u”, layer 1 (and 0.80 at “of”, layer 5).");
        traced.maps.as_mut().expect("maps").attention.iter_mut().for_each(|row| row.fill(0.5));
        assert_eq!(alone(&maps(traced), None), None, "neither restores it");
    }

    #[test]
    fn a_token_that_comes_twice_is_told_by_its_place() {
        let mut traced = machu::traced();
        traced.tokens[0] = " Picchu".into();
        assert_eq!(placed(&maps(traced), 2, false), " (3rd of the 3 subject tokens)");
        let maps = maps(machu::traced());
        assert_eq!((placed(&maps, 2, false), placed(&maps, 3, true)), (String::new(), String::new()));
        assert_eq!(placed(&maps, 1, true), " (2nd of the 3 subject tokens)");
    }

    #[test]
    fn what_the_tokens_bound_is_said() {
        let said = |traced: Traced, instead| {
            let fact = machu::fact(traced);
            caveat(&TraceMaps::of(&fact, false).expect("it is traced"), &fact, instead, true)
        };
        assert_eq!(said(machu::traced(), Some("x")), None);
        let mut same = machu::traced();
        same.corrupt_tokens[2] = same.tokens[2].clone();
        assert!(said(same, Some("x")).is_some_and(|said| said.starts_with("“Picchu” is the same in both runs")));
        let mut one = machu::traced();
        (one.subject_span, one.corrupt_span) = ([2, 3], [2, 3]);
        assert!(said(one.clone(), Some("x")).is_some_and(|said| said.contains("undoes the whole replacement: look")));
        assert!(said(one, None).is_some_and(|said| said.contains("undoes all of the noise")));
    }
}
