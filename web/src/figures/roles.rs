//! The maps of a study's facts as one: the mean recovery of each role's tokens, layer by layer.

use super::article::finding::Finding;
use super::multiples::{Cells, Multiples, Panel, What};
use super::trace::{Role, Row, rows};
use crate::words;
use engram_core::metrics::{Mean, PEAK};
use engram_core::record::{Maps, Record, Traced};

/// Mean maps of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct RoleMaps {
    /// Facts with maps.
    pub facts: usize,
    /// Layers of the model.
    pub layers: usize,
    /// Layers that a cell of the MLP and attention maps puts back.
    pub window: usize,
    /// State, MLP, attention: by role and layer.
    pub maps: [Vec<Vec<Option<Mean>>>; 3],
}

/// The highest cell of a mean map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RolePeak {
    /// Whose tokens.
    pub role: Role,
    /// The layer, from 1.
    pub layer: usize,
    /// Its recovery.
    pub value: Mean,
}

impl RoleMaps {
    /// The means of a study; `None` where no traced fact has a map.
    pub fn of(record: &Record) -> Option<Self> {
        let all: Vec<(&Traced, &Maps, Vec<Row>)> = record
            .validated()
            .filter_map(|(_, traced)| Some((traced, traced.maps.as_ref()?, rows(traced, true))))
            .collect();
        let layers = all.iter().map(|(traced, ..)| traced.without_block.len()).max().filter(|layers| *layers > 0)?;
        let cell = |site: usize, role: Role, layer: usize| {
            let value = |(traced, maps, rows): &(&Traced, &Maps, Vec<Row>)| {
                let map = [&maps.residual, &maps.mlp, &maps.attention][site];
                let at = &rows.iter().find(|row| row.role == role)?.at;
                let p: Option<Vec<f64>> = at.iter().map(|at| Some(f64::from(*map.get(*at)?.get(layer)?))).collect();
                let p = Mean::of(p?)?.mean;
                let (clean, corrupt) = (f64::from(traced.p_clean), f64::from(traced.p_corrupt));
                Some((p - corrupt) / (clean - corrupt)).filter(|value| value.is_finite())
            };
            Mean::of(all.iter().filter_map(value))
        };
        let map = |site| Role::ALL.map(|role| (0..layers).map(|layer| cell(site, role, layer)).collect()).into();
        let window = all.iter().map(|(_, maps, _)| maps.window).max().unwrap_or_default();
        Some(Self { facts: all.len(), layers, window, maps: [0, 1, 2].map(map) })
    }

    /// The highest cell of a map, where it regains a tenth. In the map of states the last token counts for nothing: its last layer
    /// restores everything by definition.
    pub fn peak(&self, site: usize) -> Option<RolePeak> {
        let rows = Role::ALL.into_iter().zip(&self.maps[site]);
        let rows = rows.filter(|(role, _)| site != 0 || role.is_subject());
        let cells = rows.flat_map(|(role, row)| {
            (1..).zip(row).filter_map(move |(layer, value)| Some(RolePeak { role, layer, value: (*value)? }))
        });
        let best = cells.reduce(|best, next| if next.value.mean > best.value.mean { next } else { best });
        best.filter(|best| best.value.mean >= PEAK)
    }

    /// From which layer on the last token's state restores half of the answer or more; not the last one, which does so by
    /// definition.
    pub fn takes_over(&self) -> Option<usize> {
        let row = &self.maps[0][Role::ALL.iter().position(|role| *role == Role::LastToken)?];
        let below = row.iter().rposition(|value| value.is_none_or(|value| value.mean < 0.5)).map_or(0, |at| at + 1);
        (below + 1 < row.len()).then_some(below + 1)
    }
}

/// The maps' names, and what a cell of each is.
fn heads(window: usize) -> Vec<(String, String)> {
    let outputs = match window {
        0 | 1 => "output of one layer".to_owned(),
        several => format!("outputs of {several} layers"),
    };
    let heads = [("State", "after each layer".to_owned()), ("MLP", outputs.clone()), ("Attention", outputs)];
    heads.map(|(name, about)| (name.to_owned(), about)).into()
}

