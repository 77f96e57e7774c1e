//! BOS and EOS: what a model's files say beside tokenizer.json, and who has the last word (METHODS, section 1).

use crate::error::{Error, Result};
use crate::text::told;
use serde_json::{Value, json};

/// What files beside tokenizer.json say of BOS and EOS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Special {
    /// Where it was read, for people.
    pub from: &'static str,
    /// A prompt begins with BOS. `None` where nothing is said.
    pub add_bos: Option<bool>,
    /// A text ends with EOS. `None` where nothing is said.
    pub add_eos: Option<bool>,
    /// BOS.
    pub bos: Option<Mark>,
    /// EOS.
    pub eos: Option<Mark>,
}

/// A token as files name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// By its text.
    Text(String),
    /// By its id.
    Id(u32),
}

/// `tokenizer_class` (its beginning), and the BOS and EOS that transformers gives it where the file names none.
const CLASSES: [(&str, Option<&str>, &str); 6] = [
    ("LlamaTokenizer", Some("<s>"), "</s>"),
    ("CodeLlamaTokenizer", Some("<s>"), "</s>"),
    ("GemmaTokenizer", Some("<bos>"), "<eos>"),
    ("GPT2Tokenizer", Some("<|endoftext|>"), "<|endoftext|>"),
    ("CodeGenTokenizer", Some("<|endoftext|>"), "<|endoftext|>"),
    ("Qwen2Tokenizer", None, "<|endoftext|>"),
];

impl Special {
    /// From a `tokenizer_config.json`.
    ///
    /// # Errors
    /// When one of the four keys is not what it should be.
    pub fn of_config(config: &Value) -> Result<Self> {
        let wrong = |key: &str, wanted: &str| {
            Error::input(format!("tokenizer_config.json: `{key}` should be {wanted}"))
                .hint("take tokenizer_config.json from the model's own repository")
        };
        let flag = |key: &str| match config.get(key) {
            None => Ok(None),
            // Said, and not true.
            Some(Value::Null) => Ok(Some(false)),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong(key, "true or false")),
        };
        let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
        let own = CLASSES.iter().find(|(name, ..)| class.starts_with(name));
        let token = |key: &str, absent: Option<&str>| match config.get(key) {
            None => Ok(absent.map(|text| Mark::Text(text.to_owned()))),
            Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(Mark::Text(text.clone()))),
            Some(found) => match found.get("content").and_then(Value::as_str) {
                Some(text) => Ok(Some(Mark::Text(text.to_owned()))),
                None => Err(wrong(key, "a token's text")),
            },
        };
        Ok(Self {
            from: "tokenizer_config.json",
            add_bos: flag("add_bos_token")?,
            add_eos: flag("add_eos_token")?,
            bos: token("bos_token", own.and_then(|(_, bos, _)| *bos))?,
            eos: token("eos_token", own.map(|(.., eos)| *eos))?,
        })
    }

    /// Something is said of whether tokens are added.
    pub fn decides(&self) -> bool {
        self.add_bos.is_some() || self.add_eos.is_some()
    }

    /// This, unless it says nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.decides() || !other.decides() { self } else { other }
    }
}

/// What is put around a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Tokens before it.
    pub(super) before: Vec<u32>,
    /// Tokens after it. A prompt is left without them: it goes on.
    pub(super) after: Vec<u32>,
    /// Where this was read.
    pub(super) from: &'static str,
    /// Some of it is not the tokenizer's own.
    pub(super) added: bool,
}

