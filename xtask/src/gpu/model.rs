//! A Llama of a real size with random weights in f16. The numbers mean nothing; the time they take does.

use anyhow::{Context, Result};
use half::f16;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Sizes of a published model.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) layers: usize,
    width: usize,
    ff: usize,
    heads: usize,
    kv: usize,
    dim: usize,
    vocab: usize,
    tied: bool,
}

pub(super) const SHAPES: [Shape; 4] = [
    Shape { name: "smollm2", layers: 30, width: 576, ff: 1536, heads: 9, kv: 3, dim: 64, vocab: 49152, tied: true },
    Shape {
        name: "llama-1b",
        layers: 16,
        width: 2048,
        ff: 8192,
        heads: 32,
        kv: 8,
        dim: 64,
        vocab: 128_256,
        tied: true,
    },
    Shape {
        name: "llama-3b",
        layers: 28,
        width: 3072,
        ff: 8192,
        heads: 24,
        kv: 8,
        dim: 128,
        vocab: 128_256,
        tied: true,
    },
    Shape {
        name: "llama-8b",
        layers: 32,
        width: 4096,
        ff: 14336,
        heads: 32,
        kv: 8,
        dim: 128,
        vocab: 128_256,
        tied: false,
    },
];

/// Inputs and outputs of its larger products.
pub(super) fn products(shape: &Shape) -> [[usize; 2]; 3] {
    let &Shape { width, ff, heads, dim, .. } = shape;
    [[width, heads * dim], [width, ff], [ff, width]]
}

/// Writes config.json, model.safetensors and a bundled model's tokenizer, which is never asked for a word.
pub(super) fn write(shape: &Shape, folder: &Path) -> Result<()> {
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "max_position_embeddings": 2048, "vocab_size": shape.vocab, "hidden_size": shape.width,
        "intermediate_size": shape.ff, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv, "head_dim": shape.dim, "tie_word_embeddings": shape.tied,
        "bos_token_id": 0, "eos_token_id": 0,
    });
    std::fs::write(folder.join("config.json"), config.to_string())?;
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        let from = Path::new("core/bundled/models/engram-llama").join(name);
        std::fs::copy(&from, folder.join(name)).with_context(|| from.display().to_string())?;
    }
    weights(shape, &folder.join("model.safetensors"))
}

/// Names, shapes, and whether it is a norm.
fn tensors(shape: &Shape) -> Vec<(String, Vec<usize>)> {
    let &Shape { layers, width, ff, heads, kv, dim, vocab, tied, .. } = shape;
    let mut all = vec![("model.embed_tokens.weight".to_owned(), vec![vocab, width])];
    for layer in 0..layers {
        let mut put =
            |name: &str, shape: &[usize]| all.push((format!("model.layers.{layer}.{name}.weight"), shape.to_vec()));
        put("self_attn.q_proj", &[heads * dim, width]);
        put("self_attn.k_proj", &[kv * dim, width]);
        put("self_attn.v_proj", &[kv * dim, width]);
        put("self_attn.o_proj", &[width, heads * dim]);
        put("mlp.gate_proj", &[ff, width]);
        put("mlp.up_proj", &[ff, width]);
        put("mlp.down_proj", &[width, ff]);
        put("input_layernorm", &[width]);
        put("post_attention_layernorm", &[width]);
    }
    all.push(("model.norm.weight".into(), vec![width]));
    if !tied {
        all.push(("lm_head.weight".into(), vec![vocab, width]));
    }
    all
}

/// A safetensors file, written as it is made up: a library would want all of it in memory.
fn weights(shape: &Shape, path: &Path) -> Result<()> {
    let tensors = tensors(shape);
    let (mut header, mut end) = (Map::new(), 0);
    for (name, shape) in &tensors {
        let start = end;
        end += 2 * shape.iter().product::<usize>();
        header.insert(name.clone(), json!({ "dtype": "F16", "shape": shape, "data_offsets": [start, end] }));
    }
    let mut header = Value::Object(header).to_string();
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).with_context(|| path.display().to_string())?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Evenly between plus and minus the square root of 3 times the usual deviation.
    let mut next = |scale: f32| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f16::from_f32(((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0) * scale).to_le_bytes()
    };
    for (name, shape) in &tensors {
        let count: usize = shape.iter().product();
        for _ in 0..count {
            let number = match shape.len() {
                // The last norm makes predictions sharp, as those of a trained model are.
                1 if name == "model.norm.weight" => f16::from_f32(4.0).to_le_bytes(),
                1 => f16::ONE.to_le_bytes(),
                _ => next(0.035),
            };
            file.write_all(&number)?;
        }
    }
    Ok(file.flush()?)
}
