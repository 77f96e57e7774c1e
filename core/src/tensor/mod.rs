//! Rows of numbers, on the host or on a device, and everything that is computed with them. A file an operation: on the
//! host by loops of our own, on a device by burn. Nothing above this module knows which of the two it has.

pub(crate) mod activation;
pub(crate) mod attend;
mod buffer;
mod choose;
pub(crate) mod gradients;
mod joined;
mod kernels;
pub(crate) mod linear;
pub(crate) mod norm;
pub(crate) mod product;
pub(crate) mod rotate;
mod rows;
pub mod self_test;
pub(crate) mod simd;
pub(crate) mod vocabulary;

pub use activation::Activation;
pub(crate) use buffer::Buffer;
pub use choose::{gflops, product_rate};
pub use joined::Joined;
pub(crate) use kernels::{Parts, RowEdit, Table, alignment, contiguous, edit_table};
pub use linear::{LinearMap, Overlay, Term};
pub use norm::Norm;
pub use rotate::Rope;
pub use rows::{Matrix, Rows, Vector};
pub use vocabulary::{Readout, Vocabulary};

/// What is wrong where numbers of a device and of the host meet: never a state that input can bring about.
pub(crate) const MIXED: &str = "rows of the host and of a device never meet";

#[cfg(test)]
pub(crate) mod tests {
    /// Numbers between -½ and ½ that look random and are the same everywhere.
    pub(crate) fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        (0..n).map(|_| next()).collect()
    }

    /// Largest difference, as a share of the largest number.
    pub(crate) fn worst(got: &[f32], want: &[f64]) -> f64 {
        assert_eq!(got.len(), want.len());
        let most = want.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
        let apart = got.iter().zip(want).map(|(got, want)| (f64::from(*got) - want).abs());
        apart.fold(0.0, |most, x| if x <= most { most } else { x }) / most
    }
}
