//! Whether the three maps of a shallow model fit beside one another.

/// Cells that are narrower cannot be pointed at.
const LEAST: f64 = 18.0;
/// Wider cells only put the maps apart.
const MOST: f64 = 48.0;
/// Between two maps, in pixels: the highest difference of a row needs more than its column.
const GAP: f64 = 24.0;

/// The width of a cell with which three maps of so many layers fit into `room` pixels: one column of tokens, and a column of row maxima
/// beside each map. `None` where they do not fit.
pub fn beside(room: f64, tokens: f64, maxima: f64, layers: usize) -> Option<f64> {
    // A pixel lies between two columns.
    let left = room - tokens - 3.0 * (maxima + 2.0) - 2.0 * GAP;
    let cell = (left / (3 * layers.max(1)) as f64 - 1.0).floor();
    (cell >= LEAST).then_some(cell.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_layers_fit_side_by_side() {
        let laptop = |layers| beside(904.0, 136.0, 72.0, layers);
        assert_eq!([laptop(8), laptop(12), laptop(30)], [Some(19.0), None, None]);
        let wide = |layers| beside(1480.0, 168.0, 84.0, layers);
        assert_eq!([wide(2), wide(12), wide(30)], [Some(48.0), Some(26.0), None]);
        assert_eq!(beside(0.0, 136.0, 72.0, 8), None, "a hidden screen has no room");
    }
}
