//! Files from the reader's disk, read by slices: a file may be larger than this memory.

use crate::js;
use engram_core::service::{Meter, Opened, Parts};
use engram_core::weights::{BoxFuture, ByteSource, PARTS};
use engram_core::{Error, Result};
use std::borrow::Cow;
use std::rc::Rc;
use web_sys::{File, FileReaderSync};

/// A file on the reader's disk.
struct Slices {
    file: File,
    name: String,
    reader: FileReaderSync,
    meter: Rc<Meter>,
}

impl ByteSource for Slices {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.file.size() as u64
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> BoxFuture<'a, Result<Cow<'a, [u8]>>> {
        Box::pin(async move {
            let end = offset + len as u64;
            if end > self.len() {
                return Err(Error::input(format!(
                    "{}: the file ends after {} bytes, but {end} are needed",
                    self.name,
                    self.len()
                ))
                .hint("the file is incomplete: download or copy it again"));
            }
            let failed = |error| {
                js::io(&self.name, &error).hint("the file was moved or changed since it was chosen: choose it again")
            };
            let slice = self.file.slice_with_f64_and_f64(offset as f64, end as f64).map_err(failed)?;
            let buffer = self.reader.read_as_array_buffer(&slice).map_err(failed)?;
            let bytes = js_sys::Uint8Array::new(&buffer).to_vec();
            self.meter.came(&self.name, len as u64);
            self.meter.read(len as u64);
            Ok(Cow::Owned(bytes))
        })
    }
}

/// The files that make up a model; others of its folder are left alone.
pub(super) fn open(name: &str, files: &[File], meter: &Rc<Meter>) -> Result<Opened> {
    if files.is_empty() {
        return Err(Error::input(format!("{name}: no files arrived")).hint("choose or drop the model's files again"));
    }
    let is = |file: &File, end: &str| file.name().to_ascii_lowercase().ends_with(end);
    let safetensors = files.iter().any(|file| is(file, ".safetensors"));
    let wanted = |file: &&File| {
        PARTS.contains(&file.name().as_str()) || is(file, ".safetensors") || (!safetensors && is(file, ".gguf"))
    };
    let mut sources: Vec<Box<dyn ByteSource>> = Vec::new();
    let mut all = 0;
    for file in files.iter().filter(wanted) {
        let reader = FileReaderSync::new().map_err(|error| js::io("reading files", &error))?;
        all += file.size() as u64;
        let slices = Slices { file: file.clone(), name: file.name(), reader, meter: meter.clone() };
        sources.push(Box::new(slices));
    }
    if sources.is_empty() {
        return Err(Error::input(format!("{name}: no model is among these files"))
            .hint("drop a .gguf file, or a folder with config.json, tokenizer.json and model.safetensors"));
    }
    Ok(Opened {
        name: name.to_owned(),
        parts: Parts::Sources(sources),
        all,
        here: 0,
        licence: None,
        weights_sha256: None,
        tokenizer_sha256: None,
        kept: None,
        remarks: Vec::new(),
    })
}
