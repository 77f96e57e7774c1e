//! Text to tokens and back: the model's own tokenizer.json, subject spans from character offsets, answers in context.

mod guard;

use crate::error::{Error, Result};
use guard::guarded;
use sha2::{Digest, Sha256};
use std::ops::Range;

/// A model's tokenizer.
pub struct Tokens {
    inner: tokenizers::Tokenizer,
    sha256: String,
}

/// A prompt as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Ids, special tokens included as the tokenizer's post-processor adds them.
    pub ids: Vec<u32>,
    /// Byte range of each token in the text; empty for special tokens.
    pub offsets: Vec<(usize, usize)>,
}

/// Why a text could not be continued by an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerError {
    /// The answer is empty.
    Empty,
    /// Its first characters merge with the prompt's last ones into one token.
    Merges,
}

impl Tokens {
    /// From the bytes of a tokenizer.json.
    pub fn new(json: &[u8]) -> Result<Self> {
        let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(json))?.map_err(|error| {
            Error::input(format!("tokenizer.json: {error}")).hint("take tokenizer.json from the model's own repository")
        })?;
        // A file may ask for padding or truncation; positions would move.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| Error::input(format!("tokenizer.json: {error}")))?;
        Ok(Self { inner, sha256: crate::hex(&Sha256::digest(json)) })
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Tokens of a prompt. BOS comes from the file's own post-processor, and only from there.
    pub fn encode(&self, text: &str) -> Result<Encoded> {
        let encoding = guarded(|| self.inner.encode(text, true))?.map_err(|error| {
            Error::input(format!("cannot tokenize {text:?}: {error}"))
                .hint("take tokenizer.json from the model's own repository")
        })?;
        let special = encoding.get_special_tokens_mask();
        let offsets = encoding
            .get_offsets()
            .iter()
            .zip(special)
            .map(|(&offsets, &special)| if special == 1 { (0, 0) } else { offsets })
            .collect();
        Ok(Encoded { ids: encoding.get_ids().to_vec(), offsets })
    }

    /// Tokens that `prompt` is continued by to say `answer`: tokenized together with a space between them, so that every
    /// tokenizer family puts its space where it belongs.
    pub fn answer(&self, prompt: &str, answer: &str) -> Result<std::result::Result<Vec<u32>, AnswerError>> {
        let answer = answer.trim();
        if answer.is_empty() {
            return Ok(Err(AnswerError::Empty));
        }
        let alone = self.encode(prompt)?;
        let both = self.encode(&format!("{} {answer}", prompt.trim_end()))?;
        let n = alone.ids.len();
        if both.ids.len() <= n || both.ids[..n] != alone.ids[..] {
            return Ok(Err(AnswerError::Merges));
        }
        Ok(Ok(both.ids[n..].to_vec()))
    }

    /// A token as text for people: its own piece of text, or its name for special tokens and byte fragments.
    pub fn show(&self, id: u32) -> String {
        match guarded(|| self.inner.decode(&[id], false)) {
            Ok(Ok(text)) if !text.is_empty() && !text.contains('\u{fffd}') => text,
            _ => self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>")),
        }
    }

    /// Tokens as text.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        guarded(|| self.inner.decode(ids, true))?
            .map_err(|error| Error::input(format!("cannot decode tokens: {error}")))
    }

    /// Every token as text for people.
    pub fn pieces(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|&id| self.show(id)).collect()
    }

    /// Entries of the vocabulary, added tokens included.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }
}

impl Encoded {
    /// Tokens that overlap the bytes `range` of the text: the subject span `[b, e)`.
    pub fn span(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let inside = |&(start, end): &(usize, usize)| start < range.end && end > range.start;
        let first = self.offsets.iter().position(inside)?;
        let last = self.offsets.iter().rposition(inside)?;
        Some(first..last + 1)
    }

    /// How many leading tokens two prompts share.
    pub fn common_prefix(&self, other: &Self) -> usize {
        self.ids.iter().zip(&other.ids).take_while(|(a, b)| a == b).count()
    }
}
