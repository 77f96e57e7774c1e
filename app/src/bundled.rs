//! Models and facts that are part of the program: `--model engram-llama`, `--facts bundled`.

use engram_core::weights::{ByteSource, MemoryFile};

/// A model of `core/bundled/models`, see its card there.
#[derive(Debug, PartialEq, Eq)]
pub struct Bundled {
    /// Its name, and its folder's.
    pub name: &'static str,
    /// Its recipe, for what the demo says about it.
    pub recipe: &'static str,
    config: &'static [u8],
    tokenizer: &'static [u8],
    weights: &'static [u8],
}

macro_rules! bundled {
    ($name:literal) => {
        Bundled {
            name: $name,
            recipe: include_str!(concat!("../../core/bundled/models/", $name, "/recipe.toml")),
            config: include_bytes!(concat!("../../core/bundled/models/", $name, "/config.json")),
            tokenizer: include_bytes!(concat!("../../core/bundled/models/", $name, "/tokenizer.json")),
            weights: include_bytes!(concat!("../../core/bundled/models/", $name, "/model.safetensors")),
        }
    };
}

/// The models. Behind the first one, the lab's, they are in the order in which the demo studies them; the last one is the large baseline.
pub static MODELS: [Bundled; 6] = [
    bundled!("engram-relay"),
    bundled!("engram-llama"),
    bundled!("engram-qwen2"),
    bundled!("engram-gemma2"),
    bundled!("engram-phi"),
    bundled!("engram-llama-large"),
];

/// Those that the demo studies: they were made to differ in how redundantly they hold the same facts.
pub fn studied() -> &'static [Bundled] {
    &MODELS[1..]
}

/// What `--facts` calls the bundled facts.
pub const FACTS_NAME: &str = "bundled";
/// The bundled facts, in CounterFact's schema, after gzip.
pub static FACTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/facts.json.gz"));

/// The bundled model of this name.
pub fn find(name: &str) -> Option<&'static Bundled> {
    MODELS.iter().find(|model| model.name == name)
}

/// A model's file by its path below `core/bundled`, as the site has it too: `models/NAME/config.json` and so on.
pub fn file(path: &str) -> Option<&'static [u8]> {
    let (name, file) = path.strip_prefix("models/")?.split_once('/')?;
    find(name)?.files().into_iter().find(|(name, _)| *name == file).map(|(_, bytes)| bytes)
}

impl Bundled {
    fn files(&self) -> [(&'static str, &'static [u8]); 3] {
        [("config.json", self.config), ("tokenizer.json", self.tokenizer), ("model.safetensors", self.weights)]
    }

    /// Its files.
    pub fn sources(&self) -> Vec<Box<dyn ByteSource>> {
        let files = self.files();
        files.into_iter().map(|(name, bytes)| Box::new(MemoryFile::new(bytes, name)) as Box<dyn ByteSource>).collect()
    }

    /// `model_type` of its config.
    pub fn family(&self) -> Option<String> {
        let config: serde_json::Value = serde_json::from_slice(self.config).ok()?;
        Some(config["model_type"].as_str()?.to_owned())
    }

    /// Bytes of its weights.
    pub fn bytes(&self) -> u64 {
        self.weights.len() as u64
    }
}
