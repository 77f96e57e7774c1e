//! The kernel of all products: sums of a few rows times a few panels stay in registers along a stretch.

use super::super::Buffer;
use super::super::simd::{InLines, Lines};
use super::{DEPTH, Line, PANEL, aligned, turned};
use std::ops::Range;

/// Rows at a time: their part of `a` along one stretch stays in the second cache while all panels pass by.
const PART: usize = 264;
/// Panels at a time of rows: their part along one stretch stays in the second cache, and `a`, a weight matrix then, passes by
/// once for all of them.
const GROUP: usize = 16;

/// `y = a bᵀ`.
pub(super) struct Product<'a> {
    /// `[length / 16][stride][16]`, and `rows` of the `stride` lines count: each number of them multiplies whole lines of `b`.
    pub(super) a: &'a [Line],
    pub(super) stride: usize,
    pub(super) rows: usize,
    pub(super) b: Lanes<'a>,
    /// What the chains run along.
    pub(super) length: usize,
    /// As [`Lanes`] says.
    pub(super) y: &'a mut [f32],
}

/// What the lanes are.
#[derive(Clone, Copy)]
pub(super) enum Lanes<'a> {
    /// Columns of `y`, `[rows, columns]`, in panels `[columns / 16][length][16]`.
    Columns(&'a [Line]),
    /// Rows of `y`, `[columns, rows]`, as they are: `[columns, length]`.
    Rows(&'a [f32]),
}

/// Where the finished sums of a tile go.
struct Finished<'a> {
    /// The tile's rows of `y`.
    y: &'a mut [f32],
    width: usize,
    columns: Range<usize>,
}

impl InLines for Product<'_> {
    #[inline(always)]
    fn run<L: Lines>(self, l: L) {
        let Self { a, stride, rows, b, length, y } = self;
        if y.is_empty() || length == 0 {
            return y.fill(0.0);
        }
        let columns = y.len() / rows;
        let panels = columns.div_ceil(PANEL);
        let by_rows = matches!(b, Lanes::Rows(_));
        let mut turning =
            Buffer::scratch(if by_rows { (GROUP.min(panels) * DEPTH.min(length) + 1) * PANEL } else { 0 });
        for part in shares(0..rows, if by_rows { rows } else { PART }) {
            let wide = wide::<L>(part.len().div_ceil(part.len().div_ceil(L::ROWS)));
            let most = if by_rows { GROUP } else { wide };
            let mut sums = Buffer::scratch((part.len() * most.min(panels) + 1) * PANEL);
            let sums = aligned(&mut sums);
            for first in (0..panels).step_by(most) {
                let group = first..(first + most).min(panels);
                for from in (0..length).step_by(DEPTH) {
                    let depth = from..(from + DEPTH).min(length);
                    let last = depth.end == length;
                    let a = &a[from / PANEL * stride..depth.end.div_ceil(PANEL) * stride];
                    let (b, length, depth) = match b {
                        Lanes::Columns(b) => (&b[first * length..group.end * length], length, depth),
                        Lanes::Rows(b) => {
                            let lines = &mut aligned(&mut turning)[..group.len() * depth.len()];
                            let rows = &b[first * PANEL * length..columns.min(group.end * PANEL) * length];
                            turned(rows, length, depth.clone(), lines);
                            (&*lines, depth.len(), 0..depth.len())
                        }
                    };
                    for block in shares(part.clone(), L::ROWS) {
                        for tile in tiles(group.clone(), wide) {
                            // `[tile][row][panel of the tile]`.
                            let at = (tile.start - first) * part.len() + (block.start - part.start) * tile.len();
                            let finished = (!by_rows && last).then(|| Finished {
                                y: &mut y[block.start * columns..block.end * columns],
                                width: columns,
                                columns: tile.start * PANEL..columns.min(tile.end * PANEL),
                            });
                            let stretch = Stretch {
                                a: &a[block.start..],
                                stride,
                                rows: block.len(),
                                b: &b[(tile.start - first) * length..(tile.end - first) * length],
                                depth: depth.clone(),
                                length,
                                begun: from > 0,
                                sums: &mut sums[at..at + block.len() * tile.len()],
                                finished,
                            };
                            match tile.len() {
                                4 => stretch.run::<L, 4>(l),
                                2 => stretch.run::<L, 2>(l),
                                _ => stretch.run::<L, 1>(l),
                            }
                        }
                    }
                }
                if by_rows {
                    for tile in tiles(group.clone(), wide) {
                        let sums = &sums[(tile.start - first) * rows..(tile.end - first) * rows];
                        let y = &mut y[tile.start * PANEL * rows..columns.min(tile.end * PANEL) * rows];
                        for (panel, y) in y.chunks_mut(PANEL * rows).enumerate() {
                            turn_back(&sums[panel..], tile.len(), rows, y);
                        }
                    }
                }
            }
        }
    }
}

