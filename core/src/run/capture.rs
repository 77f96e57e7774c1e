//! A captured run: every block's residual, contributions, keys and values, for all prompts in one batch of rows.

use super::attend::{KeysValues, View};
use super::check::Scope;
use super::plan::row_bytes;
use super::rows::{Pool, RowEdit, apply, edits};
use super::{Action, Prompt, Site};
use crate::error::{Error, Result};
use crate::memory;
use crate::model::{Decoder, rope::RopeRows};
use burn::tensor::{Device, Int, Tensor};

/// A captured run. Row tensors are `[rows, ·]`; a prompt's positions find their rows through [`Base::row`].
pub struct Base {
    /// Per prompt: its tokens.
    pub(super) ids: Vec<Vec<u32>>,
    /// Per prompt and position: the row.
    pub(super) rows: Vec<Vec<u32>>,
    /// Rows in all.
    pub(super) count: usize,
    /// Residual stream after block `l`; index 0 is the embedding.
    pub(super) residual: Vec<Tensor<2>>,
    /// Attention contribution of block `l` at `l - 1`.
    pub(super) attention: Vec<Tensor<2>>,
    /// MLP keys, when asked for.
    pub(super) key: Vec<Tensor<2>>,
    /// MLP values.
    pub(super) value: Vec<Tensor<2>>,
    /// MLP contributions.
    pub(super) mlp: Vec<Tensor<2>>,
    /// Attention keys and values.
    pub(super) kv: Vec<(Tensor<2>, Tensor<2>)>,
    /// Per prompt: the changes that it was captured with.
    pub(super) actions: Vec<Vec<Action>>,
    /// The given rows of those changes.
    pub(super) given: Option<Tensor<2>>,
}

impl Base {
    /// The row of a prompt's position.
    pub fn row(&self, prompt: usize, position: usize) -> usize {
        self.rows[prompt][position] as usize
    }

    /// The stream after the last block.
    pub(super) fn end(&self) -> &Tensor<2> {
        &self.residual[self.residual.len() - 1]
    }

    /// Tokens of a prompt.
    pub fn ids(&self, prompt: usize) -> &[u32] {
        &self.ids[prompt]
    }

    /// Prompts.
    pub fn prompts(&self) -> usize {
        self.ids.len()
    }

    /// Every block was kept, not only the stream after the last one.
    pub(super) fn complete(&self) -> bool {
        !self.kv.is_empty()
    }

    /// Everything captured at a site, rows of all prompts: `[rows, ·]`. Keys only where they were asked for, nothing of
    /// a run that was only predicted.
    pub fn site(&self, layer: usize, site: Site) -> Option<&Tensor<2>> {
        match site {
            _ if !self.complete() => None,
            Site::Residual => self.residual.get(layer),
            Site::Attention => self.attention.get(layer.checked_sub(1)?),
            Site::Key => self.key.get(layer.checked_sub(1)?),
            Site::Value => self.value.get(layer.checked_sub(1)?),
            Site::Mlp => self.mlp.get(layer.checked_sub(1)?),
        }
    }

    /// A prompt's activations at a site: `[positions, ·]`.
    pub fn activations(&self, prompt: usize, layer: usize, site: Site) -> Option<Tensor<2>> {
        let index = self.rows[prompt].iter().map(|&row| row as i32).collect();
        self.site(layer, site).map(|all| super::rows::gather(all, index))
    }

    /// The first layer and site with a number that is not finite, as an error that names them.
    pub async fn check_finite(&self) -> Result<()> {
        for layer in 0..self.residual.len() {
            for site in [Site::Attention, Site::Value, Site::Mlp, Site::Residual] {
                let Some(x) = self.site(layer, site) else { continue };
                let data = super::readout::heard(x.clone().into_data_async()).await?;
                let values = data.as_slice::<f32>().map_err(super::readout::device_error)?;
                if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                    let row = at / x.dims()[1];
                    let place = if layer == 0 { "the embedding".into() } else { format!("layer {layer}") };
                    return Err(Error::numeric(format!("{place}, {}: {} in row {row}", site.name(), values[at]))
                        .hint("the weights are damaged, or the device computes wrong numbers: run `engram doctor`")
                        .in_page(crate::device::WRONG_NUMBERS));
                }
            }
        }
        Ok(())
    }
}

/// Runs prompts from the embedding on and keeps what [`super::resume`] needs; MLP keys too with `keys`.
/// `given` holds the rows of [`super::Source::Given`]. Prompts may only share positions of earlier prompts.
pub async fn capture(
    decoder: &dyn Decoder,
    device: &Device,
    prompts: &[Prompt],
    given: Option<&Tensor<2>>,
    keys: bool,
) -> Result<Base> {
    run(decoder, device, prompts, given, if keys { Keep::Keys } else { Keep::Stream }).await
}

