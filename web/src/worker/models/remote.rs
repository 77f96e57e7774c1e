//! Files on a server, read by ranges as the model is built, kept in the browser as they come.

use super::cache::{About, Kept, KeptPart, key_of};
use super::fetch;
use crate::opfs;
use engram_core::names::is_inside;
use engram_core::protocol::ModelRef;
use engram_core::service::{KeptCopy, Meter, Opened, Parts};
use engram_core::weights::{BoxFuture, ByteSource};
use engram_core::{Error, Kind, Result, pause};
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

/// Bytes asked for at a time: much at once, little to fetch again when it breaks off.
const WINDOW: u64 = 8 << 20;
/// Attempts in a row that bring nothing before it is given up.
const ATTEMPTS: usize = 5;

/// A file that a model consists of.
pub(super) struct Part {
    pub(super) name: String,
    pub(super) url: String,
    /// Known sizes save a request.
    pub(super) size: Option<u64>,
}

/// A model's files, found but not fetched.
pub(super) struct Found {
    pub(super) name: String,
    /// Decides the folder in the browser: the same key, the same bytes.
    pub(super) key: String,
    pub(super) parts: Vec<Part>,
    pub(super) licence: Option<String>,
    pub(super) weights_sha256: Option<String>,
    pub(super) tokenizer_sha256: Option<String>,
}

/// Finds the files at an address.
pub(super) async fn look_up(url: &str) -> Result<Found> {
    let part = |name: &str, url: String| Part { name: name.to_owned(), url, size: None };
    let plain = url.split(['?', '#']).next().unwrap_or(url);
    let last = plain.trim_end_matches('/').rsplit('/').next().unwrap_or(plain).to_owned();
    if plain.to_ascii_lowercase().ends_with(".gguf") {
        let folder = plain.strip_suffix(&last).unwrap_or(plain);
        let mut parts = vec![part(&last, url.to_owned())];
        for name in [TOKENIZER, TOKENIZER_CONFIG] {
            parts.extend(beside(folder, name).await?.map(|url| part(name, url)));
        }
        return Ok(Found {
            name: last,
            key: url.to_owned(),
            parts,
            licence: None,
            weights_sha256: None,
            tokenizer_sha256: None,
        });
    }
    let folder = plain.trim_end_matches('/');
    let at = |name: &str| part(name, format!("{folder}/{name}"));
    let mut parts = vec![at("config.json"), at("tokenizer.json")];
    parts.extend(beside(&format!("{folder}/"), TOKENIZER_CONFIG).await?.map(|url| part(TOKENIZER_CONFIG, url)));
    match fetch::size(&format!("{folder}/model.safetensors")).await {
        Ok(_) => parts.push(at("model.safetensors")),
        Err(error) if error.kind == Kind::Input => {
            let index = format!("{folder}/model.safetensors.index.json");
            let bytes = fetch::whole(&index).await.map_err(|_| error)?;
            let index: serde_json::Value = serde_json::from_slice(&bytes)
                .map_err(|error| Error::input(format!("{folder}/model.safetensors.index.json: {error}")))?;
            let names = index["weight_map"].as_object().into_iter().flat_map(|map| map.values());
            let mut names: Vec<&str> = names.filter_map(serde_json::Value::as_str).collect();
            names.sort_unstable();
            names.dedup();
            if let Some(name) = names.iter().find(|name| !is_inside(name)) {
                return Err(Error::input(format!("{folder}/model.safetensors.index.json names a file `{name:.100}`"))
                    .hint("that is no file of the model: look for another export"));
            }
            parts.extend(names.into_iter().map(at));
            parts.push(at("model.safetensors.index.json"));
        }
        Err(error) => return Err(error),
    }
    Ok(Found { name: last, key: url.to_owned(), parts, licence: None, weights_sha256: None, tokenizer_sha256: None })
}

/// A GGUF file needs none; one that is there is used.
const TOKENIZER: &str = "tokenizer.json";
/// What else says how prompts begin; not every model has it.
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// The address of a file in a folder, where there is one.
async fn beside(folder: &str, name: &str) -> Result<Option<String>> {
    let url = format!("{folder}{name}");
    match fetch::size(&url).await {
        Ok(_) => Ok(Some(url)),
        Err(error) if error.kind == Kind::Input => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where bytes stay.
enum Store {
    Kept(opfs::Stored, Kept, usize),
    /// The beginning of a file whose server knows no ranges; otherwise nothing stays.
    Memory(RefCell<Vec<u8>>),
}

/// A file on a server.
struct Remote {
    name: String,
    url: String,
    size: u64,
    store: Store,
    meter: Rc<Meter>,
}

impl ByteSource for Remote {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.size
    }

    fn read<'a>(&'a self, offset: u64, len: usize) -> BoxFuture<'a, Result<Cow<'a, [u8]>>> {
        Box::pin(async move {
            let end = offset + len as u64;
            if end > self.size {
                return Err(Error::input(format!(
                    "{}: the file ends after {} bytes, but {end} are needed",
                    self.url, self.size
                ))
                .hint("the file on the server is incomplete"));
            }
            let bytes = match &self.store {
                Store::Kept(file, ..) => {
                    self.bring(offset, end).await?;
                    let mut bytes = vec![0; len];
                    file.read(offset, &mut bytes)?;
                    bytes
                }
                Store::Memory(prefix) => self.pass(offset, end, prefix).await?,
            };
            self.meter.read(len as u64);
            Ok(Cow::Owned(bytes))
        })
    }
}

