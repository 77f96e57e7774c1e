//! What a head says of rows, from their logits: a cube a row.

use super::{argument, cubes, raw, room, tensor};
use burn::{Int, Tensor};
use cubecl::prelude::*;

/// Units that look through one row of logits.
const UNITS: usize = 256;

/// Of each row: probabilities of `k` tokens, their logits, the sum under the softmax and of the row of the stream, and the
/// most probable token: `[rows, 2 k + 2]`. `tokens` is `[rows, k]`. Of equal logits the lower token is the more probable.
pub(in crate::tensor) fn readout(logits: Tensor<2>, stream: Tensor<2>, tokens: Tensor<2, Int>) -> Tensor<2> {
    let ([rows, vocab], [_, width], [_, k]) = (logits.dims(), stream.dims(), tokens.dims());
    let (logits, stream) = (raw(logits), raw(stream));
    let tokens = tokens.try_into_primitive::<burn_cubecl::Cube>().expect("tokens are on the same device");
    let out = room(&logits, [rows, 2 * k + 2]);
    kernel::launch(
        &logits.client,
        cubes(rows),
        CubeDim::new_1d(UNITS as u32),
        argument(&logits),
        argument(&stream),
        argument(&tokens),
        argument(&out),
        rows as u32,
        vocab as u32,
        width as u32,
        k as u32,
        UNITS,
    );
    tensor(out)
}

#[cube(launch)]
#[expect(clippy::too_many_arguments, reason = "a kernel's buffers and sizes")]
fn kernel(
    logits: &[f32],
    stream: &[f32],
    tokens: &[i32],
    out: &mut [f32],
    rows: u32,
    vocab: u32,
    width: u32,
    k: u32,
    #[comptime] units: usize,
) {
    let mut values = Shared::<[f32]>::new_slice(units);
    let mut places = Shared::<[u32]>::new_slice(units);
    let unit = UNIT_POS as usize;
    let (vocab, width, k) = (vocab as usize, width as usize, k as usize);
    let row = CUBE_POS;
    let row = select(row < rows as usize, row, rows as usize - 1);
    let first = row * vocab;
    let mut most = f32::new(-3.4e38);
    let mut top = 0u32;
    let mut at = unit;
    while at < vocab {
        let value = logits[first + at];
        if value > most {
            most = value;
            top = at as u32;
        }
        at += units;
    }
    values[unit] = most;
    places[unit] = top;
    sync_cube();
    for other in 0..units {
        let value = values[other];
        let place = places[other];
        if value > most || (value == most && place < top) {
            most = value;
            top = place;
        }
    }
    sync_cube();
    let mut sum = 0.0f32;
    let mut at = unit;
    while at < vocab {
        sum += (logits[first + at] - most).exp();
        at += units;
    }
    let mut whole = 0.0f32;
    let mut at = unit;
    while at < width {
        whole += stream[row * width + at];
        at += units;
    }
    values[unit] = sum;
    sync_cube();
    let mut sum = 0.0f32;
    for other in 0..units {
        sum += values[other];
    }
    sync_cube();
    values[unit] = whole;
    sync_cube();
    let mut whole = 0.0f32;
    for other in 0..units {
        whole += values[other];
    }
    let to = row * (2 * k + 2);
    let mut at = unit;
    while at < k {
        let logit = logits[first + tokens[row * k + at] as usize];
        out[to + at] = (logit - most).exp() / sum;
        out[to + k + at] = logit;
        at += units;
    }
    if unit == 0 {
        out[to + 2 * k] = sum + whole;
        // Vocabularies are far smaller than the numbers that an f32 holds exactly.
        out[to + 2 * k + 1] = top as f32;
    }
}