impl Around {
    /// What the post-processor of tokenizer.json does stays, as in transformers 5; the other files can only add what it
    /// leaves out, as the fast tokenizers of transformers 4 did and as GGUF readers do.
    ///
    /// # Errors
    /// When a token is wanted that tokenizer.json does not have.
    pub(super) fn new(said: &Special, own: Self, id_of: impl Fn(&str) -> Option<u32>) -> Result<Self> {
        let find = |wanted: Option<bool>, mark: &Option<Mark>| -> Result<Vec<u32>> {
            match (wanted, mark) {
                (Some(true), Some(Mark::Id(id))) => Ok(vec![*id]),
                (Some(true), Some(Mark::Text(text))) => match id_of(text) {
                    Some(id) => Ok(vec![id]),
                    None => Err(Error::input(format!(
                        "{} wants the token {:?}, which tokenizer.json does not have",
                        said.from,
                        told(text)
                    ))
                    .hint("take both files from the model's own repository")),
                },
                _ => Ok(Vec::new()),
            }
        };
        let more = |own: Vec<u32>, wanted: Option<bool>, mark: &Option<Mark>| {
            if own.is_empty() { find(wanted, mark) } else { Ok(own) }
        };
        let (had_bos, had_eos) = (!own.before.is_empty(), !own.after.is_empty());
        let before = more(own.before, said.add_bos, &said.bos)?;
        let after = more(own.after, said.add_eos, &said.eos)?;
        let added = (!had_bos && !before.is_empty()) || (!had_eos && !after.is_empty());
        Ok(Self { before, after, from: if added { said.from } else { own.from }, added })
    }
}

/// Gives a tokenizer.json a post-processor that puts these tokens before a text, after what it has done so far.
pub(super) fn with_before(file: &mut Value, tokens: &[(u32, String)]) {
    let special = |name: &String| json!({"SpecialToken": {"id": name, "type_id": 0}});
    let sequence = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    let names: Vec<Value> = tokens.iter().map(|(_, name)| special(name)).collect();
    let entry = |(id, name): &(u32, String)| (name.clone(), json!({"id": name, "ids": [id], "tokens": [name]}));
    let entries: serde_json::Map<String, Value> = tokens.iter().map(entry).collect();
    let single = [names.as_slice(), &[sequence("A")]].concat();
    let pair = [single.as_slice(), names.as_slice(), &[sequence("B")]].concat();
    let template = json!({
        "type": "TemplateProcessing",
        "single": single,
        "pair": pair,
        "special_tokens": entries,
    });
    let own = file["post_processor"].take();
    file["post_processor"] = match own.is_null() {
        true => template,
        false => json!({"type": "Sequence", "processors": [own, template]}),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_read() {
        let said = |config: Value| Special::of_config(&config).expect("a config");
        assert!(!said(json!({"bos_token": "<s>"})).decides());
        let one = said(json!({"add_bos_token": true, "bos_token": {"content": "<s>"}, "eos_token": null}));
        assert_eq!((one.add_bos, one.add_eos, one.eos), (Some(true), None, None));
        assert_eq!(one.bos, Some(Mark::Text("<s>".into())));
        let class = said(json!({"add_bos_token": true, "tokenizer_class": "GemmaTokenizerFast"}));
        assert_eq!(class.bos, Some(Mark::Text("<bos>".into())));
        assert_eq!(said(json!({"add_bos_token": null})).add_bos, Some(false));
        for wrong in [json!({"add_bos_token": "yes"}), json!({"bos_token": 3})] {
            assert!(Special::of_config(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn who_has_the_last_word() {
        let own = || Around { before: vec![1], after: vec![2], from: "tokenizer.json", added: false };
        let id_of = |text: &str| (text == "<s>").then_some(1);
        let around = |config: Value| Around::new(&Special::of_config(&config).expect("a config"), own(), id_of);
        assert_eq!(around(json!({})).ok(), Some(own()));
        assert_eq!(around(json!({"add_bos_token": false})).ok(), Some(own()), "what is there stays");
        let bare =
            |config: Value| Around::new(&Special::of_config(&config).expect("a config"), Around::default(), id_of);
        let added = bare(json!({"add_bos_token": true, "bos_token": "<s>"})).expect("BOS");
        assert_eq!((added.before.as_slice(), added.from), (&[1][..], "tokenizer_config.json"));
        assert!(bare(json!({"add_bos_token": false, "bos_token": "<s>"})).is_ok_and(|none| none.before.is_empty()));
        let error = bare(json!({"add_bos_token": true, "bos_token": "<x>"})).expect_err("no such token");
        assert!(error.message().contains("<x>"), "{error}");
        let silent = Special::of_config(&json!({"bos_token": "<s>"})).expect("a config");
        let gguf = Special { from: "gguf", add_bos: Some(true), ..Special::default() };
        assert_eq!(silent.or(gguf.clone()), gguf);
    }
}
