//! Records as JSON (plain or gzip), and the journal from which a killed study resumes.
//!
//! A journal is JSON lines: a header (the record without facts and edits), then one line per finished
//! [`FactRecord`](crate::record::FactRecord), `{"redundancy": …}` ([`RedundancyLine`]), `{"mlp": …}` ([`MlpLine`]), `{"edit": …}`
//! ([`EditRecord`](crate::record::EditRecord)) and `{"sequence": …}` ([`SequenceLine`]); `{"settings": …}` where a study went on with other ones of stage 3. Every
//! line carries a digest that includes its predecessor's ([`Chain`]).

#[cfg(not(target_family = "wasm"))]
mod atomic;
mod chain;
mod check;
#[cfg(not(target_family = "wasm"))]
mod file;
mod lines;
#[cfg(not(target_family = "wasm"))]
mod lock;
#[cfg(not(target_family = "wasm"))]
mod open;
mod place;
mod same;

#[cfg(not(target_family = "wasm"))]
pub use atomic::{sweep, write_atomic, write_atomic_with};
pub use chain::Chain;
pub use check::finite;
#[cfg(not(target_family = "wasm"))]
pub use file::{is_gzip_name, read, write};
pub use lines::{
    Found, MlpLine, RedundancyLine, Resumed, SequenceLine, edit_line, fact_line, find, header_line, mlp_line,
    redundancy_line, sequence_line, settings_line,
};
#[cfg(not(target_family = "wasm"))]
pub use lock::Lock;
#[cfg(not(target_family = "wasm"))]
pub use open::Journal;
pub use same::{alike, change, differences, tracing_differences};

use crate::record::{Record, VERSION};
use crate::{Error, Kind, Result, foreign, gz};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A record as compact JSON with a final newline.
///
/// # Errors
/// On a number that is not finite, naming its place: JSON cannot hold it and no probability is one.
pub fn to_json(record: &Record) -> Result<Vec<u8>> {
    finite(record)?;
    let mut bytes = serde_json::to_vec(record).map_err(|error| Error::io(format!("record: {error}")))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// [`to_json`], packed with gzip.
///
/// # Errors
/// As [`to_json`].
pub fn to_json_gz(record: &Record) -> Result<Vec<u8>> {
    gz::pack(&to_json(record)?)
}

/// Reads a record: JSON, a journal of an unfinished study, or gzip of either. Unknown keys are ignored.
///
/// # Errors
/// On a newer format, damaged JSON, a non-finite number or a layer count that does not fit, naming the place.
pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Record> {
    Ok(read_bytes(name, bytes)?.record)
}

/// [`from_bytes`] that also tells what was dropped from a journal.
///
/// # Errors
/// As [`from_bytes`].
pub fn read_bytes(name: &str, bytes: &[u8]) -> Result<Resumed> {
    let inner = || {
        let source = gz::Source::new(bytes);
        foreign::refuse(&source.head(foreign::HEAD), source.is_packed())?;
        source.check()?;
        let mut resumed = if lines::is_digested(bytes) {
            study(bytes)?
        } else {
            match source.json::<Record>() {
                Ok(record) => {
                    let kept = bytes.len() as u64;
                    Resumed { record, dropped: None, undigested: true, kept, chain: Chain::default() }
                }
                Err(_) if has_more_lines(&source) => study(&gz::unpack(bytes)?)?,
                Err(error) => {
                    check_version(&source)?;
                    return Err(place::locate(&source, &error));
                }
            }
        };
        readable(resumed.record.engram)?;
        check::consistent(&resumed.record)?;
        resumed.record.settle();
        // Only a study that goes on needs them.
        resumed.record.forget_changes();
        Ok(resumed)
    };
    inner().map_err(|error: Error| error.at(name))
}

/// The study that a journal holds.
fn study(content: &[u8]) -> Result<Resumed> {
    match find(content)? {
        Found::Study(resumed) => Ok(*resumed),
        Found::Nothing(why) => Err(Error::input(why).hint("nothing of it can be read; run the study again")),
    }
}

/// What every record from outside must satisfy: finite numbers, layers within the model's, spans within their tokens.
///
/// # Errors
/// Naming the first place that does not.
pub fn check(record: &Record) -> Result<()> {
    check::consistent(record)
}

/// One JSON value and then something else: a journal, not a record (which may be spread over lines).
fn has_more_lines(source: &gz::Source<'_>) -> bool {
    let mut values = serde_json::Deserializer::from_reader(source.reader()).into_iter::<IgnoredAny>();
    matches!(values.next(), Some(Ok(_))) && values.next().is_some()
}

/// Refuses what a newer program wrote before anything else can go wrong with it.
fn check_version(source: &gz::Source<'_>) -> Result<()> {
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(default)]
        engram: Option<u32>,
    }
    let found: Versioned = source.json().map_err(|error| broken(&error))?;
    match found.engram {
        None => Err(Error::input("not an Engram record: it has no format version \"engram\"")
            .hint("records end in .engram.json or .engram.json.gz")),
        Some(version) => readable(version),
    }
}

/// Refuses a format that is newer than this program's.
pub(crate) fn readable(version: u32) -> Result<()> {
    if version <= VERSION {
        return Ok(());
    }
    Err(Error::input(format!("record format {version} is newer than this program, which reads up to {VERSION}"))
        .hint("update Engram"))
}

/// A value as a type, by way of its text: decoding values directly would be a second decoder of every record type in the
/// page's program.
fn from_value<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> serde_json::Result<T> {
    serde_json::from_slice(&serde_json::to_vec(value)?)
}

fn broken(error: &serde_json::Error) -> Error {
    let what = if error.is_eof() { "the JSON is cut off" } else { "not valid JSON" };
    Error::new(Kind::Input, format!("{what}: {error}")).hint("the file may be damaged; copy it again")
}

#[cfg(test)]
mod tests;
