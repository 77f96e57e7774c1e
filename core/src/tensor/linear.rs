//! Linear maps `x Wᵀ + b`, and low-rank terms that are added within them: an edit never changes a weight.

use super::gradients::{Gradients, bias_of};
use super::product::{Panels, outer};
use super::{Buffer, MIXED, Rows, Vector, kernels, rows::indices, simd};
use crate::device::{device_error, heard};
use crate::error::Result;
use burn::{Device, Tensor, TensorData};
use std::ops::Range;

/// A weight matrix.
#[derive(Debug, Clone)]
pub(crate) enum Weight {
    /// On the host, packed.
    Host(Panels),
    /// On a device as `[out, in]`.
    Device(Box<Tensor<2>>),
}

/// A linear map of a model.
#[derive(Debug, Clone)]
pub struct LinearMap {
    /// The checkpoint's tensor that the matrix is, or is a part of.
    pub tensor: String,
    /// Which of that tensor's outputs these are: all of them but in GPT-2's fused projection.
    pub rows: Range<usize>,
    /// Inputs.
    pub input: usize,
    /// The checkpoint stores it `[in, out]` (GPT-2's Conv1D).
    pub transposed: bool,
    pub(crate) weight: Weight,
    pub(crate) bias: Option<Vector>,
}

/// `u vᵀ` summed over its rows, added to a matrix `[out, in]`: `W' = W + Σ u vᵀ`.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The tensor's name in the checkpoint.
    pub tensor: String,
    /// `[rank][out]`.
    pub u: Vec<Vec<f32>>,
    /// `[rank][in]`.
    pub v: Vec<Vec<f32>>,
}

/// An edit: terms of any maps. A run carries it; the model is never changed, so undoing it is leaving it out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overlay {
    /// The terms.
    pub terms: Vec<Term>,
}

impl Term {
    /// Of a whole matrix, `[out][in]`.
    pub fn dense(tensor: &str, rows: Vec<Vec<f32>>) -> Self {
        let unit = |at: usize| (0..rows.len()).map(|i| if i == at { 1.0 } else { 0.0 }).collect();
        Self { tensor: tensor.to_owned(), u: (0..rows.len()).map(unit).collect(), v: rows }
    }

    /// One row of its matrix, in f64.
    pub fn row(&self, out: usize) -> Vec<f64> {
        let mut row = vec![0.0; self.v.first().map_or(0, Vec::len)];
        // Most factors of a whole matrix are zero.
        for (u, v) in self.u.iter().zip(&self.v).filter(|(u, _)| u[out] != 0.0) {
            row.iter_mut().zip(v).for_each(|(sum, x)| *sum += f64::from(u[out]) * f64::from(*x));
        }
        row
    }

    /// `‖Σ u vᵀ‖` (Frobenius), in f64.
    pub fn norm(&self) -> f64 {
        let outs = self.u.first().map_or(0, Vec::len);
        (0..outs).map(|out| self.row(out).iter().map(|x| x * x).sum::<f64>()).sum::<f64>().sqrt()
    }
}

impl Overlay {
    /// Of one rank-one term.
    pub fn rank_one(tensor: &str, u: &[f32], v: &[f32]) -> Self {
        Self { terms: vec![Term { tensor: tensor.to_owned(), u: vec![u.to_vec()], v: vec![v.to_vec()] }] }
    }
}

impl LinearMap {
    /// Outputs.
    pub fn out(&self) -> usize {
        self.rows.len()
    }

    /// The bias, on the host.
    pub fn bias(&self) -> Option<&[f32]> {
        self.bias.as_ref().map(Vector::host)
    }

    /// `[rows, in]` to `[rows, out]`.
    pub(crate) fn forward(&self, x: &Rows) -> Rows {
        if x.count() == 0 {
            return Rows::empty(self.out());
        }
        match &self.weight {
            Weight::Host(panels) => {
                let mut y = Buffer::scratch(x.count() * self.out());
                panels.forward(x.host(), 0..panels.count(), &mut y);
                if let Some(bias) = &self.bias {
                    let bias = bias.host();
                    simd::vectorized(
                        #[inline(always)]
                        || y.chunks_exact_mut(bias.len()).for_each(|row| simd::add(row, bias)),
                    );
                }
                Rows::on_host(y, self.out())
            }
            Weight::Device(w) => Rows::on_device(x.times(w, self.bias.as_ref().map(Vector::device))),
        }
    }

    /// Adds a term's part to outputs `y` of inputs `x`: of all rows, or of those that `rows` names.
    pub(crate) fn add_term(&self, x: &Rows, y: Rows, term: &Term, rows: Option<&[u32]>) -> Rows {
        low_rank(x, y, [&term.v, &self.part(term)], rows)
    }

