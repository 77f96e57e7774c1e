//! A file's bytes from a server onto the disk, taken up where they stopped.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use engram_core::Error;
use ureq::http::HeaderMap;
use url::Url;

use super::cache::make_folder_of;
use super::client::{Fault, Meta};
use super::download::{Job, on_disk};

/// More than any JSON file of a model has.
const LARGEST_JSON: u64 = 1 << 30;
/// What the hub sends over plain HTTP at most.
const LARGEST: u64 = 50_000_000_000;
/// Connections for one file, also where each brings a little.
const CONNECTIONS: usize = 1000;

/// One file on its way.
pub(super) struct Transfer<'a> {
    pub(super) job: &'a Job<'a>,
    /// Where the hub was asked about it.
    pub(super) url: &'a Url,
    pub(super) file: &'a str,
    /// What has come of it.
    pub(super) part: &'a Path,
}

impl Transfer<'_> {
    /// Brings what is missing of a file. Connections that fail, break off or fall silent are taken up again, until so many
    /// in a row bring nothing.
    pub(super) fn run(&self, meta: &Meta) -> Result<(), Fault> {
        let limit = if self.file.ends_with(".safetensors") { LARGEST } else { LARGEST_JSON };
        if let Some(size) = meta.size.filter(|size| *size > limit) {
            return Err(self.wrong(&format!("{size} bytes are promised"), Some(limit)));
        }
        let limit = meta.size.unwrap_or(limit);
        let mut file = self.opened().map_err(|error| self.disk(&error))?;
        let mut location = meta.location.clone().unwrap_or_else(|| self.url.clone());
        let (mut failures, mut refreshed, mut restarted, mut any) = (0, false, false, false);
        for _ in 0..CONNECTIONS {
            let before = length(&file).map_err(|error| self.disk(&error))?;
            let fault = match self.connection(&location, &mut file, meta.size, limit) {
                Ok(()) => return Ok(()),
                Err(fault) => fault,
            };
            let came = length(&file).map_err(|error| self.disk(&error))? > before;
            any |= came;
            failures = if came { 1 } else { failures + 1 };
            let status = if let Fault::Refused(refusal) = &fault { refusal.status } else { 0 };
            if status == 416 && before > 0 {
                if restarted {
                    return Err(self.wrong(&format!("the server has no more than {before} bytes of it"), meta.size));
                }
                // The part is no beginning of this file.
                restarted = true;
                file.set_len(0).map_err(|error| self.disk(&error))?;
                continue;
            }
            if matches!(status, 401 | 403) && location.origin() != self.url.origin() && !refreshed {
                // A signed address has run out.
                refreshed = true;
                location = self.job.client.meta(self.url)?.location.unwrap_or(location);
                continue;
            }
            let lost = matches!(fault, Fault::Passing { reached: false, .. }) && !any;
            let Some(pause) = fault.pause(failures).filter(|_| failures <= self.job.hub.retries && !lost) else {
                return Err(fault);
            };
            if let Fault::Passing { what, .. } = &fault {
                log::info!("{}: {what}; going on in {} s", self.file, pause.as_secs_f64());
            }
            self.job.wait(pause)?;
        }
        Err(Fault::Final(Error::io(format!("{} broke off {CONNECTIONS} times", self.url)).hint("try another network")))
    }

    /// One connection, from what is there to the end.
    fn connection(&self, url: &Url, file: &mut File, size: Option<u64>, limit: u64) -> Result<(), Fault> {
        let disk = |error: std::io::Error| self.disk(&error);
        let mut at = length(file).map_err(disk)?;
        if size.is_some_and(|size| at > size) {
            file.set_len(0).map_err(disk)?;
            at = 0;
        }
        if size == Some(at) && at > 0 {
            return Ok(());
        }
        let response = self.job.client.open(url, at)?;
        let ranged = response.status().as_u16() == 206;
        let coded = text(response.headers(), "content-encoding").is_some_and(|coding| coding != "identity");
        let starts = if ranged { range_start(response.headers()).unwrap_or(at) } else { 0 };
        if at > 0 && (starts != at || (ranged && coded)) {
            // The whole again (or a piece of a compressed copy, which fits nowhere): begin at the beginning.
            file.set_len(0).map_err(disk)?;
            at = 0;
            if ranged {
                return Err(Fault::Passing { what: "the server sent another range".to_owned(), reached: true });
            }
        }
        let promised = text(response.headers(), "content-length").and_then(|length| length.parse::<u64>().ok());
        if let (Some(size), Some(promised)) = (size, promised.filter(|_| !coded).map(|more| at.saturating_add(more)))
            && size != promised
        {
            return Err(self.wrong(&format!("the server is about to send {promised} bytes"), Some(size)));
        }
        file.seek(SeekFrom::Start(at)).map_err(disk)?;
        self.start_progress(at, size.or(promised.filter(|_| !coded)));
        let mut body = response.into_body().into_reader();
        let mut piece = vec![0; 256 << 10];
        loop {
            let count = match body.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.job.client.fault(error.into(), url)),
            };
            if at + count as u64 > limit {
                let _ = file.set_len(0);
                return Err(self.wrong("the server sent more", Some(limit)));
            }
            file.write_all(&piece[..count]).map_err(disk)?;
            at += count as u64;
            self.job.progress.set(at >> 20);
            if self.job.progress.is_cancelled() {
                return Err(Fault::Final(Error::cancelled().hint("run the same command again to go on from here")));
            }
        }
        self.job.progress.finish();
        match size {
            Some(size) if at < size => Err(Fault::Passing {
                what: format!("the transfer broke off after {at} of {size} bytes"),
                reached: true,
            }),
            _ => Ok(()),
        }
    }

    fn opened(&self) -> std::io::Result<File> {
        make_folder_of(self.part)?;
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.part)
    }

    fn start_progress(&self, at: u64, size: Option<u64>) {
        let whole = size.map(|size| (size >> 20).max(1));
        self.job.progress.start(&format!("downloading {}", self.file), "MiB", whole, at >> 20);
    }

    fn disk(&self, error: &std::io::Error) -> Fault {
        Fault::Final(on_disk(self.part, error).at(format!("{}: {}", self.job.id, self.file)))
    }

    /// Bytes that do not fit what was promised, or what such a file can have.
    fn wrong(&self, what: &str, right: Option<u64>) -> Fault {
        let right = right.map_or(String::new(), |right| format!(", where {right} were to come"));
        Fault::Final(
            Error::io(format!("{}: {}: {what}{right}", self.job.id, self.file))
                .hint("the server does not send what it names: try another hub or network"),
        )
    }
}

fn length(file: &File) -> std::io::Result<u64> {
    Ok(file.metadata()?.len())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// The first byte of `Content-Range: bytes 5-9/10`; servers exist that leave the header out.
fn range_start(headers: &HeaderMap) -> Option<u64> {
    text(headers, "content-range")?.strip_prefix("bytes")?.trim().split('-').next()?.parse().ok()
}
