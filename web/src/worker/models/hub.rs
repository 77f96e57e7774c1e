//! The Hugging Face hub: what a model's repository holds, at which commit, with which digests.

use super::fetch;
use super::remote::{Found, Part};
use crate::js;
use engram_core::names::is_inside;
use engram_core::weights::PARTS;
use engram_core::{Error, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    #[serde(default)]
    license: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: String,
}

/// Where the hub is: a mirror can be named in the worker's address (`?hub=`), as index.html does.
fn endpoint() -> String {
    let search = js::scope().location().search();
    let given = web_sys::UrlSearchParams::new_with_str(&search).ok().and_then(|search| search.get("hub"));
    given.unwrap_or_else(|| "https://huggingface.co".into()).trim_end_matches('/').to_owned()
}

/// Finds a model's files.
pub(super) async fn look_up(id: &str, revision: Option<&str>) -> Result<Found> {
    let hub = endpoint();
    let revision = revision.unwrap_or("main");
    let address = format!("{hub}/api/models/{id}/revision/{}?blobs=true", revision.replace('/', "%2F"));
    let bytes = fetch::whole(&address).await.map_err(|error| error.at(id))?;
    let repository: Repository = serde_json::from_slice(&bytes).map_err(|error| {
        let page = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
        let what = if page { "it answered with a web page".to_owned() } else { error.to_string() };
        Error::io(format!("{id}: {hub} is no hub: {what}"))
            .hint("the network may want you to sign in first: open any page in another tab, then try again")
    })?;
    let commit = if repository.sha.is_empty() { revision.to_owned() } else { repository.sha.clone() };
    let part = |sibling: &Sibling| Part {
        name: sibling.rfilename.clone(),
        url: format!("{hub}/{id}/resolve/{}/{}", commit.replace('/', "%2F"), sibling.rfilename),
        size: sibling.size,
    };
    let named = |name: &str| repository.siblings.iter().find(|file| file.rfilename == name);
    // Some repositories carry the same weights twice; transformers' own names go first.
    let mut weights: Vec<&Sibling> = match named("model.safetensors") {
        Some(one) => vec![one],
        None => {
            let top = |file: &&Sibling| !file.rfilename.contains('/') && file.rfilename.ends_with(".safetensors");
            repository.siblings.iter().filter(top).collect()
        }
    };
    weights.sort_by_key(|file| &file.rfilename);
    if weights.is_empty() {
        let gguf = repository.siblings.iter().find(|file| file.rfilename.ends_with(".gguf"));
        let hint = match gguf {
            Some(gguf) => format!("it has GGUF files: give the address {hub}/{id}/resolve/main/{}", gguf.rfilename),
            None => "it has no safetensors files; look for another export of the model".into(),
        };
        return Err(Error::input(format!("{id}: the repository has no weights that can be read")).hint(hint));
    }
    let digests: Option<Vec<String>> = weights.iter().map(|file| Some(file.lfs.as_ref()?.sha256.clone())).collect();
    let weights_sha256 = digests.map(|digests| match digests.as_slice() {
        [one] => one.clone(),
        all => engram_core::hex(&Sha256::digest(all.concat())),
    });
    let tokenizer_sha256 = named("tokenizer.json").and_then(|file| Some(file.lfs.as_ref()?.sha256.clone()));
    let mut parts: Vec<Part> = weights.into_iter().map(part).collect();
    for name in PARTS {
        match named(name) {
            Some(file) => parts.push(part(file)),
            None if !matches!(name, "config.json" | "tokenizer.json") => {}
            None => {
                return Err(Error::input(format!("{id}: the repository has no {name}"))
                    .hint("take an export for transformers, with tokenizer.json"));
            }
        }
    }
    // Names that the server gives become parts of addresses.
    let strange = parts.iter().map(|part| &part.name).find(|name| !is_inside(name));
    if let Some(name) = strange.or((!is_inside(&commit)).then_some(&commit)) {
        return Err(Error::io(format!("{id}: the hub names `{}`", name.chars().take(100).collect::<String>()))
            .hint("that is no name of a file or a commit: it is no hub, or a hostile one"));
    }
    let licence = repository.card.and_then(|card| card.license).map(|licence| match licence {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    });
    Ok(Found { name: id.to_owned(), key: format!("{id}@{commit}"), parts, licence, weights_sha256, tokenizer_sha256 })
}
