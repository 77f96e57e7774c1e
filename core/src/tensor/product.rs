//! Products with a weight matrix on the CPU. The matrix is packed once, when it is loaded: panels of [`PANEL`] outputs,
//! each `[in][PANEL]`, so that one step along `in` reads one line of memory and keeps its sums in registers.
//!
//! An output is one chain of multiply-adds along `in`, begun anew every [`DEPTH`] steps, the partial sums added in order.
//! Lanes are outputs. So a row's bits depend on that row and the matrix alone: not on the other rows of a batch, not on
//! threads, and not on how wide the CPU's vectors are.

mod kernel;

use super::Buffer;
use super::simd;
use kernel::{Lanes, Product};
use std::ops::Range;

/// Outputs of a panel.
pub(crate) const PANEL: usize = 16;
/// Steps along `in` between two beginnings of a chain: a panel's part of that length stays in the first cache.
const DEPTH: usize = 256;
/// One step along `in` of a panel, or as many numbers of anything else.
type Line = [f32; PANEL];

/// A matrix `[out, in]` in panels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panels {
    out: usize,
    input: usize,
    values: Vec<f32>,
    /// Where the first panel begins, see [`aligned`]. A copy begins there too, wherever its memory is, and is only slower.
    start: usize,
}

impl Panels {
    /// From `[out, in]` (`nn.Linear`).
    pub(crate) fn from_out_in(values: &[f32], out: usize, input: usize) -> Self {
        Self::pack(out, input, |o, i| values[o * input + i])
    }

    /// From columns of `[in, all]` (GPT-2's Conv1D).
    pub(crate) fn from_in_out(values: &[f32], all: usize, columns: Range<usize>, input: usize) -> Self {
        Self::pack(columns.len(), input, |o, i| values[i * all + columns.start + o])
    }

    /// Zeros, to be filled.
    pub(crate) fn zeros(out: usize, input: usize) -> Self {
        let values = vec![0.0; (out.div_ceil(PANEL) * input + 1) * PANEL];
        let start = start(&values);
        Self { out, input, values, start }
    }

    /// Puts rows `[rows, in]` in their places, from the output `first` on.
    pub(crate) fn fill(&mut self, first: usize, rows: &[f32]) {
        let lines = &mut self.values[self.start..].as_chunks_mut::<PANEL>().0;
        for (at, row) in rows.chunks_exact(self.input).enumerate() {
            let out = first + at;
            for (line, value) in lines[out / PANEL * self.input..].iter_mut().zip(row) {
                line[out % PANEL] = *value;
            }
        }
    }

    fn pack(out: usize, input: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let mut packed = Self::zeros(out, input);
        let lines = packed.values[packed.start..].as_chunks_mut::<PANEL>().0;
        for (panel, lines) in lines.chunks_exact_mut(input.max(1)).take(out.div_ceil(PANEL)).enumerate() {
            let first = panel * PANEL;
            for lane in 0..PANEL.min(out - first) {
                for (i, line) in lines.iter_mut().enumerate().take(input) {
                    line[lane] = at(first + lane, i);
                }
            }
        }
        packed
    }

    /// Outputs.
    pub(crate) fn out(&self) -> usize {
        self.out
    }

    /// Inputs.
    pub(crate) fn input(&self) -> usize {
        self.input
    }

    /// Copies the row of one output.
    pub(crate) fn row(&self, out: usize, into: &mut [f32]) {
        for (value, line) in into.iter_mut().zip(self.panels(out / PANEL..out / PANEL + 1)) {
            *value = line[out % PANEL];
        }
    }

    /// The matrix as `[out, in]`.
    pub(crate) fn out_in(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.out * self.input];
        for (out, row) in values.chunks_exact_mut(self.input.max(1)).enumerate() {
            self.row(out, row);
        }
        values
    }

    fn panels(&self, panels: Range<usize>) -> &[Line] {
        &self.values[self.start..].as_chunks().0[panels.start * self.input..panels.end * self.input]
    }

    /// Panels in all.
    pub(crate) fn count(&self) -> usize {
        self.out.div_ceil(PANEL)
    }

    /// `y = x Wᵀ` for the outputs of some panels. `x` is `[rows, in]`, `y` `[rows, outputs of these panels]`.
    pub(crate) fn forward(&self, x: &[f32], panels: Range<usize>, y: &mut [f32]) {
        let rows = x.len() / self.input.max(1);
        debug_assert_eq!(y.len(), rows * (self.out.min(panels.end * PANEL) - panels.start * PANEL));
        let stride = stride(rows);
        let mut squares = Buffer::scratch((self.input.div_ceil(PANEL) * stride + 1) * PANEL);
        let squares = aligned(&mut squares);
        laid(x, self.input, stride, squares);
        let b = Lanes::Columns(self.panels(panels));
        simd::in_lines(Product { a: squares, stride, rows, b, length: self.input, y });
    }

    /// `y = g W`: gradients on outputs, `[rows, out]`, to gradients on inputs, `[rows, in]`. Lanes are rows here, so that the
    /// packed matrix is read as it lies; the chains run along the outputs by the same rule as those of [`Self::forward`].
    pub(crate) fn backward(&self, g: &[f32], y: &mut [f32]) {
        debug_assert_eq!(y.len(), g.len() / self.out.max(1) * self.input);
        let a = self.panels(0..self.count());
        let (rows, b) = (self.input, Lanes::Rows(g));
        simd::in_lines(Product { a, stride: rows, rows, b, length: self.out, y });
    }
}

