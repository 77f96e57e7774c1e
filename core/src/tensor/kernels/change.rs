//! Changes of some rows' columns, a unit a number.

use super::{Table, argument, for_each, raw, room, tensor};
use burn::Tensor;
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

/// The table of edits of `rows` rows, each row's at most once: for each row the number of its edit, counted from 1; then the
/// edits. Factors are there bit by bit.
pub(crate) fn edit_table(rows: usize, edits: &[RowEdit]) -> Vec<i32> {
    let mut table = vec![0; rows];
    for (at, edit) in edits.iter().enumerate() {
        table[edit.row as usize] = at as i32 + 1;
    }
    for RowEdit { from, columns, keep, take, .. } in edits {
        let bits = |x: &f32| x.to_bits().cast_signed();
        table.extend([from.cast_signed(), columns.start as i32, columns.end as i32, bits(keep), bits(take)]);
    }
    table
}

/// All of a table's edits at once; the source is as wide as the rows.
pub(in crate::tensor) fn change(x: Tensor<2>, source: Option<Tensor<2>>, edits: &Table) -> Tensor<2> {
    let [rows, width] = x.dims();
    let table = edits.raw();
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
        edits.first as u32,
        FIELDS,
    );
    tensor(out)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel(
    x: &[f32],
    source: &[f32],
    table: &[i32],
    out: &mut [f32],
    count: u32,
    rows: u32,
    width: u32,
    first: u32,
    #[comptime] fields: usize,
) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let (width, first) = (width as usize, first as usize);
        let column = at % width;
        let edit = table[first + at / width] as usize;
        let mut value = x[at];
        if edit > 0 {
            let edit = first + rows as usize + (edit - 1) * fields;
            if column >= table[edit + 1] as usize && column < table[edit + 2] as usize {
                let keep = f32::reinterpret(table[edit + 3]);
                let take = f32::reinterpret(table[edit + 4]);
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
