//! Changing rows of an activation in place of a pass.

use super::ActivationCache;
use super::schedule::{RowChange, RowOp, RowSource};
use crate::tensor::{Buffer, MIXED, Matrix, Rows};
use burn::{Tensor, TensorData};

/// Where a change finds its numbers.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) cache: Option<&'a ActivationCache>,
    pub(super) constants: &'a Matrix,
}

/// `x` with its rows changed, edit by edit in their order.
pub(super) fn change(x: Rows, edits: &[RowChange], sources: Sources<'_>) -> Rows {
    match x.device().is_some() {
        _ if edits.is_empty() || x.count() == 0 => x,
        false => on_host(x, edits, sources),
        true => on_device(x, edits, sources),
    }
}

fn on_host(mut x: Rows, edits: &[RowChange], sources: Sources<'_>) -> Rows {
    let width = x.width();
    let mut source = Buffer::default();
    for edit in edits {
        let columns = edit.columns.clone();
        let at = edit.row as usize * width;
        if let RowOp::Replace(origin) | RowOp::Add(origin) = edit.change {
            if source.len() != columns.len() {
                source = Buffer::scratch(columns.len());
            }
            let from = match origin {
                RowSource::Cache((layer, site), row) => {
                    let cache = sources.cache.expect("checked: there is a cache");
                    &cache.host_row(layer, site, row)[columns.clone()]
                }
                RowSource::Constant(row, first) => {
                    &sources.constants.row(row as usize)[first as usize..][..columns.len()]
                }
                RowSource::Kept(row, first) => {
                    let cache = sources.cache.expect("checked: there is a cache");
                    &cache.constants.row(row as usize)[first as usize..][..columns.len()]
                }
                RowSource::Live(row) => &x.row(row as usize)[columns.clone()],
            };
            source.copy_from_slice(from);
        }
        let row = &mut x.host_mut()[at..at + width][columns];
        match edit.change {
            RowOp::Zero => row.fill(0.0),
            RowOp::Scale(factor) => row.iter_mut().for_each(|x| *x *= factor),
            RowOp::Replace(_) => row.copy_from_slice(&source),
            RowOp::Add(_) => row.iter_mut().zip(&*source).for_each(|(x, add)| *x += add),
        }
    }
    x
}

/// On a device: all edits up to the next one that builds on an earlier one go together, as
/// `x[rows] · a + source · b`, with `a` and `b` by column.
fn on_device(mut x: Rows, mut edits: &[RowChange], sources: Sources<'_>) -> Rows {
    while !edits.is_empty() {
        let mut rows = std::collections::HashSet::new();
        let builds = edits.iter().position(|edit| {
            let live = match edit.change {
                RowOp::Replace(RowSource::Live(row)) | RowOp::Add(RowSource::Live(row)) => rows.contains(&row),
                _ => false,
            };
            !rows.insert(edit.row) || live
        });
        let (now, later) = edits.split_at(builds.unwrap_or(edits.len()).max(1));
        x = at_once(&x, now, sources);
        edits = later;
    }
    x
}

fn at_once(x: &Rows, edits: &[RowChange], sources: Sources<'_>) -> Rows {
    let (all, width) = (x.device().expect(MIXED), x.width());
    let device = all.device();
    let matrix = |values: Vec<f32>| {
        let rows = values.len() / width;
        Tensor::<2>::from_data(TensorData::new(values, [rows, width]), &device)
    };
    // Sources one behind the other: cached rows by place, live rows, constants; an edit without one takes any.
    let mut parts: Vec<Rows> = Vec::new();
    let mut order = vec![0u32; edits.len()];
    let mut next = 0;
    let mut put = |rows: Rows, of: &[usize], order: &mut Vec<u32>| {
        for (at, &edit) in of.iter().enumerate() {
            order[edit] = next + at as u32;
        }
        next += of.len() as u32;
        parts.push(rows);
    };
    let origin = |edit: &RowChange| match edit.change {
        RowOp::Replace(origin) | RowOp::Add(origin) => Some(origin),
        _ => None,
    };
    let mut places: Vec<_> = edits
        .iter()
        .filter_map(|edit| match origin(edit) {
            Some(RowSource::Cache(place, _)) => Some(place),
            _ => None,
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    for (layer, site) in places {
        let mut of = Vec::new();
        let mut rows = Vec::new();
        for (at, edit) in edits.iter().enumerate() {
            if let Some(RowSource::Cache(place, row)) = origin(edit)
                && place == (layer, site)
            {
                of.push(at);
                rows.push(row);
            }
        }
        let cache = sources.cache.expect("checked: there is a cache");
        put(cache.gather(layer, site, &rows), &of, &mut order);
    }
    let (mut of, mut rows) = (Vec::new(), Vec::new());
    let (mut constant_of, mut constants) = (Vec::new(), Vec::new());
    for (at, edit) in edits.iter().enumerate() {
        let mut constant = |row: &[f32], first: u32| {
            let mut whole = vec![0.0; width];
            whole[edit.columns.clone()].copy_from_slice(&row[first as usize..][..edit.columns.len()]);
            constant_of.push(at);
            constants.extend(whole);
        };
        match origin(edit) {
            Some(RowSource::Live(row)) => {
                of.push(at);
                rows.push(row);
            }
            Some(RowSource::Constant(row, first)) => constant(sources.constants.row(row as usize), first),
            Some(RowSource::Kept(row, first)) => {
                constant(sources.cache.expect("checked: there is a cache").constants.row(row as usize), first);
            }
            Some(RowSource::Cache(..)) | None => {}
        }
    }
    if !rows.is_empty() {
        put(x.gather(&rows), &of, &mut order);
    }
    if !constant_of.is_empty() {
        put(Rows::on_device(matrix(constants)), &constant_of, &mut order);
    }
    let targets: Vec<u32> = edits.iter().map(|edit| edit.row).collect();
    let whole = |edit: &RowChange| edit.columns == (0..width);
    let sources = parts.into_iter().reduce(Rows::join);
    let picked = sources.map(|sources| sources.gather(&order));
    let own = x.gather(&targets);
    // Whole rows that are replaced need no arithmetic.
    let changed = if edits.iter().all(|edit| whole(edit) && matches!(edit.change, RowOp::Replace(_))) {
        picked.expect("a replacement has a source")
    } else {
        let (mut a, mut b) = (vec![1.0f32; edits.len() * width], vec![0.0f32; edits.len() * width]);
        for (at, edit) in edits.iter().enumerate() {
            let columns = at * width + edit.columns.start..at * width + edit.columns.end;
            let (keep, take) = match edit.change {
                RowOp::Zero => (0.0, 0.0),
                RowOp::Scale(factor) => (factor, 0.0),
                RowOp::Replace(_) => (0.0, 1.0),
                RowOp::Add(_) => (1.0, 1.0),
            };
            a[columns.clone()].fill(keep);
            b[columns].fill(take);
        }
        let kept = own.device().expect(MIXED).clone() * matrix(a);
        Rows::on_device(match picked {
            Some(picked) => kept + picked.device().expect(MIXED).clone() * matrix(b),
            None => kept,
        })
    };
    let mut index: Vec<u32> = (0..x.count() as u32).collect();
    for (at, &row) in targets.iter().enumerate() {
        index[row as usize] = x.count() as u32 + at as u32;
    }
    x.clone().join(changed).gather(&index)
}
