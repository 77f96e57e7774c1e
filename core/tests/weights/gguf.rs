//! GGUF files: every block format, and headers that are damaged.

use engram_core::tokens::Mark;
use engram_core::weights::{Checkpoint, StoredDtype};
use serde_json::json;

use crate::build::{Gguf, Value, counted, open, refused};

const VECTORS: &[u8] = include_bytes!("vectors.gguf");

fn model(file: &Gguf) -> Checkpoint {
    open(&[("model.gguf", file.bytes())]).unwrap()
}

fn read(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    pollster::block_on(checkpoint.read_f32(name)).unwrap()
}

#[test]
fn every_format_equals_the_reference_bit_for_bit() {
    let model = open(&[("vectors.gguf", VECTORS.to_vec())]).unwrap();
    for dtype in StoredDtype::ALL {
        let name = format!("{}.stored", dtype.name());
        assert_eq!((model.tensors()[&name].dtype, model.tensors()[&name].shape.as_slice()), (dtype, &[2, 256][..]));
        let values = read(&model, &name);
        let expected = read(&model, &format!("{}.expected", dtype.name()));
        let differing = values.iter().zip(&expected).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differing, None, "{}", dtype.name());
        let second = pollster::block_on(model.read_rows_f32(&name, 1..2)).unwrap();
        assert_eq!(second, values[256..], "{}", dtype.name());
    }
}

/// The smallest llama: only what the test looks at.
fn llama() -> Gguf {
    let mut file = Gguf::new("llama");
    file.count_up("token_embd.weight", &[4, 8]).count_up("blk.0.attn_q.weight", &[8, 8]);
    file.count_up("blk.0.attn_k.weight", &[4, 8]).count_up("blk.0.attn_q.bias", &[8]);
    file.count_up("blk.1.ffn_down.weight", &[8, 16]).count_up("blk.1.attn_norm.weight", &[8]);
    file
}

#[test]
fn llama_rows_are_put_back_in_order() {
    let model = model(&llama());
    let q = read(&model, "model.layers.0.self_attn.q_proj.weight");
    let first: Vec<_> = q.chunks(8).map(|row| (row[0] / 8.0) as usize).collect();
    assert_eq!(first, [0, 2, 1, 3, 4, 6, 5, 7]);
    let k = read(&model, "model.layers.0.self_attn.k_proj.weight");
    assert_eq!(k.chunks(8).map(|row| (row[0] / 8.0) as usize).collect::<Vec<_>>(), [0, 2, 1, 3]);
    assert_eq!(read(&model, "model.layers.0.self_attn.q_proj.bias"), [0., 2., 1., 3., 4., 6., 5., 7.]);
    assert_eq!(read(&model, "model.layers.1.input_layernorm.weight"), counted(8));
    for start in 0..=8 {
        for end in start..=8 {
            let name = "model.layers.0.self_attn.q_proj.weight";
            let rows = pollster::block_on(model.read_rows_f32(name, start..end)).unwrap();
            assert_eq!(rows, q[start * 8..end * 8]);
        }
    }
}

#[test]
fn metadata_becomes_a_config() {
    let mut file = llama();
    file.value("llama.rope.freq_base", &Value::F32(1e5)).value("tokenizer.ggml.bos_token_id", &Value::U32(1));
    file.value("tokenizer.ggml.tokens", &Value::Texts(&["a"; 5000]));
    let plain = model(&file);
    assert_eq!(
        *plain.config(),
        json!({
            "model_type": "llama", "vocab_size": 4, "tie_word_embeddings": true, "bos_token_id": 1,
            "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 4, "max_position_embeddings": 64, "rope_theta": 1e5,
            "rope_scaling": null, "hidden_act": "silu", "rms_norm_eps": 1e-5, "attention_bias": true,
            "mlp_bias": false,
        })
    );
    assert_eq!(plain.config_sha256(), model(&file).config_sha256());
    // Llama 3's divisors are the parameters that they come from, as config.json has them, and no tensor.
    file.f32("rope_freqs.weight", &[2], &[1.0, 8.0]);
    let scaled = model(&file);
    let scaling = &scaled.config()["rope_scaling"];
    assert_eq!((&scaling["rope_type"], &scaling["factor"]), (&json!("llama3"), &json!(8.0)));
    assert!(!scaled.has("rope_freqs.weight"));
    assert_eq!(scaled.parameters(false), plain.parameters(false));
    assert_ne!(plain.config_sha256(), scaled.config_sha256());
}

