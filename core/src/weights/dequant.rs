//! Stored numbers to f32: plain floats and the block formats of GGUF.
//!
//! Every product and sum is rounded in the order of the reference implementation (the `gguf` package), so the
//! values are equal bit for bit.

use half::{bf16, f16};

/// How a tensor's numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum StoredDtype {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q4K,
    Q5K,
    Q6K,
}

impl StoredDtype {
    /// Every format that can be read.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The name in lower case, e.g. `bf16`, `q4_1`, `q6_k`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
            Self::Q4_1 => "q4_1",
            Self::Q5_0 => "q5_0",
            Self::Q5_1 => "q5_1",
            Self::Q4K => "q4_k",
            Self::Q5K => "q5_k",
            Self::Q6K => "q6_k",
        }
    }

    /// Elements of one block and the bytes they take.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q8_0 => (32, 34),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// Converts whole blocks and appends them; bytes of an unfinished last block are ignored.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        let (elements, size) = self.block();
        out.reserve(bytes.len() / size * elements);
        let blocks = bytes.chunks_exact(size);
        match self {
            Self::F32 => out.extend(blocks.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
            Self::F16 => out.extend(blocks.map(half_at::<0>)),
            Self::BF16 => out.extend(blocks.map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())),
            Self::Q8_0 => blocks.for_each(|b| q8_0(b, out)),
            Self::Q4_0 => blocks.for_each(|b| {
                let d = half_at::<0>(b);
                nibbles(&b[2..18], out, |_, q| d * (q as f32 - 8.0));
            }),
            Self::Q4_1 => blocks.for_each(|b| {
                let (d, m) = (half_at::<0>(b), half_at::<2>(b));
                nibbles(&b[4..20], out, |_, q| d * q as f32 + m);
            }),
            Self::Q5_0 => blocks.for_each(|b| {
                let (d, high) = (half_at::<0>(b), u32::from_le_bytes([b[2], b[3], b[4], b[5]]));
                nibbles(&b[6..22], out, |i, q| d * (fifth_bit(high, i, q) as f32 - 16.0));
            }),
            Self::Q5_1 => blocks.for_each(|b| {
                let (d, m) = (half_at::<0>(b), half_at::<2>(b));
                let high = u32::from_le_bytes([b[4], b[5], b[6], b[7]]);
                nibbles(&b[8..24], out, |i, q| d * fifth_bit(high, i, q) as f32 + m);
            }),
            Self::Q4K => blocks.for_each(|b| q4_k(b, out)),
            Self::Q5K => blocks.for_each(|b| q5_k(b, out)),
            Self::Q6K => blocks.for_each(|b| q6_k(b, out)),
        }
    }
}

fn half_at<const AT: usize>(block: &[u8]) -> f32 {
    f16::from_le_bytes([block[AT], block[AT + 1]]).to_f32()
}

/// The low nibbles of all bytes come first, then the high ones.
fn nibbles(bytes: &[u8], out: &mut Vec<f32>, value: impl Fn(usize, u8) -> f32) {
    let count = bytes.len();
    out.extend(bytes.iter().enumerate().map(|(i, byte)| value(i, byte & 15)));
    out.extend(bytes.iter().enumerate().map(|(i, byte)| value(count + i, byte >> 4)));
}

fn fifth_bit(high: u32, index: usize, low: u8) -> u8 {
    low | (((high >> index) & 1) as u8) << 4
}

fn q8_0(block: &[u8], out: &mut Vec<f32>) {
    let d = half_at::<0>(block);
    out.extend(block[2..34].iter().map(|&q| f32::from(q as i8) * d));
}

/// The eight 6-bit scales and minima of a K block, packed in twelve bytes, times the block's two factors.
fn scales_and_minima(block: &[u8]) -> [(f32, f32); 8] {
    let (d, dmin, packed) = (half_at::<0>(block), half_at::<2>(block), &block[4..16]);
    std::array::from_fn(|i| {
        let (scale, min) = if i < 4 {
            (packed[i] & 63, packed[i + 4] & 63)
        } else {
            let shared = packed[i + 4];
            ((shared & 15) | (packed[i - 4] >> 2 & 48), (shared >> 4) | (packed[i] >> 2 & 48))
        };
        (d * f32::from(scale), dmin * f32::from(min))
    })
}

fn q4_k(block: &[u8], out: &mut Vec<f32>) {
    let scales = scales_and_minima(block);
    for (pair, bytes) in block[16..144].chunks_exact(32).enumerate() {
        nibbles(bytes, out, |i, q| {
            let (d, m) = scales[pair * 2 + i / 32];
            d * f32::from(q) - m
        });
    }
}

fn q5_k(block: &[u8], out: &mut Vec<f32>) {
    let scales = scales_and_minima(block);
    let high = &block[16..48];
    for (pair, bytes) in block[48..176].chunks_exact(32).enumerate() {
        nibbles(bytes, out, |i, q| {
            let group = pair * 2 + i / 32;
            let (d, m) = scales[group];
            let bit = high[i % 32] >> group & 1;
            d * f32::from(q | bit << 4) - m
        });
    }
}

fn q6_k(block: &[u8], out: &mut Vec<f32>) {
    let (low, high, scales) = (&block[..128], &block[128..192], &block[192..208]);
    let d = half_at::<208>(block);
    let scales: [f32; 16] = std::array::from_fn(|i| d * f32::from(scales[i] as i8));
    // Two halves of 128; in each, 64 bytes of low nibbles and 32 bytes with four 2-bit tops.
    for (part, (low, high)) in low.chunks_exact(64).zip(high.chunks_exact(32)).enumerate() {
        nibbles(low, out, |i, q| {
            let top = high[i % 32] >> (i / 32 * 2) & 3;
            let value = i16::from(q | top << 4) - 32;
            scales[part * 8 + i / 16] * f32::from(value)
        });
    }
}
