//! Edits one after the other (METHODS, section 4): the change that grows, and what is asked of the model beside its edits.

use super::editor::Solved;
use super::size::by_tensor;
use crate::error::{Error, Result};
use crate::load::Model;
use crate::model::Transformer;
use crate::record::{Settings, Unrelated};
use crate::run::{Edited, Prompt, Read, Sites, with_halving};
use crate::tensor::{Matrix, Overlay, Term};
use crate::trace::{TokenizedFact, score};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tokens of the text's end that perplexity is taken over.
const TOKENS: usize = 2048;
/// Bytes of text that are looked at for a token.
const BYTES: usize = 16;
/// Facts that are asked at a time.
const AT_ONCE: usize = 64;

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

/// A step's change as text: numbers as base64 of their bytes.
#[derive(Serialize, Deserialize)]
struct Packed {
    terms: Vec<PackedTerm>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<usize, Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct PackedTerm {
    tensor: String,
    u: Vec<String>,
    v: Vec<String>,
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

    /// A step's change as text, which [`Changes::unpack`] takes in to the bit.
    ///
    /// # Errors
    /// None that happens: numbers and names are written.
    pub fn pack(solved: &[Solved]) -> Result<String> {
        let all = |rows: &[Vec<f32>]| rows.iter().map(|row| text(row.iter().flat_map(|x| x.to_le_bytes()))).collect();
        let term = |term: &Term| PackedTerm { tensor: term.tensor.clone(), u: all(&term.u), v: all(&term.v) };
        let mut packed = Packed { terms: Vec::new(), keys: BTreeMap::new() };
        for one in solved {
            packed.terms.extend(one.overlay.terms.iter().map(term));
            for (layer, keys) in &one.keys {
                let keys = keys.iter().map(|key| text(key.iter().flat_map(|x| x.to_le_bytes())));
                packed.keys.entry(*layer).or_default().extend(keys);
            }
        }
        serde_json::to_string(&packed).map_err(|error| Error::io(format!("a change of a sequence: {error}")))
    }

    /// Takes a step's change in that a journal has.
    ///
    /// # Errors
    /// When it is damaged, or does not fit the model.
    pub fn unpack(&mut self, packed: &str, net: &Transformer) -> Result<()> {
        let step = unpacked(packed)?;
        fits(&step.overlay.terms, &step.keys, net)?;
        self.add(&[step]);
        Ok(())
    }
}

/// A step's change as it was found.
fn unpacked(packed: &str) -> Result<Solved> {
    let Packed { terms, keys } = serde_json::from_str(packed).map_err(|error| damaged(&error.to_string()))?;
    let rows = |rows: Vec<String>| -> Result<Vec<Vec<f32>>> {
        rows.iter().map(|row| numbers(row, f32::from_le_bytes)).collect()
    };
    let term = |PackedTerm { tensor, u, v }| Ok(Term { tensor, u: rows(u)?, v: rows(v)? });
    let terms: Vec<Term> = terms.into_iter().map(term).collect::<Result<_>>()?;
    let keys = keys.into_iter().map(|(layer, keys)| {
        let keys: Result<Vec<Vec<f64>>> = keys.iter().map(|key| numbers(key, f64::from_le_bytes)).collect();
        Ok((layer, keys?))
    });
    Ok(Solved { overlay: Overlay { terms }, keys: keys.collect::<Result<_>>()?, ..Solved::default() })
}

/// Refuses factors that are not of the model's own matrices, and keys that are none of its layers'.
fn fits(terms: &[Term], keys: &PastKeys, net: &Transformer) -> Result<()> {
    for term in terms {
        // GPT-2's query, key and value are parts of one tensor.
        let maps = net.blocks.iter().flat_map(|block| block.maps()).filter(|(_, map)| map.tensor == term.tensor);
        let (mut output, mut input) = (0, 0);
        maps.for_each(|(_, map)| (output, input) = (output + map.rows.len(), map.input));
        let wide = |rows: &[Vec<f32>], width: usize| {
            rows.iter().all(|row| row.len() == width && row.iter().all(|x| x.is_finite()))
        };
        if term.u.len() != term.v.len() || !wide(&term.u, output) || !wide(&term.v, input) {
            return Err(damaged("its factors do not fit their matrix"));
        }
    }
    let whole = |key: &Vec<f64>| key.len() == net.shape.ff && key.iter().all(|x| x.is_finite());
    match keys.iter().all(|(layer, keys)| (1..=net.shape.layers).contains(layer) && keys.iter().all(whole)) {
        true => Ok(()),
        false => Err(damaged("its keys do not fit the model")),
    }
}

fn damaged(what: &str) -> Error {
    Error::input(format!("the change of a step is damaged: {what}"))
        .hint("start again with --fresh")
        .in_page("delete the study, and start it anew")
}

fn text(bytes: impl Iterator<Item = u8>) -> String {
    BASE64_STANDARD.encode(bytes.collect::<Vec<u8>>())
}

fn numbers<T, const N: usize>(text: &str, of: fn([u8; N]) -> T) -> Result<Vec<T>> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|error| damaged(&error.to_string()))?;
    let (chunks, rest) = bytes.as_chunks::<N>();
    if rest.is_empty() { Ok(chunks.iter().copied().map(of).collect()) } else { Err(damaged("a number is cut off")) }
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
    for window in windows {
        let cache = &edited.capture(&[Prompt::plain(window)], &Matrix::default(), &Sites::end()).await?;
        let next = window.iter().skip(1).enumerate();
        let reads: Vec<(usize, Read)> =
            next.map(|(position, &token)| (0, Read { position, tokens: vec![token] })).collect();
        let reads = &reads;
        let work = |plan| async move { Edited { plan, ..edited }.read(cache, reads).await };
        for readout in with_halving(edited.plan, work).await?.0 {
            sum -= f64::from(readout.p[0].max(f32::MIN_POSITIVE)).ln();
            count += 1;
        }
    }
    Ok((sum / count.max(1) as f64).exp() as f32)
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
        let asked: Vec<_> = some.iter().map(|(.., fact)| fact.asked(settings.answer)).collect();
        let prompts: Vec<Prompt> = asked.iter().map(|asked| Prompt::plain(&asked.ids)).collect();
        let cache = &edited.capture(&prompts, &Matrix::default(), &Sites::end()).await?;
        let reads: Vec<(usize, Read)> = asked
            .iter()
            .enumerate()
            .flat_map(|(at, asked)| asked.reads.iter().map(move |read| (at, read.clone())))
            .collect();
        let reads = &reads;
        let work = |plan| async move { Edited { plan, ..edited }.read(cache, reads).await };
        let found = with_halving(edited.plan, work).await?.0;
        let mut rest = found.as_slice();
        for ((order, before, fact), asked) in some.iter().zip(&asked) {
            let (own, others) = rest.split_at(asked.reads.len());
            rest = others;
            let flipped = own[0].top != fact.answer[0];
            all.push(Unrelated { fact: *order, p_true: [*before, score(own)], flipped });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_unpacked_to_the_bit_and_gathered_by_matrix() {
        let term = |tensor: &str, x: f32| Term { tensor: tensor.into(), u: vec![vec![x, 1e-30]], v: vec![vec![-x]] };
        let solved = |terms, keys| Solved { targets: vec![0], overlay: Overlay { terms }, evidence: Vec::new(), keys };
        let one =
            solved(vec![term("a", 0.1), term("b", 1.0 / 3.0)], [(3, vec![vec![0.1f64, f64::MIN_POSITIVE]])].into());
        let two = solved(vec![term("a", 7.0)], [(3, vec![vec![2.5]]), (4, vec![vec![1.0]])].into());
        let (mut added, mut again) = (Changes::default(), Changes::default());
        for step in [&[one][..], &[two]] {
            added.add(step);
            again.add(&[unpacked(&Changes::pack(step).expect("text")).expect("a change")]);
        }
        assert_eq!(added, again);
        assert_eq!(added.overlay.terms.len(), 2);
        assert_eq!(added.overlay.terms[0].u, [vec![0.1, 1e-30], vec![7.0, 1e-30]]);
        assert_eq!(added.past[&3].len(), 2);
        for wrong in [
            "",
            "{}",
            r#"{"terms":[{"tensor":"a","u":["AAA"],"v":[]}]}"#,
            r#"{"terms":[{"tensor":"a","u":["AAAA"],"v":[]}]}"#,
        ] {
            assert!(unpacked(wrong).is_err(), "{wrong}");
        }
    }
}
