//! Safetensors: single files, shards, and headers that are damaged.

use engram_core::weights::{Checkpoint, StoredDtype};
use serde_json::json;

use crate::build::{File, f32_bytes, open, refused, safetensors};

const CONFIG: &[u8] = br#"{"model_type": "gpt2", "tie_word_embeddings": true}"#;

fn config() -> File {
    ("config.json", CONFIG.to_vec())
}

/// f32, f16 and bf16 matrices, a mask in u8, and a tied head.
fn mixed() -> Vec<u8> {
    let header = json!({
        "__metadata__": {"format": "pt"},
        "h.0.mlp.c_fc.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "wte.weight": {"dtype": "F16", "shape": [3, 2], "data_offsets": [24, 36]},
        "lm_head.weight": {"dtype": "BF16", "shape": [3, 2], "data_offsets": [36, 48]},
        "h.0.attn.masked_bias": {"dtype": "U8", "shape": [4], "data_offsets": [48, 52]},
    });
    let mut data = f32_bytes(&[1.0, -2.0, 3.5, f32::MIN_POSITIVE, 1e30, -0.0]);
    // 1, -2, 0.5, 65504, 2^-24, 0 in f16; 1, -2, 0.5, 2^127, 3, 0 in bf16.
    data.extend([0x3c00u16, 0xc000, 0x3800, 0x7bff, 0x0001, 0].iter().flat_map(|half| half.to_le_bytes()));
    data.extend([0x3f80u16, 0xc000, 0x3f00, 0x7f00, 0x4040, 0].iter().flat_map(|half| half.to_le_bytes()));
    data.extend([1; 4]);
    safetensors(&header.to_string(), &data)
}

fn read(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    pollster::block_on(checkpoint.read_f32(name)).unwrap()
}

#[test]
fn reads_every_float_format() {
    let model = open(&[config(), ("model.safetensors", mixed())]).unwrap();
    assert_eq!(read(&model, "h.0.mlp.c_fc.weight"), [1.0, -2.0, 3.5, f32::MIN_POSITIVE, 1e30, 0.0]);
    assert_eq!(read(&model, "wte.weight"), [1.0, -2.0, 0.5, 65504.0, 2f32.powi(-24), 0.0]);
    assert_eq!(read(&model, "lm_head.weight"), [1.0, -2.0, 0.5, 2f32.powi(127), 3.0, 0.0]);
    let info = &model.tensors()["wte.weight"];
    assert_eq!(
        (info.shape.as_slice(), info.dtype, info.file.as_str()),
        (&[3, 2][..], StoredDtype::F16, "model.safetensors")
    );
    // The tied head counts once, the mask not at all.
    assert_eq!((model.parameters(true), model.dtype_name(true).as_str()), (12, "f16"));
    assert_eq!(model.config()["model_type"], "gpt2");
    assert_eq!(model.config_sha256().len(), 64);
}

#[test]
fn rows_equal_the_full_read() {
    let model = open(&[config(), ("other.safetensors", mixed())]).unwrap();
    let all = read(&model, "wte.weight");
    for start in 0..=3 {
        for end in start..=3 {
            let rows = pollster::block_on(model.read_rows_f32("wte.weight", start..end)).unwrap();
            assert_eq!(rows, all[start * 2..end * 2]);
        }
    }
    let error = pollster::block_on(model.read_rows_f32("wte.weight", 2..4)).unwrap_err();
    assert!(error.to_string().contains("`wte.weight`, which has 3"), "{error}");
}

#[test]
fn a_buffer_of_another_type_fails_only_when_read() {
    let model = open(&[config(), ("model.safetensors", mixed())]).unwrap();
    assert!(!model.has("h.0.attn.masked_bias"));
    let error = pollster::block_on(model.read_f32("h.0.attn.masked_bias")).unwrap_err();
    assert!(
        error.message().contains("model.safetensors: tensor `h.0.attn.masked_bias` (layer 1 = h.0) is stored as U8"),
        "{error}"
    );
    let error = pollster::block_on(model.read_f32("nowhere")).unwrap_err();
    assert!(error.message().contains("no tensor `nowhere`"), "{error}");
}

#[test]
fn every_truncation_is_an_error() {
    let whole = mixed();
    for len in 0..whole.len() {
        let error = refused(&[config(), ("model.safetensors", whole[..len].to_vec())]);
        assert!(error.message().contains("model.safetensors"), "{len}: {error}");
    }
    let error = refused(&[config(), ("model.safetensors", whole[..whole.len() - 10].to_vec())]);
    assert!(error.message().contains("tensor `lm_head.weight`"), "{error}");
}

