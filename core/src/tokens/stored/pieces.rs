//! SentencePiece: BPE whose merges are found from the scores, and unigram.

use super::parts::{Bpe, Model, Unigram};
use super::{Kind, Stored, bad, pair};
use crate::error::Result;
use serde_json::{Value, json};
use std::collections::HashMap;

/// A space, as pieces spell it.
const SPACE: &str = "\u{2581}";
/// Longer pieces than any vocabulary has: finding how one is made takes the square of its length.
const LONGEST: usize = 256;
/// More merges than any vocabulary has.
const MOST_MERGES: usize = 4 << 20;

impl Stored {
    /// Declared pieces are stored with spaces, and meant with what stands for a space in all others.
    pub(super) fn respell(&mut self) {
        for (token, kind) in self.tokens.iter_mut().zip(&self.kinds) {
            if *kind == Kind::Declared && token.contains(' ') {
                *token = token.replace(' ', SPACE);
            }
        }
    }

    pub(super) fn sentencepiece(&self) -> Result<Vec<u8>> {
        if self.scores.len() != self.tokens.len() || self.scores.iter().any(|score| score.is_nan()) {
            return Err(bad("the metadata do not give every token a score"));
        }
        if self.model == "t5" {
            return self.unigram();
        }
        let model = match self.is_ranked()? {
            true => self.pairs()?,
            false => self.weighed(true)?,
        };
        let prefix = self.space_prefix.unwrap_or(true);
        let spaces = json!({"content": SPACE, "pattern": {"String": " "}, "type": "Replace"});
        let normalizer = match prefix {
            true => json!({"normalizers": [{"prepend": SPACE, "type": "Prepend"}, spaces], "type": "Sequence"}),
            false => spaces,
        };
        self.file(normalizer, Value::Null, decoder(prefix), model)
    }

    /// Whether scores count the order in which pieces were learnt, as BPE's do, and are not logarithms of probabilities,
    /// as those of unigram are.
    fn is_ranked(&self) -> Result<bool> {
        let learnt: Vec<f32> = (self.tokens.iter().zip(&self.kinds).zip(&self.scores))
            .filter(|((token, kind), _)| **kind == Kind::Normal && token.chars().nth(1).is_some())
            .map(|(_, &score)| score)
            .collect();
        match learnt.split_first() {
            Some((first, rest)) if !rest.is_empty() && rest.iter().all(|score| score == first) => {
                Err(bad("all tokens have the same score, so the order of merges is not stored"))
            }
            _ => Ok(learnt.iter().all(|score| score.fract() == 0.0)),
        }
    }

