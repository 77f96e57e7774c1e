//! Rows of a batch: which lane and position each one is, and how rows are gathered and replaced.

use super::{Action, Op, Site, Source};
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Indices on the device.
pub(super) fn indices(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let n = values.len();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

/// Rows `index` of `x`.
pub(super) fn gather(x: &Tensor<2>, index: Vec<i32>) -> Tensor<2> {
    let device = x.device();
    x.clone().select(0, indices(index, &device))
}

/// The first `n` rows.
pub(super) fn first(x: Tensor<2>, n: usize) -> Tensor<2> {
    if x.dims()[0] == n { x } else { x.narrow(0, 0, n) }
}

/// `a` above `b`.
pub(super) fn stack(a: Option<Tensor<2>>, b: Option<Tensor<2>>) -> Option<Tensor<2>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(Tensor::cat(vec![a, b], 0)),
        (a, b) => a.or(b),
    }
}

/// A change of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowEdit {
    pub(super) row: usize,
    pub(super) add: bool,
    pub(super) source: RowSource,
}

/// Where the row's numbers are.
#[derive(Debug, Clone, Copy)]
pub(super) enum RowSource {
    Zero,
    Base(usize),
    Given(usize),
}

/// The edits that `actions` make at one layer and site. `row_of(position)` is the position's row, when it is live;
/// `base_row(prompt, position)` a captured row.
pub(super) fn edits(
    actions: &[Action],
    layer: usize,
    site: Site,
    row_of: impl Fn(usize) -> Option<usize>,
    base_row: impl Fn(usize, usize) -> usize,
    out: &mut Vec<RowEdit>,
) {
    for action in actions.iter().filter(|action| action.layer == layer && action.site == site) {
        let (add, source) = match action.op {
            Op::Replace(source) => (false, source),
            Op::Add(source) => (true, source),
        };
        for (offset, position) in action.positions.clone().enumerate() {
            let Some(row) = row_of(position) else { continue };
            let source = match source {
                Source::Zero => RowSource::Zero,
                Source::Captured { prompt, position } => RowSource::Base(base_row(prompt, position + offset)),
                Source::Given(first) => RowSource::Given(first + offset),
            };
            out.push(RowEdit { row, add, source });
        }
    }
}

/// Applies row edits to `x`: one gather from `x`, zeros and the sources, and one addition where something is added.
pub(super) fn apply(x: Tensor<2>, edits: &[RowEdit], base: Option<&Tensor<2>>, given: Option<&Tensor<2>>) -> Tensor<2> {
    if edits.is_empty() {
        return x;
    }
    let [rows, width] = x.dims();
    let device = x.device();
    // Sources behind one another: a row of zeros, the base rows that are needed, the given rows that are needed.
    let mut base_rows = Vec::new();
    let mut given_rows = Vec::new();
    for edit in edits {
        match edit.source {
            RowSource::Zero => {}
            RowSource::Base(row) => base_rows.push(row as i32),
            RowSource::Given(row) => given_rows.push(row as i32),
        }
    }
    let (first_base, first_given) = (1, 1 + base_rows.len());
    let mut sources = vec![Tensor::zeros([1, width], &device)];
    if let Some(base) = base.filter(|_| !base_rows.is_empty()) {
        sources.push(gather(base, base_rows));
    }
    if let Some(given) = given.filter(|_| !given_rows.is_empty()) {
        sources.push(gather(given, given_rows));
    }
    let sources = Tensor::cat(sources, 0);

    let mut replace: Vec<i32> = (0..rows as i32).collect();
    let mut add = vec![0i32; rows];
    let (mut replaces, mut adds) = (false, false);
    let (mut next_base, mut next_given) = (first_base, first_given);
    for edit in edits {
        let at = match edit.source {
            RowSource::Zero => 0,
            RowSource::Base(_) => {
                next_base += 1;
                next_base - 1
            }
            RowSource::Given(_) => {
                next_given += 1;
                next_given - 1
            }
        };
        if edit.add {
            add[edit.row] = at as i32;
            adds = true;
        } else {
            replace[edit.row] = (rows + at) as i32;
            replaces = true;
        }
    }
    let x = if replaces { gather(&Tensor::cat(vec![x, sources.clone()], 0), replace) } else { x };
    if adds { x + gather(&sources, add) } else { x }
}