/// Parts of a range, as even as can be, of at most so many each.
#[inline(always)]
fn shares(all: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let (start, n) = (all.start, all.len());
    let parts = n.div_ceil(most);
    (0..parts).map(move |part| start + n * part / parts..start + n * (part + 1) / parts)
}

/// Panels of a tile of so many rows: a power of two, so that there are few kernels.
#[inline(always)]
fn wide<L: Lines>(rows: usize) -> usize {
    match L::SUMS / rows {
        0 | 1 => 1,
        2 | 3 => 2,
        _ => 4,
    }
}

/// Tiles of `wide` panels each, and of fewer at the end.
#[inline(always)]
fn tiles(panels: Range<usize>, mut wide: usize) -> impl Iterator<Item = Range<usize>> {
    let Range { mut start, end } = panels;
    std::iter::from_fn(move || {
        while wide > end - start {
            wide /= 2;
        }
        start += wide;
        (wide > 0).then(|| start - wide..start)
    })
}

/// One stretch of the chains of a tile.
struct Stretch<'a> {
    /// The tile's first row, then those of all other rows, `stride` lines a square.
    a: &'a [Line],
    stride: usize,
    rows: usize,
    /// The tile's panels.
    b: &'a [Line],
    /// The stretch, of a panel's `length` lines.
    depth: Range<usize>,
    length: usize,
    /// Whether there were stretches before.
    begun: bool,
    /// Their sums, `[rows][panels]`.
    sums: &'a mut [Line],
    /// Where the sums go if this stretch is the last.
    finished: Option<Finished<'a>>,
}

impl Stretch<'_> {
    #[inline(always)]
    fn run<L: Lines, const WIDE: usize>(self, l: L) {
        macro_rules! rows {
            ($($n:literal)*) => {
                match self.rows {
                    $($n if $n <= L::ROWS && $n * WIDE <= L::SUMS => self.tile::<L, $n, WIDE>(l),)*
                    _ => unreachable!("a tile has as many sums as there are registers for"),
                }
            };
        }
        rows!(1 2 3 4 5 6 7 8 9 10 11 12)
    }

    #[inline(always)]
    fn tile<L: Lines, const ROWS: usize, const WIDE: usize>(self, l: L) {
        let b = std::array::from_fn(|panel| &self.b[panel * self.length..][self.depth.clone()]);
        let mut sums = chains::<L, ROWS, WIDE>(l, self.a, self.stride, b);
        let kept: &mut [[Line; WIDE]; ROWS] = self.sums.as_chunks_mut().0.first_chunk_mut().expect("a line a sum");
        for row in 0..ROWS {
            for panel in 0..WIDE {
                // The first is added to zero, which makes a negative zero a positive one.
                let before = if self.begun { l.load(&kept[row][panel]) } else { l.splat(0.0) };
                sums[row][panel] = l.add(before, sums[row][panel]);
            }
        }
        match self.finished {
            // Finished sums go from registers to their places, between the arithmetic of this tile and the next.
            Some(Finished { y, width, columns }) if columns.len() == WIDE * PANEL => {
                for (y, sums) in y.chunks_exact_mut(width).zip(sums) {
                    let (y, _) = y[columns.clone()].as_chunks_mut::<PANEL>();
                    y.iter_mut().zip(sums).for_each(|(y, sum)| l.store(sum, y));
                }
            }
            finished => {
                for row in 0..ROWS {
                    for panel in 0..WIDE {
                        l.store(sums[row][panel], &mut kept[row][panel]);
                    }
                }
                if let Some(Finished { y, width, columns }) = finished {
                    for (y, kept) in y.chunks_exact_mut(width).zip(kept) {
                        let y = &mut y[columns.clone()];
                        y.copy_from_slice(&kept.as_flattened()[..y.len()]);
                    }
                }
            }
        }
    }
}

