//! The tokenizer.json of a model, from what its GGUF file stores: byte-level BPE, or SentencePiece's BPE and unigram.
//!
//! The text is canonical: it depends on the stored values alone, so that its digest names the tokenizer. Where an object
//! is written with `json!`, its keys are in alphabetical order, which the JSON library may sort them to.

mod parts;
mod pieces;

use crate::error::{Error, Result};
use parts::{Added, Bpe, File, Model};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Where the rule was read, for people.
pub(crate) const GGUF: &str = "the GGUF metadata";
/// What to do about a vocabulary that cannot be used.
pub(crate) const NEXT: &str =
    "put the tokenizer.json of the model beside the .gguf file (the original model's page on the hub has it)";
/// Names of Llama 3's pre-tokenizer.
pub(crate) const LLAMA3: [&str; 3] = ["llama-bpe", "llama3", "llama-v3"];

/// How Llama 3 cuts a text into words.
const LLAMA3_WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// How Qwen 2 does: every digit is a word.
const QWEN2_WORDS: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A piece of text that was learnt.
    Normal,
    /// What cannot be spelled.
    Unknown,
    /// Special: BOS, EOS and their like.
    Control,
    /// A piece of text that was declared; it is found before anything else.
    Declared,
    /// Fills the table up.
    Unused,
    /// One byte.
    Byte,
}

impl Kind {
    /// From its number in the file; what no number tells is text.
    pub(crate) fn of(number: i32) -> Self {
        match number {
            2 => Self::Unknown,
            3 => Self::Control,
            4 => Self::Declared,
            5 => Self::Unused,
            6 => Self::Byte,
            _ => Self::Normal,
        }
    }
}

/// A tokenizer as a GGUF file stores it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// `gpt2`, `llama` or `t5`.
    pub(crate) model: String,
    /// How texts are cut into words.
    pub(crate) pre: Option<String>,
    /// By id.
    pub(crate) tokens: Vec<String>,
    /// By id.
    pub(crate) kinds: Vec<Kind>,
    /// By id; empty where none are stored.
    pub(crate) scores: Vec<f32>,
    /// Pairs with a space between them, the first to be merged first.
    pub(crate) merges: Vec<String>,
    /// Stands for what cannot be spelled.
    pub(crate) unknown: Option<u32>,
    /// Texts begin with a space.
    pub(crate) space_prefix: Option<bool>,
    /// SentencePiece's own normalisation.
    pub(crate) charsmap: Option<Vec<u8>>,
}

/// An error of a vocabulary, with what to do about it.
fn bad(what: impl Into<String>) -> Error {
    Error::input(what).hint(NEXT)
}

impl Stored {
    /// The model's tokenizer.json.
    pub(crate) fn tokenizer_json(mut self) -> Result<Vec<u8>> {
        match self.model.as_str() {
            "gpt2" => self.byte_level(),
            "llama" | "t5" => {
                self.respell();
                self.sentencepiece()
            }
            other => Err(bad(format!("tokenizers of the kind `{other}` cannot be built from GGUF metadata"))),
        }
    }

    /// Byte-level BPE, of GPT-2's kind.
    fn byte_level(&self) -> Result<Vec<u8>> {
        let split = |words: &str| {
            let regex = json!({"behavior": "Isolated", "invert": false, "pattern": {"Regex": words}, "type": "Split"});
            json!({"pretokenizers": [regex, byte_level(false)], "type": "Sequence"})
        };
        let (normalizer, pre_tokenizer) = match self.pre.as_deref() {
            Some(pre) if LLAMA3.contains(&pre) => (Value::Null, split(LLAMA3_WORDS)),
            Some("qwen2") => (json!({"type": "NFC"}), split(QWEN2_WORDS)),
            Some("gpt-2" | "phi-2") => (Value::Null, byte_level(true)),
            Some("smollm") => {
                let digits = json!({"individual_digits": true, "type": "Digits"});
                (Value::Null, json!({"pretokenizers": [digits, byte_level(true)], "type": "Sequence"}))
            }
            Some(other) => return Err(bad(format!("the pre-tokenizer `{other}` of the metadata is not known"))),
            None => return Err(bad("the metadata do not say how texts are cut into words (an old conversion)")),
        };
        let merges: Vec<(&str, &str)> = self.merges.iter().map(|merge| pair(merge)).collect::<Result<_>>()?;
        if merges.is_empty() {
            return Err(bad("the metadata list no merges"));
        }
        let vocab = self.vocabulary()?;
        self.check(&merges, &vocab)?;
        let llama3 = self.pre.as_deref().is_some_and(|pre| LLAMA3.contains(&pre));
        let model = Bpe::new(vocab, merges, None, llama3);
        self.file(normalizer, pre_tokenizer, byte_level(true), Model::Bpe(model))
    }

    /// Both parts of every merge, and what they make, are tokens.
    fn check(&self, merges: &[(&str, &str)], vocab: &[(&str, u32)]) -> Result<()> {
        let known: BTreeSet<&str> = vocab.iter().map(|&(token, _)| token).collect();
        let lost = |&&(left, right): &&(&str, &str)| {
            !(known.contains(left) && known.contains(right) && known.contains([left, right].concat().as_str()))
        };
        match merges.iter().find(lost) {
            None => Ok(()),
            Some((left, right)) => Err(bad(format!("the merge of `{left}` and `{right}` is not of this vocabulary"))),
        }
    }

    /// Tokens that a text can be made of, with their ids. What fills the table up is none.
    fn vocabulary(&self) -> Result<Vec<(&str, u32)>> {
        let mut seen = BTreeSet::new();
        let mut vocab = Vec::new();
        for (id, (token, kind)) in self.tokens.iter().zip(&self.kinds).enumerate() {
            // Nothing spells an empty token.
            if *kind == Kind::Unused || token.is_empty() {
                continue;
            }
            if !seen.insert(token.as_str()) {
                return Err(bad(format!("the token `{token}` occurs twice")));
            }
            vocab.push((token.as_str(), u32::try_from(id).unwrap_or(u32::MAX)));
        }
        Ok(vocab)
    }

    /// Tokens that are looked for before anything else.
    fn added(&self) -> Vec<Added<'_>> {
        let all = self.tokens.iter().zip(&self.kinds).zip(0..);
        all.filter(|((token, _), _)| !token.is_empty())
            .filter_map(|((content, kind), id)| match kind {
                Kind::Control | Kind::Unknown => Some(Added::new(id, content, true)),
                Kind::Declared => Some(Added::new(id, content, false)),
                _ => None,
            })
            .collect()
    }

    fn file(&self, normalizer: Value, pre_tokenizer: Value, decoder: Value, model: Model<'_>) -> Result<Vec<u8>> {
        let file = File::new(self.added(), normalizer, pre_tokenizer, decoder, model);
        serde_json::to_vec(&file).map_err(|error| bad(format!("the tokenizer cannot be written: {error}")))
    }
}

/// Every byte as a character; `words`: cut as GPT-2 cuts.
fn byte_level(words: bool) -> Value {
    json!({"add_prefix_space": false, "trim_offsets": true, "type": "ByteLevel", "use_regex": words})
}

/// The two parts of a merge. A part may begin with a space, not contain one.
fn pair(merge: &str) -> Result<(&str, &str)> {
    let cut = merge.char_indices().skip(1).find(|&(_, char)| char == ' ');
    cut.map(|(at, _)| (&merge[..at], &merge[at + 1..]))
        .ok_or_else(|| bad(format!("the merge `{merge}` is not a pair of tokens")))
}

#[cfg(test)]
mod tests;