    /// BPE.
    fn pairs(&self) -> Result<Model<'_>> {
        let vocab = self.vocabulary()?;
        let merges: Vec<(&str, &str)> = match self.merges.as_slice() {
            [] => self.derived(&vocab)?,
            stored => stored.iter().map(|merge| pair(merge)).collect::<Result<_>>()?,
        };
        self.check(&merges, &vocab)?;
        let unknown = self.unknown_token().ok_or_else(|| bad("the metadata name no unknown token"))?;
        let unknown = self.tokens[unknown as usize].as_str();
        Ok(Model::Bpe(Bpe::new(vocab, merges, Some(unknown), false)))
    }

    /// The token that stands for what cannot be spelled. Some converters mark it as a control token and do not name it.
    fn unknown_token(&self) -> Option<u32> {
        let marked = || self.kinds.iter().position(|kind| *kind == Kind::Unknown);
        let named = || self.tokens.iter().position(|token| token == "<unk>");
        let stored = self.unknown.map(|id| id as usize).filter(|&id| id < self.tokens.len());
        stored.or_else(marked).or_else(named).and_then(|id| u32::try_from(id).ok())
    }

    /// The merges that scores imply: every pair of tokens that makes a token, the best token first; of pairs that are
    /// equal in that, the one with the longer left part, then right part, then that of smaller ids. This is how
    /// transformers makes the tokenizer.json of such a model.
    fn derived<'a>(&'a self, vocab: &[(&'a str, u32)]) -> Result<Vec<(&'a str, &'a str)>> {
        struct Merge<'a> {
            pair: (&'a str, &'a str),
            score: f32,
            /// Characters of both parts.
            long: (usize, usize),
        }
        let ids: HashMap<&str, u32> = vocab.iter().copied().collect();
        let mut merges: Vec<Merge<'_>> = Vec::new();
        let mut found: Vec<((u32, u32), Merge<'_>)> = Vec::new();
        for &(token, id) in vocab {
            if token.len() > LONGEST {
                return Err(bad(format!("the token {id} has {} bytes", token.len())));
            }
            let score = match self.kinds[id as usize] {
                // Their stored scores are the converter's; SentencePiece's own are 0.
                Kind::Declared | Kind::Control => 0.0,
                _ => self.scores[id as usize],
            };
            let all = token.chars().count();
            for (before, (at, _)) in token.char_indices().enumerate().skip(1) {
                let (left, right) = token.split_at(at);
                if let (Some(&first), Some(&second)) = (ids.get(left), ids.get(right)) {
                    let merge = Merge { pair: (left, right), score, long: (before, all - before) };
                    found.push(((first, second), merge));
                }
            }
            found.sort_by_key(|(ids, _)| *ids);
            merges.extend(found.drain(..).map(|(_, merge)| merge));
            if merges.len() > MOST_MERGES {
                return Err(bad(format!("the tokens can be made by more than {MOST_MERGES} merges")));
            }
        }
        // Equal ones stay in the order of their tokens' ids. -0 is 0.
        merges.sort_by(|a, b| (b.score + 0.0).total_cmp(&(a.score + 0.0)).then(b.long.cmp(&a.long)));
        Ok(merges.into_iter().map(|merge| merge.pair).collect())
    }

    /// Unigram. `bytes`: those of a character that has no piece stand for it.
    fn weighed(&self, bytes: bool) -> Result<Model<'_>> {
        // Ids are places in the list, so what fills the table up stays; it must not lower the least score, which decides
        // about the unknown.
        let learnt = |kind: Kind| matches!(kind, Kind::Normal | Kind::Byte);
        let scores = self.kinds.iter().zip(&self.scores);
        let least = scores.filter(|(kind, _)| learnt(**kind)).map(|(_, score)| *score).fold(0.0, f32::min);
        let score = |kind: Kind, score: f32| match kind {
            _ if learnt(kind) => f64::from(score),
            Kind::Unused => f64::from(least),
            _ => 0.0,
        };
        let end = self.kinds.iter().rposition(|kind| *kind != Kind::Unused).map_or(0, |last| last + 1);
        let all = self.tokens[..end].iter().zip(&self.kinds).zip(&self.scores);
        let vocab: Vec<_> = all.map(|((token, &kind), &stored)| (token.as_str(), score(kind, stored))).collect();
        if vocab.iter().any(|(_, score)| !score.is_finite()) {
            return Err(bad("a token has a score that is not finite"));
        }
        let unk_id = self.unknown_token().filter(|&id| (id as usize) < vocab.len());
        Ok(Model::Unigram(Unigram { unk_id, vocab, byte_fallback: bytes }))
    }

    /// Unigram as T5 has it.
    fn unigram(&self) -> Result<Vec<u8>> {
        use base64::Engine as _;
        let charsmap = self.charsmap.as_deref().map(|map| {
            let text = base64::engine::general_purpose::STANDARD.encode(map);
            json!({"precompiled_charsmap": text, "type": "Precompiled"})
        });
        let end = json!({"strip_left": false, "strip_right": true, "type": "Strip"});
        let runs = json!({"content": SPACE, "pattern": {"Regex": " {2,}"}, "type": "Replace"});
        let steps: Vec<Value> = charsmap.into_iter().chain([end, runs]).collect();
        let prepend = if self.space_prefix.unwrap_or(true) { "always" } else { "never" };
        let metaspace = json!({"prepend_scheme": prepend, "replacement": SPACE, "split": true, "type": "Metaspace"});
        let model = self.weighed(false)?;
        self.file(json!({"normalizers": steps, "type": "Sequence"}), metaspace.clone(), metaspace, model)
    }
}

/// Spaces and bytes back; `prefix`: without the space that texts begin with.
fn decoder(prefix: bool) -> Value {
    let mut steps = vec![
        json!({"content": " ", "pattern": {"String": SPACE}, "type": "Replace"}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        steps.push(json!({"content": " ", "start": 1, "stop": 0, "type": "Strip"}));
    }
    json!({"decoders": steps, "type": "Sequence"})
}
