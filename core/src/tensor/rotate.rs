//! Rotary position embedding in the rotate-half layout of Hugging Face (Su et al. 2021).

use super::{MIXED, Rows, Table, kernels};
use crate::rope::RopeSpec;
use burn::{Device, Tensor, TensorData};

/// Tables of a rotary embedding.
#[derive(Debug, Clone)]
pub struct Rope {
    /// Angles of a position.
    half: usize,
    /// `cos(p · f_i)` and `sin(p · f_i)`, `[positions, half]` each.
    host: [Vec<f32>; 2],
    device: Option<[Tensor<2>; 2]>,
}

/// A table's rows that belong to the rows of a pass.
#[derive(Debug, Clone)]
pub(crate) enum Turns<'a> {
    /// On the host: the table, and each row's position.
    Host(&'a Rope, &'a [u32]),
    /// On a device: cosines and sines.
    Device(Box<[Tensor<2>; 2]>),
}

impl Rope {
    /// Tables for positions `0..positions`. Frequencies in f32, as transformers computes them.
    pub(crate) fn new(spec: &RopeSpec, positions: usize, device: Option<&Device>) -> Self {
        let frequencies = spec.frequencies();
        let half = frequencies.len();
        let factor = spec.attention_factor as f32;
        let mut host = [Vec::with_capacity(positions * half), Vec::with_capacity(positions * half)];
        for position in 0..positions {
            for frequency in &frequencies {
                let angle = position as f32 * frequency;
                host[0].push(angle.cos() * factor);
                host[1].push(angle.sin() * factor);
            }
        }
        let table = |values: Vec<f32>, device| Tensor::from_data(TensorData::new(values, [positions, half]), device);
        match device {
            None => Self { half, host, device: None },
            Some(device) => {
                Self { half, device: Some(host.map(|values| table(values, device))), host: Default::default() }
            }
        }
    }

    /// Cosines and sines of a position, on the host.
    pub fn angles(&self, position: usize) -> [&[f32]; 2] {
        [0, 1].map(|at| &self.host[at][position * self.half..][..self.half])
    }

    /// The rows of these positions.
    pub(crate) fn turns<'a>(&'a self, positions: &'a [u32]) -> Turns<'a> {
        let on = |tables: &[Tensor<2>; 2]| {
            Table::new(positions.iter().map(|&at| at.cast_signed()).collect(), &tables[0].device())
        };
        self.turns_at(positions, self.device.as_ref().map(on).as_ref())
    }

    /// The same, where the positions are on the device already.
    pub(crate) fn turns_at<'a>(&'a self, positions: &'a [u32], table: Option<&Table>) -> Turns<'a> {
        match (&self.device, table) {
            (Some(tables), Some(rows)) => {
                Turns::Device(Box::new(tables.clone().map(|table| kernels::gather(None, table, rows))))
            }
            _ => Turns::Host(self, positions),
        }
    }
}

impl Turns<'_> {
    /// Rotates the leading dimensions of every head of the first rows.
    pub(crate) fn rotate(&self, x: Rows, head_dim: usize) -> Rows {
        self.turn(x, head_dim, 1.0)
    }

    /// Cosines and sines, on a device.
    pub(crate) fn tables(&self) -> [Tensor<2>; 2] {
        let Self::Device(tables) = self else { panic!("{MIXED}") };
        (**tables).clone()
    }

    /// Gradients on rows from those on what they become: a rotation's gradient is the rotation back.
    pub(crate) fn backward(&self, g: Rows, head_dim: usize) -> Rows {
        self.turn(g, head_dim, -1.0)
    }

    /// Rotates, with sines that are `sign` times their own.
    fn turn(&self, x: Rows, head_dim: usize, sign: f32) -> Rows {
        let width = x.width();
        x.map(
            #[inline(always)]
            |x| {
                let Self::Host(rope, positions) = self else { panic!("{MIXED}") };
                let half = rope.half;
                for (row, &position) in x.chunks_exact_mut(width).zip(*positions) {
                    let at = position as usize * half..(position as usize + 1) * half;
                    let (cos, sin) = (&rope.host[0][at.clone()], &rope.host[1][at]);
                    for head in row.chunks_exact_mut(head_dim) {
                        let (a, b) = head.split_at_mut(half);
                        for i in 0..half {
                            let (x, y) = (a[i], b[i]);
                            let sin = sign * sin[i];
                            a[i] = x * cos[i] - y * sin;
                            b[i] = y * cos[i] + x * sin;
                        }
                    }
                }
            },
            |x| kernels::rotate(x, self.tables(), head_dim, sign),
        )
    }
}
