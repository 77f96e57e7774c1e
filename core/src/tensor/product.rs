//! Products with a weight matrix on the CPU. The matrix is packed once, when it is loaded: panels of [`PANEL`] outputs,
//! each `[in][PANEL]`, so that one step along `in` reads one line of memory and keeps its sums in registers.
//!
//! An output is one chain of multiply-adds along `in`, begun anew every [`DEPTH`] steps, the partial sums added in order.
//! Lanes are outputs. So a row's bits depend on that row and the matrix alone: not on the other rows of a batch, not on
//! threads, and not on how wide the CPU's vectors are.

use super::Buffer;
use super::simd::{self, fma};
use std::ops::Range;

/// Outputs of a panel.
pub(crate) const PANEL: usize = 16;
/// Steps along `in` between two beginnings of a chain: a panel's part of that length stays in the first cache.
const DEPTH: usize = 256;
/// Rows whose sums are in registers at once: two registers each with AVX2, four with the 128 bits of WebAssembly.
const ROWS: usize = if cfg!(target_family = "wasm") { 3 } else { 6 };

/// A matrix `[out, in]` in panels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panels {
    out: usize,
    input: usize,
    values: Vec<f32>,
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
        Self { out, input, values: vec![0.0; out.div_ceil(PANEL) * input * PANEL] }
    }

    /// Puts rows `[rows, in]` in their places, from the output `first` on.
    pub(crate) fn fill(&mut self, first: usize, rows: &[f32]) {
        for (at, row) in rows.chunks_exact(self.input).enumerate() {
            let out = first + at;
            let panel = &mut self.values[out / PANEL * self.input * PANEL..][..self.input * PANEL];
            for (line, value) in panel.chunks_exact_mut(PANEL).zip(row) {
                line[out % PANEL] = *value;
            }
        }
    }

    fn pack(out: usize, input: usize, at: impl Fn(usize, usize) -> f32) -> Self {
        let panels = out.div_ceil(PANEL);
        let mut values = vec![0.0; panels * input * PANEL];
        if input > 0 {
            for (panel, packed) in values.chunks_exact_mut(input * PANEL).enumerate() {
                let first = panel * PANEL;
                for lane in 0..PANEL.min(out - first) {
                    for i in 0..input {
                        packed[i * PANEL + lane] = at(first + lane, i);
                    }
                }
            }
        }
        Self { out, input, values }
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
        let panel = &self.values[out / PANEL * self.input * PANEL..][..self.input * PANEL];
        for (value, line) in into.iter_mut().zip(panel.chunks_exact(PANEL)) {
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

    fn panel(&self, panel: usize) -> &[[f32; PANEL]] {
        let lines = self.values.as_chunks::<PANEL>().0;
        &lines[panel * self.input..][..self.input]
    }

    /// Panels in all.
    pub(crate) fn count(&self) -> usize {
        self.out.div_ceil(PANEL)
    }

    /// `y = x Wᵀ` for the outputs of some panels. `x` is `[rows, in]`, `y` `[rows, outputs of these panels]`.
    pub(crate) fn forward(&self, x: &[f32], panels: Range<usize>, y: &mut [f32]) {
        let rows = x.len() / self.input.max(1);
        let first = panels.start * PANEL;
        let width = self.out.min(panels.end * PANEL) - first;
        debug_assert_eq!(y.len(), rows * width);
        simd::vectorized(
            #[inline(always)]
            || {
                let mut sums = Buffer::scratch(rows * PANEL);
                let (sums, _) = sums.as_chunks_mut::<PANEL>();
                for panel in panels {
                    sums.fill([0.0; PANEL]);
                    for (depth, lines) in self.panel(panel).chunks(DEPTH).enumerate() {
                        along(x, self.input, depth * DEPTH, lines, sums);
                    }
                    let at = panel * PANEL - first;
                    let n = PANEL.min(width - at);
                    for (row, sums) in y.chunks_exact_mut(width).zip(&*sums) {
                        row[at..at + n].copy_from_slice(&sums[..n]);
                    }
                }
            },
        );
    }

    /// `y = g W`: gradients on outputs, `[rows, out]`, to gradients on inputs, `[rows, in]`. Lanes are rows here, so that the
    /// packed matrix is read as it lies; the chains run along the outputs by the same rule as those of [`Self::forward`].
    pub(crate) fn backward(&self, g: &[f32], y: &mut [f32]) {
        let (out, input) = (self.out, self.input);
        let rows = g.len() / out.max(1);
        debug_assert_eq!(y.len(), rows * input);
        let groups = rows.div_ceil(PANEL);
        let length = self.count() * PANEL;
        simd::vectorized(
            #[inline(always)]
            || {
                let mut turned = Buffer::scratch(groups * length * PANEL);
                turned.fill(0.0);
                for (row, g) in g.chunks_exact(out).enumerate() {
                    let lines = &mut turned[row / PANEL * length * PANEL + row % PANEL..];
                    g.iter().zip(lines.iter_mut().step_by(PANEL)).for_each(|(g, line)| *line = *g);
                }
                let mut sums = Buffer::scratch(groups * input * PANEL);
                sums.fill(0.0);
                let (lines, _) = turned.as_chunks::<PANEL>();
                let (sums, _) = sums.as_chunks_mut::<PANEL>();
                for first in (0..self.count()).step_by(DEPTH / PANEL) {
                    let panels = first..(first + DEPTH / PANEL).min(self.count());
                    for i in (0..input).step_by(ROWS) {
                        for group in 0..groups {
                            let lines = &lines[group * length..][first * PANEL..panels.end * PANEL];
                            let sums = &mut sums[group * input..][i..(i + ROWS).min(input)];
                            match sums.first_chunk_mut() {
                                Some(sums) => self.columns::<ROWS>(panels.clone(), i, lines, sums),
                                None => {
                                    for (at, sum) in sums.iter_mut().enumerate() {
                                        self.columns::<1>(panels.clone(), i + at, lines, std::array::from_mut(sum));
                                    }
                                }
                            }
                        }
                    }
                }
                for (row, y) in y.chunks_exact_mut(input.max(1)).enumerate() {
                    let sums = &sums[row / PANEL * input..][..input];
                    y.iter_mut().zip(sums).for_each(|(y, sum)| *y = sum[row % PANEL]);
                }
            },
        );
    }

    /// Adds one stretch of the chains of `R` inputs from the `first` on, for 16 rows.
    #[inline(always)]
    fn columns<const R: usize>(
        &self,
        panels: Range<usize>,
        first: usize,
        lines: &[[f32; PANEL]],
        sums: &mut [[f32; PANEL]; R],
    ) {
        let mut chains = [[0.0f32; PANEL]; R];
        for (panel, lines) in panels.zip(lines.as_chunks::<PANEL>().0) {
            let weights: &[[f32; PANEL]; R] = self.panel(panel)[first..].first_chunk().expect("as many inputs");
            for (lane, line) in lines.iter().enumerate() {
                for r in 0..R {
                    let w = weights[r][lane];
                    for row in 0..PANEL {
                        chains[r][row] = fma(w, line[row], chains[r][row]);
                    }
                }
            }
        }
        for r in 0..R {
            for row in 0..PANEL {
                sums[r][row] += chains[r][row];
            }
        }
    }
}

/// `gᵀ x`, `[out, in]`: the gradient of a matrix from those on its outputs, `[rows, out]`, and its inputs, `[rows, in]`. It is
/// the product of `gᵀ` with a matrix that has the inputs for its outputs and rows for its inputs.
pub(crate) fn outer(g: &[f32], out: usize, x: &[f32], input: usize) -> Vec<f32> {
    let rows = g.len() / out.max(1);
    let mut turned = Buffer::scratch(g.len());
    for first in (0..out).step_by(PANEL) {
        let n = PANEL.min(out - first);
        for (row, g) in g.chunks_exact(out).enumerate() {
            for (at, g) in g[first..first + n].iter().enumerate() {
                turned[(first + at) * rows + row] = *g;
            }
        }
    }
    let mut packed = Buffer::scratch(input.div_ceil(PANEL) * rows * PANEL);
    for (panel, lines) in packed.chunks_exact_mut((rows * PANEL).max(1)).enumerate() {
        let first = panel * PANEL;
        let n = PANEL.min(input - first);
        for (line, x) in lines.chunks_exact_mut(PANEL).zip(x.chunks_exact(input)) {
            line[..n].copy_from_slice(&x[first..first + n]);
            line[n..].fill(0.0);
        }
    }
    let x = Panels { out: input, input: rows, values: packed.into_vec() };
    let mut y = vec![0.0; out * input];
    x.forward(&turned, 0..x.count(), &mut y);
    drop(Buffer::from(x.values));
    y
}

/// Adds one stretch of all rows' chains to their sums.
#[inline(always)]
fn along(x: &[f32], input: usize, at: usize, lines: &[[f32; PANEL]], sums: &mut [[f32; PANEL]]) {
    let (blocks, rest) = sums.as_chunks_mut::<ROWS>();
    let mut row = 0;
    for block in blocks {
        chains(&x[row * input..], input, at, lines, block);
        row += ROWS;
    }
    let x = &x[(row * input).min(x.len())..];
    // The rest runs the same chains, fewer at a time.
    match rest.len() {
        0 => {}
        1 => chains::<1>(x, input, at, lines, rest.first_chunk_mut().expect("its length")),
        2 => chains::<2>(x, input, at, lines, rest.first_chunk_mut().expect("its length")),
        3 => chains::<3>(x, input, at, lines, rest.first_chunk_mut().expect("its length")),
        4 => chains::<4>(x, input, at, lines, rest.first_chunk_mut().expect("its length")),
        _ => chains::<5>(x, input, at, lines, rest.first_chunk_mut().expect("its length")),
    }
}

#[inline(always)]
fn chains<const R: usize>(x: &[f32], input: usize, at: usize, lines: &[[f32; PANEL]], sums: &mut [[f32; PANEL]; R]) {
    let rows: [&[f32]; R] = std::array::from_fn(|r| &x[r * input + at..][..lines.len()]);
    let mut chains = [[0.0f32; PANEL]; R];
    for (i, line) in lines.iter().enumerate() {
        for r in 0..R {
            let x = rows[r][i];
            for lane in 0..PANEL {
                chains[r][lane] = fma(x, line[lane], chains[r][lane]);
            }
        }
    }
    for r in 0..R {
        for lane in 0..PANEL {
            sums[r][lane] += chains[r][lane];
        }
    }
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
        assert_eq!((&a.values, a.out, a.input), (&b.values, b.out, b.input));
        assert_eq!(a.values, c.values);
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
