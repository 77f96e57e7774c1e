//! Second moments from a text: the model reads its windows, and products of keys are added up in f64.

use super::{OnTokens, SecondMoment, StatsText};
use crate::error::{Error, Result};
use crate::model::Site;
use crate::record::SecondMomentSettings;
use crate::run::{Edited, Prompt, Sites};
use crate::tensor::Matrix;
use crate::tokens::Tokens;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::collections::BTreeSet;

/// Keys of a model, as many times their width: with ten times, edits are as good as with all of Wikipedia (Gupta et al.
/// 2025, "Efficient Knowledge Editing via Minimal Precomputation").
const TIMES: usize = 10;
/// Bytes of text that are looked at for a token; a text may be larger than what is needed of it.
const BYTES: usize = 64;
/// Tokens that are read at a time.
const AT_ONCE: usize = 2048;
/// Columns that are added up as one piece; no number depends on threads.
const COLUMNS: usize = 128;

/// Keys that a second moment is taken over.
pub fn keys_of(settings: &SecondMomentSettings, width: usize) -> usize {
    if settings.keys > 0 { settings.keys } else { TIMES * width }
}

/// The text's tokens in windows, each behind what stands before every text, until there are `keys` keys.
pub(super) fn windows(
    tokens: &Tokens,
    text: &StatsText,
    settings: &SecondMomentSettings,
    keys: usize,
) -> Result<Vec<Vec<u32>>> {
    let mut end = text.text.len().min(keys.saturating_mul(BYTES));
    while !text.text.is_char_boundary(end) {
        end -= 1;
    }
    let all = tokens.encode(&text.text[..end])?.ids;
    let before = tokens.before();
    let ids = all.strip_prefix(before).unwrap_or(&all);
    let length = settings.window.saturating_sub(before.len()).max(1);
    let skipped = usize::from(!settings.first);
    let (mut windows, mut found) = (Vec::new(), 0);
    for chunk in ids.chunks(length) {
        if found == keys {
            break;
        }
        let mut window = [before, chunk].concat();
        window.truncate(keys - found + skipped);
        found += window.len().saturating_sub(skipped);
        windows.push(window);
    }
    if found < keys {
        return Err(Error::input(format!(
            "{} gives {found} keys, the second moment is to be taken over {keys}",
            text.name
        ))
        .hint("give a longer text with --stats-text FILE, or fewer keys with --stats-keys")
        .in_page("take the identity for C"));
    }
    Ok(windows)
}

/// Refuses windows that a model cannot read.
pub(super) fn fits(edited: Edited<'_>, windows: &[Vec<u32>]) -> Result<()> {
    let positions = edited.net.shape.positions;
    if let Some(window) = windows.iter().find(|window| window.len() > positions) {
        return Err(Error::input(format!("windows of {} tokens, the model takes {positions}", window.len()))
            .hint("take shorter ones with --stats-window"));
    }
    match windows.iter().flatten().find(|&&id| id as usize >= edited.net.shape.vocab) {
        None => Ok(()),
        Some(id) => Err(Error::input(format!("the text has a token, {id}, that the model has no embedding for"))
            .hint("give another text with --stats-text FILE")
            .in_page("take the identity for C")),
    }
}

/// The second moments of some layers' keys over windows of tokens.
pub(super) async fn second_moments(
    edited: Edited<'_>,
    windows: &[Vec<u32>],
    settings: &SecondMomentSettings,
    layers: &BTreeSet<usize>,
    told: OnTokens<'_>,
) -> Result<Vec<(usize, SecondMoment)>> {
    let width = edited.net.shape.ff;
    let edited = Edited { overlays: &[], ..edited };
    fits(edited, windows)?;
    let keep = layers.iter().fold(Sites::end(), |keep, &layer| keep.with(Site::MlpKey, layer..=layer));
    let all: usize = windows.iter().map(Vec::len).sum();
    // The sums, and what becomes of them: a moment and its factor of each layer.
    let bytes = (24 * (width * width) as u64).saturating_mul(layers.len() as u64);
    crate::memory::reserve(bytes, &format!("the second moments of {} layers", layers.len()))?;
    let mut sums: Vec<(usize, Vec<f64>)> = layers.iter().map(|&layer| (layer, vec![0.0; width * width])).collect();
    let (mut done, mut count) = (0, 0);
    let at_once = (AT_ONCE / settings.window.max(1)).max(1);
    let first = usize::from(!settings.first);
    for group in windows.chunks(at_once) {
        told(done, all)?;
        let prompts: Vec<Prompt> = group.iter().map(|window| Prompt::plain(window)).collect();
        let cache = edited.capture(&prompts, &Matrix::default(), &keep).await?;
        for (layer, sum) in &mut sums {
            let mut keys = Vec::new();
            for (prompt, window) in group.iter().enumerate().filter(|(_, window)| window.len() > first) {
                keys.extend(cache.values(prompt, *layer, Site::MlpKey, first..window.len()).await?.values);
            }
            add_products(sum, &keys, width);
        }
        done += group.iter().map(Vec::len).sum::<usize>();
        count += group.iter().map(|window| window.len().saturating_sub(first)).sum::<usize>();
    }
    told(all, all)?;
    Ok(sums.into_iter().map(|(layer, sum)| (layer, mean(&sum, width, count))).collect())
}

/// Adds `kᵀk` of rows `[n, width]` to the lower half of `[width, width]`, column after column.
fn add_products(sum: &mut [f64], keys: &[f32], width: usize) {
    let keys: Vec<f64> = keys.iter().map(|&x| f64::from(x)).collect();
    let rows = keys.len() / width;
    let keys = MatRef::from_row_major_slice(&keys, rows, width);
    let add = |(at, columns): (usize, &mut [f64])| {
        let (first, count) = (at * COLUMNS, columns.len() / width);
        let out = MatMut::from_column_major_slice_mut(columns, width, count).subrows_mut(first, width - first);
        let (left, right) = (keys.subcols(first, width - first), keys.subcols(first, count));
        matmul(out, Accum::Add, left.transpose(), right, 1.0, Par::Seq);
    };
    #[cfg(not(target_family = "wasm"))]
    {
        use rayon::prelude::*;
        sum.par_chunks_mut(COLUMNS * width).enumerate().for_each(add);
    }
    #[cfg(target_family = "wasm")]
    sum.chunks_mut(COLUMNS * width).enumerate().for_each(add);
}

/// The mean.
fn mean(sum: &[f64], width: usize, count: usize) -> SecondMoment {
    let lower = (0..width).flat_map(|column| &sum[column * width + column..(column + 1) * width]);
    SecondMoment { width, count, values: lower.map(|sum| sum / count.max(1) as f64).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_added_up() {
        let (rows, width) = (7, 300);
        let keys: Vec<f32> = (0..rows * width).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
        let mut sum = vec![0.0; width * width];
        let (one, two) = keys.split_at(3 * width);
        add_products(&mut sum, one, width);
        add_products(&mut sum, two, width);
        let found = mean(&sum, width, rows);
        for (i, j) in [(0, 0), (299, 0), (0, 299), (128, 127), (127, 128), (200, 290)] {
            let of = |row: usize| f64::from(keys[row * width + i]) * f64::from(keys[row * width + j]);
            let want = (0..rows).map(of).sum::<f64>() / rows as f64;
            assert!((found.entry(i, j) - want).abs() < 1e-12, "{i} {j}");
        }
    }
}
