//! Second moments as safetensors files, named by what they were computed from.

use super::{SecondMoment, StatsText};
use crate::error::{Error, Result};
use crate::record::SecondMomentSettings;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const TENSOR: &str = "second_moment";

/// A name that differs wherever the numbers could.
pub(super) fn name(
    text: &StatsText,
    (weights, tokenizer, device): (&str, &str, &str),
    settings: &SecondMomentSettings,
    keys: usize,
    layer: usize,
) -> String {
    let SecondMomentSettings { window, first, .. } = settings;
    let of = format!("3 {weights} {tokenizer} {device} {} {keys} {window} {first} {layer}", text.sha256);
    format!("second-moment-{}.safetensors", &crate::hex(&Sha256::digest(of.as_bytes()))[..32])
}

pub(super) fn bytes(
    moment: &SecondMoment,
    text: &StatsText,
    settings: &SecondMomentSettings,
    layer: usize,
) -> Result<Vec<u8>> {
    let failed = |error: safetensors::SafeTensorError| Error::io(format!("the second moment: {error}"));
    let data: Vec<u8> = moment.values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F64, vec![moment.values.len()], &data).map_err(failed)?;
    let SecondMomentSettings { window, first, .. } = settings;
    let told = [
        ("format", "engram-second-moment".to_owned()),
        ("count", moment.count.to_string()),
        ("layer", layer.to_string()),
        ("width", moment.width.to_string()),
        ("layout", "lower half, column after column".to_owned()),
        ("text", text.name.clone()),
        ("text_sha256", text.sha256.clone()),
        ("window", window.to_string()),
        ("first_position", first.to_string()),
    ];
    let told: HashMap<String, String> = told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    safetensors::serialize([(TENSOR, view)], Some(told)).map_err(failed)
}

/// What a file holds; nothing where it is damaged or of another size, so that it is made again.
pub(super) fn read(bytes: &[u8], width: usize) -> Option<SecondMoment> {
    let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
    let count = header.metadata().as_ref()?.get("count")?.parse().ok()?;
    let file = SafeTensors::deserialize(bytes).ok()?;
    let tensor = file.tensor(TENSOR).ok().filter(|tensor| tensor.dtype() == Dtype::F64)?;
    if tensor.shape() != [width * (width + 1) / 2] {
        return None;
    }
    let values: Vec<f64> = tensor.data().as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    values.iter().all(|value| value.is_finite()).then_some(SecondMoment { width, count, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_and_damaged_ones_do_not() {
        let moment = SecondMoment { width: 2, count: 30, values: vec![1.0, 0.5, 2.0] };
        let (text, settings) = (StatsText::new("a text", "words"), SecondMomentSettings::default());
        let file = bytes(&moment, &text, &settings, 3).expect("bytes");
        assert_eq!(read(&file, 2), Some(moment));
        assert_eq!(read(&file, 3), None);
        assert_eq!(read(&file[..file.len() - 1], 2), None);
        let of = |keys, layer| name(&text, ("w", "t", "cpu"), &settings, keys, layer);
        assert!(of(1, 2) != of(1, 3) && of(2, 2) != of(1, 2) && of(1, 2) == of(1, 2));
    }
}