/// The same, but nothing is kept save the stream after the last block: for [`super::read_base`] alone.
pub async fn predict(
    decoder: &dyn Decoder,
    device: &Device,
    prompts: &[Prompt],
    given: Option<&Tensor<2>>,
) -> Result<Base> {
    run(decoder, device, prompts, given, Keep::End).await
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Keep {
    End,
    Stream,
    Keys,
}

async fn run(
    decoder: &dyn Decoder,
    device: &Device,
    prompts: &[Prompt],
    given: Option<&Tensor<2>>,
    keep: Keep,
) -> Result<Base> {
    let shape = decoder.shape();
    let mut rows: Vec<Vec<u32>> = Vec::new();
    let mut queries = Vec::new();
    let mut ids = Vec::new();
    let mut positions = Vec::new();
    if prompts.is_empty() {
        return Err(Error::input("no prompts to run").hint("give at least one"));
    }
    let scope = Scope { shape, base: None, given };
    for (lane, prompt) in prompts.iter().enumerate() {
        scope.prompt(prompt, &prompts[..lane])?;
        let shared = prompt.shared.map_or(0, |(_, len)| len);
        let mut own: Vec<u32> = match prompt.shared {
            Some((from, len)) => rows[from][..len].to_vec(),
            None => Vec::new(),
        };
        for position in shared..prompt.ids.len() {
            own.push(queries.len() as u32);
            queries.push((lane, position));
            ids.push(prompt.ids[position]);
            positions.push(position);
        }
        rows.push(own);
    }
    let count = queries.len();
    let cpu = *device == Device::flex();
    if cpu {
        memory::reserve_batch(kept_bytes(decoder, count, keep), &format!("computing {count} tokens at once"))?;
    }
    let windows = windows(decoder);
    let view = View::new(0, rows.clone(), queries, &windows, device, cpu);
    let ropes = rope_rows(decoder, &positions, device);

    let edits_at = |layer: usize, site: Site| {
        let mut out: Vec<RowEdit> = Vec::new();
        for (prompt, rows) in prompts.iter().zip(&rows) {
            let row_of = |position: usize| rows.get(position).map(|&row| row as usize);
            let here = prompt.actions.iter().filter(|action| action.layer == layer && action.site == site);
            // Captured sources make no sense while capturing; `Scope::action` refuses them.
            edits(here, Pool::Given, row_of, |_, _| 0, &mut out);
        }
        out
    };
    let act = |x: Tensor<2>, layer, site| apply(x, &edits_at(layer, site), [None, None, given]);

    let mut h = act(decoder.embed(&ids, &positions), 0, Site::Residual);
    let mut base = Base {
        ids: prompts.iter().map(|prompt| prompt.ids.clone()).collect(),
        rows: rows.clone(),
        count,
        residual: vec![h.clone()],
        attention: Vec::new(),
        key: Vec::new(),
        value: Vec::new(),
        mlp: Vec::new(),
        kv: Vec::new(),
        actions: prompts.iter().map(|prompt| prompt.actions.clone()).collect(),
        given: given.cloned(),
    };
    for layer in 1..=shape.layers {
        crate::pause::point().await?;
        let projected = decoder.project(layer, h.clone(), &ropes);
        let kv = (projected.k, projected.v);
        if keep > Keep::End {
            base.kv.push(kv.clone());
        }
        let keys_values = KeysValues { base: None, new: Some(kv) };
        let mixed = view.attend(decoder.heads(layer), prompts.len(), projected.q, keys_values);
        let attention = act(decoder.attention(layer, mixed), layer, Site::Attention);
        let middle = h.clone() + attention.clone();
        let key = decoder.mlp_key(layer, if shape.parallel { h } else { middle.clone() });
        let key = act(key, layer, Site::Key);
        if keep == Keep::Keys {
            base.key.push(key.clone());
        }
        let value = act(decoder.mlp_value(layer, key), layer, Site::Value);
        let mlp = act(decoder.mlp(layer, value.clone()), layer, Site::Mlp);
        h = act(middle + mlp.clone(), layer, Site::Residual);
        if keep > Keep::End {
            base.attention.push(attention);
            base.value.push(value);
            base.mlp.push(mlp);
        } else {
            base.residual.clear();
        }
        base.residual.push(h.clone());
    }
    Ok(base)
}

/// Bytes of so many rows: at the peak of a block, and what is kept of every block.
fn kept_bytes(decoder: &dyn Decoder, rows: usize, keep: Keep) -> u64 {
    let (shape, heads) = (decoder.shape(), decoder.heads(1));
    // Residual, attention, value (which the MLP's contribution mostly is) and contribution; keys and values.
    let stream = 4 * shape.width + 2 * heads.kv * heads.dim;
    let layer = match keep {
        Keep::End => 0,
        Keep::Stream => stream,
        Keep::Keys => stream + shape.ff,
    };
    let kept = 4 * (layer as u64).saturating_mul(shape.layers as u64);
    (rows as u64).saturating_mul(kept.saturating_add(row_bytes(shape)))
}

pub(super) fn windows(decoder: &dyn Decoder) -> Vec<Option<usize>> {
    let mut windows: Vec<_> = (1..=decoder.shape().layers).map(|layer| decoder.heads(layer).window).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

pub(super) fn rope_rows(decoder: &dyn Decoder, positions: &[usize], device: &Device) -> Vec<RopeRows> {
    let index: Tensor<1, Int> =
        super::rows::indices(positions.iter().map(|&position| position as i32).collect(), device);
    decoder.ropes().iter().map(|rope| rope.rows(&index)).collect()
}
