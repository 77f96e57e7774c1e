//! The cases of fixtures/odd.json, as checkpoints in memory.

use crate::fixtures::fixture;
use engram_core::device::Compute;
use engram_core::load::Model;
use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};
use pollster::block_on;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One case.
pub struct Case {
    /// What is odd.
    pub name: String,
    /// The fixture's folder.
    pub model: String,
    /// The clean prompt.
    pub ids: Vec<u32>,
    /// Ids and logits at its last position; `None` where a refusal is right.
    pub top: Option<Vec<(usize, f64)>>,
    /// Why a refusal is right.
    pub why: String,
    /// The files hold tensors that transformers leaves unread.
    pub unexpected: bool,
    raw: Value,
}

/// A tensor: type, shape, bytes.
type Tensor = (Dtype, Vec<usize>, Vec<u8>);
type Tensors = BTreeMap<String, Tensor>;

/// All cases.
pub fn cases() -> Vec<Case> {
    let all: Value = serde_json::from_slice(&std::fs::read(fixture("odd.json")).expect("odd.json")).expect("odd.json");
    let raw = all["cases"].as_array().expect("cases");
    let text = |case: &Value, key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let find = |like: &Value, name: &str| {
        let same =
            |case: &&Value| case["name"] == name && case["model"] == like["model"] && case["base"] == like["base"];
        raw.iter().find(same).unwrap_or_else(|| panic!("no case {name}"))
    };
    raw.iter()
        .map(|case| {
            let mut top = &case["top"];
            while let Some(name) = top.as_str() {
                top = &find(case, name)["top"];
            }
            let pairs = top.as_array().map(|top| {
                let pair = |pair: &Value| (pair[0].as_u64().expect("id") as usize, pair[1].as_f64().expect("logit"));
                top.iter().map(pair).collect()
            });
            let model = text(case, "model");
            let ids = all["ids"][&model].as_array().expect("ids").iter().map(|id| id.as_u64().expect("id") as u32);
            let why = match case.get("missing") {
                Some(missing) => format!("fills in random numbers for {missing}"),
                None => format!("refuses: {}", case["error"]),
            };
            // What would be filled with random numbers has no right value.
            let top = pairs.filter(|_| case.get("missing").is_none());
            let unexpected = case.get("unexpected").is_some();
            Case { name: text(case, "name"), ids: ids.collect(), model, top, why, unexpected, raw: case.clone() }
        })
        .collect()
}

impl Case {
    /// Model, config and name.
    pub fn title(&self) -> String {
        format!("{} ({}): {}", self.model, self.raw["base"].as_str().unwrap_or_default(), self.name)
    }

    /// The case's config.json.
    pub fn config(&self) -> Value {
        let folder = fixture("models").join(&self.model);
        let bytes = std::fs::read(folder.join(self.raw["base"].as_str().expect("base"))).expect("a config");
        let mut config: Value = serde_json::from_slice(&bytes).expect("a config");
        let entries = config.as_object_mut().expect("an object");
        for key in self.raw["remove"].as_array().into_iter().flatten() {
            entries.remove(key.as_str().expect("a key"));
        }
        for (key, value) in self.raw["set"].as_object().into_iter().flatten() {
            entries.insert(key.clone(), value.clone());
        }
        if self.raw["text_config"] == true {
            let mut outer = self.raw["outer"].as_object().cloned().unwrap_or_else(Map::new);
            outer.insert("text_config".into(), config);
            return Value::Object(outer);
        }
        config
    }

