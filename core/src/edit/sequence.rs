//! Edits one after the other (METHODS, section 4): the change that grows, and what is asked of the model beside its edits.

use super::editor::Solved;
use super::saved::{delta, read_delta};
use super::size::by_tensor;
use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Transformer;
use crate::pack::{from_text, to_text};
use crate::record::{ModelInfo, SequenceEdit, SequenceStep, Settings, Unrelated};
use crate::run::{Edited, Prompt, Read, Readout, Sites, with_halving};
use crate::tensor::{Matrix, Overlay, Term};
use crate::trace::{Asked, TokenizedFact, score};
use std::collections::BTreeMap;

/// Tokens of the text's end that perplexity is taken over.
const TOKENS: usize = 2048;
/// Bytes of text that are looked at for a token.
const BYTES: usize = 16;
/// Facts that are asked at a time.
const AT_ONCE: usize = 64;
/// Windows of text that are read at a time.
const WINDOWS: usize = 8;

/// Keys of earlier edits by layer, which AlphaEdit spares.
pub type PastKeys = BTreeMap<usize, Vec<Vec<f64>>>;

/// What a sequence has changed so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// All of it, one term a matrix.
    pub overlay: Overlay,
    /// Keys of its edits, of a method that needs them.
    pub past: PastKeys,
}

impl Changes {
    /// Takes a step's change in.
    pub fn add(&mut self, solved: &[Solved]) {
        let new = solved.iter().flat_map(|one| one.overlay.terms.iter().cloned());
        let terms: Vec<Term> = std::mem::take(&mut self.overlay.terms).into_iter().chain(new).collect();
        self.overlay.terms = by_tensor(&terms);
        for (layer, keys) in solved.iter().flat_map(|one| &one.keys) {
            self.past.entry(*layer).or_default().extend(keys.iter().cloned());
        }
    }

    /// Takes in a step that a journal has, to the bit.
    ///
    /// # Errors
    /// When its change is damaged, or does not fit the model.
    pub fn take(&mut self, step: &SequenceStep, net: &Transformer) -> Result<()> {
        let wrong = |error: Error| {
            Error::input(format!("the change of a step is damaged: {}", error.message()))
                .hint("start again with --fresh")
                .in_page("delete the study, and start it anew")
        };
        let solved = unpacked(step, net).map_err(wrong)?;
        self.add(&[solved]);
        Ok(())
    }
}

/// A step as a journal keeps it: its edits, and what they changed, which [`Changes::take`] takes in.
///
/// # Errors
/// When safetensors refuses the change.
pub fn step_of(model: &ModelInfo, edits: Vec<SequenceEdit>, solved: &[Solved]) -> Result<SequenceStep> {
    let mut step = SequenceStep { edits, ..SequenceStep::default() };
    // A step whose searches failed changes nothing.
    if solved.iter().any(|one| !one.overlay.terms.is_empty()) {
        step.change = to_text(&delta(model, solved.iter().map(|one| &one.overlay))?);
    }
    for (layer, keys) in solved.iter().flat_map(|one| &one.keys) {
        let bytes = |key: &Vec<f64>| key.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        step.keys.entry(*layer).or_default().extend(keys.iter().map(|key| to_text(&bytes(key))));
    }
    Ok(step)
}

fn unpacked(step: &SequenceStep, net: &Transformer) -> Result<Solved> {
    // Only what failed changes nothing.
    let none = step.change.is_empty() && step.edits.iter().all(|edit| edit.failed.is_some());
    let overlay = match none {
        true => Overlay::default(),
        false => read_delta(net, &from_text(&step.change)?)?.overlay,
    };
    let mut keys = PastKeys::new();
    for (&layer, packed) in &step.keys {
        for text in packed {
            let bytes = from_text(text)?;
            let (numbers, rest) = bytes.as_chunks::<8>();
            let key: Vec<f64> = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            let whole = rest.is_empty() && key.len() == net.shape.ff && key.iter().all(|value| value.is_finite());
            if !whole || !(1..=net.shape.layers).contains(&layer) {
                return Err(Error::input("its keys do not fit the model"));
            }
            keys.entry(layer).or_default().push(key);
        }
    }
    Ok(Solved { overlay, keys, ..Solved::default() })
}

