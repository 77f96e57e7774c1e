//! Logit lens (nostalgebraist 2020): what the head reads from the clean prompt's residual stream after each block.

use super::{Group, Prepared};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::record::Lens;
use crate::run::{Site, device_error, heard};
use burn::tensor::Tensor;

/// The lens at the clean prompt's last token, over the first tokens of both answers. At the last layer it is the model's
/// own prediction.
pub async fn lens(model: &Model, fact: &Prepared, group: &Group) -> Result<Lens> {
    let last = fact.clean.len() - 1;
    let mut rows = Vec::with_capacity(model.layers());
    for layer in 1..=model.layers() {
        let row = group.base.activations(group.places[0].clean, layer, Site::Residual);
        let row = row.ok_or_else(|| Error::input("the run was only predicted").hint("capture it"))?;
        rows.push(row.narrow(0, last, 1));
    }
    let wanted = [fact.answer[0] as usize, fact.answer_new[0] as usize];
    let mut lens = Lens::default();
    for chunk in rows.chunks(model.limits.head_rows.max(1)) {
        crate::pause::point().await?;
        let logits = model.decoder.logits(Tensor::cat(chunk.to_vec(), 0));
        let vocab = logits.dims()[1];
        let data = heard(logits.into_data_async()).await?;
        let data = data.try_to_vec::<f32>().map_err(device_error)?;
        for row in data.chunks_exact(vocab) {
            let [yes, no] = wanted.map(|token| read(row, token));
            if !yes.0.is_finite() || !no.0.is_finite() {
                let layer = lens.top.len() + 1;
                return Err(Error::numeric(format!("layer {layer}: the lens reads a number that is not finite"))
                    .hint("the weights are damaged, or the device computes wrong numbers: run `engram doctor`")
                    .in_page(crate::device::WRONG_NUMBERS));
            }
            lens.p_true.push(yes.0);
            lens.rank_true.push(yes.1);
            lens.p_false.push(no.0);
            lens.rank_false.push(no.1);
            let top = (0..vocab).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap_or(0);
            lens.top.push(model.tokens.show(top as u32));
        }
    }
    Ok(lens)
}

/// Probability and rank (from 1) of a token.
fn read(row: &[f32], token: usize) -> (f32, u32) {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&logit| f64::from(logit - max).exp()).sum();
    let p = f64::from(row[token] - max).exp() / sum;
    let above =
        row.iter().enumerate().filter(|&(at, &logit)| logit > row[token] || (logit == row[token] && at < token));
    (p as f32, above.count() as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_from_one_and_ties_go_by_token() {
        let row = [0.0, 2.0, 2.0, 1.0];
        assert_eq!([1, 2, 3, 0].map(|token| read(&row, token).1), [1, 2, 3, 4]);
        let sum: f32 = (0..4).map(|token| read(&row, token).0).sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }
}