    /// Gradients on inputs from those on outputs: `[rows, out]` to `[rows, in]`.
    pub(crate) fn backward(&self, g: &Rows) -> Rows {
        if g.count() == 0 {
            return Rows::empty(self.input);
        }
        match &self.weight {
            Weight::Host(panels) => {
                let mut y = Buffer::scratch(g.count() * self.input);
                panels.backward(g.host(), &mut y);
                Rows::on_host(y, self.input)
            }
            Weight::Device(w) => Rows::on_device(g.device().expect(MIXED).clone().matmul(kernels::wide(w))),
        }
    }

    /// Adds a term's part to gradients `y` on inputs, from those on outputs.
    pub(crate) fn add_term_backward(&self, g: &Rows, y: Rows, term: &Term, rows: Option<&[u32]>) -> Rows {
        low_rank(g, y, [&self.part(term), &term.v], rows)
    }

    /// The outputs of a term that are this map's.
    fn part(&self, term: &Term) -> Vec<Vec<f32>> {
        term.u.iter().map(|u| u[self.rows.clone()].to_vec()).collect()
    }

    /// Adds the gradients of its tensors, from those on outputs, and the inputs.
    pub(crate) fn add_gradient(&self, g: &Rows, x: &Rows, to: &mut Gradients) {
        if g.count() == 0 {
            return;
        }
        to.add(&self.tensor, self.rows.start, if self.transposed { self.out() } else { 0 }, self.gradient(g, x));
        if self.bias.is_some() {
            to.add(&bias_of(&self.tensor), self.rows.start, 0, g.sum());
        }
    }

    /// The gradient of the matrix as the checkpoint stores it.
    fn gradient(&self, g: &Rows, x: &Rows) -> Vector {
        let (out, input) = (self.out(), self.input);
        match (g.device(), x.device()) {
            (Some(g), Some(x)) => {
                let product = match self.transposed {
                    false => g.clone().transpose().matmul(x.clone()),
                    true => x.clone().transpose().matmul(g.clone()),
                };
                Vector::Device(Box::new(product.flatten(0, 1)))
            }
            _ if self.transposed => Vector::Host(outer(x.host(), input, g.host(), out)),
            _ => Vector::Host(outer(g.host(), out, x.host(), input)),
        }
    }

    /// The matrix as `[out, in]`.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn values(&self) -> Result<Vec<f32>> {
        match &self.weight {
            Weight::Host(panels) => Ok(panels.out_in()),
            Weight::Device(w) => {
                let data = heard(kernels::wide(w).into_data_async()).await?;
                data.try_into_vec::<f32>().map_err(device_error)
            }
        }
    }

    /// From a matrix `[out, in]`; for tests and the self-test.
    pub(crate) fn from_out_in(
        values: &[f32],
        [out, input]: [usize; 2],
        bias: Option<Vec<f32>>,
        device: Option<&Device>,
    ) -> Self {
        let weight = match device {
            None => Weight::Host(Panels::from_out_in(values, out, input)),
            Some(device) => {
                Weight::Device(Box::new(Tensor::from_data(TensorData::new(values.to_vec(), [out, input]), device)))
            }
        };
        let bias = bias.map(|bias| Vector::new(bias, device));
        Self { tensor: String::new(), rows: 0..out, input, transposed: false, weight, bias }
    }
}

/// Adds `Σ (from · x) to` to `y`, of all rows or of those that `rows` names.
fn low_rank(x: &Rows, y: Rows, [from, to]: [&Vec<Vec<f32>>; 2], rows: Option<&[u32]>) -> Rows {
    if y.count() == 0 || rows.is_some_and(<[u32]>::is_empty) {
        return y;
    }
    let width = y.width();
    let Some(x) = x.device() else {
        return y.map(
            #[inline(always)]
            |y| {
                let mut one = |row: usize| {
                    for (from, to) in from.iter().zip(to) {
                        simd::add_scaled(&mut y[row * width..][..width], simd::dot(x.row(row), from), to);
                    }
                };
                match rows {
                    None => (0..x.count()).for_each(&mut one),
                    Some(rows) => rows.iter().for_each(|&row| one(row as usize)),
                }
            },
            |_| panic!("{MIXED}"),
        );
    };
    let device = x.device();
    let matrix = |parts: &Vec<Vec<f32>>| {
        let shape = [parts.len(), parts.first().map_or(0, Vec::len)];
        Tensor::<2>::from_data(TensorData::new(parts.concat(), shape), &device)
    };
    let (from, to) = (matrix(from), matrix(to));
    let added = |x: Tensor<2>| x.matmul(from.transpose()).matmul(to);
    let all = y.count();
    y.map(
        |_| panic!("{MIXED}"),
        |y| match rows {
            None => y + added(x.clone()),
            Some(rows) => {
                // Each row takes its own addition, or the row of zeros in front of them.
                let mut index = vec![0u32; all];
                for (at, &row) in rows.iter().enumerate() {
                    index[row as usize] = at as u32 + 1;
                }
                let some = added(x.clone().select(0, indices(rows, &device)));
                let zeros = Tensor::zeros([1, width], &device);
                y + Tensor::cat(vec![zeros, some], 0).select(0, indices(&index, &device))
            }
        },
    )
}