/// Windows of the end of the model's text, each behind what stands before every text; `None` without a text of two tokens.
///
/// # Errors
/// When the text cannot be tokenized, or has a token without an embedding.
pub fn text_end(model: &Model, window: usize) -> Result<Option<Vec<Vec<u32>>>> {
    let Some(text) = &model.second_moments.text else { return Ok(None) };
    let mut start = text.text.len().saturating_sub(TOKENS * BYTES);
    while !text.text.is_char_boundary(start) {
        start += 1;
    }
    let all = model.tokens.encode(&text.text[start..])?.ids;
    let before = model.tokens.before();
    let ids = all.strip_prefix(before).unwrap_or(&all);
    let ids = &ids[ids.len().saturating_sub(TOKENS)..];
    let length = window.min(model.net.shape.positions).saturating_sub(before.len()).max(2);
    let windows = ids.chunks(length).filter(|chunk| before.len() + chunk.len() > 1);
    let windows: Vec<Vec<u32>> = windows.map(|chunk| [before, chunk].concat()).collect();
    if let Some(unknown) = windows.iter().find_map(|ids| model.unknown(ids)) {
        return Err(Error::input(unknown).at(&text.name).hint("give another text with --stats-text FILE"));
    }
    Ok((!windows.is_empty()).then_some(windows))
}

/// `exp` of the mean `-log p` over the tokens of some windows but the first of each.
///
/// # Errors
/// When the device fails.
pub async fn perplexity(edited: Edited<'_>, windows: &[Vec<u32>]) -> Result<f32> {
    let (mut sum, mut count) = (0.0f64, 0usize);
    let asked = |ids: &Vec<u32>| {
        let next = ids.iter().skip(1).enumerate();
        let reads = next.map(|(position, &token)| Read { position, tokens: vec![token] }).collect();
        Asked { ids: ids.clone(), reads }
    };
    for some in windows.chunks(WINDOWS) {
        let asked: Vec<Asked> = some.iter().map(asked).collect();
        for readout in answers(edited, &asked).await?.into_iter().flatten() {
            sum -= f64::from(readout.p[0].max(f32::MIN_POSITIVE)).ln();
            count += 1;
        }
    }
    Ok((sum / count.max(1) as f64).exp() as f32)
}

/// What a model answers, for each prompt.
async fn answers(edited: Edited<'_>, asked: &[Asked]) -> Result<Vec<Vec<Readout>>> {
    let prompts: Vec<Prompt> = asked.iter().map(|asked| Prompt::plain(&asked.ids)).collect();
    let cache = &edited.capture(&prompts, &Matrix::default(), &Sites::end()).await?;
    let of_prompt =
        |(at, asked): (usize, &Asked)| asked.reads.iter().map(|read| (at, read.clone())).collect::<Vec<_>>();
    let reads: &Vec<(usize, Read)> = &asked.iter().enumerate().flat_map(of_prompt).collect();
    let work = |plan| async move { Edited { plan, ..edited }.read(cache, reads).await };
    let mut found = with_halving(edited.plan, work).await?.0.into_iter();
    Ok(asked.iter().map(|asked| found.by_ref().take(asked.reads.len()).collect()).collect())
}

/// What became of known facts: p of the true answer before (as they were traced) and now, and whether another token than the
/// answer's first is the most probable one.
///
/// # Errors
/// When the device fails.
pub async fn untouched(
    edited: Edited<'_>,
    facts: &[(usize, f32, TokenizedFact)],
    settings: &Settings,
) -> Result<Vec<Unrelated>> {
    let mut all = Vec::with_capacity(facts.len());
    for some in facts.chunks(AT_ONCE) {
        let asked: Vec<Asked> = some.iter().map(|(.., fact)| fact.asked(settings.answer)).collect();
        for ((order, before, fact), own) in some.iter().zip(answers(edited, &asked).await?) {
            let flipped = own[0].top != fact.answer[0];
            all.push(Unrelated { fact: *order, p_true: [*before, score(&own)], flipped });
        }
    }
    Ok(all)
}
