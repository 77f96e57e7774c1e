//! Parameters of a model in training: named tensors, drawn when a family asks for them for the first time.

use crate::device::{device_error, heard};
use crate::error::{Error, Result};
use burn::tensor::{Device, Tensor, TensorData};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// One parameter.
#[derive(Debug, Clone)]
pub enum Parameter {
    /// A bias or a norm's weight `[n]`.
    Vector(Tensor<1>),
    /// A linear map or a table `[rows, columns]`, as the checkpoint stores it.
    Matrix(Tensor<2>),
}

impl Parameter {
    /// The checkpoint's shape.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Vector(x) => x.dims().to_vec(),
            Self::Matrix(x) => x.dims().to_vec(),
        }
    }

    /// The numbers, row-major.
    pub async fn values(&self) -> Result<Vec<f32>> {
        let data = match self {
            Self::Vector(x) => heard(x.clone().into_data_async()).await?,
            Self::Matrix(x) => heard(x.clone().into_data_async()).await?,
        };
        data.try_into_vec::<f32>().map_err(device_error)
    }

    /// The same, its gradient wanted.
    #[must_use]
    pub fn tracked(self) -> Self {
        match self {
            Self::Vector(x) => Self::Vector(x.require_grad()),
            Self::Matrix(x) => Self::Matrix(x.require_grad()),
        }
    }

    /// The same, without a gradient.
    #[must_use]
    pub fn untracked(self) -> Self {
        match self {
            Self::Vector(x) => Self::Vector(x.inner()),
            Self::Matrix(x) => Self::Matrix(x.inner()),
        }
    }

    /// A parameter from its numbers.
    ///
    /// # Panics
    /// If `shape` has not one or two dimensions, or does not fit `values`.
    pub fn from_values(values: Vec<f32>, shape: &[usize], device: &Device) -> Self {
        match *shape {
            [n] => Self::Vector(Tensor::from_data(TensorData::new(values, [n]), device)),
            [rows, columns] => Self::Matrix(Tensor::from_data(TensorData::new(values, [rows, columns]), device)),
            _ => panic!("a parameter has one or two dimensions"),
        }
    }
}

/// How a matrix of this name and shape begins.
pub type Draw = Box<dyn Fn(&str, [usize; 2]) -> Vec<f32>>;

/// A model's parameters by their names in the checkpoint.
pub struct Parameters {
    device: Device,
    draw: Draw,
    tensors: RefCell<BTreeMap<String, Parameter>>,
}

impl Parameters {
    /// None yet; `draw` gives the matrices their first values.
    pub fn new(device: &Device, draw: Draw) -> Self {
        Self { device: device.clone(), draw, tensors: RefCell::default() }
    }

    /// All that there are so far.
    pub fn all(&self) -> BTreeMap<String, Parameter> {
        self.tensors.borrow().clone()
    }

    /// Puts other values in a parameter's place.
    pub fn set(&self, name: &str, parameter: Parameter) {
        self.tensors.borrow_mut().insert(name.to_string(), parameter);
    }

    pub(super) fn vector(&self, name: &str, n: usize, start: f32) -> Result<Tensor<1>> {
        let found = self.get(name, || Parameter::Vector(Tensor::full([n], start, &self.device)));
        match found {
            Parameter::Vector(x) if x.dims() == [n] => Ok(x),
            other => Err(mismatch(name, &other, &[n])),
        }
    }

    pub(super) fn matrix(&self, name: &str, rows: usize, columns: usize) -> Result<Tensor<2>> {
        let shape = [rows, columns];
        let found = self.get(name, || Parameter::from_values((self.draw)(name, shape), &shape, &self.device));
        match found {
            Parameter::Matrix(x) if x.dims() == shape => Ok(x),
            other => Err(mismatch(name, &other, &shape)),
        }
    }

    fn get(&self, name: &str, first: impl FnOnce() -> Parameter) -> Parameter {
        self.tensors.borrow_mut().entry(name.to_string()).or_insert_with(first).clone()
    }
}

fn mismatch(name: &str, found: &Parameter, wanted: &[usize]) -> Error {
    Error::input(format!("parameter `{name}` has shape {:?}, the configuration asks for {wanted:?}", found.shape()))
        .hint("the training state belongs to another recipe; start again in an empty folder")
}
