//! The currency above the kernels: rows of equal width, vectors, and plain matrices for those who call the engine.

use super::{Buffer, MIXED, kernels, simd};
use crate::device::heard;
use crate::error::Result;
use burn::{DType, Device, Int, Tensor, TensorData};
use std::sync::OnceLock;

/// Rows as a caller gives and gets them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matrix {
    /// Row after row.
    pub values: Vec<f32>,
    /// Numbers of a row; 0 where there is none.
    pub width: usize,
}

impl Matrix {
    /// Rows of a width.
    pub fn new(values: Vec<f32>, width: usize) -> Self {
        debug_assert!(width > 0 || values.is_empty());
        Self { values, width }
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// One of them.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.width..][..self.width]
    }
}

/// A bias or a norm's weight.
#[derive(Debug, Clone)]
pub enum Vector {
    /// On the host.
    Host(Vec<f32>),
    /// On a device.
    Device(Box<Tensor<1>>),
}

impl Vector {
    /// On a device where there is one.
    pub fn new(values: Vec<f32>, device: Option<&Device>) -> Self {
        let n = values.len();
        match device {
            None => Self::Host(values),
            Some(device) => Self::Device(Box::new(Tensor::from_data(TensorData::new(values, [n]), device))),
        }
    }

    /// The numbers, on the host.
    ///
    /// # Panics
    /// Where they are on a device.
    pub fn host(&self) -> &[f32] {
        match self {
            Self::Host(values) => values,
            Self::Device(_) => panic!("{MIXED}"),
        }
    }

    pub(crate) fn device(&self) -> Tensor<1> {
        match self {
            Self::Host(_) => panic!("{MIXED}"),
            Self::Device(x) => (**x).clone(),
        }
    }

    /// Adds another one.
    pub(crate) fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Host(x), Self::Host(other)) => simd::vectorized(
                #[inline(always)]
                || simd::add(x, other),
            ),
            (Self::Device(x), Self::Device(other)) => **x = (**x).clone() + (**other).clone(),
            _ => panic!("{MIXED}"),
        }
    }

    /// The numbers, wherever they are.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn values(&self) -> Result<Vec<f32>> {
        match self {
            Self::Host(values) => Ok(values.clone()),
            Self::Device(x) => {
                let data = heard((**x).clone().into_data_async()).await?;
                data.try_into_vec::<f32>().map_err(crate::device::device_error)
            }
        }
    }
}

/// Rows of equal width.
#[derive(Debug, Clone)]
pub struct Rows {
    count: usize,
    width: usize,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Host(Buffer),
    Device(Box<Held>),
}

/// Rows on a device.
#[derive(Debug, Clone)]
struct Held {
    x: Tensor<2>,
    /// The same in f16, once a product has asked for them.
    half: OnceLock<Tensor<2>>,
}

/// Indices on a device.
pub(crate) fn indices(values: &[u32], device: &Device) -> Tensor<1, Int> {
    let n = values.len();
    let values: Vec<i32> = values.iter().map(|&x| x as i32).collect();
    Tensor::from_data(TensorData::new(values, [n]), device)
}

impl Rows {
    /// No rows; at home everywhere.
    pub(crate) fn empty(width: usize) -> Self {
        Self { count: 0, width, data: Data::Host(Buffer::default()) }
    }

    /// Zeros.
    pub(crate) fn zeros(count: usize, width: usize, device: Option<&Device>) -> Self {
        match device {
            Some(device) if count > 0 => Self::on_device(Tensor::zeros([count, width], device)),
            _ => {
                let mut values = Buffer::scratch(count * width);
                values.fill(0.0);
                Self { count, width, data: Data::Host(values) }
            }
        }
    }

    /// On the host.
    pub(crate) fn on_host(values: impl Into<Buffer>, width: usize) -> Self {
        let values = values.into();
        Self { count: values.len() / width.max(1), width, data: Data::Host(values) }
    }

    /// On a device.
    pub(crate) fn on_device(x: Tensor<2>) -> Self {
        let [count, width] = x.dims();
        Self { count, width, data: Data::Device(Box::new(Held { x, half: OnceLock::new() })) }
    }

