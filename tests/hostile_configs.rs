//! Configurations with numbers that no model has: refused before anything is allocated by them, in every family. Every
//! allocation is counted.

use engram_core::device::Compute;
use engram_core::generate::ranked;
use engram_core::load::Model;
use engram_core::model::survey;
use engram_core::train::Recipe;
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};
use engram_tests::fixtures::{MODELS, fixture};
use pollster::block_on;
use serde_json::{Value, json};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator; remembers the largest single request.
struct Watching;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// What every number of a configuration becomes, one after the other.
fn odd() -> [Value; 13] {
    [
        json!(2_147_483_647),
        json!(4_294_967_295_u64),
        json!(u64::MAX),
        json!(0),
        json!(-1),
        json!(1),
        json!(7),
        json!(4096),
        json!(2.5),
        json!(1e308),
        json!(-1e-300),
        json!("64"),
        json!([1, 2]),
    ]
}

/// The numbers of a configuration, by their paths.
fn numbers(at: &str, value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Number(_) => out.push(at.to_owned()),
        Value::Object(map) => map.iter().for_each(|(key, value)| numbers(&format!("{at}/{key}"), value, out)),
        _ => {}
    }
}

/// Loads and runs a fixture's weights under another configuration.
fn tried(folder: &str, config: &Value) -> engram_core::Result<()> {
    let mut sources: Vec<Box<dyn ByteSource>> =
        vec![Box::new(MemoryFile::new(config.to_string().into_bytes(), "config.json"))];
    for entry in std::fs::read_dir(fixture("models").join(folder)).expect("a fixture") {
        let path = entry.expect("a file").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("model") || name == "tokenizer.json" {
            sources.push(Box::new(MemoryFile::new(std::fs::read(&path).expect("a file"), name)));
        }
    }
    let checkpoint = block_on(Checkpoint::from_sources(sources))?;
    let model = block_on(Model::load(&checkpoint, "odd", Compute::cpu("tests"), &|_, _| {}))?;
    let ids = model.tokens.encode("The capital of France is")?.ids;
    block_on(ranked(&model, &ids)).map(drop)
}

#[test]
fn every_family_refuses_numbers_that_no_model_has() {
    for folder in MODELS {
        for name in ["config.json", "config.v4.json"] {
            let text = std::fs::read(fixture("models").join(folder).join(name)).expect("a fixture");
            let config: Value = serde_json::from_slice(&text).expect("JSON");
            let mut places = Vec::new();
            numbers("", &config, &mut places);
            for place in places {
                for value in odd() {
                    let mut config = config.clone();
                    *config.pointer_mut(&place).expect("the place") = value.clone();
                    LARGEST.store(0, Ordering::Relaxed);
                    let result = tried(folder, &config);
                    let largest = LARGEST.load(Ordering::Relaxed);
                    let told = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
                    assert!(largest < 64 << 20, "{folder} {place} = {value}: {largest} bytes at once; {told}");
                    assert!(result.is_ok() || told.contains("hint: "), "{folder} {place} = {value}: {told}");
                }
            }
        }
    }
}

#[test]
fn sizes_that_do_not_fit_the_tensors_are_found_before_one_is_read() {
    let text = std::fs::read(fixture("models/llama/config.json")).expect("a fixture");
    let config: Value = serde_json::from_slice(&text).expect("JSON");
    for key in
        ["num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size", "intermediate_size", "head_dim"]
    {
        let mut config = config.clone();
        config[key] = json!(4096);
        let said = tried("llama", &config).expect_err(key).to_string();
        let fits = said.contains("config.json") && said.contains("hint: ");
        assert!(fits || said.contains("the weights have no tensor"), "{key}: {said}");
    }
    let whole = block_on(survey(&config, None)).expect("a model");
    assert!(whole.bytes > whole.largest && whole.largest > 0, "{whole:?}");
}

#[test]
fn recipes_have_the_same_bounds() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled/models/engram-llama/recipe.toml");
    let recipe = std::fs::read_to_string(path).expect("a recipe");
    assert!(Recipe::parse(&recipe).is_ok());
    let with = |key: &str, value: &str| {
        let lines = recipe.lines().map(|line| match line.split_once('=') {
            Some((name, _)) if name.trim() == key => format!("{key} = {value}"),
            _ => line.to_owned(),
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        assert!(text.contains(&format!("{key} = {value}")), "{key} is in the recipe");
        let recipe = Recipe::parse(&text)?;
        block_on(survey(&recipe.config, None)).map(drop)
    };
    for (key, value) in [
        ("num_hidden_layers", "2147483647"),
        ("hidden_size", "1099511627776"),
        ("vocab_size", "2147483647"),
        ("intermediate_size", "-1"),
        ("num_attention_heads", "0"),
        ("epochs", "9223372036854775807"),
        ("batch", "9223372036854775807"),
        ("tellings", "9223372036854775807"),
        ("learning_rate", "nan"),
        ("clip", "-1.0"),
        ("beta_2", "1.5"),
    ] {
        let said = with(key, value).expect_err(key).to_string();
        assert!(said.contains("hint: "), "{key} = {value}: {said}");
    }
}
