//! The vocabulary of a GGUF file: where it lies, and reading it where no tokenizer.json is at hand.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::memory;
use crate::tokens::{Kind, NEXT, Stored};

use super::ByteSource;
use super::gguf_header::{Meta, Span};

/// Most tokens, and most merges.
const MOST: u64 = 4 << 20;
const I32: u32 = 5;
const F32: u32 = 6;
const TEXT: u32 = 8;

/// What the metadata say of the tokenizer; lists are not read yet.
#[derive(Debug)]
pub(super) struct Places {
    file: String,
    model: Option<String>,
    pre: Option<String>,
    unknown: Option<u32>,
    space_prefix: Option<bool>,
    tokens: Option<Span>,
    kinds: Option<Span>,
    scores: Option<Span>,
    merges: Option<Span>,
    charsmap: Option<Span>,
}

/// Finds the vocabulary in the metadata.
pub(super) fn places(file: &str, metadata: &BTreeMap<String, Meta>) -> Places {
    let meta = |key: &str| metadata.get(&format!("tokenizer.ggml.{key}"));
    let text = |key: &str| match meta(key) {
        Some(Meta::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let span = |key: &str| match meta(key) {
        Some(Meta::Array(span)) => Some(span.clone()),
        _ => None,
    };
    Places {
        file: file.to_owned(),
        model: text("model"),
        pre: text("pre"),
        unknown: match meta("unknown_token_id") {
            Some(&Meta::Integer(id)) => u32::try_from(id).ok(),
            _ => None,
        },
        space_prefix: match meta("add_space_prefix") {
            Some(&Meta::Bool(flag)) => Some(flag),
            _ => None,
        },
        tokens: span("tokens"),
        kinds: span("token_type"),
        scores: span("scores"),
        merges: span("merges"),
        charsmap: span("precompiled_charsmap"),
    }
}

impl Places {
    /// The tokenizer.json that the model would have.
    pub(super) async fn tokenizer_json(&self, source: &dyn ByteSource) -> Result<Vec<u8>> {
        let stored = self.read(source).await.map_err(|error| error.at(&self.file))?;
        stored.tokenizer_json().map_err(|error| error.at(&self.file))
    }

    async fn read(&self, source: &dyn ByteSource) -> Result<Stored> {
        let Some(model) = self.model.clone() else {
            return Err(
                Error::input("the metadata hold no tokenizer, and no tokenizer.json is beside the file").hint(NEXT)
            );
        };
        let tokens = match &self.tokens {
            Some(span) => texts(source, span, "tokens").await?,
            None => return Err(Error::input("the metadata name a tokenizer but list no tokens").hint(NEXT)),
        };
        let count = tokens.len();
        let kinds = match &self.kinds {
            Some(span) => numbers(source, span, I32, "token_type", count).await?,
            None => return Err(Error::input("the metadata do not say which tokens are special").hint(NEXT)),
        };
        let kinds = kinds.into_iter().map(|bytes| Kind::of(i32::from_le_bytes(bytes))).collect();
        let scores = match &self.scores {
            Some(span) => numbers(source, span, F32, "scores", count).await?,
            None => Vec::new(),
        };
        let scores = scores.into_iter().map(f32::from_le_bytes).collect();
        let merges = match &self.merges {
            Some(span) => texts(source, span, "merges").await?,
            None => Vec::new(),
        };
        let charsmap = match &self.charsmap {
            Some(span) => Some(bytes(source, span).await?),
            None => None,
        };
        let (pre, unknown, space_prefix) = (self.pre.clone(), self.unknown, self.space_prefix);
        Ok(Stored { model, pre, tokens, kinds, scores, merges, unknown, space_prefix, charsmap })
    }
}

/// The bytes of a list. The header's own limits hold for them.
async fn bytes(source: &dyn ByteSource, span: &Span) -> Result<Vec<u8>> {
    Ok(source.read(span.offset, span.bytes as usize).await?.into_owned())
}

fn wrong(key: &str, what: &str) -> Error {
    Error::input(format!("the metadata's `tokenizer.ggml.{key}` {what}")).hint(NEXT)
}

/// A list of texts.
async fn texts(source: &dyn ByteSource, span: &Span, key: &str) -> Result<Vec<String>> {
    if span.kind != TEXT || span.count > MOST {
        return Err(wrong(key, "is not a list of texts, or too long a one"));
    }
    let bytes = bytes(source, span).await?;
    let mut list = Vec::new();
    memory::grow(&mut list, span.count as usize, "the vocabulary")?;
    let mut rest = bytes.as_slice();
    for _ in 0..span.count {
        let Some((len, tail)) = rest.split_first_chunk::<8>() else { return Err(wrong(key, "is cut off")) };
        let len = usize::try_from(u64::from_le_bytes(*len)).unwrap_or(usize::MAX);
        let Some((text, tail)) = tail.split_at_checked(len) else { return Err(wrong(key, "is cut off")) };
        let text = std::str::from_utf8(text).map_err(|_| wrong(key, "has a text that is not UTF-8"))?;
        list.push(text.to_owned());
        rest = tail;
    }
    Ok(list)
}

/// A list of numbers of four bytes, one for each token.
async fn numbers(source: &dyn ByteSource, span: &Span, kind: u32, key: &str, count: usize) -> Result<Vec<[u8; 4]>> {
    if span.kind != kind || span.count != count as u64 {
        return Err(wrong(key, "does not have one number for each token"));
    }
    let bytes = bytes(source, span).await?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers.to_vec())
}
