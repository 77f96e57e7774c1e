//! One cell in full: what is put back, what it restores, and what else is known of its layer.

use super::maps::site_name;
use super::{Cursor, SITES, TraceMaps, Tracks};
use crate::words;
use engram_core::protocol::MapSite;

/// What is to be known of a token of the subject that the replacement has, too.
pub const SAME: &str = "the same token in both runs: it restores only what it takes from earlier ones";

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: String,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Its token.
    pub token: String,
    /// The token belongs to the subject.
    pub subject: bool,
    /// Its layer.
    pub layer: usize,
    /// What is put back there.
    pub what: String,
    /// Recovery; `None` where there is no value.
    pub value: Option<f64>,
    /// What the value is called.
    pub unit: &'static str,
    /// What is to be said of the value.
    pub note: Option<&'static str>,
    /// The probability of the answer in the clean run, in the corrupted run, and with the cell put back.
    pub runs: [(&'static str, Option<f64>); 3],
    /// What else is known of the layer.
    pub lines: Vec<Line>,
}

impl Cell {
    /// A cell of a map.
    pub fn of(maps: &TraceMaps, tracks: &Tracks, site: MapSite, at: Cursor) -> Option<Self> {
        let row = maps.rows.get(at.row)?;
        let index = at.layer.checked_sub(1).filter(|index| *index < maps.layers)?;
        let restored = tracks.restored(maps, at);
        let value = maps.value(site, at).or(restored);
        let p = maps.p(site, at).or(restored.map(|value| maps.p_corrupt + value * (maps.p_clean - maps.p_corrupt)));
        let peak = maps.peak(site).is_some_and(|peak| peak.at == at);
        let outputs = |site: MapSite, alone: &str| match maps.put_back(site, at.layer) {
            (first, last) if first == last => format!("{} output{alone}, layer {first}", site_name(site)),
            (first, last) => format!("{} outputs{alone}, layers {first}–{last}", site_name(site)),
        };
        let what = match site {
            MapSite::Residual => row.role.full().to_owned(),
            _ => outputs(site, ""),
        };
        let mut lines = Vec::new();
        if let (Some(pinned), Some(value)) = (maps.pinned(site, at), value) {
            let pinned_name = match maps.pinned_layer(at.layer) {
                layer if layer == at.layer => "Recovery in the pinned trace".to_owned(),
                layer => format!("Recovery in the pinned trace, layer {layer}"),
            };
            let line = |name: &str, value: f64| Line { name: name.into(), value: words::fixed(value, 2) };
            lines.extend([line("Recovery here", pinned + value), line(&pinned_name, pinned)]);
        }
        for other in SITES.into_iter().filter(|_| !maps.differs()) {
            let name = match other {
                MapSite::Residual => "State after this layer".to_owned(),
                other => outputs(other, " alone"),
            };
            let found = maps.value(other, at).filter(|_| other != site);
            lines.extend(found.map(|value| Line { name, value: words::fixed(value, 2) }));
        }
        let without = [("MLP", &tracks.without_mlp), ("attention", &tracks.without_attention)];
        for (name, values) in without {
            let name = format!("{} without the layer’s {name}", maps.answer);
            lines.extend(values.get(index).map(|p| Line { name, value: words::percent_of(*p) }));
        }
        if let (Some(top), Some(rank)) = (tracks.top.get(index), tracks.rank.get(index)) {
            let value = format!("“{}”, {} at rank {}", top.trim_start_matches('·'), maps.answer, words::grouped(*rank));
            lines.push(Line { name: "Logit lens says".into(), value });
        }
        Some(Self {
            token: if row.averaged { row.text.clone() } else { maps.token(at.row) },
            subject: row.role.is_subject(),
            layer: at.layer,
            what: match peak && !maps.differs() {
                true => format!("{what}, {}", maps.peak_name(site)),
                false => what,
            },
            value,
            unit: match value {
                _ if maps.differs() => "difference",
                Some(value) if value < -0.02 => "recovery: worse",
                _ => "recovery",
            },
            note: match value {
                Some(value) if value > 1.005 && !maps.differs() => Some("over 1: more than in the clean run"),
                _ => row.same.then_some(SAME),
            },
            runs: [("Clean", Some(maps.p_clean)), ("Corrupted", Some(maps.p_corrupt)), ("Put back", p)],
            lines,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::machu;
    use super::*;

    #[test]
    fn a_cell_is_told_in_full() {
        let fact = machu::fact(machu::traced());
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        let tracks = Tracks::of(&fact, &maps).expect("it is traced");
        let at = Cursor { row: 2, layer: 2 };
        let cell = Cell::of(&maps, &tracks, MapSite::Residual, at).expect("a cell");
        assert_eq!((cell.token.as_str(), cell.what.as_str()), ("Picchu", "last subject token, peak"));
        let lines: Vec<String> = cell.lines.iter().map(|line| format!("{}: {}", line.name, line.value)).collect();
        assert_eq!(
            lines,
            [
                "MLP outputs alone, layers 1–3: 0.90",
                "Attention outputs alone, layers 1–3: 0.00",
                "Peru without the layer’s MLP: 95.0 %",
                "Peru without the layer’s attention: 80.0 %",
                "Logit lens says: “the”, Peru at rank 500",
            ]
        );
        let cell = Cell::of(&maps, &tracks, MapSite::Residual, Cursor { row: 1, layer: 6 }).expect("a cell");
        assert_eq!(cell.unit, "recovery: worse");
        let mut bare = machu::traced();
        bare.maps = None;
        let without = TraceMaps::of(&machu::fact(bare), false).expect("it is traced");
        let cell = Cell::of(&without, &tracks, MapSite::Residual, at).expect("a cell");
        assert!(cell.value.is_some_and(|value| (value - 1.0).abs() < 1e-6), "restoration knows it");
        assert!(cell.runs[2].1.is_some_and(|p| (p - 0.9).abs() < 1e-6));
        let windowed = Cell::of(&maps, &tracks, MapSite::Mlp, at).expect("a cell");
        assert_eq!(windowed.what, "MLP outputs, layers 1–3");
        assert!(Cell::of(&maps, &tracks, MapSite::Mlp, Cursor { row: 2, layer: 9 }).is_none());
    }
}
