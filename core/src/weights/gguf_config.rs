//! GGUF metadata to the config.json of the same model.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::bounds::{MOST_HEADS, MOST_LAYERS};
use crate::error::{Error, Result};

use crate::tokens::{GGUF, LLAMA3, Mark, Special};

use super::gguf_header::{Header, Meta};
use super::gguf_names::Arch;
use super::gguf_rope;

/// Typed access to the metadata of one architecture.
pub(super) struct Keys<'a> {
    pub(super) file: &'a str,
    pub(super) arch: Arch,
    pub(super) header: &'a Header,
}

impl Keys<'_> {
    fn bad(&self, what: impl std::fmt::Display) -> Error {
        Error::input(format!("{}: {what}", self.file))
            .hint("the metadata is damaged or from an old converter: take a newer conversion of the model")
    }

    fn meta(&self, key: &str) -> Option<&Meta> {
        let value = self.header.metadata.get(&format!("{}.{key}", self.arch.name()))?;
        match value {
            // One value a layer; usable where all are the same.
            Meta::List(list) => match list.split_first() {
                Some((first, rest)) if rest.iter().all(|value| value == first) => Some(first),
                _ => Some(value),
            },
            single => Some(single),
        }
    }

    fn integer(&self, key: &str) -> Result<Option<u64>> {
        match self.meta(key) {
            None => Ok(None),
            Some(&Meta::Integer(value)) if (0..=i128::from(u32::MAX)).contains(&value) => Ok(Some(value as u64)),
            Some(_) => Err(self.bad(format_args!("metadata `{}.{key}` is not one whole number", self.arch.name()))),
        }
    }

    fn float(&self, key: &str) -> Result<Option<f64>> {
        match self.meta(key) {
            None => Ok(None),
            Some(&Meta::Float(value)) if value.is_finite() => Ok(Some(value)),
            Some(&Meta::Integer(value)) => Ok(Some(value as f64)),
            Some(_) => Err(self.bad(format_args!("metadata `{}.{key}` is not one number", self.arch.name()))),
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        match self.meta(key) {
            Some(Meta::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn positive(&self, key: &str) -> Result<u64> {
        match self.integer(key)? {
            Some(value) if value > 0 => Ok(value),
            _ => Err(self.bad(format_args!("metadata `{}.{key}` is missing or zero", self.arch.name()))),
        }
    }

    fn present(&self, tensor: &str) -> bool {
        self.header.tensors.iter().any(|raw| raw.name == tensor)
    }

    /// What the metadata say of BOS and EOS.
    pub(super) fn special(&self) -> Special {
        let meta = |key: &str| self.header.metadata.get(&format!("tokenizer.ggml.{key}"));
        let flag = |key: &str| match meta(key) {
            Some(&Meta::Bool(flag)) => Some(flag),
            _ => None,
        };
        let token = |key: &str| match meta(key) {
            Some(&Meta::Integer(id)) => u32::try_from(id).ok().map(Mark::Id),
            _ => None,
        };
        let is =
            |key: &str, names: &[&str]| matches!(meta(key), Some(Meta::Text(text)) if names.contains(&text.as_str()));
        // These begin with BOS unless the file says otherwise: so llama.cpp.
        let begins = is("model", &["llama"]) || is("pre", &LLAMA3);
        Special {
            from: GGUF,
            add_bos: flag("add_bos_token").or(begins.then_some(true)),
            add_eos: flag("add_eos_token"),
            bos: token("bos_token_id"),
            eos: token("eos_token_id"),
        }
    }

    /// Attention heads, and heads of keys and values.
    pub(super) fn heads(&self) -> Result<(u64, u64)> {
        let heads = self.positive("attention.head_count")?;
        let kv_heads = match self.integer("attention.head_count_kv")? {
            None | Some(0) => heads,
            Some(count) => count,
        };
        if heads > MOST_HEADS as u64 {
            return Err(self.bad(format_args!("{heads} attention heads")));
        }
        if !heads.is_multiple_of(kv_heads) {
            return Err(self.bad(format_args!("{heads} attention heads share {kv_heads} key heads unevenly")));
        }
        Ok((heads, kv_heads))
    }
}

/// The config.json that the checkpoint would have.
pub(super) fn config(keys: &Keys<'_>, tied: bool, divisors: Option<&[f32]>) -> Result<Value> {
    let arch = keys.arch;
    if keys.integer("expert_count")?.unwrap_or(0) > 0 {
        return Err(Error::input(format!("{}: a mixture of experts", keys.file)).hint("take a dense model"));
    }
    let layers = keys.positive("block_count")?;
    if layers > MOST_LAYERS as u64 {
        return Err(keys.bad(format_args!("{layers} layers")));
    }
    let vocabulary = keys.header.tensors.iter().find(|raw| raw.name == "token_embd.weight");
    let &[vocabulary, width] = vocabulary.map(|raw| raw.shape.as_slice()).unwrap_or_default() else {
        return Err(keys.bad("the embedding table `token_embd.weight` is missing or not a matrix"));
    };
    let hidden = keys.positive("embedding_length")?;
    if width as u64 != hidden {
        return Err(keys.bad(format_args!("embeddings of {width} numbers in a model of width {hidden}")));
    }
    let (heads, kv_heads) = keys.heads()?;
    // Sorted, so that the text and its hash never depend on how the JSON library orders keys.
    let mut config: BTreeMap<&str, Value> = BTreeMap::new();
    config.insert("model_type", json!(arch.model_type()));
    config.insert("vocab_size", json!(vocabulary));
    config.insert("tie_word_embeddings", json!(tied));
    for (key, from) in [("bos_token_id", "bos"), ("eos_token_id", "eos")] {
        if let Some(&Meta::Integer(id)) = keys.header.metadata.get(&format!("tokenizer.ggml.{from}_token_id")) {
            config.insert(key, json!(u64::try_from(id).unwrap_or_default()));
        }
    }
    let context = keys.positive("context_length")?;
    if arch == Arch::Gpt2 {
        config.insert("n_embd", json!(hidden));
        config.insert("n_head", json!(heads));
        config.insert("n_layer", json!(layers));
        config.insert("n_ctx", json!(context));
        config.insert("n_positions", json!(context));
        config.insert("n_inner", json!(keys.integer("feed_forward_length")?));
        config.insert("layer_norm_epsilon", json!(keys.float("attention.layer_norm_epsilon")?.unwrap_or(1e-5)));
        config.insert("activation_function", json!("gelu_new"));
        return Ok(object(config));
    }
    let head_dim = keys.integer("attention.key_length")?.filter(|&n| n > 0).unwrap_or(hidden / heads);
    config.insert("hidden_size", json!(hidden));
    config.insert("intermediate_size", json!(keys.positive("feed_forward_length")?));
    config.insert("num_hidden_layers", json!(layers));
    config.insert("num_attention_heads", json!(heads));
    config.insert("num_key_value_heads", json!(kv_heads));
    config.insert("head_dim", json!(head_dim));
    config.insert("max_position_embeddings", json!(context));
    let theta = if arch == Arch::Gemma3 { 1e6 } else { 1e4 };
    let theta = keys.float("rope.freq_base")?.unwrap_or(theta);
    config.insert("rope_theta", json!(theta));
    let rotary = keys.integer("rope.dimension_count")?.unwrap_or(head_dim);
    if arch == Arch::Phi2 || rotary != head_dim {
        config.insert("partial_rotary_factor", json!(rotary as f64 / head_dim as f64));
    }
    config.insert(
        "rope_scaling",
        match divisors {
            Some(divisors) => gguf_rope::scaling(divisors, theta, context).map_err(|what| keys.bad(what))?,
            None => rope_scaling(keys)?,
        },
    );
    config.insert(
        if arch.is_gemma() { "hidden_activation" } else { "hidden_act" },
        json!(match arch {
            Arch::Gemma2 | Arch::Gemma3 => "gelu_pytorch_tanh",
            Arch::Phi2 => "gelu_new",
            _ => "silu",
        }),
    );
    if arch == Arch::Phi2 {
        config.insert("layer_norm_eps", json!(keys.float("attention.layer_norm_epsilon")?.unwrap_or(1e-5)));
    } else {
        let epsilon = keys.float("attention.layer_norm_rms_epsilon")?;
        let epsilon = epsilon.ok_or_else(|| {
            keys.bad(format_args!("metadata `{}.attention.layer_norm_rms_epsilon` is missing", arch.name()))
        })?;
        config.insert("rms_norm_eps", json!(epsilon));
    }
    match arch {
        Arch::Llama => {
            config.insert("attention_bias", json!(keys.present("blk.0.attn_q.bias")));
            config.insert("mlp_bias", json!(keys.present("blk.0.ffn_up.bias")));
        }
        Arch::Gemma2 | Arch::Gemma3 => gemma(keys, &mut config, (layers, hidden / heads, head_dim))?,
        _ => {}
    }
    Ok(object(config))
}

/// What only the Gemma families have; some of it is fixed by the model's size and stored nowhere.
fn gemma(keys: &Keys<'_>, config: &mut BTreeMap<&str, Value>, sizes: (u64, u64, u64)) -> Result<()> {
    let (layers, width_per_head, head_dim) = sizes;
    let second = keys.arch == Arch::Gemma2;
    // The 27B models scale their queries by the width per head instead of the head's own width.
    let largest = if second { 46 } else { 62 };
    config.insert("query_pre_attn_scalar", json!(if layers == largest { width_per_head } else { head_dim }));
    let cap = |key: &str, default: f64| Ok::<_, Error>(keys.float(key)?.or(second.then_some(default)));
    config.insert("attn_logit_softcapping", json!(cap("attn_logit_softcapping", 50.0)?));
    config.insert("final_logit_softcapping", json!(cap("final_logit_softcapping", 30.0)?));
    let window = keys.integer("attention.sliding_window")?.or(second.then_some(4096));
    let window = window.ok_or_else(|| keys.bad("metadata `gemma3.attention.sliding_window` is missing"))?;
    config.insert("sliding_window", json!(window));
    // Every second layer attends to everything in Gemma 2, every sixth in Gemma 3.
    let pattern = if second { 2 } else { 6 };
    let kind = |layer: u64| {
        if (layer + 1).is_multiple_of(pattern) { "full_attention" } else { "sliding_attention" }
    };
    config.insert("layer_types", (0..layers).map(kind).collect());
    if !second {
        config.insert("sliding_window_pattern", json!(pattern));
        config.insert("rope_local_base_freq", json!(keys.float("rope.freq_base_swa")?.unwrap_or(1e4)));
    }
    Ok(())
}

/// The `rope_scaling` entry.
fn rope_scaling(keys: &Keys<'_>) -> Result<Value> {
    let factor = keys.float("rope.scaling.factor")?.or(keys.float("rope.scale_linear")?);
    let kind = keys.text("rope.scaling.type").unwrap_or("linear");
    Ok(match factor {
        Some(factor) if kind != "none" && factor != 1.0 && factor != 0.0 => {
            let original = keys.integer("rope.scaling.original_context_length")?;
            let mut scaling = BTreeMap::from([("rope_type", json!(kind)), ("factor", json!(factor))]);
            if let Some(length) = original {
                scaling.insert("original_max_position_embeddings", json!(length));
            }
            object(scaling)
        }
        _ => Value::Null,
    })
}

fn object(entries: BTreeMap<&str, Value>) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
}
