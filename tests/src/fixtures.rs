//! Tiny reference models made from transformers (see fixtures/README.md), real data where it is at hand, devices.

use engram_core::device::{Compute, DeviceChoice};
use engram_core::load::Model;
use engram_core::weights::Checkpoint;
use pollster::block_on;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every fixture model.
pub const MODELS: [&str; 8] = ["llama", "llama-tied", "gemma2", "gemma3", "qwen2", "phi", "gpt2", "gemma3-multimodal"];

/// A file among the fixtures.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// A fixture model on a device.
pub fn model(name: &str, compute: &Compute) -> Model {
    open(&fixture("models").join(name), None, compute)
}

/// Any model on a device.
pub fn open(path: &Path, tokenizer: Option<&Path>, compute: &Compute) -> Model {
    let checkpoint = block_on(Checkpoint::open(path, tokenizer)).unwrap_or_else(|error| panic!("{error}"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    block_on(Model::load(&checkpoint, &name, compute.clone(), &|_, _| {}))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The CPU, and a GPU device (a software one will do) where one can run. Says so where none can.
pub fn devices() -> Vec<Compute> {
    let mut devices = vec![Compute::cpu("tests")];
    match block_on(Compute::choose(DeviceChoice::Gpu)) {
        Ok(gpu) => devices.push(gpu),
        Err(error) => skipped(&format!("no GPU device: {}", error.message())),
    }
    devices
}

/// Real models and data beside the checkout, where there are any: `ENGRAM_SHARED` or `../shared`.
pub fn shared(path: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let root = std::env::var_os("ENGRAM_SHARED").map_or_else(beside, PathBuf::from);
    let path = root.join(path);
    if !path.exists() {
        skipped(&format!("{} is not there (set ENGRAM_SHARED)", path.display()));
        return None;
    }
    Some(path)
}

/// Says that a test, or a part of it, cannot run here; `cargo xtask test` lists these lines at its end.
pub fn skipped(why: &str) {
    println!("SKIPPED: {why}");
    let name = std::thread::current().name().unwrap_or("main").to_string();
    if let Some(list) = std::env::var_os("ENGRAM_SKIPPED")
        && let Ok(mut file) = std::fs::OpenOptions::new().append(true).open(list)
    {
        let _ = std::io::Write::write_all(&mut file, format!("{name}: {why}\n").as_bytes());
    }
}

/// Tensors and texts that transformers computed for a fixture model.
pub struct Reference {
    /// reference.json.
    pub json: Value,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Reference {
    /// Of a fixture model.
    pub fn of(model: &str) -> Self {
        Self::beside(model, "reference.safetensors")
    }

    /// The same with the tensors of another file.
    pub fn beside(model: &str, file: &str) -> Self {
        let folder = fixture("models").join(model);
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let json = serde_json::from_slice(&read("reference.json")).expect("reference.json");
        let bytes = read(file);
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(&bytes).expect(file).iter() {
            let words = view.data().as_chunks::<4>().0.iter();
            let values = match view.dtype() {
                Dtype::F32 => words.map(|word| f32::from_le_bytes(*word)).collect(),
                Dtype::I32 => words.map(|word| i32::from_le_bytes(*word) as f32).collect(),
                other => panic!("{name}: {other:?}"),
            };
            tensors.insert(name.to_string(), (view.shape().to_vec(), values));
        }
        Self { json, tensors }
    }

    /// A tensor's values.
    pub fn values(&self, name: &str) -> &[f32] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("no {name} in the reference")).1
    }

    /// A prompt's tokens.
    pub fn ids(&self, prompt: usize) -> Vec<u32> {
        self.values(&format!("p{prompt}.ids")).iter().map(|&id| id as u32).collect()
    }

    /// A number of reference.json.
    pub fn number(&self, key: &str) -> usize {
        self.json[key].as_u64().unwrap_or_else(|| panic!("no {key} in reference.json")) as usize
    }

    /// The traced answer token.
    pub fn answer(&self) -> u32 {
        self.json["answer"]["id"].as_u64().expect("answer.id") as u32
    }
}

/// Largest `|a - b|`; infinite where one is not a number or the lengths differ.
pub fn difference(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return f32::INFINITY;
    }
    let one = |(a, b): (&f32, &f32)| (a - b).abs();
    a.iter().zip(b).map(one).fold(0.0, |most, x| {
        if x <= most {
            most
        } else if x.is_nan() {
            f32::INFINITY
        } else {
            x
        }
    })
}
