//! Cross-entropy in one pass: the loss, and its gradient on the logits, `(softmax - one-hot) / n`.

use crate::device::heard;
use crate::error::Result;
use crate::model::{cpu, grad};
use burn::tensor::{Gradients, Tensor};
use std::sync::atomic::{AtomicU32, Ordering};

/// Mean cross-entropy (nats a token) of logits `[n, vocab]`, and the gradients of all that they were computed from.
pub(super) async fn backward(logits: Tensor<2>, labels: &[u32]) -> Result<(f32, Gradients)> {
    if grad::on_cpu(&logits) {
        let mut loss = 0.0;
        let grads = grad::sloped(logits, |x| loss = slope(x, labels)).backward();
        return Ok((loss, grads));
    }
    let device = logits.device();
    let mut data = heard(logits.clone().inner().into_data_async()).await?;
    let loss = slope(cpu::floats_mut(&mut data), labels);
    // The sum of logits times a constant has that constant as its gradient on the logits.
    let slope = Tensor::<2>::from_data(data, &device.inner());
    let grads = (logits * Tensor::from_inner(slope)).sum().backward();
    Ok((loss, grads))
}

/// Puts the gradient in the place of logits, a row for each label, and gives the mean cross-entropy.
fn slope(logits: &mut [f32], labels: &[u32]) -> f32 {
    let n = labels.len();
    let vocab = logits.len() / n.max(1);
    let losses: Vec<AtomicU32> = labels.iter().map(|_| 0.into()).collect();
    cpu::for_rows(
        logits,
        vocab,
        #[inline(always)]
        |first, rows| {
            for (i, row) in rows.chunks_exact_mut(vocab).enumerate() {
                let label = labels[first + i] as usize;
                let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let wanted = row[label] - max;
                row.iter_mut().for_each(|x| *x = cpu::exp(*x - max));
                let sum = cpu::sum(row);
                let factor = 1.0 / (sum * n as f32);
                row.iter_mut().for_each(|x| *x *= factor);
                row[label] -= 1.0 / n as f32;
                losses[first + i].store((sum.ln() - wanted).to_bits(), Ordering::Relaxed);
            }
        },
    );
    let loss: f64 = losses.into_iter().map(|loss| f64::from(f32::from_bits(loss.into_inner()))).sum();
    (loss / n as f64) as f32
}