    /// On a device where there is one.
    pub(crate) fn new(values: Vec<f32>, width: usize, device: Option<&Device>) -> Self {
        let count = values.len() / width.max(1);
        match device {
            Some(device) if count > 0 => {
                Self::on_device(Tensor::from_data(TensorData::new(values, [count, width]), device))
            }
            _ => Self::on_host(values, width),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The tensor, where they are on a device. Without rows they are nowhere.
    pub(crate) fn device(&self) -> Option<&Tensor<2>> {
        match &self.data {
            Data::Host(_) => None,
            Data::Device(held) => Some(&held.x),
        }
    }

    /// On a device, `x wᵀ + b` with a matrix `[out, in]`: `[rows, in]` to `[rows, out]`.
    pub(crate) fn times(&self, w: &Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
        let Data::Device(held) = &self.data else { panic!("{MIXED}") };
        let half = || held.half.get_or_init(|| held.x.clone().cast(DType::F16)).clone();
        kernels::product(&held.x, half, w, bias)
    }

    /// The numbers, where they are on the host.
    pub(crate) fn host(&self) -> &[f32] {
        match &self.data {
            Data::Host(values) => values,
            Data::Device(_) => panic!("{MIXED}"),
        }
    }

    pub(crate) fn host_mut(&mut self) -> &mut [f32] {
        match &mut self.data {
            Data::Host(values) => values,
            Data::Device(_) => panic!("{MIXED}"),
        }
    }

    /// One row, where they are on the host.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.host()[row * self.width..][..self.width]
    }

    /// The same rows, changed on the host in place or replaced on a device.
    pub(crate) fn map(self, host: impl FnOnce(&mut [f32]), device: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Self {
        let Self { count, width, data } = self;
        if count == 0 {
            return Self::empty(width);
        }
        let data = match data {
            Data::Host(mut values) => {
                simd::vectorized(
                    #[inline(always)]
                    || host(&mut values),
                );
                Data::Host(values)
            }
            Data::Device(held) => return Self::on_device(device(held.x)),
        };
        Self { count, width, data }
    }

    /// Rows by number.
    pub(crate) fn gather(&self, index: &[u32]) -> Self {
        match &self.data {
            _ if index.is_empty() => Self::empty(self.width),
            Data::Host(values) => {
                let mut out = Buffer::scratch(index.len() * self.width);
                for (out, &row) in out.chunks_exact_mut(self.width).zip(index) {
                    out.copy_from_slice(&values[row as usize * self.width..][..self.width]);
                }
                Self::on_host(out, self.width)
            }
            Data::Device(held) => Self::on_device(held.x.clone().select(0, indices(index, &held.x.device()))),
        }
    }

    /// These rows at places among `count` rows, each place once, and zeros elsewhere.
    pub(crate) fn scatter(&self, places: &[u32], count: usize) -> Self {
        debug_assert_eq!(places.len(), self.count);
        match &self.data {
            Data::Host(values) => {
                let mut out = Self::zeros(count, self.width, None);
                for (row, &place) in values.chunks_exact(self.width.max(1)).zip(places) {
                    out.host_mut()[place as usize * self.width..][..self.width].copy_from_slice(row);
                }
                out
            }
            Data::Device(held) => {
                let mut index = vec![self.count as u32; count];
                places.iter().enumerate().for_each(|(at, &place)| index[place as usize] = at as u32);
                self.clone().join(Self::zeros(1, self.width, Some(&held.x.device()))).gather(&index)
            }
        }
    }

    /// The first of them.
    pub(crate) fn first(self, count: usize) -> Self {
        let Self { count: all, width, data } = self;
        match data {
            data if count == all => Self { count, width, data },
            _ if count == 0 => Self::empty(width),
            Data::Host(values) => {
                let mut values = values.into_vec();
                values.truncate(count * width);
                Self::on_host(values, width)
            }
            Data::Device(held) => Self::on_device(held.x.narrow(0, 0, count)),
        }
    }

    /// Rows of several, one after the other.
    pub(crate) fn all(mut parts: Vec<Self>) -> Self {
        parts.retain(|part| part.count > 0);
        let Some(width) = parts.first().map(|part| part.width) else { return Self::empty(0) };
        debug_assert!(parts.iter().all(|part| part.width == width));
        if parts.iter().all(|part| part.device().is_some()) {
            return Self::on_device(Tensor::cat(parts.iter().filter_map(Self::device).cloned().collect(), 0));
        }
        let mut out = Buffer::scratch(parts.iter().map(|part| part.count * width).sum());
        let mut rest = &mut out[..];
        for part in &parts {
            let (here, others) = rest.split_at_mut(part.count * width);
            here.copy_from_slice(part.host());
            rest = others;
        }
        Self::on_host(out, width)
    }

    /// These rows, then others.
    pub(crate) fn join(self, other: Self) -> Self {
        debug_assert_eq!(self.width, other.width);
        if self.count == 0 {
            return other;
        }
        if other.count == 0 {
            return self;
        }
        let width = self.width;
        match (self.data, other.data) {
            (Data::Host(a), Data::Host(b)) => {
                let mut out = Buffer::scratch(a.len() + b.len());
                out[..a.len()].copy_from_slice(&a);
                out[a.len()..].copy_from_slice(&b);
                Self::on_host(out, width)
            }
            (Data::Device(a), Data::Device(b)) => Self::on_device(Tensor::cat(vec![a.x, b.x], 0)),
            _ => panic!("{MIXED}"),
        }
    }

    /// The sum of all rows, in their order.
    pub(crate) fn sum(&self) -> Vector {
        match &self.data {
            Data::Host(values) => {
                let mut sum = vec![0.0; self.width];
                values.chunks_exact(self.width.max(1)).for_each(|row| simd::add(&mut sum, row));
                Vector::Host(sum)
            }
            Data::Device(held) => Vector::Device(Box::new(held.x.clone().sum_dim(0).flatten(0, 1))),
        }
    }

    /// On a device, rows changed from those of a source, by a table of [`kernels::edit_table`].
    pub(crate) fn edited(&self, source: Option<&Self>, edits: &kernels::Table) -> Self {
        let on = |rows: &Self| rows.device().expect(MIXED).clone();
        Self::on_device(kernels::change(on(self), source.map(on), edits))
    }

    /// On a device, rows by number.
    pub(crate) fn some(&self, rows: &kernels::Table) -> Self {
        Self::on_device(kernels::gather(None, self.device().expect(MIXED).clone(), rows))
    }

    /// On a device, rows of another one by number behind these.
    pub(crate) fn join_some(self, other: &Self, rows: &kernels::Table) -> Self {
        let before = if self.count == 0 { None } else { Some(self.device().expect(MIXED).clone()) };
        Self::on_device(kernels::gather(before, other.device().expect(MIXED).clone(), rows))
    }

    /// What logits on a device say: of each row the probabilities of `k` tokens, their logits, the sum under its softmax,
    /// and the most probable token. Some drivers compute tanh(NaN) = -1, so that a soft cap makes NaN a number; hence the
    /// sum of each row of `stream`, which the logits come from, is added to the sum under the softmax, which only has to be
    /// finite.
    pub(crate) fn readout(&self, stream: &Self, tokens: &[&[u32]], k: usize) -> Self {
        let (logits, stream) = (self.device().expect(MIXED), stream.device().expect(MIXED));
        let mut index = vec![0i32; tokens.len() * k];
        for (index, tokens) in index.chunks_exact_mut(k).zip(tokens) {
            index.iter_mut().zip(*tokens).for_each(|(index, &token)| *index = token as i32);
        }
        let index = Tensor::from_data(TensorData::new(index, [tokens.len(), k]), &logits.device());
        Self::on_device(kernels::readout(logits.clone(), stream.clone(), index))
    }

    /// The sum with as many other rows.
    pub(crate) fn plus(self, other: &Self) -> Self {
        debug_assert_eq!((self.count, self.width), (other.count, other.width));
        self.map(
            #[inline(always)]
            |x| simd::add(x, other.host()),
            |x| x + other.device().expect(MIXED).clone(),
        )
    }

    /// The numbers, read back from wherever they are.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn values(&self) -> Result<Vec<f32>> {
        match &self.data {
            Data::Host(values) => Ok(values.to_vec()),
            Data::Device(held) => {
                let data = heard(held.x.clone().into_data_async()).await?;
                data.try_into_vec::<f32>().map_err(crate::device::device_error)
            }
        }
    }
}