impl Remote {
    /// Makes `[start, end)` be kept, fetching what is missing.
    async fn bring(&self, start: u64, end: u64) -> Result<()> {
        let Store::Kept(file, kept, part) = &self.store else { return Ok(()) };
        let missing = |start, end| kept.about.borrow().parts[*part].have.missing(start, end);
        let mut failures = 0;
        while let Some((from, _)) = missing(start, end) {
            let to = match missing(from, (from + WINDOW).min(self.size)) {
                Some((_, to)) => to,
                None => continue,
            };
            let mut came = 0;
            let outcome = self.window(from, to, file, kept, *part, &mut came).await;
            kept.save().await?;
            match outcome {
                Ok(()) => failures = 0,
                Err(error) if error.kind != Kind::Io => return Err(error),
                // Storage that is full does not get better.
                Err(error) if error.message().contains("storage") => return Err(error),
                Err(error) => {
                    failures = if came > 0 { 1 } else { failures + 1 };
                    if failures > ATTEMPTS {
                        let hint = "the downloaded part is kept: load it again to resume";
                        return Err(error.at(&self.url).hint(hint));
                    }
                    self.meter.retry(failures, error.message().to_owned());
                    wait(250.0 * f64::from(1 << failures)).await?;
                }
            }
        }
        Ok(())
    }

    async fn window(
        &self,
        from: u64,
        to: u64,
        file: &opfs::Stored,
        kept: &Kept,
        part: usize,
        came: &mut u64,
    ) -> Result<()> {
        let mut stream = fetch::stream(&self.url, from, to, self.size).await?;
        {
            let mut about = kept.about.borrow_mut();
            let known = &mut about.parts[part];
            let other = matches!((&known.etag, &stream.etag), (Some(known), Some(new)) if known != new);
            if stream.all != self.size || other {
                return Err(Error::input(format!("{}: the file has changed on the server", self.url))
                    .hint("delete the model in the Models tab and load it again"));
            }
            known.etag = known.etag.take().or_else(|| stream.etag.clone());
        }
        let mut at = stream.start;
        let wanted = if stream.partial { to } else { self.size };
        // Without ranges whatever comes is worth keeping; with them the rest of a window is.
        while let Some(bytes) = stream.next().await? {
            let n = u64::from(bytes.length());
            if at + n > wanted {
                return Err(Error::input(format!(
                    "{}: the server sends more than the {wanted} bytes it names",
                    self.url
                ))
                .hint("it does not send what it names: check the address, or take another server"));
            }
            file.write_array(at, &bytes)?;
            kept.about.borrow_mut().parts[part].have.add(at, at + n);
            at += n;
            *came += n;
            self.meter.came(&self.name, n);
            pause::point().await?;
        }
        match at >= wanted {
            true => Ok(()),
            false => Err(Error::io(format!("the transfer broke off after {at} of {} bytes", self.size))),
        }
    }

    /// Reads without keeping: by ranges where the server knows them, else the file's beginning stays in memory.
    async fn pass(&self, start: u64, end: u64, prefix: &RefCell<Vec<u8>>) -> Result<Vec<u8>> {
        let slice = |prefix: &Vec<u8>| prefix.get(start as usize..end as usize).map(<[u8]>::to_vec);
        if let Some(bytes) = slice(&prefix.borrow()) {
            return Ok(bytes);
        }
        let mut failures = 0;
        loop {
            match self.attempt(start, end, prefix).await {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) => {
                    if let Some(bytes) = slice(&prefix.borrow()) {
                        return Ok(bytes);
                    }
                    failures += 1;
                }
                Err(error) if error.kind != Kind::Io || failures >= ATTEMPTS => return Err(error),
                Err(error) => {
                    failures += 1;
                    self.meter.retry(failures, error.message().to_owned());
                }
            }
            if failures > ATTEMPTS {
                return Err(Error::io(format!("{}: the transfer breaks off again and again", self.url)));
            }
            wait(250.0 * f64::from(1 << failures)).await?;
        }
    }

    /// One try: the bytes of a range, or `None` when the answer went into `prefix`.
    async fn attempt(&self, start: u64, end: u64, prefix: &RefCell<Vec<u8>>) -> Result<Option<Vec<u8>>> {
        let mut stream = fetch::stream(&self.url, start, end, self.size).await?;
        let mut bytes = Vec::new();
        let wanted = if stream.partial { end - start } else { end };
        while (bytes.len() as u64) < wanted {
            let Some(more) = stream.next().await? else {
                return Err(Error::io(format!("{}: the transfer broke off", self.url)));
            };
            bytes.extend(more.to_vec());
            self.meter.came(&self.name, u64::from(more.length()));
            pause::point().await?;
        }
        if stream.partial {
            bytes.truncate(wanted as usize);
            return Ok(Some(bytes));
        }
        *prefix.borrow_mut() = bytes;
        Ok(None)
    }
}