/// The chains of some rows and panels.
#[inline(always)]
fn chains<L: Lines, const ROWS: usize, const WIDE: usize>(
    l: L,
    a: &[Line],
    stride: usize,
    b: [&[Line]; WIDE],
) -> [[L::Line; WIDE]; ROWS] {
    let mut chains = [[l.splat(0.0); WIDE]; ROWS];
    // Loops with counters: with adapters of iterators the compiler moves the sums to memory and back, square by square.
    // As many lines of each, and the compiler knows.
    let n = b[0].len();
    let b = b.map(|b| &b[..n]);
    let squares = b.map(|b| &b.as_chunks::<PANEL>().0[..n / PANEL]);
    let mut a = a.chunks(stride);
    for at in 0..n / PANEL {
        let a: &[Line; ROWS] = a.next().expect("a square of `a` for each of `b`").first_chunk().expect("its rows");
        let b = squares.map(|squares| &squares[at]);
        for i in (0..PANEL / L::STEPS).map(|i| i * L::STEPS) {
            step(l, &mut chains, a, b.map(|b| &b[i]), i);
            if L::STEPS == 4 {
                step(l, &mut chains, a, b.map(|b| &b[i + 1]), i + 1);
                step(l, &mut chains, a, b.map(|b| &b[i + 2]), i + 2);
                step(l, &mut chains, a, b.map(|b| &b[i + 3]), i + 3);
            }
        }
    }
    if let Some(a) = a.next() {
        let a: &[Line; ROWS] = a.first_chunk().expect("its rows");
        for i in 0..n % PANEL {
            step(l, &mut chains, a, b.map(|b| &b[n / PANEL * PANEL + i]), i);
        }
    }
    chains
}

/// One step.
#[inline(always)]
fn step<L: Lines, const ROWS: usize, const WIDE: usize>(
    l: L,
    chains: &mut [[L::Line; WIDE]; ROWS],
    a: &[Line; ROWS],
    b: [&Line; WIDE],
    i: usize,
) {
    let b = b.map(|b| l.load(b));
    for row in 0..ROWS {
        let a = l.splat(a[row][i]);
        for panel in 0..WIDE {
            chains[row][panel] = l.fma(a, b[panel], chains[row][panel]);
        }
    }
}

/// Every `step`th line, `rows` of them, to rows of that length: a row a lane.
#[inline(always)]
fn turn_back(lines: &[Line], step: usize, rows: usize, y: &mut [f32]) {
    for (square, lines) in lines.chunks(PANEL * step).enumerate() {
        let mut copy = [[0.0; PANEL]; PANEL];
        copy.iter_mut().zip(lines.iter().step_by(step)).for_each(|(copy, line)| *copy = *line);
        for (lane, y) in y.chunks_exact_mut(rows).enumerate() {
            let y = &mut y[square * PANEL..];
            match y.first_chunk_mut::<PANEL>() {
                Some(y) => *y = std::array::from_fn(|i| copy[i][lane]),
                None => y.iter_mut().zip(&copy).for_each(|(y, line)| *y = line[lane]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::simd;
    use super::super::super::tests::numbers;
    use super::super::{laid, scalar};
    use super::*;

    /// What results rest on that are compared between machines.
    #[test]
    fn all_vectors_give_the_bits_of_plain_chains() {
        for (length, columns) in [(1, 1), (15, 17), (16, 16), (37, 100), (256, 33), (257, 48), (300, 75), (700, 20)] {
            let w = numbers(columns * length, 1);
            let mut b = vec![[0.0; PANEL]; columns.div_ceil(PANEL) * length];
            for (at, value) in w.iter().enumerate() {
                let (column, i) = (at / length, at % length);
                b[column / PANEL * length + i][column % PANEL] = *value;
            }
            for rows in (1..=30).chain([264, 265]) {
                let x = numbers(rows * length, 2);
                let want = scalar(&x, &w, length);
                let stride = rows + rows % 3;
                let mut a = vec![[0.0; PANEL]; length.div_ceil(PANEL) * stride];
                laid(&x, length, stride, &mut a);
                for lanes in [1, 4, 8, 16] {
                    for by_rows in [false, true] {
                        let mut y = vec![f32::NAN; rows * columns];
                        let product = Product {
                            a: &a,
                            stride,
                            rows,
                            b: if by_rows { Lanes::Rows(&w) } else { Lanes::Columns(&b) },
                            length,
                            y: &mut y,
                        };
                        if !simd::in_lines_of(lanes, product) {
                            continue;
                        }
                        let at = |at| if by_rows { (at % columns) * rows + at / columns } else { at };
                        let same = (0..y.len()).all(|i| y[at(i)].to_bits() == want[i].to_bits());
                        assert!(same, "{rows} × {length} × {columns}, {lanes} lanes, by rows: {by_rows}");
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_cover_all_panels() {
        assert_eq!(tiles(3..10, 4).collect::<Vec<_>>(), [3..7, 7..9, 9..10]);
        assert_eq!(tiles(5..5, 4).count(), 0);
        assert_eq!(shares(10..35, 12).collect::<Vec<_>>(), [10..18, 18..26, 26..35]);
    }
}
