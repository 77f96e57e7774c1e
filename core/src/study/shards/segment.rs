//! A shard's own file: a header line, then a line for each unit that is finished. Every line carries a digest that follows from its
//! predecessors, so whatever a disk does to a file, what is taken of it is what was written.

use super::unit::{Body, Shard, Unit};
use crate::device::Compute;
use crate::error::{Error, Result};
use crate::hex;
use crate::journal::Chain;
use crate::record::DeviceInfo;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The version of segments.
const VERSION: u32 = 1;

/// What a segment says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of segments.
    pub segment: u32,
    /// The plan's id.
    pub plan: String,
    /// Which shard wrote it.
    pub shard: String,
    /// Where.
    pub host: String,
    /// With what.
    pub device: DeviceInfo,
    /// The GPU's PCI address, where it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pci: String,
    /// By which program.
    pub program: String,
}

impl Header {
    /// A header of this version.
    pub fn new(plan: &str, shard: Shard, host: &str, compute: &Compute, program: &str) -> Self {
        let (plan, shard, host) = (plan.to_owned(), shard.to_string(), host.to_owned());
        let pci = compute.adapter.as_ref().map(|adapter| adapter.pci.clone()).unwrap_or_default();
        Self { segment: VERSION, plan, shard, host, device: compute.info.clone(), pci, program: program.to_owned() }
    }
}

/// A segment that is being written.
#[derive(Debug)]
pub struct Segment {
    file: File,
    path: PathBuf,
    chain: Chain,
    /// A line failed to be written. Nothing follows it.
    broken: bool,
}

impl Segment {
    /// Begins a new file in a folder, which is made when missing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(folder: &Path, header: &Header) -> Result<Self> {
        let failed = |path: &Path, error: &std::io::Error| written(path, error);
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let host = &hex(&Sha256::digest(&header.host))[..8];
        let random = RandomState::new().build_hasher().finish();
        let name = format!("{}.{host}.{}.{random:016x}.jsonl", header.shard.replace('/', "of"), std::process::id());
        let path = folder.join(name);
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        let file = file.map_err(|error| failed(&path, &error))?;
        let mut segment = Self { file, path, chain: Chain::default(), broken: false };
        segment.write(&encoded(header)?)?;
        Ok(segment)
    }

    /// Adds a unit. It counts once this has returned.
    ///
    /// # Errors
    /// When it cannot be kept: a disk that is full says so here, also one in a network. The segment is never written again.
    pub(super) fn append(&mut self, unit: Unit, seconds: f64, body: &Body) -> Result<()> {
        let body = String::from_utf8(encoded(body)?).map_err(|error| Error::io(error.to_string()))?;
        // The body comes last, so that its text can be compared with another's.
        let line = format!("{{\"unit\":\"{unit}\",\"seconds\":{seconds:.3},{BODY}{body}}}");
        self.write(line.as_bytes())
    }

    fn write(&mut self, line: &[u8]) -> Result<()> {
        let stopped = || Error::io(format!("{}: an earlier line could not be written", self.path.display()));
        if self.broken {
            return Err(stopped());
        }
        let sealed = self.chain.seal(line);
        let kept = self.file.write_all(&sealed).and_then(|()| self.file.sync_data());
        kept.map_err(|error| {
            self.broken = true;
            written(&self.path, &error)
        })
    }
}

const BODY: &str = "\"body\":";

fn encoded(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Error::io(format!("a line of a segment: {error}")))
}

fn written(path: &Path, error: &std::io::Error) -> Error {
    Error::io(format!("{}: {error}", path.display())).hint("free some disk space, and run the same line again")
}

/// A unit as a segment has it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) unit: Unit,
    pub(super) seconds: f64,
    /// The body's text.
    pub(super) body: String,
}

/// A segment that is read, also while somebody writes it.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) path: PathBuf,
    pub(super) header: Option<Header>,
    offset: u64,
    chain: Chain,
}

#[derive(Deserialize)]
struct Named {
    unit: String,
    seconds: f64,
}

impl Reader {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, header: None, offset: 0, chain: Chain::default() }
    }

    /// The lines that have come since the last time. A line that is cut off, or does not fit its digest, may be on its way: it and what
    /// follows are looked at again the next time.
    pub(super) fn more(&mut self) -> Result<Vec<Line>> {
        let rest = self.rest();
        self.take(rest)
    }

    /// What the disk gave when it was asked for the bytes behind those that are known.
    fn take(&mut self, rest: std::io::Result<Vec<u8>>) -> Result<Vec<Line>> {
        let bytes = match rest {
            Ok(bytes) => bytes,
            // A listing may name what is gone, or not there yet; a network's disk forgets a file that it replaced meanwhile.
            Err(error) if [ErrorKind::NotFound, ErrorKind::StaleNetworkFileHandle].contains(&error.kind()) => {
                return Ok(Vec::new());
            }
            Err(error) => {
                return Err(Error::io(format!("{}: {error}", self.path.display()))
                    .hint("see whether the disk is there, and run the same line again"));
            }
        };
        let mut lines = Vec::new();
        for whole in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut chain = self.chain.clone();
            let Some(json) = whole.strip_suffix(b"\n").and_then(|line| chain.opened(line)) else { break };
            match &self.header {
                None => self.header = Some(self.begun(&json)?),
                Some(_) => lines.push(self.line(&json)?),
            }
            self.chain = chain;
            self.offset += whole.len() as u64;
        }
        Ok(lines)
    }

    fn rest(&self) -> std::io::Result<Vec<u8>> {
        // Opened each time: on a network's disk only then is it known what others have written.
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn begun(&self, json: &[u8]) -> Result<Header> {
        let header: Header = serde_json::from_slice(json).map_err(|error| self.wrong(&error.to_string()))?;
        match header.segment {
            VERSION => Ok(header),
            other => Err(self.wrong(&format!("it is of version {other}, this program reads version {VERSION}"))),
        }
    }

    fn line(&self, json: &[u8]) -> Result<Line> {
        let text = std::str::from_utf8(json).map_err(|error| self.wrong(&error.to_string()))?;
        let Named { unit, seconds } = serde_json::from_str(text).map_err(|error| self.wrong(&error.to_string()))?;
        let unit = unit.parse().map_err(|error: Error| self.wrong(error.message()))?;
        let body = text.find(BODY).map(|at| text[at + BODY.len()..text.len() - 1].to_owned());
        let body = body.ok_or_else(|| self.wrong("a line without a body"))?;
        Ok(Line { unit, seconds, body })
    }

    fn wrong(&self, what: &str) -> Error {
        Error::input(format!("{}: {what}", self.path.display())).hint("move the file away, and run its shard again")
    }
}

#[cfg(test)]
mod tests;
