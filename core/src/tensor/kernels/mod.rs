//! Kernels of our own on a device: one dispatch an operation where burn's tensors take five to ten. One source for WGSL
//! (browsers) and SPIR-V (Vulkan); each is held against the host by the self-test.

mod attend;
mod change;
mod gate;
mod gather;
mod norm;
mod product;
mod readout;
mod rotate;
mod split;
mod table;

pub(super) use attend::{Attention, attend};
pub(super) use change::change;
pub(crate) use change::{RowEdit, edit_table};
pub(super) use gate::{gated, gated_halves, plain};
pub(super) use gather::gather;
pub(super) use norm::{norm, norm_of_sum};
pub(super) use product::{give_up_matrix_units, product, wide};
pub(super) use readout::readout;
pub(super) use rotate::rotate;
pub(crate) use split::Parts;
pub(super) use split::split;
pub(crate) use table::Table;

use burn::{Device, Tensor};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{Cube, kernel::into_contiguous};
use cubecl::prelude::*;

/// Units of a cube that works on one row.
const UNITS: u32 = 64;

/// A device's largest number of cubes along one axis.
const MOST_CUBES: u32 = 65_535;

/// The buffer of a tensor, its numbers one after the other.
fn raw<const D: usize>(x: Tensor<D>) -> CubeTensor {
    let x = x.try_into_primitive::<Cube>().expect("rows on a device are burn's CubeCL tensors");
    into_contiguous(x)
}

/// The same numbers one after the other, where they are a view that is turned.
pub(crate) fn contiguous(x: Tensor<2>) -> Tensor<2> {
    tensor(raw(x))
}

/// Parts of a matrix that begin and end after such numbers of bytes can be views of it.
pub(crate) fn alignment(device: &Device) -> usize {
    raw(Tensor::<1>::zeros([1], device)).client.properties().memory.alignment as usize
}

fn tensor<const D: usize>(x: CubeTensor) -> Tensor<D> {
    Tensor::from_primitive::<Cube>(x)
}

/// Bytes of a device's memory, where its driver says so.
pub(super) fn memory(device: &Device) -> Option<u64> {
    let client = raw(Tensor::<1>::zeros([1], device)).client;
    client.properties().memory.max_memory()
}

/// Room for as many numbers as `x` has, or for another shape.
fn room(x: &CubeTensor, shape: [usize; 2]) -> CubeTensor {
    let handle = x.client.empty(shape[0] * shape[1] * x.elem_size());
    CubeTensor::new_contiguous(x.client.clone(), x.device.clone(), shape.into(), handle, x.dtype)
}

fn argument(x: &CubeTensor) -> BufferArg {
    x.clone().into_buffer_arg()
}

/// At least so many cubes; a kernel that has more of them than work repeats its last item.
fn cubes(count: usize) -> CubeCount {
    let count = count.max(1) as u32;
    let x = count.min(MOST_CUBES);
    CubeCount::Static(x, count.div_ceil(x), 1)
}

/// Cubes for a kernel with one unit a number.
fn for_each(x: &CubeTensor, count: usize) -> (CubeCount, CubeDim) {
    let dim = CubeDim::new_1d(256);
    (cubecl::calculate_cube_count_elemwise(&x.client, count, dim), dim)
}
