//! The parts of a tokenizer.json that are too long for a JSON value in memory.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

/// A tokenizer.json.
#[derive(Serialize)]
pub(super) struct File<'a> {
    version: &'static str,
    truncation: (),
    padding: (),
    added_tokens: Vec<Added<'a>>,
    normalizer: Value,
    pre_tokenizer: Value,
    post_processor: (),
    decoder: Value,
    model: Model<'a>,
}

impl<'a> File<'a> {
    /// BOS and EOS are not in it: the metadata's flags decide about them.
    pub(super) fn new(
        added_tokens: Vec<Added<'a>>,
        normalizer: Value,
        pre_tokenizer: Value,
        decoder: Value,
        model: Model<'a>,
    ) -> Self {
        let version = "1.0";
        let (truncation, padding, post_processor) = ((), (), ());
        Self { version, truncation, padding, added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model }
    }
}

/// A token that is looked for before anything else.
#[derive(Serialize)]
pub(super) struct Added<'a> {
    id: u32,
    content: &'a str,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl<'a> Added<'a> {
    pub(super) fn new(id: u32, content: &'a str, special: bool) -> Self {
        Self { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }
    }
}

/// What makes tokens of a word.
#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum Model<'a> {
    #[serde(rename = "BPE")]
    Bpe(Bpe<'a>),
    Unigram(Unigram<'a>),
}

/// Byte pair encoding.
#[derive(Serialize)]
pub(super) struct Bpe<'a> {
    dropout: (),
    unk_token: Option<&'a str>,
    continuing_subword_prefix: (),
    end_of_word_suffix: (),
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    #[serde(serialize_with = "by_id")]
    vocab: Vec<(&'a str, u32)>,
    merges: Vec<(&'a str, &'a str)>,
}

impl<'a> Bpe<'a> {
    /// `unknown`: bytes stand for what has no token, and this token for bytes that have none. `whole`: a word that is a
    /// token is not merged.
    pub(super) fn new(
        vocab: Vec<(&'a str, u32)>,
        merges: Vec<(&'a str, &'a str)>,
        unknown: Option<&'a str>,
        whole: bool,
    ) -> Self {
        let (dropout, continuing_subword_prefix, end_of_word_suffix) = ((), (), ());
        let bytes = unknown.is_some();
        Self {
            dropout,
            unk_token: unknown,
            continuing_subword_prefix,
            end_of_word_suffix,
            fuse_unk: bytes,
            byte_fallback: bytes,
            ignore_merges: whole,
            vocab,
            merges,
        }
    }
}

/// A list of pairs as an object, in its own order.
fn by_id<S: Serializer>(vocab: &[(&str, u32)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(vocab.len()))?;
    for (token, id) in vocab {
        map.serialize_entry(token, id)?;
    }
    map.end()
}

/// The most probable pieces.
#[derive(Serialize)]
pub(super) struct Unigram<'a> {
    pub(super) unk_id: Option<u32>,
    /// Tokens with the logarithms of their probabilities.
    pub(super) vocab: Vec<(&'a str, f64)>,
    pub(super) byte_fallback: bool,
}
