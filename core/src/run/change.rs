//! Changing rows of an activation in place of a pass.

use super::ActivationCache;
use super::schedule::{Place, RowChange, RowOp, RowSource};
use crate::tensor::{Buffer, MIXED, Matrix, RowEdit, Rows, Table, edit_table};
use std::collections::BTreeMap;

/// Where a change finds its numbers.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) cache: Option<&'a ActivationCache>,
    pub(super) constants: &'a Matrix,
}

impl<'a> Sources<'a> {
    /// A site of the cache, on a device.
    pub(super) fn site(self, (layer, site): Place) -> &'a Rows {
        self.cache.expect("checked: there is a cache").whole(layer, site).0
    }
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

/// On a device.
fn on_device(mut x: Rows, edits: &[RowChange], sources: Sources<'_>) -> Rows {
    for edits in steps(edits) {
        let (source, edits) = match planned(edits, sources.cache) {
            Some((Origin::Nowhere, edits)) => (None, edits),
            Some((Origin::Cache(place), edits)) => (Some(sources.site(place).clone()), edits),
            _ => {
                let (source, from) = gathered(&x, edits, sources);
                (source, row_edits(edits, from))
            }
        };
        let table = Table::new(edit_table(x.count(), &edits), &x.device().expect(MIXED).device());
        x = x.edited(source.as_ref(), &table);
    }
    x
}

/// Edits in groups that can be made in one go: all up to the next one that builds on an earlier one.
pub(super) fn steps(mut edits: &[RowChange]) -> Vec<&[RowChange]> {
    let mut steps = Vec::new();
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
        steps.push(now);
        edits = later;
    }
    steps
}

/// The one place that edits take numbers from, as wide as the rows that they change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// They take none.
    Nowhere,
    /// A site of the cache.
    Cache(Place),
    /// The request's constants.
    Constants,
}

/// Edits with the rows of the one place that they take numbers from. `None` where these come from several places, or have to
/// be moved to other columns first.
pub(super) fn planned(edits: &[RowChange], cache: Option<&ActivationCache>) -> Option<(Origin, Vec<RowEdit>)> {
    let mut origins = edits.iter().map(|edit| match origin(edit) {
        None => Some(Origin::Nowhere),
        Some(RowSource::Cache(place, _)) => Some(Origin::Cache(place)),
        Some(RowSource::Constant(_, first)) if first as usize == edit.columns.start => Some(Origin::Constants),
        Some(_) => None,
    });
    let one = origins.try_fold(Origin::Nowhere, |one, origin| match (one, origin?) {
        (one, Origin::Nowhere) => Some(one),
        (Origin::Nowhere, origin) => Some(origin),
        (one, origin) => (one == origin).then_some(one),
    })?;
    let place = |row: u32| match one {
        Origin::Cache((layer, site)) => cache.map_or(row, |cache| cache.whole(layer, site).1[row as usize].1),
        _ => row,
    };
    let row = |edit: &RowChange| match origin(edit) {
        Some(RowSource::Cache(_, row) | RowSource::Constant(row, _)) => place(row),
        _ => 0,
    };
    Some((one, row_edits(edits, edits.iter().map(row).collect())))
}

/// Where an edit takes numbers from.
fn origin(edit: &RowChange) -> Option<RowSource> {
    match edit.change {
        RowOp::Replace(origin) | RowOp::Add(origin) => Some(origin),
        RowOp::Zero | RowOp::Scale(_) => None,
    }
}

fn row_edits(edits: &[RowChange], from: Vec<u32>) -> Vec<RowEdit> {
    let edit = |(edit, from): (&RowChange, u32)| {
        let (keep, take) = match edit.change {
            RowOp::Zero => (0.0, 0.0),
            RowOp::Scale(factor) => (factor, 0.0),
            RowOp::Replace(_) => (0.0, 1.0),
            RowOp::Add(_) => (1.0, 1.0),
        };
        RowEdit { row: edit.row, from, columns: edit.columns.clone(), keep, take }
    };
    edits.iter().zip(from).map(edit).collect()
}

/// The sources of edits one behind the other, each as wide as a row, and the row of each edit.
fn gathered(x: &Rows, edits: &[RowChange], sources: Sources<'_>) -> (Option<Rows>, Vec<u32>) {
    let cache = || sources.cache.expect("checked: there is a cache");
    let (width, device) = (x.width(), x.device().expect(MIXED).device());
    let mut by_place: BTreeMap<Place, Vec<(usize, u32)>> = BTreeMap::new();
    let (mut live, mut constants, mut constant_of) = (Vec::new(), Vec::new(), Vec::new());
    for (at, edit) in edits.iter().enumerate() {
        let mut constant = |row: &[f32], first: u32| {
            let mut whole = vec![0.0; width];
            whole[edit.columns.clone()].copy_from_slice(&row[first as usize..][..edit.columns.len()]);
            constant_of.push(at);
            constants.extend(whole);
        };
        match edit.change {
            RowOp::Replace(origin) | RowOp::Add(origin) => match origin {
                RowSource::Cache(place, row) => by_place.entry(place).or_default().push((at, row)),
                RowSource::Live(row) => live.push((at, row)),
                RowSource::Constant(row, first) => constant(sources.constants.row(row as usize), first),
                RowSource::Kept(row, first) => constant(cache().constants.row(row as usize), first),
            },
            RowOp::Zero | RowOp::Scale(_) => {}
        }
    }
    let (mut parts, mut from, mut next) = (Vec::new(), vec![0; edits.len()], 0);
    let mut put = |rows: Rows, of: &mut dyn Iterator<Item = usize>| {
        for at in of {
            from[at] = next;
            next += 1;
        }
        parts.push(rows);
    };
    let numbers = |of: &[(usize, u32)]| of.iter().map(|&(_, row)| row).collect::<Vec<u32>>();
    for ((layer, site), of) in &by_place {
        put(cache().gather(*layer, *site, &numbers(of)), &mut of.iter().map(|&(at, _)| at));
    }
    if !live.is_empty() {
        put(x.gather(&numbers(&live)), &mut live.iter().map(|&(at, _)| at));
    }
    if !constant_of.is_empty() {
        put(Rows::new(constants, width, Some(&device)), &mut constant_of.into_iter());
    }
    (parts.into_iter().reduce(Rows::join), from)
}
