//! Changes of some rows' columns, a unit a number.

use super::{argument, for_each, raw, room, tensor};
use burn::{Tensor, TensorData};
use cubecl::prelude::*;
use std::ops::Range;

/// `x[row, columns] · keep + source[from, columns] · take`. What is not kept or not taken may be no number.
#[derive(Debug, Clone)]
pub(crate) struct RowEdit {
    /// Its row.
    pub(crate) row: u32,
    /// Row of the source; any where nothing is taken.
    pub(crate) from: u32,
    /// Its columns.
    pub(crate) columns: Range<usize>,
    /// Factor on what is there.
    pub(crate) keep: f32,
    /// Factor on the source.
    pub(crate) take: f32,
}

/// Numbers of an edit in the table.
const FIELDS: usize = 5;

/// All of them at once, each row's at most once; the source is as wide as the rows.
pub(in crate::tensor) fn change(x: Tensor<2>, source: Option<Tensor<2>>, edits: &[RowEdit]) -> Tensor<2> {
    let [rows, width] = x.dims();
    // Row and column numbers are far smaller than what an f32 holds exactly.
    let mut table = vec![0.0; rows];
    for (at, edit) in edits.iter().enumerate() {
        table[edit.row as usize] = at as f32 + 1.0;
    }
    for edit in edits {
        let RowEdit { from, columns, keep, take, .. } = edit;
        table.extend([*from as f32, columns.start as f32, columns.end as f32, *keep, *take]);
    }
    let length = table.len();
    let table = raw(Tensor::<1>::from_data(TensorData::new(table, [length]), &x.device()));
    let x = raw(x);
    let source = source.map_or_else(|| x.clone(), raw);
    let out = room(&x, [rows, width]);
    let (count, dim) = for_each(&x, rows * width);
    kernel::launch(
        &x.client,
        count,
        dim,
        argument(&x),
        argument(&source),
        argument(&table),
        argument(&out),
        (rows * width) as u32,
        rows as u32,
        width as u32,
        FIELDS,
    );
    tensor(out)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel(
    x: &[f32],
    source: &[f32],
    table: &[f32],
    out: &mut [f32],
    count: u32,
    rows: u32,
    width: u32,
    #[comptime] fields: usize,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let width = width as usize;
        let column = at % width;
        let edit = table[at / width] as usize;
        let mut value = x[at];
        if edit > 0 {
            let edit = rows as usize + (edit - 1) * fields;
            if column >= table[edit + 1] as usize && column < table[edit + 2] as usize {
                let (keep, take) = (table[edit + 3], table[edit + 4]);
                let mut kept = 0.0f32;
                if keep != 0.0 {
                    kept = value * keep;
                }
                if take != 0.0 {
                    kept += source[table[edit] as usize * width + column] * take;
                }
                value = kept;
            }
        }
        out[at] = value;
    }
}
