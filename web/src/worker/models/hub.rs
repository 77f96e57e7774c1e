//! The Hugging Face hub: what a model's repository holds, at which commit, with which digests.

use super::fetch;
use super::remote::{Found, Part};
use crate::js;
use engram_core::names::{self, HubId, is_inside};
use engram_core::weights::PARTS;
use engram_core::{Error, Result};
use engram_web::figures::bytes::bytes;
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
pub(super) async fn look_up(named: &HubId<'_>) -> Result<Found> {
    let (hub, id) = (endpoint(), named.name);
    let revision = named.revision.unwrap_or("main");
    let address = format!("{hub}/api/models/{id}/revision/{}?blobs=true", revision.replace('/', "%2F"));
    let answer = fetch::whole(&address).await.map_err(|error| error.at(id))?;
    let repository: Repository = serde_json::from_slice(&answer).map_err(|error| {
        let page = answer.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
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
    let find = |name: &str| repository.siblings.iter().find(|file| file.rfilename == name);
    // Some repositories carry the same weights twice; transformers' own names go first.
    let mut weights: Vec<&Sibling> = match (named.file, find(named.file.unwrap_or("model.safetensors"))) {
        (_, Some(one)) => vec![one],
        (Some(_), None) => Vec::new(),
        (None, None) => {
            let top = |file: &&Sibling| !file.rfilename.contains('/') && file.rfilename.ends_with(".safetensors");
            repository.siblings.iter().filter(top).collect()
        }
    };
    weights.sort_by_key(|file| &file.rfilename);
    if weights.is_empty() {
        return Err(nothing(named, &repository));
    }
    let digests: Option<Vec<String>> = weights.iter().map(|file| Some(file.lfs.as_ref()?.sha256.clone())).collect();
    let weights_sha256 = digests.map(|digests| match digests.as_slice() {
        [one] => one.clone(),
        all => engram_core::hex(&Sha256::digest(all.concat())),
    });
    // One GGUF file is a model by itself.
    let beside: &[&str] = if named.file.is_some() { &[] } else { &PARTS };
    let own = find("tokenizer.json").filter(|_| named.file.is_none());
    let tokenizer_sha256 = own.and_then(|file| Some(file.lfs.as_ref()?.sha256.clone()));
    let mut parts: Vec<Part> = weights.into_iter().map(part).collect();
    for &name in beside {
        match find(name) {
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
    let (name, key) = match named.file {
        Some(file) => (format!("{id}:{file}"), format!("{id}@{commit}:{file}")),
        None => (id.to_owned(), format!("{id}@{commit}")),
    };
    Ok(Found { name, key, parts, licence, weights_sha256, tokenizer_sha256 })
}

/// A repository without the weights that are wanted, and which there are.
fn nothing(named: &HubId<'_>, repository: &Repository) -> Error {
    let said = Error::input(match named.file {
        Some(file) => format!("{}: the repository has no {file}", named.name),
        None => format!("{}: the repository has no safetensors weights", named.name),
    });
    let files: Vec<_> = repository.siblings.iter().map(|file| (file.rfilename.clone(), file.size)).collect();
    match names::ggufs(&files, bytes) {
        Some((list, one)) => Error::input(format!("{}; it has these GGUF files: {list}", said.message()))
            .hint(format!("name one of them, so: {}", named.of(&one))),
        None => said.hint("look for another export of the model: safetensors, or a GGUF file"),
    }
}
