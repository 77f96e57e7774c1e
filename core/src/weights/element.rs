//! What tensors are read as: f32, or f16 for a device that holds them so.

use super::StoredDtype;
use half::f16;
use half::slice::HalfFloatSliceExt;

/// A number of a tensor in memory.
pub trait Element: Copy + Default {
    /// Converts whole blocks and appends them; bytes of an unfinished last block are ignored.
    fn decode(dtype: StoredDtype, bytes: &[u8], out: &mut Vec<Self>);
    /// As f32.
    fn wide(self) -> f32;
    /// From f32, rounded; larger ones than there are become infinite.
    fn of(value: f32) -> Self;
}

impl Element for f32 {
    fn decode(dtype: StoredDtype, bytes: &[u8], out: &mut Vec<Self>) {
        dtype.decode(bytes, out);
    }

    fn wide(self) -> f32 {
        self
    }

    fn of(value: f32) -> Self {
        value
    }
}

impl Element for f16 {
    fn decode(dtype: StoredDtype, bytes: &[u8], out: &mut Vec<Self>) {
        if dtype == StoredDtype::F16 {
            out.extend(bytes.as_chunks().0.iter().map(|&two| Self::from_le_bytes(two)));
            return;
        }
        let mut wide = Vec::new();
        dtype.decode(bytes, &mut wide);
        let first = out.len();
        out.resize(first + wide.len(), Self::ZERO);
        out[first..].convert_from_f32_slice(&wide);
    }

    fn wide(self) -> f32 {
        self.to_f32()
    }

    fn of(value: f32) -> Self {
        Self::from_f32(value)
    }
}
