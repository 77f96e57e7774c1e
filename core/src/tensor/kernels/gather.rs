//! Rows by number, behind rows that are there already: a unit a number.

use super::{Table, argument, for_each, raw, room, tensor};
use burn::Tensor;
use cubecl::prelude::*;

/// Rows of `x` whose numbers a table holds, behind those of `before`.
pub(in crate::tensor) fn gather(before: Option<Tensor<2>>, x: Tensor<2>, rows: &Table) -> Tensor<2> {
    let width = x.dims()[1];
    let x = raw(x);
    let table = rows.raw();
    let there = before.as_ref().map_or(0, |before| before.dims()[0]);
    let before = before.map_or_else(|| x.clone(), raw);
    let all = there + rows.count;
    let out = room(&x, [all, width]);
    let (count, dim) = for_each(&x, all * width);
    kernel::launch(
        &x.client,
        count,
        dim,
        argument(&before),
        argument(&x),
        argument(&table),
        argument(&out),
        (all * width) as u32,
        width as u32,
        there as u32,
        rows.first as u32,
    );
    tensor(out)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel(before: &[f32], x: &[f32], table: &[i32], out: &mut [f32], count: u32, width: u32, there: u32, first: u32) {
    let at = ABSOLUTE_POS;
    if at < count as usize {
        let (width, there) = (width as usize, there as usize);
        let row = at / width;
        if row < there {
            out[at] = before[at];
        } else {
            let from = table[first as usize + row - there] as usize;
            out[at] = x[from * width + at % width];
        }
    }
}
