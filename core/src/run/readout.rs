//! Predictions: logits of the wanted rows, reduced to the wanted tokens before they leave the device.

use super::capture::{Base, capture};
use super::check::{self, Scope};
use super::plan::Limits;
use super::rows::gather;
use super::{Prompt, Read, Readout};
use crate::error::{Error, Kind, Result};
use crate::model::{Decoder, cpu};
use burn::tensor::{Int, Tensor, TensorData};
use std::collections::VecDeque;

/// Readouts in row order.
pub(super) struct Readouts(VecDeque<Readout>);

impl From<Vec<Readout>> for Readouts {
    fn from(readouts: Vec<Readout>) -> Self {
        Self(readouts.into())
    }
}

impl Readouts {
    pub(super) fn take(&mut self, n: usize) -> Vec<Readout> {
        self.0.drain(..n).collect()
    }
}

/// A device's failure as this crate's error; allocation failures are [`Kind::Memory`].
pub(crate) fn device_error(error: impl std::fmt::Debug) -> Error {
    let text = format!("{error:?}");
    let lower = text.to_lowercase();
    let memory = ["out of memory", "outofmemory", "alloc", "toobig", "too big", "too large"];
    if memory.iter().any(|word| lower.contains(word)) {
        return Error::new(Kind::Memory, format!("the device is out of memory: {text}"))
            .hint("close other programs, use --device cpu, or take a smaller model")
            .in_page("close other tabs, switch the device to CPU, or take a smaller model");
    }
    Error::device(format!("the device failed: {text}"))
        .hint("run `engram doctor`; `--device cpu` works without a GPU")
        .in_page("switch the device to CPU")
}

/// What was read from a device, unless its graphics library complained by then: the numbers are then worth nothing,
/// though reading them succeeds.
pub(crate) async fn heard<T, E: std::fmt::Debug>(reading: impl Future<Output = Result<T, E>>) -> Result<T> {
    let read = reading.await;
    crate::device::complaint()?;
    read.map_err(device_error)
}

/// Predictions of a base run itself: `(prompt, read)`.
pub async fn read_base(
    decoder: &dyn Decoder,
    base: &Base,
    reads: &[(usize, Read)],
    limits: &Limits,
) -> Result<Vec<Readout>> {
    let scope = Scope { shape: decoder.shape(), base: Some(base), given: None };
    for (prompt, read) in reads {
        scope.read(read, check::tokens(base, *prompt)?)?;
    }
    let rows: Vec<_> =
        reads.iter().map(|(prompt, read)| (base.row(*prompt, read.position), read.tokens.as_slice())).collect();
    match read_rows(decoder, base.end(), &rows, limits).await {
        Err(error) if error.kind == Kind::Numeric => {
            locate(decoder, base, reads).await?;
            Err(error)
        }
        other => other,
    }
}

/// The error that names the layer and site of the first number that is not finite. A run that was only predicted kept
/// nothing to look at, so its prompts run once more.
async fn locate(decoder: &dyn Decoder, base: &Base, reads: &[(usize, Read)]) -> Result<()> {
    if base.complete() {
        return base.check_finite().await;
    }
    let device = base.end().device();
    for &(prompt, _) in reads {
        let again = Prompt { ids: base.ids[prompt].clone(), shared: None, actions: base.actions[prompt].clone() };
        capture(decoder, &device, &[again], base.given.as_ref(), false).await?.check_finite().await?;
    }
    Ok(())
}

/// All logits of a captured position: `[vocab]`.
pub async fn logits_of(decoder: &dyn Decoder, base: &Base, prompt: usize, position: usize) -> Result<Vec<f32>> {
    let scope = Scope { shape: decoder.shape(), base: Some(base), given: None };
    scope.read(&Read { position, tokens: Vec::new() }, check::tokens(base, prompt)?)?;
    let row = base.row(prompt, position) as i32;
    let h = gather(base.end(), vec![row]);
    let data = heard(decoder.logits(h).into_data_async()).await?;
    data.try_to_vec::<f32>().map_err(device_error)
}