#[test]
fn no_flipped_byte_panics() {
    let whole = mixed();
    for at in 0..whole.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= mask;
            if let Ok(model) = open(&[config(), ("model.safetensors", bytes)]) {
                for name in model.tensors().keys() {
                    let _ = pollster::block_on(model.read_f32(name));
                }
            }
        }
    }
}

#[test]
fn wrong_headers_name_the_tensor() {
    let cases = [
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            "tensor `b`",
        ),
        (r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "tensor `a`"),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "tensor `a`"),
        (r#"{"a":{"dtype":"F32","shape":[2,4611686018427387904],"data_offsets":[0,8]}}"#, "tensor `a`"),
        (r#"{"a":{"dtype":"Q9","shape":[2],"data_offsets":[0,8]}}"#, "tensor `a`"),
        (r#"{"a":[]}"#, "model.safetensors"),
        ("nonsense", "unreadable header"),
    ];
    for (header, expected) in cases {
        let error = refused(&[config(), ("model.safetensors", safetensors(header, &[0; 12]))]);
        assert!(error.message().contains(expected), "{header}: {error}");
    }
    let huge = [&(u64::MAX / 2).to_le_bytes()[..], b"{}"].concat();
    assert!(refused(&[config(), ("model.safetensors", huge)]).message().contains("not a safetensors file"));
}

fn shard(name: &str) -> Vec<u8> {
    let header = json!({name: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}});
    safetensors(&header.to_string(), &f32_bytes(&[7.0]))
}

fn index(map: serde_json::Value) -> File {
    ("model.safetensors.index.json", json!({"weight_map": map}).to_string().into_bytes())
}

#[test]
fn shards_are_read_through_the_index() {
    const A: &str = "model-1-of-2.safetensors";
    const B: &str = "model-2-of-2.safetensors";
    let both = index(json!({"a": A, "b": B}));
    let model = open(&[config(), (B, shard("b")), (A, shard("a")), both.clone()]).unwrap();
    assert_eq!(read(&model, "b"), [7.0]);
    assert_eq!(model.tensors()["a"].file, A);
    let digest = pollster::block_on(model.weights_sha256()).unwrap();
    let again = open(&[both.clone(), (A, shard("a")), (B, shard("b")), config()]).unwrap();
    assert_eq!(digest, pollster::block_on(again.weights_sha256()).unwrap());

    let error = refused(&[config(), (A, shard("a")), both.clone()]);
    assert!(error.message().contains("names model-2-of-2.safetensors, which is missing"), "{error}");
    let error = refused(&[config(), (A, shard("a")), (B, shard("c")), both]);
    assert!(error.message().contains("promises tensor `b`"), "{error}");
    let error = refused(&[config(), (A, shard("a")), (B, shard("b"))]);
    assert!(error.message().contains("2 safetensors files, but no"), "{error}");
    let error = refused(&[config(), (A, shard("a")), index(json!({"a": 1}))]);
    assert!(error.message().contains("weight_map"), "{error}");
}

#[test]
fn missing_files_are_named() {
    assert!(refused(&[("model.safetensors", mixed())]).message().contains("config.json"));
    assert!(refused(&[config()]).message().contains("no model weights"));
    let broken = ("config.json", b"[1]".to_vec());
    assert!(refused(&[broken, ("model.safetensors", mixed())]).message().contains("config.json"));
}

#[test]
fn a_folder_opens_and_its_hash_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), mixed()).unwrap();
    let error = pollster::block_on(Checkpoint::open(folder.path(), None)).unwrap_err();
    assert!(error.next_step().unwrap().contains("--tokenizer"), "{error}");
    let tokenizer = folder.path().join("my.json");
    std::fs::write(&tokenizer, b"mine").unwrap();
    let model = pollster::block_on(Checkpoint::open(folder.path(), Some(&tokenizer))).unwrap();
    assert_eq!(model.tokenizer_json(), b"mine");
    std::fs::write(folder.path().join("tokenizer.json"), b"beside").unwrap();
    let model = pollster::block_on(Checkpoint::open(folder.path(), None)).unwrap();
    assert_eq!((model.tokenizer_json(), read(&model, "wte.weight")[3]), (&b"beside"[..], 65504.0));
    let digest = pollster::block_on(model.weights_sha256()).unwrap();
    let memory = open(&[config(), ("model.safetensors", mixed())]).unwrap();
    assert_eq!(digest, pollster::block_on(memory.weights_sha256()).unwrap());
    let error = pollster::block_on(Checkpoint::open(&folder.path().join("nowhere"), None)).unwrap_err();
    assert!(error.next_step().is_some(), "{error}");
}
