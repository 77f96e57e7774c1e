//! Small model files, written by hand.

use engram_core::weights::{ByteSource, Checkpoint, MemoryFile};
use engram_core::{Error, Result};

pub type File = (&'static str, Vec<u8>);

/// A checkpoint from files in memory; a tokenizer is added.
pub fn open(files: &[File]) -> Result<Checkpoint> {
    let mut sources: Vec<Box<dyn ByteSource>> = vec![Box::new(MemoryFile::new(b"{}".to_vec(), "tokenizer.json"))];
    for (name, bytes) in files {
        sources.push(Box::new(MemoryFile::new(bytes.clone(), *name)));
    }
    pollster::block_on(Checkpoint::from_sources(sources))
}

/// The error, which must say where and what next.
pub fn refused(files: &[File]) -> Error {
    let error = open(files).expect_err("the files are wrong");
    assert!(error.next_step().is_some(), "no hint: {error}");
    error
}

pub fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A safetensors file from its header and data.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// A metadata value to write.
pub enum Value<'a> {
    U32(u32),
    F32(f32),
    Text(&'a str),
    Texts(&'a [&'a str]),
    Bool(bool),
}

/// A GGUF file in the making.
pub struct Gguf {
    pub version: u32,
    values: Vec<u8>,
    value_count: u64,
    list: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Gguf {
    /// With the metadata that every architecture needs: width 8, two heads, one key head, two layers.
    pub fn new(arch: &str) -> Self {
        let mut file = Self { version: 3, values: vec![], value_count: 0, list: vec![], tensor_count: 0, data: vec![] };
        file.value("general.architecture", &Value::Text(arch));
        for (key, value) in [
            ("block_count", 2),
            ("context_length", 64),
            ("embedding_length", 8),
            ("feed_forward_length", 16),
            ("attention.head_count", 2),
            ("attention.head_count_kv", 1),
            ("attention.sliding_window", 32),
        ] {
            file.value(&format!("{arch}.{key}"), &Value::U32(value));
        }
        file.value(&format!("{arch}.attention.layer_norm_rms_epsilon"), &Value::F32(1e-5));
        file
    }

    pub fn value(&mut self, key: &str, value: &Value<'_>) -> &mut Self {
        let out = &mut self.values;
        text(out, key);
        match value {
            Value::U32(value) => out.extend([4u32, *value].iter().flat_map(|n| n.to_le_bytes())),
            Value::F32(value) => {
                out.extend(6u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Value::Text(value) => {
                out.extend(8u32.to_le_bytes());
                text(out, value);
            }
            Value::Texts(values) => {
                out.extend([9u32, 8].iter().flat_map(|n| n.to_le_bytes()));
                out.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| text(out, value));
            }
            Value::Bool(value) => {
                out.extend(7u32.to_le_bytes());
                out.push(u8::from(*value));
            }
        }
        self.value_count += 1;
        self
    }

    /// A tensor of any type; the shape is row-major.
    pub fn raw(&mut self, name: &str, shape: &[u64], kind: u32, bytes: &[u8]) -> &mut Self {
        text(&mut self.list, name);
        self.list.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|dimension| self.list.extend(dimension.to_le_bytes()));
        self.list.extend(kind.to_le_bytes());
        self.data.resize(self.data.len().next_multiple_of(32), 0);
        self.list.extend((self.data.len() as u64).to_le_bytes());
        self.data.extend(bytes);
        self.tensor_count += 1;
        self
    }

    pub fn f32(&mut self, name: &str, shape: &[u64], values: &[f32]) -> &mut Self {
        self.raw(name, shape, 0, &f32_bytes(values))
    }

    /// `0, 1, 2, ...` in a shape.
    pub fn count_up(&mut self, name: &str, shape: &[u64]) -> &mut Self {
        self.f32(name, shape, &counted(shape.iter().product::<u64>() as usize))
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend(self.tensor_count.to_le_bytes());
        file.extend(self.value_count.to_le_bytes());
        file.extend(&self.values);
        file.extend(&self.list);
        file.resize(file.len().next_multiple_of(32), 0);
        file.extend(&self.data);
        file
    }
}

pub fn counted(len: usize) -> Vec<f32> {
    (0..len).map(|value| value as f32).collect()
}
