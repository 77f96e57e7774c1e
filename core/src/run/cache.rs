//! The activation cache: what was captured of prompts, by layer and site.

use super::{Edited, Intervention, Prompt};
use crate::error::{Error, Result};
use crate::model::{Site, Transformer};
use crate::tensor::attend::Captured;
use crate::tensor::{LinearMap, Matrix, Overlay, Rows, Table};
use burn::Tensor;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

/// What a capture keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sites {
    /// Residual stream and contributions of every layer.
    resume: bool,
    /// Rotated keys, and values, of this layer and those above it.
    keys: Option<usize>,
    more: BTreeSet<(usize, Site)>,
}

impl Sites {
    /// The stream after the last block alone: for readouts.
    pub fn end() -> Self {
        Self::default()
    }

    /// What patched runs need: residual stream, contributions, keys and values of every layer.
    pub fn to_resume() -> Self {
        Self { resume: true, keys: Some(1), more: BTreeSet::new() }
    }

    /// What a prompt needs that more tokens are put behind ([`super::Edited::extend`]).
    pub fn to_extend() -> Self {
        Self { keys: Some(1), ..Self::default() }
    }

    /// A site of some layers as well.
    #[must_use]
    pub fn with(mut self, site: Site, layers: RangeInclusive<usize>) -> Self {
        self.more.extend(layers.map(|layer| (layer, site)));
        self
    }

    /// What runs need whose first change is at this site of this layer, and what is there; beside what was needed already.
    #[must_use]
    pub fn to_change(self, layer: usize, site: Site) -> Self {
        let keys = Some(self.keys.map_or(layer, |first| first.min(layer)));
        // The changed position enters below the change, later ones above the block.
        let sites = Self { keys, ..self }.with(Site::Residual, layer.saturating_sub(1)..=layer);
        match site {
            Site::Query | Site::Key | Site::Value | Site::Heads => sites.with(site, layer..=layer),
            _ => sites.with(Site::Attention, layer..=layer).with(site, layer..=layer),
        }
    }

    /// What runs need that carry one of these overlays, and have no changes beside: what is below the first map that the
    /// overlay changes. Above it all of a run's positions are computed anew, so no other keys are needed.
    pub fn for_overlays<'a>(net: &Transformer, overlays: impl IntoIterator<Item = &'a Overlay>) -> Self {
        let mut sites = Self::end();
        for overlay in overlays {
            let changed = |map: &LinearMap| overlay.terms.iter().any(|term| term.tensor == map.tensor);
            let places = (1..=net.shape.layers).flat_map(|layer| net.block(layer).maps().map(move |map| (layer, map)));
            let first = places.filter(|(_, (_, map))| changed(map)).map(|(layer, (site, _))| (layer, site)).min();
            let Some((layer, site)) = first else { continue };
            sites = sites.with(Site::Residual, layer - 1..=layer - 1);
            sites = match site {
                Site::Query | Site::Key | Site::Value => sites,
                Site::Heads => sites.with(site, layer..=layer),
                _ => sites.with(Site::Attention, layer..=layer).with(site, layer..=layer),
            };
        }
        sites
    }

    pub(super) fn keeps(&self, layer: usize, site: Site) -> bool {
        let usual = matches!(site, Site::Attention | Site::Mlp | Site::Residual);
        (self.resume && usual) || self.more.contains(&(layer, site))
    }

    /// Rotated keys, and values, of a layer.
    pub(super) fn keeps_attention(&self, layer: usize) -> bool {
        self.keys.is_some_and(|first| first <= layer)
    }

    /// Bytes that a row of a model takes in a cache.
    pub(crate) fn row_bytes(&self, net: &Transformer) -> u64 {
        let width = |layer: usize, site: Site| site.width(&net.shape, net.heads(layer.max(1)));
        4 * self.numbers(net.shape.layers, width) as u64
    }

    /// Numbers of a row that are kept in all, with widths by site.
    pub(super) fn numbers(&self, layers: usize, width: impl Fn(usize, Site) -> usize) -> usize {
        let all = (0..=layers).flat_map(|layer| Site::ALL.map(|site| (layer, site)));
        let sites: usize = all.filter(|&(layer, site)| self.keeps(layer, site)).map(|(l, s)| width(l, s)).sum();
        let attention = |layer| width(layer, Site::Key) + width(layer, Site::Value);
        sites + self.keys.map_or(0, |first| (first..=layers).map(attention).sum())
    }
}