/// `gᵀ x`, `[out, in]`: the gradient of a matrix from those on its outputs, `[rows, out]`, and its inputs, `[rows, in]`. The
/// chains run along the rows.
pub(crate) fn outer(g: &[f32], out: usize, x: &[f32], input: usize) -> Vec<f32> {
    let rows = g.len() / out.max(1);
    let mut squares = Buffer::scratch((rows.div_ceil(PANEL) * out + 1) * PANEL);
    let squares = aligned(&mut squares);
    turned(g, out, 0..out, squares);
    let mut panels = Buffer::scratch((input.div_ceil(PANEL) * rows + 1) * PANEL);
    let panels = aligned(&mut panels);
    laid(x, input, rows, panels);
    let mut y = vec![0.0; out * input];
    let b = Lanes::Columns(panels);
    simd::in_lines(Product { a: squares, stride: out, rows: out, b, length: rows, y: &mut y });
    y
}

/// The lines from the first that begins a line of the caches: read from two of these, each costs twice.
fn aligned(numbers: &mut [f32]) -> &mut [Line] {
    let start = start(numbers);
    numbers[start..].as_chunks_mut().0
}

fn start(numbers: &[f32]) -> usize {
    numbers.as_ptr().align_offset(size_of::<Line>()).min(PANEL)
}

/// Lines from one square of rows to the next. The caches keep few lines whose addresses are a multiple of 4 KiB apart, 64
/// lines, and would have to keep a tile's rows of many squares; with 12 lines more or less the squares lie side by side.
fn stride(rows: usize) -> usize {
    if rows < 32 { rows } else { rows.next_multiple_of(32) + 12 }
}

/// Rows `[rows, width]` as `[width / 16][stride][16]`.
fn laid(rows: &[f32], width: usize, stride: usize, into: &mut [Line]) {
    simd::vectorized(
        #[inline(always)]
        || {
            for (square, lines) in into.chunks_exact_mut(stride.max(1)).take(width.div_ceil(PANEL)).enumerate() {
                for (line, row) in lines.iter_mut().zip(rows.chunks_exact(width)) {
                    first(&row[square * PANEL..], line);
                }
            }
        },
    );
}

/// Some columns of rows `[rows, width]` as `[rows / 16][columns][16]`.
fn turned(rows: &[f32], width: usize, columns: Range<usize>, into: &mut [Line]) {
    simd::vectorized(
        #[inline(always)]
        || {
            for (rows, lines) in rows.chunks((PANEL * width).max(1)).zip(into.chunks_exact_mut(columns.len().max(1))) {
                for (square, lines) in lines.chunks_mut(PANEL).enumerate() {
                    let mut copy = [[0.0; PANEL]; PANEL];
                    for (copy, row) in copy.iter_mut().zip(rows.chunks_exact(width)) {
                        first(&row[columns.start + square * PANEL..columns.end], copy);
                    }
                    for (lane, line) in lines.iter_mut().enumerate() {
                        *line = std::array::from_fn(|row| copy[row][lane]);
                    }
                }
            }
        },
    );
}

/// The first numbers of a row, and zeros if they are too few.
#[inline(always)]
fn first(row: &[f32], line: &mut Line) {
    if let Some((row, _)) = row.split_at_checked(PANEL) {
        line.copy_from_slice(row);
    } else {
        line.fill(0.0);
        line[..row.len()].copy_from_slice(row);
    }
}

