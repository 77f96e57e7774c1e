//! The map of states before and after an edit, both in the recovery of the model before it.

use crate::figures::trace::{Cursor, Standing, TraceMaps};
use crate::words;
use engram_core::protocol::MapSite;

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct SmallRow {
    /// Its token.
    pub text: String,
    /// The token belongs to the subject.
    pub subject: bool,
    /// Recovery, layer by layer; `None` where there is no value, or none yet.
    pub cells: Vec<Option<f64>>,
}

/// A map without its tracks.
#[derive(Debug, Clone, PartialEq)]
pub struct SmallMap {
    /// Its rows.
    pub rows: Vec<SmallRow>,
    /// Its columns.
    pub layers: usize,
    /// Where the edit is: the subject's last token at the edited layer.
    pub edited: Option<Cursor>,
    /// The answer.
    pub answer: String,
}

impl SmallMap {
    /// The map before an edit at a layer.
    ///
    /// # Errors
    /// Where there is nothing to see, with why.
    pub fn before(maps: &TraceMaps, layer: usize) -> Result<Self, String> {
        let answer = &maps.answer;
        match maps.standing {
            Standing::NotKnown => Err(format!("The model does not say {answer} to this prompt: there is no map.")),
            Standing::NotSensitive => {
                Err(format!("Without the subject the model says {answer}, too: there is no map."))
            }
            Standing::Effect if !maps.any() => Err("This result has no map.".into()),
            Standing::Effect => Ok(Self::drawn(maps, maps, layer)),
        }
    }

    /// The map after it, in units of the one before: the edit may have left no effect of its own to measure in.
    ///
    /// # Errors
    /// Where there is nothing to see, with why.
    pub fn after(maps: &TraceMaps, before: &TraceMaps, layer: usize) -> Result<Self, String> {
        match before.standing {
            Standing::Effect if maps.any() => Ok(Self::drawn(maps, before, layer)),
            Standing::Effect => Err("This result has no map.".into()),
            _ => Err("There is no map before the edit to compare with.".into()),
        }
    }

    fn drawn(maps: &TraceMaps, scale: &TraceMaps, layer: usize) -> Self {
        let row = |(at, row): (usize, &crate::figures::trace::Row)| {
            let value = |layer| Some(scale.recovery(maps.p(MapSite::Residual, Cursor { row: at, layer })?));
            SmallRow {
                text: row.text.clone(),
                subject: row.role.is_subject(),
                cells: (1..=maps.layers).map(value).collect(),
            }
        };
        let edited = maps.subject_last().filter(|_| (1..=maps.layers).contains(&layer));
        Self {
            rows: maps.rows.iter().enumerate().map(row).collect(),
            layers: maps.layers,
            edited: edited.map(|row| Cursor { row, layer }),
            answer: maps.answer.clone(),
        }
    }

    fn value(&self, at: Cursor) -> Option<f64> {
        self.rows.get(at.row)?.cells.get(at.layer.checked_sub(1)?).copied().flatten()
    }

    /// It in a sentence, for those who do not see it.
    pub fn sentence(&self) -> String {
        let of_row = |row: usize| (1..=self.layers).map(move |layer| Cursor { row, layer });
        let subject = self.rows.iter().enumerate().filter(|(_, row)| row.subject).flat_map(|(row, _)| of_row(row));
        let known = subject.filter_map(|at| Some((at, self.value(at)?)));
        let most = known.reduce(|best, next| if next.1 > best.1 { next } else { best });
        let most = most.map(|(at, value)| {
            let token = &self.rows[at.row].text;
            format!("highest on the subject, {}, at {token}, layer {}", words::fixed(value, 2), at.layer)
        });
        let here = self.edited.and_then(|at| self.value(at));
        let here = here.map(|value| format!("{} where it was edited", words::fixed(value, 2)));
        let parts: Vec<String> = [most, here].into_iter().flatten().collect();
        match parts.as_slice() {
            [] => format!("Recovery of {}: not computed yet.", self.answer),
            parts => format!("Recovery of {}: {}.", self.answer, parts.join("; ")),
        }
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
        let map = SmallMap::before(&before, 2).expect("a map");
        assert_eq!((map.rows.len(), map.layers, map.edited), (5, 6, Some(Cursor { row: 2, layer: 2 })));
        assert_eq!(
            map.sentence(),
            "Recovery of Peru: highest on the subject, 1.00, at ·Picchu, layer 2; 1.00 where it was edited."
        );
        // After the edit the answer is at half of its probability everywhere, and the model no longer says it.
        let mut traced = machu::traced();
        let there = traced.maps.as_mut().expect("maps");
        there.residual.iter_mut().flatten().for_each(|p| *p = 0.1 + (*p - 0.1) / 2.0);
        traced.p_clean = 0.2;
        let fact = machu::dropped(traced, Reason::NotKnown);
        let after = TraceMaps::of(&fact, false).expect("it is traced");
        let map = SmallMap::after(&after, &before, 2).expect("a map");
        let here = map.edited.and_then(|at| map.value(at)).expect("a value");
        assert!((here - 0.5).abs() < 1e-6, "{here}");
        assert!(SmallMap::before(&after, 2).is_err_and(|why| why.contains("does not say Peru")));
        assert!(SmallMap::after(&before, &after, 2).is_err());
    }

    #[test]
    fn a_layer_that_the_model_does_not_have_is_not_ringed() {
        assert_eq!(SmallMap::before(&maps(), 7).expect("a map").edited, None);
    }
}
