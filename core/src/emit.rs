//! Scripts that compute a number of Engram's again with PyTorch and transformers alone, and print both: for whoever wants to
//! check it, or to go on from it. Names, token ids and numbers in, Python out.

mod ablation;
mod cell;
mod edit;
mod fact;
mod files;

pub use ablation::{AblationScript, SecondPassScript};
pub use cell::{CellScript, PutBack};
pub use edit::{ChangeFile, EditScript};
pub use fact::FactText;
pub use files::Files;

use crate::protocol::MapSite;
use crate::record::Unit;
use crate::text::{clipped, visible};

/// Most characters of a text that a comment quotes.
const QUOTED: usize = 120;

/// Where transformers finds a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// `model_type` of its config.json.
    pub model_type: &'a str,
    /// A hub id or a folder.
    pub name: &'a str,
    /// Branch, tag or commit.
    pub revision: Option<&'a str>,
    /// A GGUF file in there.
    pub gguf: Option<&'a str>,
    /// What a reader should know of it.
    pub note: Option<&'a str>,
}

impl Source<'_> {
    /// The statement that opens it: f32 and plain attention, as Engram computes.
    fn open(&self) -> String {
        let mut arguments = vec![literal(self.name)];
        arguments.extend(self.revision.map(|revision| format!("revision={}", literal(revision))));
        arguments.extend(self.gguf.map(|file| format!("gguf_file={}", literal(file))));
        let note = self.note.map(|note| format!("# {}\n", quoted(note))).unwrap_or_default();
        format!(
            "{note}model = AutoModelForCausalLM.from_pretrained(\n    {}, dtype=torch.float32, attn_implementation=\"eager\"\n).eval()",
            arguments.join(", ")
        )
    }

    /// Its blocks, the first at 0.
    fn blocks(&self) -> &'static str {
        match self.model_type {
            "gpt2" => "model.transformer.h",
            "gemma3" => "model.model.language_model.layers",
            _ => "model.model.layers",
        }
    }

    /// The module within a block whose output is a site; the block itself has no name.
    fn module(&self, site: MapSite) -> &'static str {
        // Gemma norms what attention and MLP give before it is added to the stream.
        let normed = self.model_type.starts_with("gemma");
        match site {
            MapSite::Residual => "",
            MapSite::Mlp if normed => ".post_feedforward_layernorm",
            MapSite::Mlp => ".mlp",
            MapSite::Attention if normed => ".post_attention_layernorm",
            MapSite::Attention if self.model_type == "gpt2" => ".attn",
            MapSite::Attention => ".self_attn",
        }
    }

    /// The projection within a block that reads the outputs of all heads or neurons.
    fn reader(&self, unit: Unit) -> &'static str {
        match (self.model_type, unit) {
            ("gpt2", Unit::Head) => "attn.c_proj",
            ("gpt2", Unit::Neuron) => "mlp.c_proj",
            ("phi", Unit::Head) => "self_attn.dense",
            ("phi", Unit::Neuron) => "mlp.fc2",
            (_, Unit::Head) => "self_attn.o_proj",
            (_, Unit::Neuron) => "mlp.down_proj",
        }
    }
}

/// A text as a literal of Python: JSON's strings are some.
fn literal(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A text within a comment: on one line, and not longer than a reader can use.
fn quoted(text: &str) -> String {
    visible(&clipped(text, QUOTED))
}

/// A number as it is, to the last bit of f32.
fn number(value: f32) -> String {
    format!("{value:?}")
}

/// Token ids as a list of Python.
fn ids(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    format!("[{}]", ids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_within_their_places() {
        assert_eq!(literal("a \"b\"\n\\"), r#""a \"b\"\n\\""#);
        assert!(!quoted("one\ntwo\u{202e}").contains(['\n', '\u{202e}']));
        assert_eq!((number(1e-9), number(0.25)), ("1e-9".into(), "0.25".into()));
    }

    #[test]
    fn a_model_is_opened_as_it_was() {
        let plain = Source { model_type: "llama", name: "a/b", revision: None, gguf: None, note: None };
        assert!(plain.open().contains("\n    \"a/b\", dtype=torch.float32"));
        let all = Source { revision: Some("v1"), gguf: Some("c.gguf"), note: Some("why"), ..plain }.open();
        assert!(
            all.starts_with("# why\n") && all.contains("\"a/b\", revision=\"v1\", gguf_file=\"c.gguf\", dtype"),
            "{all}"
        );
    }

    /// Where transformers has what is changed; `tests/scripts.rs` of the program runs it.
    #[test]
    fn modules_are_named_as_in_transformers() {
        let named = |model_type: &'static str| {
            let source = Source { model_type, name: "m", revision: None, gguf: None, note: None };
            let sites = [MapSite::Attention, MapSite::Mlp].map(|site| source.module(site));
            (sites, [Unit::Head, Unit::Neuron].map(|unit| source.reader(unit)))
        };
        let usual = ["self_attn.o_proj", "mlp.down_proj"];
        for plain in ["llama", "qwen2"] {
            assert_eq!(named(plain), ([".self_attn", ".mlp"], usual), "{plain}");
        }
        for gemma in ["gemma2", "gemma3_text", "gemma3"] {
            assert_eq!(named(gemma), ([".post_attention_layernorm", ".post_feedforward_layernorm"], usual), "{gemma}");
        }
        assert_eq!(named("phi"), ([".self_attn", ".mlp"], ["self_attn.dense", "mlp.fc2"]));
        assert_eq!(named("gpt2"), ([".attn", ".mlp"], ["attn.c_proj", "mlp.c_proj"]));
    }
}
