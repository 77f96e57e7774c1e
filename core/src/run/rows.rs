//! Rows of a batch: which lane and position each one is, and how rows are gathered and replaced.

use super::{Action, Op, Source};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::collections::HashSet;

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
    /// Matrix and row of the numbers; `None` for zeros.
    pub(super) source: Option<(Pool, usize)>,
}

/// Matrices that rows are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pool {
    /// The captured activations of the layer and site.
    Captured,
    /// The rows that the base run was captured with.
    Kept,
    /// The rows that the caller supplies.
    Given,
}

/// The matrices, in the order of [`Pool`].
pub(super) type Pools<'a> = [Option<&'a Tensor<2>>; 3];

/// The edits that `actions` make at one layer and site. `row_of(position)` is the position's row, when it is live;
/// `base_row(prompt, position)` a captured row; `given` where the rows of [`Source::Given`] are.
pub(super) fn edits<'a>(
    actions: impl IntoIterator<Item = &'a Action>,
    given: Pool,
    row_of: impl Fn(usize) -> Option<usize>,
    base_row: impl Fn(usize, usize) -> usize,
    out: &mut Vec<RowEdit>,
) {
    for action in actions {
        let (add, source) = match action.op {
            Op::Replace(source) => (false, source),
            Op::Add(source) => (true, source),
        };
        for (offset, position) in action.positions.clone().enumerate() {
            let Some(row) = row_of(position) else { continue };
            let source = match source {
                Source::Zero => None,
                Source::Captured { prompt, position } => Some((Pool::Captured, base_row(prompt, position + offset))),
                Source::Given(first) => Some((given, first + offset)),
            };
            out.push(RowEdit { row, add, source });
        }
    }
}

/// Applies row edits to `x` in their order. Mostly in one pass: a second one starts only where a row that something was
/// added to is changed again.
pub(super) fn apply(mut x: Tensor<2>, mut edits: &[RowEdit], pools: Pools<'_>) -> Tensor<2> {
    while !edits.is_empty() {
        let mut added = HashSet::new();
        let again = edits.iter().position(|edit| match edit.add {
            true => !added.insert(edit.row),
            false => added.contains(&edit.row),
        });
        let (now, later) = edits.split_at(again.unwrap_or(edits.len()));
        x = apply_once(x, now, pools);
        edits = later;
    }
    x
}

/// One gather from `x`, zeros and the sources, and one addition where something is added.
fn apply_once(x: Tensor<2>, edits: &[RowEdit], pools: Pools<'_>) -> Tensor<2> {
    let [rows, width] = x.dims();
    // Sources behind one another: a row of zeros, then the rows that are needed of each matrix.
    let mut wanted = [const { Vec::new() }; 3];
    for (pool, row) in edits.iter().filter_map(|edit| edit.source) {
        wanted[pool as usize].push(row as i32);
    }
    let mut next = [1, 1 + wanted[0].len(), 1 + wanted[0].len() + wanted[1].len()];
    let mut sources = vec![Tensor::zeros([1, width], &x.device())];
    for (pool, wanted) in pools.into_iter().zip(wanted) {
        if let Some(pool) = pool.filter(|_| !wanted.is_empty()) {
            sources.push(gather(pool, wanted));
        }
    }
    let sources = Tensor::cat(sources, 0);

    let mut replace: Vec<i32> = (0..rows as i32).collect();
    let mut add = vec![0i32; rows];
    let (mut replaces, mut adds) = (false, false);
    for edit in edits {
        let at = edit.source.map_or(0, |(pool, _)| {
            next[pool as usize] += 1;
            next[pool as usize] - 1
        });
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
