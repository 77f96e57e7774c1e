//! What stands beneath the maps on the same layers: restoration, ablations and the logit lens.

use super::{Cursor, TraceMaps};
use crate::words;
use engram_core::record::{FactRecord, PatchPosition};

/// Recoveries that the track of restoration has room for.
pub const ROOM: [f64; 2] = [-0.1, 1.1];

/// The tracks of a fact; layer `l` is at `l - 1`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tracks {
    /// Recovery with the state of the subject's last token put back, and of the prompt's last token.
    pub restoration: [Vec<f64>; 2],
    /// `p` of the answer in the clean run without the layer's MLP.
    pub without_mlp: Vec<f64>,
    /// The same without its attention.
    pub without_attention: Vec<f64>,
    /// The same in the clean run.
    pub p_clean: f64,
    /// `p` of the answer where the logit lens reads it early; empty where there is no lens.
    pub lens: Vec<f64>,
    /// Its rank there.
    pub rank: Vec<u32>,
    /// The same of the counterfactual answer: `p` and rank.
    pub other: Vec<(f64, u32)>,
    /// The most probable token there.
    pub top: Vec<String>,
}

impl Tracks {
    /// The tracks of a traced fact.
    pub fn of(fact: &FactRecord, maps: &TraceMaps) -> Option<Self> {
        let traced = fact.traced()?;
        let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect::<Vec<_>>();
        let restored = |position| {
            let curve = traced.patched.get(&position).map(|values| wide(values)).unwrap_or_default();
            curve.into_iter().map(|p| maps.recovery(p)).collect()
        };
        let lens = traced.lens.as_ref();
        Some(Self {
            restoration: [PatchPosition::SubjectLast, PatchPosition::LastToken].map(restored),
            without_mlp: wide(&traced.without_mlp),
            without_attention: wide(&traced.without_attention),
            p_clean: maps.p_clean,
            lens: lens.map(|lens| wide(&lens.p_true)).unwrap_or_default(),
            rank: lens.map(|lens| lens.rank_true.clone()).unwrap_or_default(),
            other: lens
                .map(|lens| wide(&lens.p_false).into_iter().zip(lens.rank_false.iter().copied()).collect())
                .unwrap_or_default(),
            top: lens.map(|lens| lens.top.iter().map(|top| words::token(top)).collect()).unwrap_or_default(),
        })
    }

    /// Recovery of the state in a row without a map: that of the two tokens whose state was restored.
    pub fn restored(&self, maps: &TraceMaps, at: Cursor) -> Option<f64> {
        let rows = [maps.subject_last(), Some(maps.last())];
        let curve = rows.iter().position(|row| *row == Some(at.row)).filter(|_| !maps.any())?;
        self.restoration[curve].get(at.layer.checked_sub(1)?).copied()
    }

    /// The layer, from 1, at which the state of the subject's last token restores most, with its recovery; `None` below a tenth.
    pub fn peak(&self) -> Option<(usize, f64)> {
        let curve = self.restoration[0].iter().copied().enumerate();
        let (at, most) = curve.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        (most >= engram_core::metrics::PEAK).then_some((at + 1, most))
    }

    /// Restorations that the track has no room for: which curve, layer from 1, and recovery.
    pub fn beyond(&self) -> Vec<(usize, usize, f64)> {
        let of = |(curve, values): (usize, &Vec<f64>)| {
            let outside = values.iter().copied().enumerate().filter(|(_, value)| *value < ROOM[0] || *value > ROOM[1]);
            outside.map(|(at, value)| (curve, at + 1, value)).collect::<Vec<_>>()
        };
        self.restoration.iter().enumerate().flat_map(of).collect()
    }

    /// The length of an ablation's bar: the share of the clean probability that is lost without it, 0 where nothing is.
    pub fn lost(&self, p: f64) -> f64 {
        if self.p_clean > 0.0 { ((self.p_clean - p) / self.p_clean).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// What the answer gains without it, as such a share; 0 where it gains nothing that could be seen.
    pub fn gained(&self, p: f64) -> f64 {
        let gained = if self.p_clean > 0.0 { (p - self.p_clean) / self.p_clean } else { 0.0 };
        if gained < 0.02 { 0.0 } else { gained }
    }

    /// Column names and rows of all tracks' table.
    pub fn table(&self, layers: usize) -> (Vec<String>, Vec<Vec<String>>) {
        let head =
            ["layer", "last subject token", "last token", "p without MLP", "p without attention", "lens p", "rank"];
        let value = |values: &[f64], at: usize| values.get(at).map_or("–".into(), |value| words::fixed(*value, 4));
        let row = |at: usize| {
            let rank = self.rank.get(at).map_or("–".into(), u32::to_string);
            let [subject, last] = &self.restoration;
            let all = [subject, last, &self.without_mlp, &self.without_attention, &self.lens];
            let values = all.map(|values| value(values, at));
            std::iter::once((at + 1).to_string()).chain(values).chain([rank]).collect()
        };
        (head.map(str::to_owned).into(), (0..layers).map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::machu;
    use super::*;

    #[test]
    fn tracks_are_the_records_curves() {
        let fact = machu::fact(machu::traced());
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        let tracks = Tracks::of(&fact, &maps).expect("it is traced");
        assert!((tracks.restoration[0][1] - 1.0).abs() < 1e-6);
        assert!((tracks.lost(tracks.without_mlp[0]) - 8.0 / 9.0).abs() < 1e-6);
        assert_eq!(tracks.lost(0.95), 0.0, "a gain is no loss");
        assert!((tracks.gained(0.99) - 0.1).abs() < 1e-6);
        assert_eq!(tracks.gained(0.9), 0.0);
        assert_eq!(tracks.peak().map(|peak| peak.0), Some(2));
        assert!(tracks.beyond().is_empty());
        let [subject, last] = [vec![0.0, 1.34, 1.1], vec![-0.2, 0.5, 1.0]];
        let high = Tracks { restoration: [subject, last], ..tracks.clone() };
        assert_eq!(high.beyond(), [(0, 2, 1.34), (1, 1, -0.2)]);
        assert_eq!(tracks.restored(&maps, Cursor { row: 2, layer: 2 }), None, "the map has it");
        let mut bare = machu::traced();
        bare.maps = None;
        let maps = TraceMaps::of(&machu::fact(bare), false).expect("it is traced");
        let at = |row, layer| tracks.restored(&maps, Cursor { row, layer });
        assert!(at(2, 2).is_some_and(|value| (value - 1.0).abs() < 1e-6));
        assert!(at(4, 4).is_some_and(|value| (value - 0.5).abs() < 1e-6));
        assert_eq!((at(1, 2), at(2, 9)), (None, None));
        let (head, rows) = tracks.table(machu::LAYERS);
        assert_eq!((head.len(), rows.len(), rows[0][6].as_str()), (7, machu::LAYERS, "900"));
    }
}
