//! The map of states before and after an edit, both in the recovery of the model before it.

use crate::figures::small_map::{SmallMap, SmallRow};
use crate::figures::trace::{Cursor, Row, Standing, TraceMaps};
use crate::words;
use engram_core::protocol::MapSite;

/// The map before an edit at a layer.
///
/// # Errors
/// Where there is nothing to see, with why.
pub fn map_before(maps: &TraceMaps, layer: usize) -> Result<SmallMap, String> {
    let answer = &maps.answer;
    match maps.standing {
        Standing::NotKnown => Err(format!("The model does not say {answer} to this prompt: there is no map.")),
        Standing::NotSensitive => Err(format!("Without the subject the model says {answer}, too: there is no map.")),
        Standing::Effect if !maps.any() => Err("This result has no map.".into()),
        Standing::Effect => Ok(drawn(maps, maps, layer)),
    }
}

/// The map after it, in units of the one before: the edit may have left no effect of its own to measure in.
///
/// # Errors
/// Where there is nothing to see, with why.
pub fn map_after(maps: &TraceMaps, before: &TraceMaps, layer: usize) -> Result<SmallMap, String> {
    match before.standing {
        Standing::Effect if maps.any() => Ok(drawn(maps, before, layer)),
        Standing::Effect => Err("This result has no map.".into()),
        _ => Err("There is no map before the edit to compare with.".into()),
    }
}

fn drawn(maps: &TraceMaps, scale: &TraceMaps, layer: usize) -> SmallMap {
    let row = |(at, row): (usize, &Row)| {
        let value = |layer| Some(scale.recovery(maps.p(MapSite::Residual, Cursor { row: at, layer })?));
        SmallRow {
            name: row.text.clone(),
            subject: row.role.is_subject(),
            values: (1..=maps.layers).map(value).collect(),
        }
    };
    let rows: Vec<SmallRow> = maps.rows.iter().enumerate().map(row).collect();
    let edited = maps.subject_last().filter(|_| (1..=maps.layers).contains(&layer)).map(|row| (row, layer));
    let label = label(&rows, edited, &maps.answer);
    SmallMap { rows, layers: maps.layers, ring: edited, whole: true, label }
}

/// The highest recovery on the subject, and the one where the edit is.
fn label(rows: &[SmallRow], edited: Option<(usize, usize)>, answer: &str) -> String {
    let cells = |row: &SmallRow| {
        let name = row.name.clone();
        row.values.clone().into_iter().enumerate().map(move |(at, value)| (name.clone(), at + 1, value))
    };
    let known = rows.iter().filter(|row| row.subject).flat_map(cells);
    let known = known.filter_map(|(name, layer, value)| Some((name, layer, value?)));
    let most = known.reduce(|best, next| if next.2 > best.2 { next } else { best });
    let most = most.map(|(token, layer, value)| {
        format!("highest on the subject, {}, at {token}, layer {layer}", words::fixed(value, 2))
    });
    let here = edited.and_then(|(row, layer)| rows.get(row)?.values.get(layer - 1).copied().flatten());
    let here = here.map(|value| format!("{} where it was edited", words::fixed(value, 2)));
    let parts: Vec<String> = [most, here].into_iter().flatten().collect();
    match parts.as_slice() {
        [] => format!("Recovery of {answer}: not computed yet."),
        parts => format!("Recovery of {answer}: {}.", parts.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::trace::machu;
    use engram_core::record::Reason;

    fn maps() -> TraceMaps {
        TraceMaps::of(&machu::fact(machu::traced()), false).expect("it is traced")
    }

    #[test]
    fn both_maps_have_one_scale() {
        let before = maps();
        let map = map_before(&before, 2).expect("a map");
        assert_eq!((map.rows.len(), map.layers, map.ring), (5, 6, Some((2, 2))));
        assert_eq!(
            map.label,
            "Recovery of Peru: highest on the subject, 1.00, at ·Picchu, layer 2; 1.00 where it was edited."
        );
        // After the edit the answer is at half of its probability everywhere, and the model no longer says it.
        let mut traced = machu::traced();
        let there = traced.maps.as_mut().expect("maps");
        there.residual.iter_mut().flatten().for_each(|p| *p = 0.1 + (*p - 0.1) / 2.0);
        traced.p_clean = 0.2;
        let fact = machu::dropped(traced, Reason::NotKnown);
        let after = TraceMaps::of(&fact, false).expect("it is traced");
        let map = map_after(&after, &before, 2).expect("a map");
        let here = map.rows[2].values[1].expect("a value");
        assert!((here - 0.5).abs() < 1e-6, "{here}");
        assert!(map_before(&after, 2).is_err_and(|why| why.contains("does not say Peru")));
        assert!(map_after(&before, &after, 2).is_err());
    }

    #[test]
    fn a_layer_that_the_model_does_not_have_is_not_ringed() {
        assert_eq!(map_before(&maps(), 7).expect("a map").ring, None);
    }
}
