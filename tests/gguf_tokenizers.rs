//! Tokenizers that are built from GGUF metadata give the ids and places of the model's own tokenizer.json.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use engram_core::Result;
use engram_core::tokens::Tokens;
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};
use engram_tests::fixtures::{fixture, shared};
use engram_tests::gguf;
use engram_tests::texts::thousand;
use pollster::block_on;
use std::path::Path;

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The checkpoint of a GGUF file that has nothing beside it.
fn alone(file: Vec<u8>) -> Result<Checkpoint> {
    let source: Box<dyn ByteSource> = Box::new(MemoryFile::new(file, "model.gguf"));
    block_on(Checkpoint::from_sources(vec![source]))
}

/// Ids and places of a thousand texts, without what the files put before a text.
fn equal(name: &str, built: &Tokens, own: &Tokens) {
    let texts = thousand();
    let distinct: std::collections::BTreeSet<&str> = texts.iter().map(String::as_str).collect();
    assert!(texts.len() == 1000 && distinct.len() > 990, "{} distinct texts", distinct.len());
    let mut used = std::collections::BTreeSet::new();
    for text in &texts {
        let (built, own) = (built.encode(text).expect(name), own.encode(text).expect(name));
        assert_eq!(built.ids, own.ids, "{name}: {text:?}");
        assert_eq!(built.offsets, own.offsets, "{name}: {text:?}");
        used.extend(built.ids);
    }
    println!("{name}: {} texts, {} different tokens", texts.len(), used.len());
}

const FIXTURES: [(&str, Option<&str>); 9] = [
    ("llama3", Some("models/llama/tokenizer.json")),
    ("smollm", None),
    ("qwen2", Some("models/qwen2/tokenizer.json")),
    ("gpt2", Some("models/gpt2/tokenizer.json")),
    ("phi", None),
    ("gemma", None),
    ("llama2", None),
    ("unigram", None),
    ("t5", None),
];

/// Small tokenizers of every kind, in files that the gguf package wrote.
#[test]
fn ids_are_those_of_the_models_own_tokenizer() {
    for (name, own) in FIXTURES {
        let own = own.map_or_else(|| fixture(&format!("tokenizers/{name}.json")), fixture);
        let checkpoint = alone(bytes(&fixture(&format!("tokenizers/{name}.gguf")))).expect(name);
        let built = checkpoint.tokens().expect(name);
        assert_eq!(built.origin(), "the GGUF metadata", "{name}");
        assert!(built.notes().iter().any(|note| note.contains("tokenizer.json")), "{name}");
        let own = Tokens::new(&bytes(&own)).expect(name);
        equal(name, &built, &own);
        assert_eq!(built.vocabulary(), own.vocabulary(), "{name}");
        let said = "Marie Curie was born in Paris, 1867.";
        let ids = built.encode(said).expect(name).ids;
        assert_eq!(built.decode(&ids).expect(name), own.decode(&ids).expect(name), "{name}");
        // What is saved with an edited model needs no other file.
        let json = checkpoint.tokenizer_json();
        let saved = built.complete_json(json).expect(name);
        let saved = Tokens::new(saved.as_deref().unwrap_or(json)).expect(name);
        assert_eq!(saved.encode(said).expect(name), built.encode(said).expect(name), "{name}");
    }
}

/// Real tokenizers of all six families, in files that are written here; Phi-2's is rebuilt from GPT-2's. SmolLM2's GGUF is
/// a published one.
#[test]
fn ids_of_real_tokenizers() {
    let real: [(&str, &str, Option<&str>); 5] = [
        ("llama3_2", "llama", Some("llama-bpe")),
        ("qwen2_5", "qwen2", Some("qwen2")),
        ("gpt2", "gpt2", Some("gpt-2")),
        ("phi2_reconstructed", "phi2", Some("phi-2")),
        ("gemma2", "gemma2", None),
    ];
    for (name, arch, pre) in real {
        let Some(path) = shared(&format!("tokenizers/{name}/tokenizer.json")) else { return };
        real_one(name, &path, arch, pre);
    }
    let Some(folder) = shared("models/smollm2-135m-instruct") else { return };
    let file = bytes(&folder.join("SmolLM2-135M-Instruct.Q4_1.gguf"));
    let built = alone(file).expect("a model").tokens().expect("a tokenizer");
    equal("SmolLM2's own GGUF", &built, &Tokens::new(&bytes(&folder.join("tokenizer.json"))).expect("a tokenizer"));
}

fn real_one(name: &str, path: &Path, arch: &str, pre: Option<&str>) {
    let json = bytes(path);
    let file = serde_json::from_slice(&json).expect("JSON");
    let built = alone(gguf::of_tokenizer(&file, arch, pre)).expect(name).tokens().expect(name);
    equal(name, &built, &Tokens::new(&json).expect(name));
}