/// Mean maps of all studies; `None` where none has maps.
pub fn multiples(studies: &[(String, &Record)]) -> Option<Multiples> {
    let found: Vec<(String, Option<RoleMaps>)> =
        studies.iter().map(|(name, record)| (name.clone(), RoleMaps::of(record))).collect();
    let maps = || found.iter().filter_map(|one| one.1.as_ref());
    let window = maps().map(|maps| maps.window).max()?;
    // Rows that no study has are left out, the same ones everywhere.
    let has = |at: &usize| maps().any(|one| one.maps.iter().any(|map| map[*at].iter().any(Option::is_some)));
    let rows: Vec<usize> = (0..Role::ALL.len()).filter(has).collect();
    let names = rows.iter().map(|at| (Role::ALL[*at].full().to_owned(), Role::ALL[*at].is_subject())).collect();
    let panels = found.iter().map(|(_, maps)| {
        let one = |site: usize| {
            let Some(maps) = maps else { return Panel::nothing("no maps") };
            let cells: Cells = rows.iter().map(|at| maps.maps[site][*at].clone()).collect();
            let peak = maps.peak(site);
            let words = peak.map_or("no peak".to_owned(), |peak| {
                let half = peak.value.sem.map(|sem| format!(" ± {}", words::fixed(1.96 * sem, 2))).unwrap_or_default();
                let value = format!("{}{half}", words::fixed(peak.value.mean, 2));
                // Many panels are narrow, and the map shows the row.
                if studies.len() > 1 { value } else { format!("{value}, {}", peak.role.full()) }
            });
            Panel { layers: maps.layers, what: What::Map(cells), mark: peak.map(|peak| peak.layer), words }
        };
        (0..3).map(one).collect()
    });
    let panels: Vec<Vec<Panel>> = panels.collect();
    let studies = found.iter().map(|one| one.0.clone()).collect();
    Some(Multiples { studies, sites: heads(window), names, panels, scale: None, what: "recovery" })
}

/// What the maps show.
pub fn finding(studies: &[(String, &Record)]) -> Option<Finding> {
    let found: Vec<(&str, RoleMaps)> =
        studies.iter().filter_map(|(name, record)| Some((name.as_str(), RoleMaps::of(record)?))).collect();
    let facts: Vec<usize> = found.iter().map(|one| one.1.facts).collect();
    let (least, most) = (facts.iter().min()?, facts.iter().max()?);
    let of = if least == most { words::count(*most, "fact") } else { format!("{least} to {most} facts") };
    let of = format!("{of}{} with maps", if found.len() > 1 { " of each model" } else { "" });
    let said = match found.as_slice() {
        [(_, maps)] => one(maps),
        several => {
            let peaks: Vec<&RoleMaps> = several.iter().map(|one| &one.1).collect();
            let at_last = peaks.iter().filter(|maps| maps.peak(0).is_some_and(|peak| peak.role == Role::Last)).count();
            let early = peaks.iter().filter(|maps| {
                maps.peak(0).is_some_and(|peak| peak.role == Role::Last && 2 * peak.layer <= maps.layers)
            });
            format!(
                "In {at_last} of {} models the state that restores most within the subject is that of its last token, in {} of \
                 them in the first half of the layers.",
                several.len(),
                early.count()
            )
        }
    };
    let note = format!(
        "Mean recovery over {of}: 0 is the corrupted run, 1 the clean run; ± is a 95 % interval. The last token's \
         last layer restores everything by definition."
    );
    Some(Finding { said: vec![(String::new(), said)], note })
}

/// What the maps of one study show.
fn one(maps: &RoleMaps) -> String {
    let carries = maps.peak(0).map(|peak| {
        let value = words::fixed(peak.value.mean, 2);
        format!("The {} carries the answer up to recovery {value} at layer {}", peak.role.full(), peak.layer)
    });
    let moves = maps.takes_over().map(|layer| format!("from layer {layer} on the last token holds it"));
    match (carries, moves) {
        (Some(carries), Some(moves)) => format!("{carries}; {moves}."),
        (Some(carries), None) => format!("{carries}."),
        (None, Some(moves)) => format!("No state of the subject restores a tenth of the answer; {moves}."),
        (None, None) => "No state of the subject restores a tenth of the answer.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{sample, trace::machu};
    use super::*;

    fn mapped() -> Record {
        Record { facts: vec![machu::fact(machu::traced())], ..sample::record() }
    }

    #[test]
    fn means_are_by_role_and_their_peak_is_the_subjects() {
        let record = mapped();
        let maps = RoleMaps::of(&record).expect("it has maps");
        assert_eq!((maps.facts, maps.layers), (1, machu::LAYERS));
        let peak = maps.peak(0).expect("a peak");
        assert_eq!((peak.role, peak.layer, peak.value.n), (Role::Last, 2, 1));
        let said = finding(&[("tiny".into(), &record)]).expect("it has maps").to_string();
        let wanted =
            "The last subject token carries the answer up to recovery 1.00 at layer 2; from layer 4 on the last token";
        assert!(said.starts_with(wanted), "{said}");
    }

    #[test]
    fn studies_share_their_rows_and_one_without_maps_says_so() {
        let (with, without) = (mapped(), sample::record());
        let both = multiples(&[("a".into(), &with), ("b".into(), &without)]).expect("one has maps");
        assert_eq!((both.studies.len(), both.sites.len(), both.panels[1][0].layers), (2, 3, 0));
        let names: Vec<&str> = both.names.iter().map(|name| name.0.as_str()).collect();
        assert_eq!(names[..3], ["first subject token", "middle subject token", "last subject token"]);
        assert_eq!(multiples(&[("b".into(), &without)]), None);
        assert_eq!(finding(&[("b".into(), &without)]), None);
    }
}
