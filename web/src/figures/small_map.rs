//! The map of states in small, as the table of a study and the Edit screen show it: a strip for each row on the axis of the layers.

use super::trace::{Scale, ramp};

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct SmallRow {
    /// Its name: a token, or a position.
    pub name: String,
    /// It belongs to the subject.
    pub subject: bool,
    /// Recovery layer by layer; `None` where there is no value, or none yet.
    pub values: Vec<Option<f64>>,
}

/// The map.
#[derive(Debug, Clone, PartialEq)]
pub struct SmallMap {
    /// Its rows.
    pub rows: Vec<SmallRow>,
    /// Its columns.
    pub layers: usize,
    /// The cell that is ringed: its row, from 0, and its layer, from 1.
    pub ring: Option<(usize, usize)>,
    /// Its rows are tokens; otherwise they are the positions that were restored.
    pub whole: bool,
    /// It in a sentence, for those who do not see it.
    pub label: String,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_background() {
        let said = bands([Some(0.0), None, Some(0.5), Some(-0.01)].into_iter());
        let wanted = "var(--map-0) 0 25.00%,transparent 0 50.00%,var(--map-4) 0 75.00%,var(--map-0) 0 100.00%";
        assert_eq!(said, format!("linear-gradient(90deg,{wanted})"));
    }
}
