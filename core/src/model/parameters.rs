//! Parameters of a model in training: named tensors, drawn when a family asks for them for the first time.

use crate::error::{Error, Result};
use crate::tensor::Vector;
use burn::Device;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// One parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The checkpoint's shape: `[n]` for a bias or a norm's weight, `[rows, columns]` for a linear map or a table.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vector,
}

/// How a matrix of this name and shape begins.
pub type Draw = Box<dyn Fn(&str, [usize; 2]) -> Vec<f32>>;

/// A model's parameters by their names in the checkpoint.
pub struct Parameters {
    device: Option<Device>,
    draw: Draw,
    tensors: RefCell<BTreeMap<String, Parameter>>,
}

impl Parameters {
    /// None yet; `draw` gives the matrices their first values. On the host where there is no device.
    pub fn new(device: Option<&Device>, draw: Draw) -> Self {
        Self { device: device.cloned(), draw, tensors: RefCell::default() }
    }

    /// Where they are.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// All that there are so far.
    pub fn all(&self) -> BTreeMap<String, Parameter> {
        self.tensors.borrow().clone()
    }

    /// Puts other values in a parameter's place.
    pub fn set(&self, name: &str, parameter: Parameter) {
        self.tensors.borrow_mut().insert(name.to_string(), parameter);
    }

    /// Hands all of them to `f`, to be changed.
    pub fn update(&self, f: impl FnOnce(&mut BTreeMap<String, Parameter>)) {
        f(&mut self.tensors.borrow_mut());
    }

    /// A copy on the host.
    ///
    /// # Errors
    /// When the device fails.
    pub async fn on_host(&self) -> Result<Self> {
        let mut tensors = BTreeMap::new();
        for (name, Parameter { shape, values }) in self.all() {
            tensors.insert(name, Parameter { shape, values: Vector::Host(values.values().await?) });
        }
        let draw = Box::new(|_: &str, [rows, columns]: [usize; 2]| vec![0.0; rows * columns]);
        Ok(Self { device: None, draw, tensors: RefCell::new(tensors) })
    }

    pub(crate) fn vector(&self, name: &str, n: usize, start: f32) -> Result<Vector> {
        self.get(name, &[n], || vec![start; n])
    }

    pub(crate) fn matrix(&self, name: &str, shape: [usize; 2]) -> Result<Vector> {
        self.get(name, &shape, || (self.draw)(name, shape))
    }

    fn get(&self, name: &str, shape: &[usize], first: impl FnOnce() -> Vec<f32>) -> Result<Vector> {
        let mut tensors = self.tensors.borrow_mut();
        let found = tensors
            .entry(name.to_string())
            .or_insert_with(|| Parameter { shape: shape.to_vec(), values: Vector::new(first(), self.device.as_ref()) });
        match found.shape == shape {
            true => Ok(found.values.clone()),
            false => Err(Error::input(format!(
                "parameter `{name}` has shape {:?}, the configuration asks for {shape:?}",
                found.shape
            ))
            .hint("the training state belongs to another recipe; start again in an empty folder")),
        }
    }
}