/// Waits so many milliseconds, unless the request is cancelled.
async fn wait(ms: f64) -> Result<()> {
    let end = crate::js::now_ms() + ms;
    while crate::js::now_ms() < end {
        let promise = js_sys::Promise::new(&mut |resolve, _| {
            let _ = crate::js::scope().set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, 50);
        });
        let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
        if pause::is_cancelled() {
            return Err(Error::cancelled());
        }
    }
    Ok(())
}

/// Opens found files; with `store` they are kept.
pub(super) async fn open(found: Found, model: ModelRef, store: bool, meter: &Rc<Meter>) -> Result<Opened> {
    let mut remarks = Vec::new();
    let mut parts = Vec::new();
    for part in &found.parts {
        let (size, etag) = match part.size {
            Some(size) => (size, None),
            None => {
                let (size, etag, partial) = fetch::size(&part.url).await?;
                if !partial && size > WINDOW {
                    remarks.push(format!("{}: the server cannot resume an interrupted download", part.name));
                }
                (size, etag)
            }
        };
        let (name, url) = (part.name.clone(), part.url.clone());
        parts.push(KeptPart { name, url, size, etag, have: Default::default() });
    }
    let about = About {
        name: found.name.clone(),
        model,
        parts,
        licence: found.licence.clone(),
        weights_sha256: found.weights_sha256.clone(),
        tokenizer_sha256: found.tokenizer_sha256.clone(),
        verified: None,
        used_ms: 0.0,
    };
    let key = key_of(&found.key);
    let kept = match store {
        true => {
            opfs::persist().await;
            Kept::open(&key, about.clone()).await
        }
        false => None,
    };
    // What an earlier attempt brought counts, also where nothing is stored now.
    let here = match (&kept, Kept::find(&key).await) {
        (Some(kept), _) => bytes_here(&kept.about.borrow()),
        (None, Some(old)) => bytes_here(&old.about.borrow()),
        (None, None) => 0,
    };
    if store && kept.is_none() {
        remarks.push("this browser keeps nothing here: the files are fetched again next time".to_owned());
    }
    sources(about, kept, here, remarks, meter).await
}

fn bytes_here(about: &About) -> u64 {
    about.parts.iter().map(|part| part.have.bytes()).sum()
}

/// Opens a model that is kept.
pub(super) async fn reopen(key: &str, meter: &Rc<Meter>) -> Result<Opened> {
    let gone = || Error::input("this model is not kept here any more").hint("load it from where it came");
    let kept = Kept::find(key).await.ok_or_else(gone)?;
    let about = kept.about.borrow().clone();
    let here = bytes_here(&about);
    sources(about, Some(kept), here, Vec::new(), meter).await
}

async fn sources(
    about: About,
    kept: Option<Kept>,
    here: u64,
    remarks: Vec<String>,
    meter: &Rc<Meter>,
) -> Result<Opened> {
    let mut sources: Vec<Box<dyn ByteSource>> = Vec::new();
    for (at, part) in about.parts.iter().enumerate() {
        let store = match &kept {
            Some(kept) => Store::Kept(opfs::Stored::open(&kept.folder, &format!("part{at}")).await?, kept.clone(), at),
            None => Store::Memory(RefCell::default()),
        };
        sources.push(Box::new(Remote {
            // A folder in the name would hide what kind of file it is.
            name: part.name.rsplit('/').next().unwrap_or(&part.name).to_owned(),
            url: part.url.clone(),
            size: part.size,
            store,
            meter: meter.clone(),
        }));
    }
    Ok(Opened {
        name: about.name.clone(),
        parts: Parts::Sources(sources),
        all: about.parts.iter().map(|part| part.size).sum(),
        here,
        licence: about.licence,
        weights_sha256: about.weights_sha256,
        tokenizer_sha256: about.tokenizer_sha256,
        kept: kept.map(|kept| Box::new(kept) as Box<dyn KeptCopy>),
        remarks,
    })
}