#[test]
fn gemma_norms_lose_the_added_one() {
    for (arch, kind, scalar) in [("gemma2", "gemma2", 4), ("gemma3", "gemma3_text", 4)] {
        let mut file = Gguf::new(arch);
        file.count_up("token_embd.weight", &[4, 8]).count_up("blk.0.ffn_norm.weight", &[8]);
        file.count_up("blk.0.post_attention_norm.weight", &[8]).count_up("output_norm.weight", &[8]);
        file.count_up("blk.0.post_ffw_norm.weight", &[8]).count_up("blk.0.attn_q_norm.weight", &[4]);
        let model = model(&file);
        let expected: Vec<_> = counted(8).iter().map(|value| value - 1.0).collect();
        for name in ["layers.0.pre_feedforward_layernorm", "layers.0.post_attention_layernorm", "norm"] {
            assert_eq!(read(&model, &format!("model.{name}.weight")), expected);
        }
        assert_eq!(read(&model, "model.layers.0.self_attn.q_norm.weight"), expected[..4]);
        assert_eq!(read(&model, "model.embed_tokens.weight"), counted(32));
        let config = model.config();
        assert_eq!((&config["model_type"], &config["query_pre_attn_scalar"]), (&json!(kind), &json!(scalar)));
        assert_eq!(config["sliding_window"], 32);
        assert_eq!(config["layer_types"][0], "sliding_attention");
        let second = if arch == "gemma2" { "full_attention" } else { "sliding_attention" };
        assert_eq!(config["layer_types"][1], second);
    }
}

#[test]
fn gpt2_matrices_are_turned() {
    let mut file = Gguf::new("gpt2");
    file.count_up("token_embd.weight", &[4, 8]).count_up("blk.1.attn_qkv.weight", &[24, 8]);
    file.count_up("blk.1.attn_qkv.bias", &[24]).count_up("position_embd.weight", &[64, 8]);
    file.f32("output.weight", &[4, 8], &counted(32));
    let model = model(&file);
    let name = "transformer.h.1.attn.c_attn.weight";
    let values = read(&model, name);
    assert_eq!(model.tensors()[name].shape, [8, 24]);
    assert!((0..8).all(|row| (0..24).all(|column| values[row * 24 + column] == (column * 8 + row) as f32)));
    assert_eq!(pollster::block_on(model.read_rows_f32(name, 3..5)).unwrap(), values[72..120]);
    assert_eq!(read(&model, "transformer.h.1.attn.c_attn.bias"), counted(24));
    assert_eq!(read(&model, "transformer.wpe.weight"), counted(512));
    let config = model.config();
    assert_eq!((&config["n_embd"], &config["n_ctx"], &config["n_layer"]), (&json!(8), &json!(64), &json!(2)));
    assert!(!model.has("lm_head.weight"));
}

#[test]
fn phi_attention_is_cut_in_three() {
    let mut file = Gguf::new("phi2");
    file.value("phi2.attention.head_count_kv", &Value::U32(2)).value("phi2.rope.dimension_count", &Value::U32(2));
    file.count_up("token_embd.weight", &[4, 8]).count_up("blk.0.attn_qkv.weight", &[24, 8]);
    file.count_up("blk.0.attn_qkv.bias", &[24]).count_up("blk.0.ffn_up.weight", &[16, 8]);
    file.f32("output.weight", &[4, 8], &[1.0; 32]).count_up("output.bias", &[4]).count_up("output_norm.bias", &[8]);
    let model = model(&file);
    let all = counted(192);
    for (at, part) in ["q", "k", "v"].iter().enumerate() {
        let name = format!("model.layers.0.self_attn.{part}_proj");
        assert_eq!(read(&model, &format!("{name}.weight")), all[at * 64..(at + 1) * 64]);
        assert_eq!(read(&model, &format!("{name}.bias")), all[at * 8..(at + 1) * 8]);
    }
    assert!(
        ["model.layers.0.mlp.fc1.weight", "lm_head.bias", "model.final_layernorm.bias"].iter().all(|n| model.has(n))
    );
    assert_eq!(model.config()["model_type"], "phi");
    assert_eq!(model.config()["partial_rotary_factor"], 0.5);
    assert_eq!(model.config()["tie_word_embeddings"], false);
}

#[test]
fn an_output_head_is_tied_only_if_it_is_the_same() {
    let mut file = Gguf::new("qwen2");
    file.count_up("token_embd.weight", &[4, 8]).count_up("blk.0.attn_q.weight", &[8, 8]);
    let alone = model(&file);
    file.count_up("output.weight", &[4, 8]);
    let same = model(&file);
    assert_eq!(same.config()["tie_word_embeddings"], true);
    assert_eq!(same.parameters(false), alone.parameters(false));
    assert!(!same.has("lm_head.weight"));
    assert_eq!(read(&same, "model.layers.0.self_attn.q_proj.weight"), counted(64));
    let mut file = Gguf::new("qwen2");
    file.count_up("token_embd.weight", &[4, 8]).f32("output.weight", &[4, 8], &[0.5; 32]);
    let other = model(&file);
    assert_eq!(other.config()["tie_word_embeddings"], false);
    assert_eq!(read(&other, "lm_head.weight"), [0.5; 32]);
}

#[test]
fn every_truncation_is_an_error() {
    let whole = llama().bytes();
    for len in 0..whole.len() {
        let error = refused(&[("model.gguf", whole[..len].to_vec())]);
        assert!(error.message().contains("model.gguf"), "{len}: {error}");
    }
}

