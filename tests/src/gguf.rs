//! A GGUF file that holds a tokenizer and hardly more, from a tokenizer.json, as llama.cpp's converter writes it. The
//! fixtures of this kind are written by the gguf package instead (reference/gguf_tokenizers.py).

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Metadata and one tensor of zeros.
struct Writer {
    bytes: Vec<u8>,
    values: u64,
}

impl Writer {
    fn text(&mut self, text: &str) {
        self.bytes.extend((text.len() as u64).to_le_bytes());
        self.bytes.extend(text.as_bytes());
    }

    fn key(&mut self, key: &str, kind: u32) {
        self.text(key);
        self.bytes.extend(kind.to_le_bytes());
        self.values += 1;
    }

    fn string(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        self.text(value);
    }

    fn number(&mut self, key: &str, value: u32) {
        self.key(key, 4);
        self.bytes.extend(value.to_le_bytes());
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.key(key, 7);
        self.bytes.push(u8::from(value));
    }

    fn list(&mut self, key: &str, kind: u32, count: usize) {
        self.key(key, 9);
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend((count as u64).to_le_bytes());
    }
}

/// What the converter takes for special by its looks.
fn looks_special(token: &str) -> bool {
    let around = |start: &str, end: &str| token.starts_with(start) && token.ends_with(end);
    matches!(token, "<pad>" | "<mask>" | "<2mass>" | "[@BOS@]") || around("<|", "|>") || around("<unused", ">")
}

/// The file. `pre`: the byte-level pre-tokenizer; without one it is a SentencePiece vocabulary.
pub fn of_tokenizer(file: &Value, arch: &str, pre: Option<&str>) -> Vec<u8> {
    let model = &file["model"];
    let id = |value: &Value| value.as_u64().expect("an id") as usize;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let vocab = model["vocab"].as_object().expect("a vocabulary");
    let mut tokens: BTreeMap<usize, String> = vocab.iter().map(|(token, at)| (id(at), token.clone())).collect();
    let list = file["added_tokens"].as_array().expect("added tokens");
    let added: BTreeMap<usize, &Value> = list.iter().map(|token| (id(&token["id"]), token)).collect();
    tokens.extend(added.iter().map(|(&at, token)| (at, text(&token["content"]))));
    let merges: Vec<(String, String)> = (model["merges"].as_array().expect("merges").iter())
        .map(|merge| match merge {
            Value::String(pair) => pair.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a pair"),
            pair => (text(&pair[0]), text(&pair[1])),
        })
        .collect();
    // SentencePiece counts learnt pieces from 0 down, in the order in which they first appear as what a merge makes.
    let mut ranks: BTreeMap<String, usize> = BTreeMap::new();
    for (left, right) in &merges {
        let (made, next) = ([left.as_str(), right].concat(), ranks.len());
        if !added.values().any(|token| token["content"] == made.as_str()) {
            ranks.entry(made).or_insert(next);
        }
    }
    let size = tokens.keys().max().expect("tokens") + 9;
    let mut rows = Vec::new();
    for at in 0..size {
        let Some(token) = tokens.get(&at) else {
            rows.push((format!("[PAD{at}]"), 5u32, -10000.0f32));
            continue;
        };
        rows.push(match added.get(&at) {
            Some(flags) if flags["special"] == true || looks_special(token) => (token.clone(), 3, -1000.0),
            Some(_) => (token.replace('\u{2581}', " "), 4, -1000.0),
            None if pre.is_none() && token.len() == 6 && token.starts_with("<0x") => (token.clone(), 6, 0.0),
            None => (token.clone(), 1, -(*ranks.get(token).unwrap_or(&(ranks.len() + at)) as f32)),
        });
    }
    let distinct: BTreeSet<&str> = rows.iter().map(|(token, ..)| token.as_str()).collect();
    assert_eq!(distinct.len(), rows.len(), "tokens occur twice");

    let mut out = Writer { bytes: Vec::new(), values: 0 };
    out.string("general.architecture", arch);
    for key in
        ["block_count", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv"]
    {
        out.number(&format!("{arch}.{key}"), 1);
    }
    out.number(&format!("{arch}.context_length"), 64);
    out.number(&format!("{arch}.attention.sliding_window"), 64);
    out.key(&format!("{arch}.attention.layer_norm_rms_epsilon"), 6);
    out.bytes.extend(1e-5f32.to_le_bytes());
    out.string("tokenizer.ggml.model", if pre.is_some() { "gpt2" } else { "llama" });
    out.string("tokenizer.ggml.pre", pre.unwrap_or("default"));
    out.list("tokenizer.ggml.tokens", 8, size);
    rows.iter().for_each(|(token, ..)| out.text(token));
    out.list("tokenizer.ggml.token_type", 5, size);
    rows.iter().for_each(|(_, kind, _)| out.bytes.extend(kind.to_le_bytes()));
    if pre.is_some() {
        out.list("tokenizer.ggml.merges", 8, merges.len());
        merges.iter().for_each(|(left, right)| out.text(&format!("{left} {right}")));
    } else {
        out.list("tokenizer.ggml.scores", 6, size);
        rows.iter().for_each(|(.., score)| out.bytes.extend(score.to_le_bytes()));
        let unknown = tokens.iter().find(|(_, token)| *token == "<unk>").expect("an unknown token");
        out.number("tokenizer.ggml.unknown_token_id", *unknown.0 as u32);
        out.flag("tokenizer.ggml.add_space_prefix", file["normalizer"]["type"] == "Sequence");
    }
    let template = file["post_processor"].as_object().and_then(|post| match post.get("processors") {
        Some(several) => several.as_array()?.iter().find(|one| one["type"] == "TemplateProcessing"),
        None => Some(&file["post_processor"]).filter(|one| one["type"] == "TemplateProcessing"),
    });
    if let Some(bos) = template.and_then(|template| template["single"][0]["SpecialToken"]["id"].as_str()) {
        let at = tokens.iter().find(|(_, token)| *token == bos).expect("BOS is a token");
        out.number("tokenizer.ggml.bos_token_id", *at.0 as u32);
        out.flag("tokenizer.ggml.add_bos_token", true);
    }
    finish(&out, size)
}

/// Header, metadata, and an embedding of one number a token.
fn finish(metadata: &Writer, size: usize) -> Vec<u8> {
    let mut out = Writer { bytes: b"GGUF".to_vec(), values: 0 };
    out.bytes.extend(3u32.to_le_bytes());
    out.bytes.extend([1, metadata.values].iter().flat_map(|count| count.to_le_bytes()));
    out.bytes.extend(&metadata.bytes);
    out.text("token_embd.weight");
    out.bytes.extend(2u32.to_le_bytes());
    out.bytes.extend([1, size as u64].iter().flat_map(|dimension| dimension.to_le_bytes()));
    out.bytes.extend(0u32.to_le_bytes());
    out.bytes.extend(0u64.to_le_bytes());
    let data = out.bytes.len().next_multiple_of(32) + 4 * size;
    out.bytes.resize(data, 0);
    out.bytes
}
