//! Rows and cells that the tables share.

use super::{Align, Cell, Column, Shape};
use crate::metrics::{Mean, MetricConvention, Share, Summary, summarize};
use crate::record::Record;
use std::collections::BTreeMap;

/// A summary per record and patch position, in the record's order.
pub(super) fn per_position<'a>(
    records: &'a [Record],
    view: &'a MetricConvention,
) -> impl Iterator<Item = (String, Summary)> + 'a {
    labels(records).into_iter().zip(records).flat_map(move |(label, record)| {
        let positions = record.settings.positions.iter();
        positions.map(move |position| (label.clone(), summarize(record, &view.with_position(*position))))
    })
}

/// Model names; a name that occurs again gets its number, `name (2)`.
pub fn labels<'a>(records: &'a [Record]) -> Vec<String> {
    let mut seen: BTreeMap<&'a str, usize> = BTreeMap::new();
    let label = |record: &'a Record| {
        let name = record.model.name.as_str();
        let times = seen.entry(name).or_insert(0);
        *times += 1;
        if *times == 1 { name.to_owned() } else { format!("{name} ({times})") }
    };
    records.iter().map(label).collect()
}

pub(super) fn text(name: &str) -> Column {
    Column { name: name.into(), align: Align::Left, shape: Shape::Plain }
}

pub(super) fn plain(name: &str) -> Column {
    shaped(name, Shape::Plain)
}

pub(super) fn shaped(name: &str, shape: Shape) -> Column {
    Column { name: name.into(), align: Align::Right, shape }
}

pub(super) fn count(count: usize) -> Cell {
    Cell::Count(count as u64)
}

pub(super) fn layer(layer: Option<usize>) -> Cell {
    layer.map_or(Cell::Missing, count)
}

pub(super) fn number(value: Option<f64>, decimals: usize) -> Cell {
    value.map_or(Cell::Missing, |value| Cell::Number { value, decimals })
}

pub(super) fn share(share: Option<Share>) -> Cell {
    share.map_or(Cell::Missing, Cell::Share)
}

pub(super) fn mean(mean: Option<Mean>, decimals: usize) -> Cell {
    mean.map_or(Cell::Missing, |mean| Cell::Mean { mean, decimals })
}