#[test]
fn no_flipped_byte_panics() {
    let mut file = llama();
    file.value("tokenizer.ggml.tokens", &Value::Texts(&["a", "b"]));
    let whole = file.bytes();
    // Everything before the numbers.
    for at in 0..whole.len() - 1300 {
        for mask in [0x01, 0x7f, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= mask;
            if let Ok(model) = open(&[("model.gguf", bytes)]) {
                for name in model.tensors().keys() {
                    let _ = pollster::block_on(model.read_f32(name));
                    let _ = pollster::block_on(model.read_rows_f32(name, 0..1));
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_named_with_what_can() {
    let error = refused(&[("model.gguf", Gguf::new("mamba").bytes())]);
    assert!(error.message().contains("`mamba`") && error.to_string().contains("supported: llama, qwen2"), "{error}");
    let mut file = llama();
    file.raw("blk.0.ffn_up.weight", &[1, 256], 10, &[0; 84]);
    let error = refused(&[("model.gguf", file.bytes())]);
    assert!(error.message().contains("`blk.0.ffn_up.weight` (layer 1 = blk.0) is of type 10 (Q2_K)"), "{error}");
    assert!(error.to_string().contains("q6_k"), "{error}");
    let mut file = llama();
    file.raw("blk.0.ffn_up.weight", &[1, 40], 2, &[0; 64]);
    assert!(refused(&[("model.gguf", file.bytes())]).message().contains("whole q4_0 blocks"));
    for (version, expected) in [(1, "version 1"), (3u32.swap_bytes(), "big-endian")] {
        let mut file = llama();
        file.version = version;
        assert!(refused(&[("model.gguf", file.bytes())]).message().contains(expected));
    }
    assert!(refused(&[("model.gguf", b"PK\x03\x04 and more".to_vec())]).message().contains("not a GGUF file"));
    let mut file = llama();
    file.value("split.count", &Value::U32(2));
    assert!(refused(&[("model.gguf", file.bytes())]).message().contains("split"));
    let two = [("a.gguf", llama().bytes()), ("b.gguf", llama().bytes())];
    assert!(refused(&two).message().contains("a.gguf, b.gguf"));
}

#[test]
fn version_2_reads_like_version_3() {
    let mut file = llama();
    file.version = 2;
    assert_eq!(read(&model(&file), "model.embed_tokens.weight"), counted(32));
}

#[test]
fn overlapping_tensors_are_refused() {
    let mut bytes = llama().bytes();
    // The second tensor's offset, 128, is changed to 96.
    let name = b"blk.0.attn_q.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).unwrap() + name.len() + 4 + 16 + 4;
    assert_eq!(bytes[at..at + 8], 128u64.to_le_bytes());
    bytes[at] = 96;
    assert!(refused(&[("model.gguf", bytes)]).message().contains("overlap"));
}

#[test]
fn a_lone_file_opens_with_the_tokenizer_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, llama().bytes()).unwrap();
    let error = pollster::block_on(Checkpoint::open(&path, None)).unwrap_err();
    assert!(
        error.message().contains("no tokenizer") && error.next_step().unwrap().contains("tokenizer.json"),
        "{error}"
    );
    std::fs::write(folder.path().join("tokenizer.json"), b"{}").unwrap();
    for place in [path.as_path(), folder.path()] {
        let model = pollster::block_on(Checkpoint::open(place, None)).unwrap();
        assert_eq!(read(&model, "model.embed_tokens.weight"), counted(32));
        assert_eq!(model.dtype_name(false), "f32");
    }
}

#[test]
fn metadata_say_how_prompts_begin() {
    let said = |flag: Option<bool>, kind: &str, config: Option<&str>| {
        let mut file = llama();
        file.value("tokenizer.ggml.model", &Value::Text(kind)).value("tokenizer.ggml.bos_token_id", &Value::U32(3));
        if let Some(flag) = flag {
            file.value("tokenizer.ggml.add_bos_token", &Value::Bool(flag));
        }
        let mut files = vec![("model.gguf", file.bytes())];
        files.extend(config.map(|config| ("tokenizer_config.json", config.as_bytes().to_vec())));
        open(&files).unwrap().special().clone()
    };
    for (flag, kind, wanted) in [
        (Some(true), "gpt2", Some(true)),
        (Some(false), "llama", Some(false)),
        (None, "llama", Some(true)),
        (None, "gpt2", None),
    ] {
        let found = said(flag, kind, None);
        assert_eq!((found.add_bos, found.bos), (wanted, wanted.map(|_| Mark::Id(3))), "{flag:?} {kind}");
    }
    // tokenizer_config.json goes first, where it says anything.
    let other = said(Some(true), "gpt2", Some(r#"{"add_bos_token": false}"#));
    assert_eq!((other.from, other.add_bos), ("tokenizer_config.json", Some(false)));
    assert_eq!(said(Some(true), "gpt2", Some("{}")).add_bos, Some(true));
}