    /// The case's files in memory.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let folder = fixture("models").join(&self.model);
        let all = tensors(&folder);
        let tokenizer = std::fs::read(folder.join("tokenizer.json")).expect("a tokenizer");
        let mut files = vec![
            ("config.json".to_owned(), self.config().to_string().into_bytes()),
            ("tokenizer.json".into(), tokenizer),
        ];
        match self.raw["files"].as_object() {
            Some(named) => {
                for (name, steps) in named {
                    files.push((name.clone(), written(&changed(&all, steps))));
                }
            }
            None => files.push(("model.safetensors".into(), written(&changed(&all, &self.raw["tensors"])))),
        }
        if let Some(index) = self.raw.get("index") {
            let mut map = Map::new();
            if let Some(rest) = index.get("rest").filter(|rest| !rest.is_null()) {
                map.extend(all.keys().map(|name| (name.clone(), rest.clone())));
            }
            map.extend(index["map"].as_object().cloned().unwrap_or_default());
            let map = json!({"metadata": {}, "weight_map": map});
            files.push(("model.safetensors.index.json".into(), map.to_string().into_bytes()));
        }
        files
    }

    /// The model, or why it is refused.
    ///
    /// # Errors
    /// The refusal in words.
    pub fn load(&self, compute: &Compute) -> Result<Model, String> {
        let sources = self.files().into_iter();
        let sources = sources.map(|(name, bytes)| Box::new(MemoryFile::new(bytes, name)) as Box<dyn ByteSource>);
        let checkpoint = block_on(Checkpoint::from_sources(sources.collect())).map_err(|error| error.to_string())?;
        block_on(Model::load(&checkpoint, &self.name, compute.clone(), &|_, _| {})).map_err(|error| error.to_string())
    }
}

/// All tensors of a fixture, of one file or of shards.
fn tensors(folder: &std::path::Path) -> Tensors {
    let mut all = Tensors::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("model") && name.ends_with(".safetensors") {
            let bytes = std::fs::read(&path).expect("weights");
            for (name, view) in SafeTensors::deserialize(&bytes).expect("weights").iter() {
                all.insert(name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec()));
            }
        }
    }
    all
}

fn changed(all: &Tensors, steps: &Value) -> Tensors {
    let mut tensors = all.clone();
    let dtype = all.values().next().expect("a tensor").0;
    for step in steps.as_array().into_iter().flatten() {
        let text = |key: &str| step[key].as_str().unwrap_or_default();
        match text("op") {
            "copy" => drop(tensors.insert(text("to").into(), tensors[text("from")].clone())),
            "reverse_rows" => {
                let (dtype, shape, bytes) = tensors[text("from")].clone();
                let row = bytes.len() / shape[0];
                let reversed = bytes.chunks(row).rev().flatten().copied().collect();
                tensors.insert(text("to").into(), (dtype, shape, reversed));
            }
            "drop" => tensors.retain(|name, _| !name.ends_with(text("name"))),
            "only" => tensors.retain(|name, _| name.starts_with(text("prefix"))),
            "ramp" => {
                let shape: Vec<usize> =
                    step["shape"].as_array().expect("shape").iter().map(|n| n.as_u64().expect("n") as usize).collect();
                let values = (0..shape.iter().product()).map(|i: usize| ((i % 7) as f32 - 3.0) / 8.0);
                tensors.insert(text("to").into(), (dtype, shape, values.flat_map(|x| stored(x, dtype)).collect()));
            }
            "double" => {
                let (dtype, shape, bytes) = tensors[text("name")].clone();
                let doubled = values(&bytes, dtype).into_iter().flat_map(|x| stored(2.0 * x, dtype)).collect();
                tensors.insert(text("name").into(), (dtype, shape, doubled));
            }
            "prefix" => {
                let (instead, with) = (text("instead"), text("with"));
                let renamed = |(name, tensor): (String, Tensor)| match name.strip_prefix(instead) {
                    Some(rest) => (format!("{with}{rest}"), tensor),
                    None => (name, tensor),
                };
                tensors = tensors.into_iter().map(renamed).collect();
            }
            other => panic!("no step {other}"),
        }
    }
    tensors
}

fn stored(x: f32, dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F32 => x.to_le_bytes().to_vec(),
        Dtype::F16 => half::f16::from_f32(x).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f32(x).to_le_bytes().to_vec(),
        other => panic!("no {other:?}"),
    }
}

fn values(bytes: &[u8], dtype: Dtype) -> Vec<f32> {
    match dtype {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect(),
        Dtype::F16 => bytes.as_chunks::<2>().0.iter().map(|x| half::f16::from_le_bytes(*x).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks::<2>().0.iter().map(|x| half::bf16::from_le_bytes(*x).to_f32()).collect(),
        other => panic!("no {other:?}"),
    }
}

fn written(tensors: &Tensors) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).expect("a tensor"))
    });
    safetensors::serialize(views, None).expect("a file")
}
