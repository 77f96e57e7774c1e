//! The map of states in small: a row a token, or where a fact has no map, a row for each position at which its state was restored.

use crate::figures::trace::{Row, Scale, TraceMaps, ramp};
use crate::words;
use engram_core::metrics::{Finding, MetricConvention, finding};
use engram_core::protocol::MapSite;
use engram_core::record::{FactRecord, PatchPosition};

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct SmallRow {
    /// Its name: a token, or a position.
    pub name: String,
    /// It belongs to the subject.
    pub subject: bool,
    /// Recovery layer by layer.
    pub values: Vec<Option<f64>>,
}

/// A row of recoveries as one background, a band of colour for each layer: a table of many facts needs no element a cell.
pub fn bands(values: impl ExactSizeIterator<Item = Option<f64>>) -> String {
    let of = values.len() as f64;
    let band = |(at, value): (usize, Option<f64>)| {
        let colour = value.map_or("transparent".to_owned(), |value| ramp(value, Scale::Linear));
        format!(",{colour} 0 {:.2}%", (at + 1) as f64 / of * 100.0)
    };
    format!("linear-gradient(90deg{})", values.enumerate().map(band).collect::<String>())
}

/// The map.
#[derive(Debug, Clone, PartialEq)]
pub struct SmallMap {
    /// Its rows.
    pub rows: Vec<SmallRow>,
    /// Its columns.
    pub layers: usize,
    /// The peak: its row, from 0, and its layer, from 1.
    pub peak: Option<(usize, usize)>,
    /// It is the whole map of states, not only the positions that were restored.
    pub whole: bool,
}

impl SmallMap {
    /// The map of a traced fact; `None` of one without an effect.
    pub fn of(fact: &FactRecord, view: &MetricConvention) -> Option<Self> {
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
        let peak = at.zip(layer).filter(|(_, layer)| *layer <= maps.layers);
        Some(Self { rows, layers: maps.layers, peak, whole }).filter(|map| !map.rows.is_empty())
    }
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
        let map = SmallMap::of(&machu::fact(machu::traced()), &MetricConvention::default()).expect("a map");
        let names: Vec<&str> = map.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["Mach", "u", "·Picchu", "·is", "·of"]);
        assert_eq!((map.peak, map.layers, map.whole), (Some((2, 2)), machu::LAYERS, true));
        assert!(map.rows[2].subject && !map.rows[3].subject);
    }

    #[test]
    fn without_a_map_there_are_the_positions() {
        let record = sample::record();
        let map = SmallMap::of(&record.facts[0], &MetricConvention::default()).expect("a curve");
        assert_eq!((map.rows.len(), map.peak, map.whole), (1, Some((0, 2)), false));
        assert_eq!(map.rows[0].name, "last subject token");
        let flat = SmallMap::of(&record.facts[2], &MetricConvention::default()).expect("a curve");
        assert_eq!(flat.peak, None);
    }

    #[test]
    fn a_row_is_one_background() {
        let said = bands([Some(0.0), None, Some(0.5), Some(-0.01)].into_iter());
        let wanted = "var(--map-0) 0 25.00%,transparent 0 50.00%,var(--map-4) 0 75.00%,var(--map-0) 0 100.00%";
        assert_eq!(said, format!("linear-gradient(90deg,{wanted})"));
    }

    #[test]
    fn an_excluded_fact_has_none() {
        let fact = machu::dropped(machu::traced(), Reason::NotSensitive);
        assert_eq!(SmallMap::of(&fact, &MetricConvention::default()), None);
    }
}
