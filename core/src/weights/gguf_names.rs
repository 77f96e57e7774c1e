//! GGUF tensor names, layouts and type numbers to those of the Hugging Face checkpoints.

use super::{StoredDtype, View};

/// The architectures whose files can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arch {
    Llama,
    Qwen2,
    Gemma2,
    Gemma3,
    Phi2,
    Gpt2,
}

impl Arch {
    pub(super) const ALL: [Self; 6] = [Self::Llama, Self::Qwen2, Self::Gemma2, Self::Gemma3, Self::Phi2, Self::Gpt2];

    /// The value of `general.architecture`, which is also the prefix of the metadata keys.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Gemma2 => "gemma2",
            Self::Gemma3 => "gemma3",
            Self::Phi2 => "phi2",
            Self::Gpt2 => "gpt2",
        }
    }

    /// The `model_type` of config.json.
    pub(super) fn model_type(self) -> &'static str {
        match self {
            Self::Gemma3 => "gemma3_text",
            Self::Phi2 => "phi",
            same => same.name(),
        }
    }

    pub(super) fn is_gemma(self) -> bool {
        matches!(self, Self::Gemma2 | Self::Gemma3)
    }

    /// Whether q, k and v are one tensor in the file and three in the checkpoint.
    pub(super) fn splits(self, name: &str) -> bool {
        self == Self::Phi2 && name.contains(".attn_qkv.")
    }

    /// The checkpoint's name; names that no rule knows (`rope_freqs.weight`) stay as they are.
    pub(super) fn hf_name(self, name: &str) -> String {
        let known = || {
            let (stem, suffix) = name.rsplit_once('.')?;
            let Some(block) = stem.strip_prefix("blk.") else {
                return Some(format!("{}.{suffix}", self.outer(stem)?));
            };
            let (layer, stem) = block.split_once('.')?;
            let layers = if self == Self::Gpt2 { "transformer.h" } else { "model.layers" };
            Some(format!("{layers}.{layer}.{}.{suffix}", self.inner(stem)?))
        };
        known().unwrap_or_else(|| name.to_owned())
    }

    /// Names outside the blocks.
    fn outer(self, stem: &str) -> Option<&'static str> {
        Some(match (stem, self) {
            ("token_embd", Self::Gpt2) => "transformer.wte",
            ("token_embd", _) => "model.embed_tokens",
            ("position_embd", Self::Gpt2) => "transformer.wpe",
            ("output_norm", Self::Gpt2) => "transformer.ln_f",
            ("output_norm", Self::Phi2) => "model.final_layernorm",
            ("output_norm", _) => "model.norm",
            ("output", _) => "lm_head",
            _ => return None,
        })
    }

    /// Names inside a block.
    fn inner(self, stem: &str) -> Option<&'static str> {
        Some(match (stem, self) {
            ("attn_norm", Self::Gpt2) => "ln_1",
            ("ffn_norm", Self::Gpt2) => "ln_2",
            ("attn_qkv", Self::Gpt2) => "attn.c_attn",
            ("attn_output", Self::Gpt2) => "attn.c_proj",
            ("ffn_up", Self::Gpt2) => "mlp.c_fc",
            ("ffn_down", Self::Gpt2) => "mlp.c_proj",
            ("attn_output", Self::Phi2) => "self_attn.dense",
            ("ffn_up", Self::Phi2) => "mlp.fc1",
            ("ffn_down", Self::Phi2) => "mlp.fc2",
            ("attn_norm", _) => "input_layernorm",
            ("attn_q", _) => "self_attn.q_proj",
            ("attn_k", _) => "self_attn.k_proj",
            ("attn_v", _) => "self_attn.v_proj",
            ("attn_q_norm", _) => "self_attn.q_norm",
            ("attn_k_norm", _) => "self_attn.k_norm",
            ("attn_output", _) => "self_attn.o_proj",
            ("post_attention_norm", _) => "post_attention_layernorm",
            ("ffn_norm", Self::Gemma2 | Self::Gemma3) => "pre_feedforward_layernorm",
            ("post_ffw_norm", _) => "post_feedforward_layernorm",
            ("ffn_norm", _) => "post_attention_layernorm",
            ("ffn_gate", _) => "mlp.gate_proj",
            ("ffn_up", _) => "mlp.up_proj",
            ("ffn_down", _) => "mlp.down_proj",
            _ => return None,
        })
    }

    /// What the converter did to the values, to be undone.
    pub(super) fn view(self, name: &str, heads: usize, kv_heads: usize) -> View {
        let block = |stems: &[&str]| stems.iter().any(|stem| name.contains(&format!(".{stem}.")));
        match self {
            Self::Llama if block(&["attn_q"]) => View::Interleaved(heads),
            Self::Llama if block(&["attn_k"]) => View::Interleaved(kv_heads),
            Self::Gemma2 | Self::Gemma3 if name.ends_with("norm.weight") => View::Minus(1.0),
            Self::Gpt2 if name.ends_with(".weight") && block(&["attn_qkv", "attn_output", "ffn_up", "ffn_down"]) => {
                View::Transposed
            }
            _ => View::Plain,
        }
    }
}

/// The format of a GGUF type number, where it can be read.
pub(super) fn dtype(kind: u32) -> Option<StoredDtype> {
    Some(match kind {
        0 => StoredDtype::F32,
        1 => StoredDtype::F16,
        2 => StoredDtype::Q4_0,
        3 => StoredDtype::Q4_1,
        6 => StoredDtype::Q5_0,
        7 => StoredDtype::Q5_1,
        8 => StoredDtype::Q8_0,
        12 => StoredDtype::Q4K,
        13 => StoredDtype::Q5K,
        14 => StoredDtype::Q6K,
        30 => StoredDtype::BF16,
        _ => return None,
    })
}

/// Names of types that cannot be read, for the message.
pub(super) const TYPE_NAMES: [(u32, &str); 22] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
];
