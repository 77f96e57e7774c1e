//! Whole numbers on a device. What a pass needs of them goes up at once, before its first block: an upload between two
//! blocks would cut the device's work in two.

use burn::{Device, Int, Tensor, TensorData};
use burn_cubecl::Cube;
use burn_cubecl::tensor::CubeTensor;

/// Numbers that stand together in a table on a device.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    all: Tensor<1, Int>,
    /// Place of the first of them.
    pub(super) first: usize,
    /// How many there are.
    pub(super) count: usize,
}

impl Table {
    /// Puts several on a device, in one go.
    pub(crate) fn upload(parts: &[Vec<i32>], device: &Device) -> Vec<Self> {
        let values = parts.concat();
        let length = values.len();
        if length == 0 {
            return Vec::new();
        }
        let all = Tensor::from_data(TensorData::new(values, [length]), device);
        let mut first = 0;
        let part = |part: &Vec<i32>| {
            let table = Self { all: all.clone(), first, count: part.len() };
            first += part.len();
            table
        };
        parts.iter().map(part).collect()
    }

    /// One.
    pub(crate) fn new(values: Vec<i32>, device: &Device) -> Self {
        let count = values.len();
        Self { all: Tensor::from_data(TensorData::new(values, [count]), device), first: 0, count }
    }

    /// The whole table that it is a part of.
    pub(super) fn raw(&self) -> CubeTensor {
        self.all.clone().try_into_primitive::<Cube>().expect("tables on a device are burn's CubeCL tensors")
    }
}
