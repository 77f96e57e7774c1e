//! Refuses changes and reads that lie outside the run they are made on, before anything is computed.

use super::{Action, Base, Op, Prompt, Read, Site, Source};
use crate::error::{Error, Result};
use crate::model::Shape;
use burn::tensor::Tensor;

/// What changes may refer to.
pub(super) struct Scope<'a> {
    pub(super) shape: &'a Shape,
    /// The captured run; `None` while it is being captured.
    pub(super) base: Option<&'a Base>,
    /// The caller's rows.
    pub(super) given: Option<&'a Tensor<2>>,
}

impl Scope<'_> {
    /// A change on a prompt of `len` tokens.
    pub(super) fn action(&self, action: &Action, len: usize) -> Result<()> {
        let Action { layer, site, positions, op } = action;
        let inside = *layer <= self.shape.layers && (*layer > 0 || *site == Site::Residual);
        if !inside || positions.end > len || positions.is_empty() {
            return Err(outside(len, self.shape.layers));
        }
        let (Op::Replace(source) | Op::Add(source)) = *op;
        let count = positions.len();
        match source {
            Source::Zero => Ok(()),
            Source::Captured { prompt, position } => {
                let base = self.base.ok_or_else(|| {
                    Error::input("a change of a captured prompt takes its numbers from a captured prompt")
                        .hint("capture the other prompt first, and change this one in a resumed lane")
                })?;
                if base.site(*layer, *site).is_none() {
                    return Err(Error::input(format!("the {} of layer {layer} was not captured", site.name()))
                        .hint("capture with MLP keys"));
                }
                let tokens = base.ids.get(prompt).map_or(0, Vec::len);
                match position.checked_add(count).is_some_and(|end| end <= tokens) {
                    true => Ok(()),
                    false => Err(Error::input(format!(
                        "a change takes captured positions {position} to {} of prompt {prompt}, which has {tokens}",
                        position.saturating_add(count)
                    ))
                    .hint("positions and prompts count from 0")),
                }
            }
            Source::Given(row) => {
                let [rows, width] = self.given.map_or([0, 0], Tensor::dims);
                let wanted = if *site == Site::Key { self.shape.ff } else { self.shape.width };
                match row.checked_add(count).is_some_and(|end| end <= rows) && width == wanted {
                    true => Ok(()),
                    false => Err(Error::input(format!(
                        "a change takes {count} given rows of width {wanted} from row {row} on; \
                         there are {rows} of width {width}"
                    ))
                    .hint("give one row per changed position")),
                }
            }
        }
    }

    /// A read of a prompt of `len` tokens.
    pub(super) fn read(&self, read: &Read, len: usize) -> Result<()> {
        if read.position >= len {
            return Err(outside(len, self.shape.layers));
        }
        read.tokens.iter().try_for_each(|&token| self.token(token))
    }

    fn token(&self, id: u32) -> Result<()> {
        let vocab = self.shape.vocab;
        match (id as usize) < vocab {
            true => Ok(()),
            false => Err(Error::input(format!("token id {id} is outside the model's vocabulary of {vocab}"))
                .hint("tokenizer.json belongs to another model than the weights")),
        }
    }

    /// A prompt that is to be captured, after the prompts `before` it.
    pub(super) fn prompt(&self, prompt: &Prompt, before: &[Prompt]) -> Result<()> {
        let tokens = prompt.ids.len();
        if tokens == 0 {
            return Err(Error::input("the prompt has no tokens").hint("write a prompt of at least one word"));
        }
        let longest = self.shape.positions;
        if tokens > longest {
            return Err(Error::input(format!("the prompt has {tokens} tokens, the model takes {longest}"))
                .hint("shorten the prompt"));
        }
        prompt.ids.iter().try_for_each(|&id| self.token(id))?;
        prompt.actions.iter().try_for_each(|action| self.action(action, tokens))?;
        let Some((from, len)) = prompt.shared else { return Ok(()) };
        let same = before.get(from).filter(|other| {
            let unchanged = |prompt: &Prompt| prompt.actions.iter().all(|action| action.positions.start >= len);
            len <= tokens && other.ids.get(..len) == Some(&prompt.ids[..len]) && unchanged(other) && unchanged(prompt)
        });
        match same {
            Some(_) => Ok(()),
            None => Err(Error::input(format!("a prompt cannot share {len} positions of prompt {from}"))
                .hint("the tokens must be equal and unchanged in both, and the other prompt must come first")),
        }
    }
}

/// A prompt of a captured run: its number of tokens.
pub(super) fn tokens(base: &Base, prompt: usize) -> Result<usize> {
    base.ids.get(prompt).map(Vec::len).ok_or_else(|| {
        Error::input(format!("prompt {prompt} of a run of {} prompts", base.ids.len())).hint("prompts count from 0")
    })
}

fn outside(len: usize, layers: usize) -> Error {
    Error::input(format!("a change or a read lies outside a prompt of {len} tokens and {layers} layers"))
        .hint("positions count from 0, layers from 1")
}