/// Readouts of rows `(row, tokens)` of the stream after the last block, `limits.head_rows` at a time.
pub(super) async fn read_rows(
    decoder: &dyn Decoder,
    h: &Tensor<2>,
    rows: &[(usize, &[u32])],
    limits: &Limits,
) -> Result<Vec<Readout>> {
    let mut out = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(limits.head_rows.max(1)) {
        let index: Vec<i32> = chunk.iter().map(|&(row, _)| row as i32).collect();
        let stream = gather(h, index);
        crate::pause::point().await?;
        let logits = decoder.logits(stream.clone());
        let tokens: Vec<&[u32]> = chunk.iter().map(|&(_, tokens)| tokens).collect();
        match limits.cpu {
            true => out.extend(reduce_cpu(logits, &tokens)),
            false => out.extend(reduce_device(logits, stream.sum_dim(1), &tokens).await?),
        }
    }
    // The softmax' sum tells even where no token was asked for.
    match out.iter().any(|(readout, sum): &(Readout, f32)| readout.p.iter().chain([sum]).any(|x| !x.is_finite())) {
        true => Err(Error::numeric("a prediction is not a finite number")
            .hint("the weights are damaged, or the device computes wrong numbers: run `engram doctor`")
            .in_page(crate::device::WRONG_NUMBERS)),
        false => Ok(out.into_iter().map(|(readout, _)| readout).collect()),
    }
}

/// Readouts, and the sum under each softmax.
fn reduce_cpu(logits: Tensor<2>, tokens: &[&[u32]]) -> Vec<(Readout, f32)> {
    let vocab = logits.dims()[1];
    let data = cpu::take(logits);
    let one = |(row, tokens): (&[f32], &&[u32])| {
        cpu::vectorized(
            #[inline(always)]
            || {
                let mut maxima = [f32::NEG_INFINITY; 16];
                let blocks = row.chunks_exact(16);
                let tail = blocks.remainder();
                for block in blocks {
                    for i in 0..16 {
                        // A comparison, not `f32::max`: NaN must not vanish.
                        maxima[i] = if block[i] <= maxima[i] { maxima[i] } else { block[i] };
                    }
                }
                let max =
                    maxima.iter().chain(tail).copied().fold(f32::NEG_INFINITY, |max, x| if x <= max { max } else { x });
                let mut sums = [0.0f64; 16];
                for block in row.chunks(1024) {
                    let mut partial = [0.0f32; 16];
                    let (parts, rest) = block.as_chunks::<16>();
                    for part in parts {
                        for i in 0..16 {
                            partial[i] += cpu::exp(part[i] - max);
                        }
                    }
                    for &x in rest {
                        partial[0] += cpu::exp(x - max);
                    }
                    for i in 0..16 {
                        sums[i] += f64::from(partial[i]);
                    }
                }
                let sum = sums.iter().sum::<f64>() as f32;
                let top = row.iter().position(|&x| x == max).unwrap_or(0) as u32;
                let logits: Vec<f32> = tokens.iter().map(|&token| row[token as usize]).collect();
                let p = logits.iter().map(|&logit| cpu::exp(logit - max) / sum).collect();
                (Readout { p, logits, top }, sum)
            },
        )
    };
    let rows = cpu::floats(&data);
    #[cfg(not(target_family = "wasm"))]
    {
        use rayon::prelude::*;
        rows.par_chunks_exact(vocab).zip(tokens.par_iter()).map(one).collect()
    }
    #[cfg(target_family = "wasm")]
    rows.chunks_exact(vocab).zip(tokens).map(one).collect()
}

/// The same on a device. Some drivers compute tanh(NaN) = -1, so that a soft cap makes NaN a number; hence `stream`, the
/// sum over each row that the logits come from, is added to the sum under the softmax, which only has to be finite.
async fn reduce_device(logits: Tensor<2>, stream: Tensor<2>, tokens: &[&[u32]]) -> Result<Vec<(Readout, f32)>> {
    let device = logits.device();
    let n = tokens.len();
    let k = tokens.iter().map(|tokens| tokens.len()).max().unwrap_or(0).max(1);
    let mut index = vec![0i32; n * k];
    for (row, tokens) in tokens.iter().enumerate() {
        for (at, &token) in tokens.iter().enumerate() {
            index[row * k + at] = token as i32;
        }
    }
    let index: Tensor<2, Int> = Tensor::from_data(TensorData::new(index, [n, k]), &device);
    let (max, top) = logits.clone().max_dim_with_indices(1);
    let sum = (logits.clone() - max.clone()).exp().sum_dim(1);
    let picked = logits.gather(1, index);
    let p = (picked.clone() - max).exp() / sum.clone();
    let data = heard(Tensor::cat(vec![p, picked, sum + stream], 1).into_data_async()).await?;
    let floats = data.try_to_vec::<f32>().map_err(device_error)?;
    let top = heard(top.into_data_async()).await?;
    let top: Vec<u32> = top.iter::<i64>().map(|id| id as u32).collect();
    Ok(tokens
        .iter()
        .enumerate()
        .map(|(row, tokens)| {
            let floats = &floats[row * (2 * k + 1)..][..2 * k + 1];
            let (p, logits) = (floats[..tokens.len()].to_vec(), floats[k..][..tokens.len()].to_vec());
            (Readout { p, logits, top: top[row] }, floats[2 * k])
        })
        .collect())
}
