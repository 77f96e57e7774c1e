//! Refuses changes and reads that lie outside the run they are made on, before anything is computed.

use super::cache::Kept;
use super::{ActivationCache, Change, Columns, Intervention, PatchedRun, Prompt, Read, Source};
use crate::error::{Error, Result};
use crate::model::{Site, Transformer};
use crate::tensor::{Matrix, Overlay};
use std::ops::Range;

/// What a request may refer to.
pub(super) struct Scope<'a> {
    pub(super) net: &'a Transformer,
    /// The cache; `None` while it is being captured.
    pub(super) cache: Option<&'a ActivationCache>,
    pub(super) constants: &'a Matrix,
    pub(super) overlays: &'a [Overlay],
}

impl Scope<'_> {
    /// Numbers of a row at a site.
    pub(super) fn width(&self, layer: usize, site: Site) -> usize {
        site.width(&self.net.shape, self.net.heads(layer.max(1)))
    }

    /// The columns that a change is about.
    pub(super) fn columns(&self, change: &Intervention) -> Range<usize> {
        let width = self.width(change.layer, change.site);
        match &change.columns {
            Columns::All => 0..width,
            Columns::Range(range) => range.clone(),
            Columns::Head(head) => {
                let dim = self.net.heads(change.layer.max(1)).dim;
                head * dim..(head + 1) * dim
            }
        }
    }

    /// A change on a prompt of `len` tokens; `before` are the runs that it may take numbers from.
    fn change(&self, made: &Intervention, len: usize, before: &[PatchedRun]) -> Result<()> {
        let Intervention { layer, site, positions, columns, change } = made;
        let shape = &self.net.shape;
        let inside = *layer <= shape.layers && (*layer > 0 || *site == Site::Residual);
        if !inside || positions.end > len || positions.is_empty() {
            return Err(outside(len, shape.layers));
        }
        if *site == Site::Pattern {
            return Err(Error::input("the attention pattern can be read, not changed")
                .hint("change the value, or a head's output"));
        }
        let heads = site.heads(self.net.heads((*layer).max(1)));
        let width = self.width(*layer, *site);
        let wanted = match columns {
            Columns::Head(_) if !matches!(site, Site::Query | Site::Key | Site::Value | Site::Heads) => {
                return Err(Error::input(format!("the {} has no heads", site.name()))
                    .hint("heads are columns of query, key, value and head outputs"));
            }
            Columns::Head(head) if *head >= heads => {
                return Err(Error::input(format!(
                    "the {} of layer {layer} has {heads} heads, no head {head}",
                    site.name()
                ))
                .hint("heads count from 0"));
            }
            _ => self.columns(made),
        };
        if wanted.end > width || wanted.is_empty() {
            return Err(Error::input(format!(
                "columns {} to {} of the {}, which has {width}",
                wanted.start,
                wanted.end,
                site.name()
            ))
            .hint("columns count from 0; the end is not part of the range"));
        }
        let source = match change {
            Change::Zero => return Ok(()),
            Change::Scale(factor) if factor.is_finite() => return Ok(()),
            Change::Scale(factor) => {
                return Err(Error::input(format!("a change scales by {factor}")).hint("scale by a number"));
            }
            Change::Replace(source) | Change::Add(source) => *source,
        };
        self.source(source, made, wanted.len(), before)
    }

    fn source(&self, source: Source, made: &Intervention, columns: usize, before: &[PatchedRun]) -> Result<()> {
        let (layer, site, count) = (made.layer, made.site, made.positions.len());
        match source {
            Source::Cached { prompt, position, at } => {
                let cache = self.cache.ok_or_else(|| {
                    Error::input("a change of a captured prompt takes its numbers from a captured prompt")
                        .hint("capture the other prompt first, and change this one in a patched run")
                })?;
                let (from_layer, from) = at.unwrap_or((layer, site));
                if !cache.has(from_layer, from) {
                    return Err(Error::input(format!("the {} of layer {from_layer} was not captured", from.name()))
                        .hint("name the site where the prompts are captured"));
                }
                if self.width(from_layer, from) != self.width(layer, site) {
                    return Err(Error::input(format!("a {} cannot take a {}", site.name(), from.name()))
                        .hint("their rows have different widths"));
                }
                positions(cache.prompts.get(prompt).map_or(0, |prompt| prompt.ids.len()), position, count, || {
                    format!("captured positions {position} to {} of prompt {prompt}", position.saturating_add(count))
                })
            }
            Source::Constant(row) => {
                let (rows, width) = (self.constants.rows(), self.constants.width);
                let wanted = self.width(layer, site);
                match row.checked_add(count).is_some_and(|end| end <= rows) && (width == wanted || width == columns) {
                    true => Ok(()),
                    false => Err(Error::input(format!(
                        "a change takes {count} given rows of width {wanted} from row {row} on; there are {rows} of \
                         width {width}"
                    ))
                    .hint("give one row per changed position, as wide as the site or as the changed columns")),
                }
            }
            Source::Run { run, position } => {
                let missing = || {
                    Error::input(format!("a change takes its numbers from run {run}, which does not come before it"))
                        .hint("runs count from 0")
                };
                let other = before.get(run).ok_or_else(missing)?;
                let cache = self.cache.ok_or_else(missing)?;
                positions(tokens(cache, other.prompt)?, position, count, || {
                    format!("positions {position} to {} of run {run}", position.saturating_add(count))
                })
            }
        }
    }

    /// A read of a prompt of `len` tokens.
    pub(super) fn read(&self, read: &Read, len: usize) -> Result<()> {
        if read.position >= len {
            return Err(outside(len, self.net.shape.layers));
        }
        read.tokens.iter().try_for_each(|&token| self.token(token))
    }

    fn token(&self, id: u32) -> Result<()> {
        let vocab = self.net.shape.vocab;
        match (id as usize) < vocab {
            true => Ok(()),
            false => Err(Error::input(format!("token id {id} is outside the model's vocabulary of {vocab}"))
                .hint("tokenizer.json belongs to another model than the weights")),
        }
    }

    /// A prompt that is to be captured.
    pub(super) fn prompt(&self, prompt: &Prompt) -> Result<()> {
        let tokens = prompt.ids.len();
        if tokens == 0 {
            return Err(Error::input("the prompt has no tokens").hint("write a prompt of at least one word"));
        }
        let longest = self.net.shape.positions;
        if tokens > longest {
            return Err(Error::input(format!("the prompt has {tokens} tokens, the model takes {longest}"))
                .hint("shorten the prompt"));
        }
        prompt.ids.iter().try_for_each(|&id| self.token(id))?;
        prompt.interventions.iter().try_for_each(|change| self.change(change, tokens, &[]))
    }

    /// The run at a place of a request.
    pub(super) fn run(&self, runs: &[PatchedRun], at: usize) -> Result<()> {
        let run = &runs[at];
        let cache = self.cache.ok_or_else(|| Error::input("a patched run needs a captured prompt"))?;
        let len = tokens(cache, run.prompt)?;
        run.reads.iter().try_for_each(|read| self.read(read, len))?;
        run.interventions.iter().try_for_each(|change| self.change(change, len, &runs[..at]))?;
        if run.reads.is_empty() {
            return Err(Error::input("a run reads nothing").hint("read at least one position"));
        }
        if run.interventions.is_empty() && run.overlay.is_none() {
            return Err(
                Error::input("a run changes nothing").hint("read the captured prompt's own predictions instead")
            );
        }
        match run.overlay.filter(|&overlay| overlay >= self.overlays.len()) {
            Some(overlay) => Err(Error::input(format!("a run carries edit {overlay} of {}", self.overlays.len()))
                .hint("edits count from 0")),
            None => Ok(()),
        }
    }

    /// Terms that fit a map of the model.
    pub(super) fn overlay(&self, overlay: &Overlay) -> Result<()> {
        for term in &overlay.terms {
            let maps = self.net.blocks.iter().flat_map(|block| block.maps());
            let maps: Vec<_> = maps.map(|(_, map)| map).filter(|map| map.tensor == term.tensor).collect();
            let out = maps.iter().map(|map| map.rows.end).max();
            let Some((out, input)) = out.zip(maps.first().map(|map| map.input)) else {
                return Err(Error::input(format!("the model has no linear map {:?}", term.tensor))
                    .hint("an edit names tensors of the checkpoint"));
            };
            let fits = term.u.len() == term.v.len()
                && term.u.iter().all(|u| u.len() == out)
                && term.v.iter().all(|v| v.len() == input);
            if !fits {
                return Err(Error::input(format!(
                    "an edit of {:?} does not fit its {out} outputs and {input} inputs",
                    term.tensor
                ))
                .hint("it belongs to another model"));
            }
        }
        Ok(())
    }
}

/// A captured prompt.
pub(super) fn kept(cache: &ActivationCache, prompt: usize) -> Result<&Kept> {
    cache.prompts.get(prompt).ok_or_else(|| {
        Error::input(format!("prompt {prompt} of a run of {} prompts", cache.prompts())).hint("prompts count from 0")
    })
}

/// Tokens of a captured prompt.
pub(super) fn tokens(cache: &ActivationCache, prompt: usize) -> Result<usize> {
    Ok(kept(cache, prompt)?.ids.len())
}

fn positions(tokens: usize, first: usize, count: usize, what: impl FnOnce() -> String) -> Result<()> {
    match first.checked_add(count).is_some_and(|end| end <= tokens) {
        true => Ok(()),
        false => Err(Error::input(format!("a change takes {}, which has {tokens}", what()))
            .hint("positions and prompts count from 0")),
    }
}

fn outside(len: usize, layers: usize) -> Error {
    Error::input(format!("a change or a read lies outside a prompt of {len} tokens and {layers} layers"))
        .hint("positions count from 0, layers from 1")
}