/// `x wᵀ` by the rule, a number at a time.
#[cfg(test)]
fn scalar(x: &[f32], w: &[f32], length: usize) -> Vec<f32> {
    let chain = |x: &[f32], w: &[f32]| x.iter().zip(w).fold(0.0, |sum, (x, w)| simd::fma(*x, *w, sum));
    let dot = |x: &[f32], w: &[f32]| x.chunks(DEPTH).zip(w.chunks(DEPTH)).fold(0.0, |sum, (x, w)| sum + chain(x, w));
    x.chunks(length).flat_map(|x| w.chunks(length).map(move |w| dot(x, w))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{numbers, worst};
    use super::*;

    fn forward(w: &Panels, x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; x.len() / w.input() * w.out()];
        w.forward(x, 0..w.count(), &mut y);
        y
    }

    const SHAPES: [[usize; 3]; 6] = [[1, 1, 1], [7, 5, 3], [13, 300, 33], [6, 16, 16], [17, 64, 100], [2, 700, 40]];

    #[test]
    fn products_agree_with_f64() {
        for [rows, input, out] in SHAPES {
            let (w, x) = (numbers(out * input, 1), numbers(rows * input, 2));
            let packed = Panels::from_out_in(&w, out, input);
            let dot = |r: usize, o: usize| -> f64 {
                (0..input).map(|i| f64::from(x[r * input + i]) * f64::from(w[o * input + i])).sum()
            };
            let want: Vec<f64> = (0..rows * out).map(|at| dot(at / out, at % out)).collect();
            assert!(worst(&forward(&packed, &x), &want) < 2e-6, "{rows} {input} {out}");
            assert_eq!(packed.out_in(), w);
        }
    }

    #[test]
    fn gradients_agree_with_f64() {
        for [rows, input, out] in SHAPES {
            let (w, x, g) = (numbers(out * input, 1), numbers(rows * input, 2), numbers(rows * out, 3));
            let packed = Panels::from_out_in(&w, out, input);
            let mut y = vec![f32::NAN; rows * input];
            packed.backward(&g, &mut y);
            let dot = |r: usize, i: usize| -> f64 {
                (0..out).map(|o| f64::from(g[r * out + o]) * f64::from(w[o * input + i])).sum()
            };
            let want: Vec<f64> = (0..rows * input).map(|at| dot(at / input, at % input)).collect();
            assert!(worst(&y, &want) < 2e-6, "{rows} {input} {out}");
            // A row alone has the same bits.
            for (row, y) in y.chunks_exact(input).enumerate() {
                let mut alone = vec![f32::NAN; input];
                packed.backward(&g[row * out..][..out], &mut alone);
                assert_eq!(alone, y);
            }
            let dot = |o: usize, i: usize| -> f64 {
                (0..rows).map(|r| f64::from(g[r * out + o]) * f64::from(x[r * input + i])).sum()
            };
            let want: Vec<f64> = (0..out * input).map(|at| dot(at / input, at % input)).collect();
            assert!(worst(&outer(&g, out, &x, input), &want) < 2e-6, "{rows} {input} {out}");
        }
    }

    #[test]
    fn both_layouts_and_any_columns_are_packed_alike() {
        let (input, all) = (9, 40);
        let turned = numbers(input * all, 1);
        let columns = 5..31;
        let rows: Vec<f32> =
            columns.clone().flat_map(|c| (0..input).map(move |i| (i, c))).map(|(i, c)| turned[i * all + c]).collect();
        let a = Panels::from_in_out(&turned, all, columns.clone(), input);
        let b = Panels::from_out_in(&rows, columns.len(), input);
        let mut c = Panels::zeros(columns.len(), input);
        c.fill(0, &rows[..7 * input]);
        c.fill(7, &rows[7 * input..]);
        assert_eq!((a.panels(0..2), a.out, a.input), (b.panels(0..2), b.out, b.input));
        assert_eq!(a.panels(0..2), c.panels(0..2));
    }

    #[test]
    fn products_have_the_bits_of_plain_chains() {
        let transposed = |x: &[f32], width: usize| -> Vec<f32> {
            (0..x.len()).map(|at| x[at % (x.len() / width) * width + at / (x.len() / width)]).collect()
        };
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for (input, out) in [(1, 1), (5, 3), (16, 16), (64, 100), (300, 33), (700, 40), (40, 530)] {
            for rows in (1..=30).chain([270]) {
                let (w, x, g) = (numbers(out * input, 1), numbers(rows * input, 2), numbers(rows * out, 3));
                let packed = Panels::from_out_in(&w, out, input);
                assert_eq!(bits(&forward(&packed, &x)), bits(&scalar(&x, &w, input)), "{rows} {input} {out}");
                let mut y = vec![f32::NAN; rows * input];
                packed.backward(&g, &mut y);
                assert_eq!(bits(&y), bits(&scalar(&g, &transposed(&w, input), out)), "{rows} {input} {out}");
                let want = scalar(&transposed(&g, out), &transposed(&x, input), rows);
                assert_eq!(bits(&outer(&g, out, &x, input)), bits(&want), "{rows} {input} {out}");
            }
        }
    }

    /// What shards, threads and resumed studies rest on.
    #[test]
    fn a_row_has_the_same_bits_in_every_batch_and_every_panel_alone() {
        let (input, out) = (300, 75);
        let w = Panels::from_out_in(&numbers(out * input, 1), out, input);
        let x = numbers(23 * input, 2);
        let all = forward(&w, &x);
        for batch in [1, 2, 3, 5, 6, 7, 12, 22] {
            let parts: Vec<f32> = x.chunks(batch * input).flat_map(|x| forward(&w, x)).collect();
            assert_eq!(parts, all, "{batch} rows at a time");
        }
        for panels in [0..1, 2..4, 4..5] {
            let columns = panels.start * PANEL..(panels.end * PANEL).min(out);
            let mut y = vec![0.0; 23 * columns.len()];
            w.forward(&x, panels, &mut y);
            let want: Vec<f32> = all.chunks(out).flat_map(|row| row[columns.clone()].to_vec()).collect();
            assert_eq!(y, want);
        }
    }
}
