//! The browser's private file system (OPFS): folders, small files, and files that are read and written in place.

use super::{host, js};
use engram_core::{Error, Result};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    FileSystemDirectoryHandle, FileSystemFileHandle, FileSystemGetDirectoryOptions, FileSystemGetFileOptions,
    FileSystemReadWriteOptions, FileSystemRemoveOptions, FileSystemSyncAccessHandle,
};

/// How long a file is waited for that a worker had open: one that was ended lets go of its files a moment later.
const PATIENCE_MS: f64 = 2000.0;

/// A folder at a path below the root, made when missing. `None` where the browser keeps nothing (private windows,
/// insecure pages).
pub(crate) async fn folder(path: &[&str]) -> Option<FileSystemDirectoryHandle> {
    let storage = storage()?;
    let root = js::call(&storage, "getDirectory", &Array::new()).await.ok()?;
    let mut folder: FileSystemDirectoryHandle = root.dyn_into().ok()?;
    let make = FileSystemGetDirectoryOptions::new();
    make.set_create(true);
    for name in path {
        let next = JsFuture::from(folder.get_directory_handle_with_options(name, &make)).await.ok()?;
        folder = next.dyn_into().ok()?;
    }
    Some(folder)
}

fn storage() -> Option<JsValue> {
    let storage = js::get(&js::get(&js_sys::global(), "navigator"), "storage");
    (storage.is_truthy() && js::get(&storage, "getDirectory").is_truthy()).then_some(storage)
}

/// Asks the browser not to clear what is kept; it may refuse.
pub(crate) async fn persist() {
    if let Some(storage) = storage() {
        let _ = js::call(&storage, "persist", &Array::new()).await;
    }
}

/// Bytes used and bytes allowed, where the browser tells.
pub(crate) async fn usage() -> (Option<u64>, Option<u64>) {
    let Some(storage) = storage() else { return (None, None) };
    let Ok(estimate) = js::call(&storage, "estimate", &Array::new()).await else { return (None, None) };
    let bytes = |name: &str| js::number(&estimate, name).map(|bytes| bytes as u64);
    (bytes("usage"), bytes("quota"))
}

/// Names of what lies in a folder.
pub(crate) async fn names(folder: &FileSystemDirectoryHandle) -> Vec<String> {
    let mut names = Vec::new();
    let Ok(keys) = js::get(folder, "keys").dyn_into::<js_sys::Function>() else { return names };
    let Ok(iterator) = keys.call0(folder) else { return names };
    while let Ok(step) = js::call(&iterator, "next", &Array::new()).await {
        if js::get(&step, "done").is_truthy() {
            break;
        }
        names.extend(js::get(&step, "value").as_string());
    }
    names.sort();
    names
}

/// Removes a file, or a folder with all that is in it.
pub(crate) async fn remove(folder: &FileSystemDirectoryHandle, name: &str) -> Result<()> {
    let all = FileSystemRemoveOptions::new();
    all.set_recursive(true);
    let removed = JsFuture::from(folder.remove_entry_with_options(name, &all)).await;
    removed.map(|_| ()).map_err(|error| js::io(name, &error))
}

/// An open file. Nobody else can open it until it is dropped.
pub(crate) struct Stored {
    handle: FileSystemSyncAccessHandle,
    name: String,
}

impl Drop for Stored {
    fn drop(&mut self) {
        let _ = self.handle.flush();
        self.handle.close();
    }
}

impl Stored {
    /// Opens a file, made when missing.
    pub(crate) async fn open(folder: &FileSystemDirectoryHandle, name: &str) -> Result<Self> {
        let failed = |error: JsValue| js::io(name, &error);
        let make = FileSystemGetFileOptions::new();
        make.set_create(true);
        let file = JsFuture::from(folder.get_file_handle_with_options(name, &make)).await.map_err(failed)?;
        let file: FileSystemFileHandle = file.dyn_into().map_err(failed)?;
        let end = js::now_ms() + PATIENCE_MS;
        let handle = loop {
            match JsFuture::from(file.create_sync_access_handle()).await {
                Ok(handle) => break handle.dyn_into().map_err(failed)?,
                Err(error) if js::kind(&error) == "NoModificationAllowedError" && js::now_ms() < end => {
                    host::rest().await
                }
                Err(error) => return Err(failed(error)),
            }
        };
        Ok(Self { handle, name: name.to_owned() })
    }

    /// Its length in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        self.handle.get_size().map(|size| size as u64).map_err(|error| js::io(&self.name, &error))
    }

    /// Fills the slice from an offset; a shorter file is an error.
    pub(crate) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let at = FileSystemReadWriteOptions::new();
        at.set_at(offset as f64);
        let wanted = bytes.len();
        let read =
            self.handle.read_with_u8_array_and_options(bytes, &at).map_err(|error| js::io(&self.name, &error))?;
        match read as usize == wanted {
            true => Ok(()),
            false => Err(Error::io(format!("{}: the browser's copy ends early", self.name))
                .hint("delete it in the Models tab and load it again")),
        }
    }

    /// Writes bytes at an offset.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let at = FileSystemReadWriteOptions::new();
        at.set_at(offset as f64);
        let written = self.handle.write_with_u8_array_and_options(bytes, &at);
        let written = written.map_err(|error| js::io(&self.name, &error))?;
        match written as usize == bytes.len() {
            true => Ok(()),
            false => Err(Error::io(format!("{}: the browser's storage is full", self.name))
                .hint("delete models that are kept in the Models tab, or free disk space")),
        }
    }

    /// Writes bytes that come from JavaScript, without a copy in this memory.
    pub(crate) fn write_array(&self, offset: u64, bytes: &Uint8Array) -> Result<()> {
        let at = FileSystemReadWriteOptions::new();
        at.set_at(offset as f64);
        let written = self.handle.write_with_js_u8_array_and_options(bytes, &at);
        let written = written.map_err(|error| js::io(&self.name, &error))?;
        match written as u32 == bytes.length() {
            true => Ok(()),
            false => Err(Error::io(format!("{}: the browser's storage is full", self.name))
                .hint("delete models that are kept in the Models tab, or free disk space")),
        }
    }

    /// Cuts it.
    pub(crate) fn truncate(&self, len: u64) -> Result<()> {
        self.handle.truncate_with_f64(len as f64).map_err(|error| js::io(&self.name, &error))
    }

    /// Hands what is written to the disk.
    pub(crate) fn flush(&self) -> Result<()> {
        self.handle.flush().map_err(|error| js::io(&self.name, &error))
    }

    /// All of it.
    pub(crate) fn all(&self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.len()? as usize];
        self.read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Replaces all of it.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Result<()> {
        self.truncate(0)?;
        self.write(0, bytes)?;
        self.flush()
    }
}

/// A small JSON file; `None` when it is missing or of an older version of this program.
pub(crate) async fn read_json<T: serde::de::DeserializeOwned>(
    folder: &FileSystemDirectoryHandle,
    name: &str,
) -> Result<Option<T>> {
    let bytes = Stored::open(folder, name).await?.all()?;
    Ok(serde_json::from_slice(&bytes).ok())
}

/// Writes a small JSON file.
pub(crate) async fn write_json(
    folder: &FileSystemDirectoryHandle,
    name: &str,
    value: &impl serde::Serialize,
) -> Result<()> {
    let bytes = serde_json::to_vec(value).map_err(|error| Error::io(format!("{name}: {error}")))?;
    Stored::open(folder, name).await?.replace(&bytes)
}
