//! Text to tokens and back: the model's own tokenizer.json, or the one that its GGUF metadata make; subject spans from
//! character offsets, answers in context.

mod guard;
mod joint;
mod special;
mod stored;

pub use joint::joint;
pub use special::{Mark, Special};
pub(crate) use stored::{GGUF, Kind, LLAMA3, NEXT, Stored};

use crate::error::{Error, Result};
use guard::guarded;
use sha2::{Digest, Sha256};
use special::Around;
use std::ops::Range;

/// A model's tokenizer.
pub struct Tokens {
    inner: tokenizers::Tokenizer,
    sha256: String,
    around: Around,
    /// Where the tokenizer was read, for people.
    from: &'static str,
}

/// A prompt as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Ids, with the special tokens that the model's files put before a prompt.
    pub ids: Vec<u32>,
    /// Byte range of each token in the text; empty for special tokens that were added.
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
    /// From the bytes of a tokenizer.json, which alone decides about BOS and EOS.
    pub fn new(json: &[u8]) -> Result<Self> {
        Self::with(json, &Special::default())
    }

    /// The same, with what the model's other files say of BOS and EOS.
    pub fn with(json: &[u8], said: &Special) -> Result<Self> {
        Self::read(json, said, OWN)
    }

    /// From the tokenizer.json that GGUF metadata make.
    pub(crate) fn stored(json: &[u8], said: &Special) -> Result<Self> {
        Self::read(json, said, GGUF)
    }

    fn read(json: &[u8], said: &Special, from: &'static str) -> Result<Self> {
        let mut inner = guarded(|| tokenizers::Tokenizer::from_bytes(json))?.map_err(|error| failed(from, &error))?;
        // A file may ask for padding or truncation; positions would move.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| failed(from, &error))?;
        let around = Around::new(said, own(&inner, from)?, |text| inner.token_to_id(text))?;
        Ok(Self { inner, sha256: crate::hex(&Sha256::digest(json)), around, from })
    }

    /// Tokens that stand before every text.
    pub fn before(&self) -> &[u32] {
        &self.around.before
    }

    /// SHA-256 of the file, or of the file that the GGUF metadata make.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where the tokenizer was read, for people.
    pub fn origin(&self) -> &'static str {
        self.from
    }

    /// What stands before and after every text, as tokens, and where that was read: for people.
    pub fn rule(&self) -> String {
        let names =
            |ids: &[u32]| ids.iter().map(|&id| format!("{} ({id})", self.name(id))).collect::<Vec<_>>().join(" ");
        let before = match self.around.before.as_slice() {
            [] => "none before the prompt".to_owned(),
            ids => format!("{} before the prompt", names(ids)),
        };
        let after = match self.around.after.as_slice() {
            [] => String::new(),
            ids => format!("; {} after a text is left off, as the prompt goes on", names(ids)),
        };
        format!("{before}{after}, by {}", self.around.from)
    }

    /// What a user should know of this tokenizer before anything is computed.
    pub fn notes(&self) -> Vec<String> {
        let built =
            (self.from == GGUF).then(|| format!("no tokenizer.json is there: the tokenizer is built from {GGUF}"));
        let ids = &self.around.after;
        let left_off = (!ids.is_empty()).then(|| {
            let names = ids.iter().map(|&id| self.name(id)).collect::<Vec<_>>().join(" ");
            format!("{} puts {names} after every text; it is left off, as prompts are continued", self.around.from)
        });
        built.into_iter().chain(left_off).collect()
    }

    /// Tokens of a prompt. BOS is there once, where the model's files want it, also when the text begins with it. EOS is
    /// left off.
    pub fn encode(&self, text: &str) -> Result<Encoded> {
        let encoding = guarded(|| self.inner.encode(text, false))?.map_err(|error| {
            Error::input(format!("cannot tokenize {text:?}: {error}"))
                .hint("take tokenizer.json from the model's own repository")
        })?;
        let typed = encoding.get_ids().starts_with(&self.around.before);
        let before: &[u32] = if typed { &[] } else { &self.around.before };
        Ok(Encoded {
            ids: before.iter().chain(encoding.get_ids()).copied().collect(),
            offsets: before.iter().map(|_| (0, 0)).chain(encoding.get_offsets().iter().copied()).collect(),
        })
    }

    /// A word for a user whose prompt begins with the tokens that every prompt gets.
    pub fn doubled(&self, text: &str) -> Result<Option<String>> {
        let before = &self.around.before;
        let typed = !before.is_empty() && self.encode(text)?.offsets.first().is_some_and(|&(_, end)| end > 0);
        Ok(typed.then(|| {
            let names = before.iter().map(|&id| self.name(id)).collect::<Vec<_>>().join(" ");
            format!("the prompt begins with {names}, which every prompt gets: it is there once")
        }))
    }

    /// Tokens that `prompt` is continued by to say `answer`: tokenized together, with a space between them where
    /// [`joint`] puts one, so that every tokenizer family puts its space where it belongs.
    pub fn answer(&self, prompt: &str, answer: &str) -> Result<std::result::Result<Vec<u32>, AnswerError>> {
        let answer = answer.trim();
        if answer.is_empty() {
            return Ok(Err(AnswerError::Empty));
        }
        let alone = self.encode(prompt)?;
        let both = self.encode(&format!("{}{}{answer}", prompt.trim_end(), joint(prompt, answer)))?;
        let n = alone.ids.len();
        if both.ids.len() <= n || both.ids[..n] != alone.ids[..] {
            return Ok(Err(AnswerError::Merges));
        }
        Ok(Ok(both.ids[n..].to_vec()))
    }

    /// A tokenizer.json that puts the same tokens before a text by itself, where the given one needs another file for it.
    ///
    /// # Errors
    /// When the given bytes are no JSON object.
    pub fn complete_json(&self, json: &[u8]) -> Result<Option<Vec<u8>>> {
        if !self.around.added {
            return Ok(None);
        }
        let failed = |error: serde_json::Error| Error::input(format!("tokenizer.json: {error}"));
        let mut file: serde_json::Value = serde_json::from_slice(json).map_err(failed)?;
        special::with_before(&mut file, &self.around.before.iter().map(|&id| (id, self.name(id))).collect::<Vec<_>>());
        serde_json::to_vec(&file).map(Some).map_err(failed)
    }

    /// A token's name in the vocabulary.
    fn name(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>"))
    }

    /// A token as text for people: its own piece of text, or its name for special tokens and byte fragments.
    pub fn show(&self, id: u32) -> String {
        match guarded(|| self.inner.decode(&[id], false)) {
            Ok(Ok(text)) if !text.is_empty() && !text.contains('\u{fffd}') => text,
            _ => self.name(id),
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

/// Where the tokenizer's own rule stands.
const OWN: &str = "tokenizer.json";

/// What the tokenizer's own post-processor puts around a text.
fn own(inner: &tokenizers::Tokenizer, from: &'static str) -> Result<Around> {
    let encoding = guarded(|| inner.encode("a", true))?.map_err(|error| failed(from, &error))?;
    let (ids, special) = (encoding.get_ids(), encoding.get_special_tokens_mask());
    let leading = special.iter().take_while(|&&special| special == 1).count();
    let trailing = special[leading..].iter().rev().take_while(|&&special| special == 1).count();
    let (before, after) = (ids[..leading].to_vec(), ids[ids.len() - trailing..].to_vec());
    Ok(Around { before, after, from, added: false })
}

/// What the tokenizer library says of a file.
fn failed(from: &str, error: &tokenizers::Error) -> Error {
    Error::input(format!("{from}: {error}")).hint("take tokenizer.json from the model's own repository")
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
