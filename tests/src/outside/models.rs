//! A model's files: configuration, weights, tokenizer.

use engram_core::device::Compute;
use engram_core::edit::{self, Change};
use engram_core::load::Model;
use engram_core::tokens::Tokens;
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};
use pollster::block_on;
use std::path::Path;
use std::sync::OnceLock;

/// Families with a fixture of one file.
const FAMILIES: [&str; 6] = ["llama-tied", "gemma2", "gemma3", "qwen2", "phi", "gpt2"];
/// The other files of a model whose one file is from outside: configuration, tokenizer, weights.
type Rest = [Vec<u8>; 3];

fn read(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rest(family: &str) -> &'static Rest {
    static ALL: OnceLock<Vec<Rest>> = OnceLock::new();
    let files = ["config.json", "tokenizer.json", "model.safetensors"];
    let all = ALL.get_or_init(|| {
        FAMILIES.iter().map(|family| files.map(|file| read(&format!("models/{family}/{file}")))).collect()
    });
    &all[FAMILIES.iter().position(|name| *name == family).unwrap_or(0)]
}

fn source(name: &str, bytes: &[u8]) -> Box<dyn ByteSource> {
    Box::new(MemoryFile::new(bytes.to_vec(), name))
}

fn load(sources: Vec<Box<dyn ByteSource>>) -> Option<Model> {
    let checkpoint = block_on(Checkpoint::from_sources(sources)).ok()?;
    static CPU: OnceLock<Compute> = OnceLock::new();
    let cpu = CPU.get_or_init(|| Compute::cpu("a test")).clone();
    block_on(Model::load(&checkpoint, "outside", cpu, &|_, _| {})).ok()
}

/// A config.json over the weights of its own family, as far as it names one.
pub fn config(bytes: &[u8]) {
    let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    let kind = value["model_type"].as_str().unwrap_or_default();
    let named = |family: &&&str| kind.starts_with(&family[..family.len().min(4)]);
    let exact = FAMILIES.iter().find(|family| kind.starts_with(**family));
    let family = exact.or_else(|| FAMILIES.iter().find(named)).unwrap_or(&FAMILIES[0]);
    let [_, tokenizer, weights] = rest(family);
    load(vec![source("config.json", bytes), source("tokenizer.json", tokenizer), source("model.safetensors", weights)]);
}

/// A file of safetensors under the configuration of the llama fixture.
pub fn safetensors(bytes: &[u8]) {
    let [config, tokenizer, _] = rest("llama-tied");
    let all =
        || vec![source("config.json", config), source("tokenizer.json", tokenizer), source("model.safetensors", bytes)];
    tensors(all());
    load(all());
}

/// A GGUF file.
pub fn gguf(bytes: &[u8]) {
    let [_, tokenizer, _] = rest("llama-tied");
    let all = || vec![source("model.gguf", bytes), source("tokenizer.json", tokenizer)];
    tensors(all());
    load(all());
    // Alone: the tokenizer is built from the same bytes.
    if let Ok(alone) = block_on(Checkpoint::from_sources(vec![source("model.gguf", bytes)]))
        && let Ok(tokens) = alone.tokens()
    {
        let _ = tokens.encode("The capital of France is").map(|encoded| tokens.decode(&encoded.ids));
    }
}

/// A change of weights for the llama fixture: a file of Engram's own, an adapter's weights, or an adapter's configuration. What
/// was read is written and read again.
pub fn change(bytes: &[u8]) {
    thread_local! {
        static MODEL: Model = {
            let [config, tokenizer, weights] = rest("llama-tied");
            let named = [("config.json", config), ("tokenizer.json", tokenizer), ("model.safetensors", weights)];
            load(named.map(|(name, bytes)| source(name, bytes)).into()).expect("a fixture")
        };
    }
    const CONFIG: &[u8] = br#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1}"#;
    MODEL.with(|model| {
        let again = |change: &Change| {
            let written = edit::delta(&model.info, [&change.overlay]).expect("what was read can be written");
            let read = edit::read_delta(&model.net, &written).expect("and read");
            assert_eq!(read.overlay, change.overlay);
        };
        let _ = edit::read_delta(&model.net, bytes).map(|change| again(&change));
        let _ = edit::read_adapter(&model.net, CONFIG, bytes).map(|change| again(&change));
        for weights in super::seeds::changes() {
            let _ = edit::read_adapter(&model.net, bytes, &weights).map(|change| again(&change));
        }
    });
}

/// Every tensor that a file says it has.
fn tensors(sources: Vec<Box<dyn ByteSource>>) {
    let Ok(checkpoint) = block_on(Checkpoint::from_sources(sources)) else { return };
    checkpoint.parameters(false);
    checkpoint.dtype_name(false);
    for (name, info) in checkpoint.tensors() {
        if let Ok(values) = block_on(checkpoint.read_f32(name)) {
            assert_eq!(values.len(), info.elements(), "{name}");
        }
        let _ = block_on(checkpoint.read_rows_f32(name, 0..1));
    }
}

/// A tokenizer.json; what it makes of texts is turned back.
pub fn tokenizer(bytes: &[u8]) {
    let Ok(tokens) = Tokens::new(bytes) else { return };
    tokens.vocabulary();
    for text in ["", "a", "The capital of France is", " naïve 東京 \u{202e}🙂\n\t", "<s></s>[UNK]<|endoftext|>"] {
        let Ok(encoded) = tokens.encode(text) else { continue };
        encoded.span(&(4..11));
        encoded.common_prefix(&encoded);
        tokens.pieces(&encoded.ids);
        let _ = tokens.decode(&encoded.ids);
        let _ = tokens.answer(text, "Paris");
    }
}