/// A captured prompt.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) ids: Vec<u32>,
    /// The row of each position.
    pub(super) rows: Vec<u32>,
    /// The changes that it was captured with.
    pub(super) interventions: Vec<Intervention>,
}

/// Activations of captured prompts. Rows are kept in chunks, as they were computed.
#[derive(Debug, Default)]
pub struct ActivationCache {
    pub(super) prompts: Vec<Kept>,
    /// Rows of the prompts' constant sources.
    pub(super) constants: Matrix,
    /// Chunk and place of each row.
    pub(super) places: Vec<(u32, u32)>,
    pub(super) sites: Sites,
    /// By layer and site, a chunk after the other.
    pub(super) kept: BTreeMap<(usize, Site), Vec<Rows>>,
    /// Rotated keys and values by layer.
    pub(super) attention: BTreeMap<usize, [Vec<Rows>; 2]>,
    /// The stream after the last block.
    pub(super) end: Vec<Rows>,
    /// Edits in force when it was captured.
    pub(super) overlays: Vec<Overlay>,
}

impl ActivationCache {
    /// Prompts.
    pub fn prompts(&self) -> usize {
        self.prompts.len()
    }

    /// Tokens of a prompt.
    pub fn ids(&self, prompt: usize) -> &[u32] {
        &self.prompts[prompt].ids
    }

    /// A prompt as it was captured; its changes refer to the capture's constants.
    pub fn prompt(&self, prompt: usize) -> Prompt {
        let Kept { ids, interventions, .. } = &self.prompts[prompt];
        Prompt { ids: ids.clone(), interventions: interventions.clone() }
    }

    /// The row of a prompt's position.
    pub(super) fn row(&self, prompt: usize, position: usize) -> u32 {
        self.prompts[prompt].rows[position]
    }

    /// A site was captured.
    pub fn has(&self, layer: usize, site: Site) -> bool {
        self.kept.contains_key(&(layer, site))
    }

    /// Keys and values of a layer were captured.
    pub(super) fn keeps_attention(&self, layer: usize) -> bool {
        self.sites.keeps_attention(layer)
    }

    pub(super) fn attention(&self, layer: usize) -> Option<Captured<'_>> {
        let [keys, values] = self.attention.get(&layer)?;
        Some(Captured { keys, values, places: &self.places })
    }

    /// Rows of a site by number.
    ///
    /// # Panics
    /// Where the site was not captured: whoever plans a pass looks first.
    pub(super) fn gather(&self, layer: usize, site: Site, rows: &[u32]) -> Rows {
        gather(&self.kept[&(layer, site)], &self.places, rows)
    }

    /// All rows of a site on a device, where a cache is one chunk, and where in it each row is.
    pub(super) fn whole(&self, layer: usize, site: Site) -> (&Rows, &[(u32, u32)]) {
        let [one] = self.kept[&(layer, site)].as_slice() else { panic!("a cache on a device is one chunk") };
        (one, &self.places)
    }

    /// Rows of the stream after the last block.
    pub(super) fn gather_end(&self, rows: &[u32]) -> Rows {
        gather(&self.end, &self.places, rows)
    }

    /// A row on the host.
    pub(super) fn host_row(&self, layer: usize, site: Site, row: u32) -> &[f32] {
        let (chunk, place) = self.places[row as usize];
        self.kept[&(layer, site)][chunk as usize].row(place as usize)
    }

    /// Activations of some positions of a prompt.
    ///
    /// # Errors
    /// When the site was not captured, there are no such positions, or the device fails.
    pub async fn values(&self, prompt: usize, layer: usize, site: Site, positions: Range<usize>) -> Result<Matrix> {
        let chunks = self.kept.get(&(layer, site)).ok_or_else(|| not_captured(layer, site))?;
        let rows = self.prompts.get(prompt).and_then(|prompt| prompt.rows.get(positions.clone()));
        let rows = rows.ok_or_else(|| no_position(prompt, &positions))?;
        let found = gather(chunks, &self.places, rows);
        Ok(Matrix::new(found.values().await?, found.width()))
    }
}

