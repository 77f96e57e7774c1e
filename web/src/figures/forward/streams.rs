//! Streams: each token's line through the layers, as thick and as dark as what its state restores when it is put back.

use crate::figures::trace::{Scale, Story, TraceMaps, ramp};
use engram_core::protocol::MapSite;

/// Height of a row in the drawing; a layer is 1 wide.
pub const ROW: f64 = 10.0;
/// A row whose highest recovery is lower has no stream.
const LEAST: f64 = 0.03;

/// A row's stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// The row.
    pub row: usize,
    /// Its outline.
    pub path: String,
    /// Its colours: where, in layers, and which.
    pub stops: Vec<(f64, String)>,
}

/// Where attention moves the answer from one row to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The layer.
    pub layer: usize,
    /// The curve from row to row.
    pub path: String,
}

/// The middle of a row.
fn middle(row: usize) -> f64 {
    (row as f64 + 0.5) * ROW
}

/// Half the thickness for a recovery.
fn half(value: f64) -> f64 {
    if value < 0.02 { 0.0 } else { 0.35 + 2.5 * value.min(1.0) }
}

/// The streams of all rows that restore something.
pub fn streams(maps: &TraceMaps) -> Vec<Stream> {
    let one = |row: usize| {
        let line: Vec<f64> =
            maps.line(MapSite::Residual, row).into_iter().map(|value| value.unwrap_or(0.0).max(0.0)).collect();
        if line.iter().copied().fold(0.0, f64::max) < LEAST {
            return None;
        }
        let mut points: Vec<(f64, f64)> =
            line.iter().enumerate().map(|(at, value)| (at as f64 + 0.5, half(*value))).collect();
        points.insert(0, (0.02, points[0].1));
        points.push((maps.layers as f64, points[points.len() - 1].1));
        let back: Vec<(f64, f64)> = points.iter().rev().copied().collect();
        let path = format!("M{}L{}Z", side(&points, middle(row), -1.0), side(&back, middle(row), 1.0));
        let stop = |(at, value): (usize, &f64)| (at as f64 + 0.5, ramp(*value, Scale::Linear));
        Some(Stream { row, path, stops: line.iter().enumerate().map(stop).collect() })
    };
    (0..maps.rows.len()).filter_map(one).collect()
}

/// One side of an outline: smooth from point to point.
fn side(points: &[(f64, f64)], middle: f64, sign: f64) -> String {
    let mut out = String::new();
    for (at, &(x, half)) in points.iter().enumerate() {
        let y = middle + sign * half;
        match at.checked_sub(1).map(|before| points[before]) {
            None => out += &format!("{x:.2} {y:.2}"),
            Some((px, ph)) => {
                let (m, py) = ((px + x) / 2.0, middle + sign * ph);
                out += &format!("C{m:.2} {py:.2} {m:.2} {y:.2} {x:.2} {y:.2}");
            }
        }
    }
    out
}

/// The curve along which attention moves the answer; `None` where the maps do not show it.
pub fn link(story: &Story) -> Option<Link> {
    let (from, to, layer) = (story.subject?, story.last?, story.moved?);
    let (x, from, to) = (layer as f64, middle(from.row), middle(to.row));
    let path = format!(
        "M{:.2} {from:.2}C{:.2} {from:.2} {:.2} {to:.2} {:.2} {to:.2}",
        (x - 1.3).max(0.0),
        x - 0.5,
        x - 1.35,
        x - 0.3
    );
    Some(Link { layer, path })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::trace::machu;

    #[test]
    fn rows_that_restore_nothing_have_no_stream() {
        let fact = machu::fact(machu::traced());
        let maps = TraceMaps::of(&fact, false).expect("it is traced");
        let streams = streams(&maps);
        assert_eq!(streams.iter().map(|stream| stream.row).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(streams[0].stops.len(), machu::LAYERS);
        assert!(streams[0].path.starts_with("M0.02 ") && streams[0].path.ends_with('Z'));
        let story = Story::of(&maps, &fact, [None, None], None, false);
        assert_eq!(link(&story).map(|link| link.layer), Some(5));
    }
}
