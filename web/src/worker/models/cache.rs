//! Models that are kept in the browser: a folder each, with an account of what is in it.

use crate::{js, opfs};
use engram_core::Result;
use engram_core::protocol::{Cached, Event, ModelRef};
use engram_core::service::{KeptCopy, Later};
use engram_web::ranges::Ranges;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::rc::Rc;
use web_sys::FileSystemDirectoryHandle;

/// A file of a kept model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptPart {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) size: u64,
    pub(crate) etag: Option<String>,
    pub(crate) have: Ranges,
}

/// The account of a kept model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) model: ModelRef,
    pub(crate) parts: Vec<KeptPart>,
    pub(crate) licence: Option<String>,
    pub(crate) weights_sha256: Option<String>,
    #[serde(default)]
    pub(crate) tokenizer_sha256: Option<String>,
    pub(crate) verified: Option<bool>,
    pub(crate) used_ms: f64,
}

impl About {
    fn here(&self) -> u64 {
        self.parts.iter().map(|part| part.have.bytes()).sum()
    }

    fn all(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// Nothing is missing.
    pub(crate) fn complete(&self) -> bool {
        self.here() == self.all()
    }
}

const ABOUT: &str = "about.json";

/// A kept model's folder and account.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) key: String,
    pub(crate) folder: FileSystemDirectoryHandle,
    pub(crate) about: Rc<RefCell<About>>,
}

/// The folder's name for a model's full name.
pub(crate) fn key_of(full: &str) -> String {
    engram_core::hex(&Sha256::digest(full))[..16].to_owned()
}

impl Kept {
    /// Opens a model's folder, new or with what is in it; `None` where the browser keeps nothing. What is kept of other
    /// files than `about` names is forgotten.
    pub(crate) async fn open(key: &str, about: About) -> Option<Self> {
        let folder = opfs::folder(&["models", key]).await?;
        let old: Option<About> = opfs::read_json(&folder, ABOUT).await.ok().flatten();
        let mut about = about;
        for part in &mut about.parts {
            let same = |kept: &&KeptPart| kept.name == part.name && kept.size == part.size;
            let same_version = |kept: &&KeptPart| kept.etag == part.etag || part.etag.is_none() || kept.etag.is_none();
            let kept = old.as_ref().and_then(|old| old.parts.iter().find(same)).filter(same_version);
            if let Some(kept) = kept {
                part.have = kept.have.clone();
                part.etag = part.etag.clone().or_else(|| kept.etag.clone());
            }
        }
        let kept = Self { key: key.to_owned(), folder, about: Rc::new(RefCell::new(about)) };
        kept.save().await.ok()?;
        Some(kept)
    }

    /// A model that is kept already.
    pub(crate) async fn find(key: &str) -> Option<Self> {
        let folder = opfs::folder(&["models"]).await?;
        if !opfs::names(&folder).await.iter().any(|name| name == key) {
            return None;
        }
        let folder = opfs::folder(&["models", key]).await?;
        let about = opfs::read_json(&folder, ABOUT).await.ok().flatten()?;
        Some(Self { key: key.to_owned(), folder, about: Rc::new(RefCell::new(about)) })
    }

    /// A whole kept copy of this model.
    pub(crate) async fn whole_of(model: &ModelRef) -> Option<Self> {
        let folder = opfs::folder(&["models"]).await?;
        for key in opfs::names(&folder).await {
            let Some(kept) = Self::find(&key).await else { continue };
            let fits = kept.about.borrow().model == *model && kept.about.borrow().complete();
            if fits {
                return Some(kept);
            }
        }
        None
    }

    /// Writes the account.
    pub(crate) async fn save(&self) -> Result<()> {
        self.about.borrow_mut().used_ms = js::now_ms();
        let about = self.about.borrow().clone();
        opfs::write_json(&self.folder, ABOUT, &about).await
    }
}

impl KeptCopy for Kept {
    fn finished(&self, verified: Option<bool>) -> Later<'_, Result<()>> {
        self.about.borrow_mut().verified = verified;
        Box::pin(self.save())
    }

    fn remove(&self) -> Later<'_, Result<()>> {
        Box::pin(remove(Some(&self.key)))
    }
}

/// What is kept.
pub(crate) async fn news() -> Result<Event> {
    let (used, quota) = opfs::usage().await;
    let mut models = Vec::new();
    if let Some(folder) = opfs::folder(&["models"]).await {
        for key in opfs::names(&folder).await {
            let Some(kept) = Kept::find(&key).await else { continue };
            let about = kept.about.borrow();
            models.push(Cached {
                key: key.clone(),
                name: about.name.clone(),
                model: about.model.clone(),
                bytes: about.here(),
                all: about.all(),
                verified: about.verified,
                used_ms: about.used_ms,
            });
        }
    }
    models.sort_by(|a, b| b.used_ms.total_cmp(&a.used_ms));
    Ok(Event::Cache { models, used, quota })
}

/// Deletes a kept model, or all.
pub(crate) async fn remove(key: Option<&str>) -> Result<()> {
    let Some(folder) = opfs::folder(&["models"]).await else { return Ok(()) };
    for name in opfs::names(&folder).await {
        if key.is_none_or(|key| key == name) {
            opfs::remove(&folder, &name).await?;
        }
    }
    Ok(())
}
