//! The small map of a study's fact: a row a token, or where a fact has no map, a row for each position at which its state was restored.

use crate::figures::small_map::{SmallMap, SmallRow};
use crate::figures::trace::{Row, TraceMaps};
use crate::words;
use engram_core::metrics::{Finding, MetricConvention, finding};
use engram_core::protocol::MapSite;
use engram_core::record::{FactRecord, PatchPosition};

/// The map of a traced fact; `None` of one without an effect.
pub fn small_map(fact: &FactRecord, view: &MetricConvention) -> Option<SmallMap> {
    fact.validated()?;
    let maps = TraceMaps::of(fact, false)?;
    let found = finding(fact, view);
    if !found.is_none_or(Finding::is_effect) {
        return None;
    }
    let layer = found.and_then(Finding::layer);
    let whole = maps.any();
    let row = |(at, row): (usize, &Row)| SmallRow {
        name: row.text.clone(),
        subject: row.role.is_subject(),
        values: maps.line(MapSite::Residual, at),
    };
    let (rows, at) = if whole {
        let at = match view.position {
            PatchPosition::SubjectLast => maps.subject_last(),
            PatchPosition::LastToken => Some(maps.last()),
            PatchPosition::SameIndex => None,
        };
        (maps.rows.iter().enumerate().map(row).collect(), at)
    } else {
        positions(fact, view)
    };
    let ring = at.zip(layer).filter(|(_, layer)| *layer <= maps.layers);
    let label = label(&rows, whole);
    Some(SmallMap { rows, layers: maps.layers, ring, whole, label }).filter(|map| !map.rows.is_empty())
}

/// The highest recovery of each row.
fn label(rows: &[SmallRow], whole: bool) -> String {
    let most = |row: &SmallRow| row.values.iter().flatten().copied().reduce(f64::max);
    let told = |row: &SmallRow| {
        most(row).map(|most| format!("{} {}", row.name.trim_start_matches('·'), words::fixed(most, 2)))
    };
    let told: Vec<String> = rows.iter().filter_map(told).collect();
    let what = if whole { "token" } else { "position" };
    format!("Recovery by {what} and layer; the highest of each row: {}", told.join(", "))
}

/// A row for each position at which the state was restored, and the place of the view's.
fn positions(fact: &FactRecord, view: &MetricConvention) -> (Vec<SmallRow>, Option<usize>) {
    let all = crate::state::POSITIONS;
    let row = |position: PatchPosition| {
        let values = super::line::recovery(fact, &view.with_position(position))?;
        Some((
            position,
            SmallRow {
                name: words::patch_position(position).into(),
                subject: position != PatchPosition::LastToken,
                values: values.into_iter().map(Some).collect(),
            },
        ))
    };
    let found: Vec<(PatchPosition, SmallRow)> = all.into_iter().filter_map(row).collect();
    let at = found.iter().position(|(position, _)| *position == view.position);
    (found.into_iter().map(|(_, row)| row).collect(), at)
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::super::trace::machu;
    use super::*;
    use engram_core::record::Reason;

    #[test]
    fn a_map_has_its_tokens() {
        let map = small_map(&machu::fact(machu::traced()), &MetricConvention::default()).expect("a map");
        let names: Vec<&str> = map.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["Mach", "u", "·Picchu", "·is", "·of"]);
        assert_eq!((map.ring, map.layers, map.whole), (Some((2, 2)), machu::LAYERS, true));
        assert!(map.rows[2].subject && !map.rows[3].subject);
    }

    #[test]
    fn without_a_map_there_are_the_positions() {
        let record = sample::record();
        let map = small_map(&record.facts[0], &MetricConvention::default()).expect("a curve");
        assert_eq!((map.rows.len(), map.ring, map.whole), (1, Some((0, 2)), false));
        assert_eq!(map.rows[0].name, "last subject token");
        let flat = small_map(&record.facts[2], &MetricConvention::default()).expect("a curve");
        assert_eq!(flat.ring, None);
    }

    #[test]
    fn an_excluded_fact_has_none() {
        let fact = machu::dropped(machu::traced(), Reason::NotSensitive);
        assert_eq!(small_map(&fact, &MetricConvention::default()), None);
    }
}