impl ActivationCache {
    /// A site at some prompts' positions, after each of some layers: rows by place, then by layer.
    ///
    /// # Errors
    /// When the site or a position was not captured, or the device fails.
    pub async fn stack(&self, site: Site, layers: RangeInclusive<usize>, at: &[(usize, usize)]) -> Result<Matrix> {
        let mut wanted = Vec::with_capacity(at.len() * layers.clone().count());
        for &(prompt, position) in at {
            let row = self.prompts.get(prompt).and_then(|prompt| prompt.rows.get(position));
            let row = *row.ok_or_else(|| no_position(prompt, &(position..position + 1)))?;
            wanted.extend(layers.clone().map(|layer| ((layer, site), row)));
        }
        let rows = self.rows_of(&wanted)?;
        Ok(Matrix::new(rows.values().await?, rows.width()))
    }

    /// Single rows of sites as wide as each other. On a device their numbers go up together.
    ///
    /// # Errors
    /// When a site was not captured.
    pub(super) fn rows_of(&self, wanted: &[((usize, Site), u32)]) -> Result<Rows> {
        let chunks = |&((layer, site), _): &((usize, Site), u32)| {
            self.kept.get(&(layer, site)).ok_or_else(|| not_captured(layer, site))
        };
        let kept = wanted.iter().map(chunks).collect::<Result<Vec<_>>>()?;
        let device = kept.first().and_then(|chunks| chunks.first()?.device()).map(Tensor::device);
        let rows = wanted.iter().map(|&(_, row)| row);
        let Some(device) = device else {
            return Ok(Rows::all(
                kept.iter().zip(rows).map(|(kept, row)| gather(kept, &self.places, &[row])).collect(),
            ));
        };
        let places: Vec<Vec<i32>> = rows.map(|row| vec![self.places[row as usize].1.cast_signed()]).collect();
        // On a device there is one chunk.
        let one = kept.iter().zip(Table::upload(&places, &device)).map(|(kept, table)| kept[0].some(&table));
        Ok(Rows::all(one.collect()))
    }
}

impl Edited<'_> {
    /// The attention pattern of a captured prompt: for each head, `[positions, positions]`, attention weights of each query over
    /// the positions. The query of that layer has to be captured ([`Site::Query`]).
    ///
    /// # Errors
    /// When the query or the keys were not captured, there is no such prompt, or the device fails.
    pub async fn pattern(self, cache: &ActivationCache, prompt: usize, layer: usize) -> Result<Vec<Matrix>> {
        let missing = |what: &str| {
            Error::input(format!("the attention pattern of layer {layer} needs {what}"))
                .hint("capture the prompts to be resumed, with the layer's query")
        };
        let rows = &cache.prompts.get(prompt).ok_or_else(|| missing("a captured prompt"))?.rows;
        let queries = cache.kept.get(&(layer, Site::Query)).ok_or_else(|| missing("its query"))?;
        let keys = cache.attention.get(&layer).ok_or_else(|| missing("its keys"))?;
        let block = self.net.block(layer);
        let positions: Vec<u32> = (0..rows.len() as u32).collect();
        let mut q = gather(queries, &cache.places, rows);
        if let Some(rope) = block.rope {
            q = self.net.ropes[rope].turns(&positions).rotate(q, block.heads.dim);
        }
        let (q, k) = (q.values().await?, gather(&keys[0], &cache.places, rows).values().await?);
        let n = rows.len();
        let all = crate::tensor::attend::pattern(&block.heads, &q, &k);
        Ok(all.chunks(n * n).map(|head| Matrix::new(head.to_vec(), n)).collect())
    }
}

fn not_captured(layer: usize, site: Site) -> Error {
    Error::input(format!("the {} of layer {layer} was not captured", site.name()))
        .hint("name the site where the prompts are captured")
}

fn no_position(prompt: usize, positions: &Range<usize>) -> Error {
    Error::input(format!("positions {positions:?} of prompt {prompt} were not captured"))
        .hint("prompts and positions count from 0")
}

/// Rows from chunks.
fn gather(chunks: &[Rows], places: &[(u32, u32)], rows: &[u32]) -> Rows {
    let width = chunks.first().map_or(0, Rows::width);
    match chunks {
        _ if rows.is_empty() => Rows::empty(width),
        // On a device there is one chunk.
        [one] => {
            let index: Vec<u32> = rows.iter().map(|&row| places[row as usize].1).collect();
            one.gather(&index)
        }
        _ => {
            let mut out = crate::tensor::Buffer::scratch(rows.len() * width);
            for (out, &row) in out.chunks_exact_mut(width).zip(rows) {
                let (chunk, place) = places[row as usize];
                out.copy_from_slice(chunks[chunk as usize].row(place as usize));
            }
            Rows::on_host(out, width)
        }
    }
}
