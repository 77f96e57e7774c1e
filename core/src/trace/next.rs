//! The most probable next tokens of a traced fact's runs: clean, corrupted, and with a clean state put back.

use super::OneFact;
use super::maps::{aligned, window};
use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Site;
use crate::record::Settings;
use crate::run::{Change, Intervention, Sites, Source};
use crate::tensor::Matrix;

/// Which run of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The prompt as it is.
    Clean,
    /// The corrupted prompt.
    Corrupted,
    /// The corrupted prompt with what a cell of the maps puts back.
    PutBack {
        /// Which map.
        site: Site,
        /// Position in the corrupted prompt.
        position: usize,
        /// Layer; for MLP and attention the middle of the window.
        layer: usize,
    },
}

/// The `top` most probable tokens with their probabilities; over draws of noise their means.
///
/// # Errors
/// When the cell does not exist or has no clean counterpart, or the device fails.
pub async fn next_tokens(
    model: &Model,
    one: &OneFact,
    settings: &Settings,
    run: Run,
    top: usize,
) -> Result<Vec<(u32, f32)>> {
    let (group, fact) = (&one.group, &one.tokens);
    let place = &group.places[0];
    let edited = model.edited();
    let (prompts, read) = match run {
        Run::Clean => (vec![place.clean], place.asked.reads[0].position),
        _ => (place.corrupt.clone(), place.asked_corrupt.reads[0].position),
    };
    let mut logits = Vec::with_capacity(prompts.len());
    let put_back = match run {
        Run::PutBack { site, position, layer } => {
            let layers = model.layers();
            let source = Some(position).filter(|at| *at < fact.corrupt.len()).and_then(|at| aligned(fact, at));
            let source = source.filter(|_| (1..=layers).contains(&layer)).ok_or_else(|| {
                Error::input(format!("position {position}, layer {layer} has no clean state"))
                    .hint("name a position of the corrupted prompt with a counterpart, and a layer of the model")
            })?;
            let at = if site == Site::Residual {
                layer..layer + 1
            } else {
                window(layer, settings.window_of(layers), layers)
            };
            Some((site, position, source, at))
        }
        _ => None,
    };
    match put_back {
        None => {
            for prompt in prompts {
                logits.push(edited.logits(&group.cache, prompt, read).await?);
            }
        }
        Some((site, position, source, layers)) => {
            let mut constants = group.constants.clone();
            let first = constants.values.len() / model.net.shape.width;
            let mut again: Vec<_> = prompts.iter().map(|&prompt| group.cache.prompt(prompt)).collect();
            for (at, layer) in layers.enumerate() {
                let clean = group.cache.values(place.clean, layer, site, source..source + 1).await?;
                constants = Matrix::new([constants.values, clean.values].concat(), model.net.shape.width);
                let change = Change::Replace(Source::Constant(first + at));
                for prompt in &mut again {
                    prompt.interventions.push(Intervention::new(layer, site, position..position + 1, change));
                }
            }
            let cache = edited.capture(&again, &constants, &Sites::end()).await?;
            for prompt in 0..again.len() {
                logits.push(edited.logits(&cache, prompt, read).await?);
            }
        }
    }
    Ok(most(&logits, top))
}

/// The most probable tokens over the mean of several softmaxes.
pub(super) fn most(logits: &[Vec<f32>], top: usize) -> Vec<(u32, f32)> {
    let vocab = logits.first().map_or(0, Vec::len);
    let mut p = vec![0.0f64; vocab];
    for row in logits {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let e: Vec<f64> = row.iter().map(|x| f64::from(x - max).exp()).collect();
        let sum: f64 = e.iter().sum::<f64>() * logits.len() as f64;
        p.iter_mut().zip(e).for_each(|(p, e)| *p += e / sum);
    }
    let mut order: Vec<u32> = (0..vocab as u32).collect();
    order.sort_by(|&a, &b| p[b as usize].total_cmp(&p[a as usize]).then(a.cmp(&b)));
    order.into_iter().take(top).map(|id| (id, p[id as usize] as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_averaged_as_probabilities() {
        let ln = f32::ln;
        let found = most(&[vec![ln(0.5), ln(0.25), ln(0.25)], vec![ln(0.1), ln(0.8), ln(0.1)]], 2);
        assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 0]);
        assert!((found[0].1 - 0.525).abs() < 1e-6 && (found[1].1 - 0.3).abs() < 1e-6);
        assert!(most(&[], 3).is_empty());
    }
}
