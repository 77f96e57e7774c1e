//! Models and facts that lie beside the page.

use super::fetch;
use crate::js;
use engram_core::service::{Opened, Parts};
use engram_core::weights::{ByteSource, MemoryFile};
use engram_core::{Error, Result};

/// A file of the site's `bundled/` folder.
pub(crate) async fn fetch(path: &str) -> Result<Vec<u8>> {
    let here = js::scope().location().href();
    let url = web_sys::Url::new_with_base(&format!("bundled/{path}"), &here);
    let url = url.map_err(|_| Error::input(format!("{path}: not an address")))?.href();
    fetch::whole(&url).await
}

/// Fetches a bundled model.
pub(crate) async fn open(name: &str) -> Result<Opened> {
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(Error::input(format!("\"{name}\" is no bundled model")));
    }
    let mut sources: Vec<Box<dyn ByteSource>> = Vec::new();
    let mut all = 0;
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = fetch(&format!("models/{name}/{file}")).await?;
        all += bytes.len() as u64;
        sources.push(Box::new(MemoryFile::new(bytes, file)));
    }
    Ok(Opened {
        name: name.to_owned(),
        parts: Parts::Sources(sources),
        all,
        here: all,
        licence: Some("MIT OR Apache-2.0".into()),
        weights_sha256: None,
        tokenizer_sha256: None,
        kept: None,
        remarks: Vec::new(),
    })
}
