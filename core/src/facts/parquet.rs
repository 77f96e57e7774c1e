//! Facts from Parquet files, flat columns and CounterFact's nested ones.
//!
//! The `parquet` crate reads the metadata and decodes values. What it would take at its word is looked at here before:
//! the shape of the schema ([`thrift::check_footer`]), and of each page its sizes ([`pages`]). Pages are unpacked here,
//! too, with decoders that work in a browser.

mod codec;
mod columns;
mod delta;
mod pages;
mod thrift;

use super::Found;
use super::defect::Place;
use super::gather::Gathered;
use crate::caught::caught;
use crate::{Error, Result, gz};
use bytes::Bytes;
use columns::{Plan, TextColumn};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

/// Records that are read of each column before the next column's.
const BATCH: usize = 256;
/// Records that do no harm.
const FEW: usize = 1 << 16;
/// Largest description of a file at its end; those of facts have some kilobytes.
const MOST_FOOTER: usize = 8 << 20;

/// Reads all records. The crate may panic over a file that is not as it expects; natively that is an error, too.
pub(super) fn parse(bytes: &[u8]) -> Result<Found> {
    caught(|| read(bytes)).unwrap_or_else(|said| Err(damaged(format_args!("it is not as it says ({said})"))))
}

fn damaged(what: impl std::fmt::Display) -> Error {
    Error::input(format!("the Parquet file is damaged: {what}")).hint("copy or download the file again")
}

fn read(bytes: &[u8]) -> Result<Found> {
    let meta = metadata(bytes)?;
    let schema = meta.file_metadata().schema_descr();
    let plan = Plan::of(schema)?;
    let mut gathered = Gathered::default();
    let read = groups(&meta, &plan, bytes, &mut gathered);
    gathered.finish(read, |_| format!("columns: {}", plan.names))
}

/// One column of texts, row after row; nulls are left out.
pub(super) fn texts(bytes: &[u8], name: &str) -> Result<Vec<String>> {
    caught(|| read_texts(bytes, name))
        .unwrap_or_else(|said| Err(damaged(format_args!("it is not as it says ({said})"))))
}

fn read_texts(bytes: &[u8], name: &str) -> Result<Vec<String>> {
    let meta = metadata(bytes)?;
    let column = TextColumn::of(meta.file_metadata().schema_descr(), name)?;
    let (shared, mut texts) = (Bytes::copy_from_slice(bytes), Vec::new());
    let mut budget = Budget { left: gz::most_unpacked(bytes.len() as u64) };
    for group in meta.row_groups() {
        let mut rows = usize::try_from(group.num_rows()).map_err(damaged)?;
        let mut reader = column.reader(group, &shared)?;
        while rows > 0 {
            let wanted = rows.min(BATCH);
            for text in column.batch(&mut reader, wanted)? {
                budget.take(text.len())?;
                texts.push(text);
            }
            rows -= wanted;
        }
    }
    Ok(texts)
}

/// Reads the records of all row groups.
fn groups(meta: &ParquetMetaData, plan: &Plan, bytes: &[u8], gathered: &mut Gathered) -> Result<()> {
    let shared = Bytes::copy_from_slice(bytes);
    let mut text = Budget { left: gz::most_unpacked(bytes.len() as u64) };
    for group in meta.row_groups() {
        let mut rows = usize::try_from(group.num_rows()).map_err(damaged)?;
        let mut readers = plan.readers(group, &shared)?;
        while rows > 0 {
            // A column of nulls is a few bytes, however long it is.
            if gathered.facts.len() > FEW + bytes.len() {
                return Err(damaged("it has more records than bytes"));
            }
            let wanted = rows.min(BATCH);
            for raw in plan.batch(&mut readers, wanted, &mut text)? {
                gathered.add(Place::Record(gathered.facts.len() + 1), raw)?;
            }
            rows -= wanted;
        }
    }
    Ok(())
}

/// What a file says of itself at its end.
fn metadata(bytes: &[u8]) -> Result<ParquetMetaData> {
    let cut = || damaged("its end is missing");
    let rest = bytes.strip_suffix(b"PAR1").ok_or_else(cut)?;
    let (rest, length) = rest.split_last_chunk::<4>().ok_or_else(cut)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MOST_FOOTER {
        return Err(damaged(format!("a description of {length} bytes")));
    }
    let footer = rest.len().checked_sub(length).and_then(|at| rest.get(at..)).ok_or_else(cut)?;
    thrift::check_footer(footer).ok_or_else(|| damaged("its description is no tree of columns"))?;
    ParquetMetaDataReader::decode_metadata(footer).map_err(damaged)
}

/// Text that may still be kept: a dictionary of a few entries can be a column of millions.
struct Budget {
    left: u64,
}

impl Budget {
    fn take(&mut self, bytes: usize) -> Result<()> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or_else(|| {
            Error::input("the Parquet file unpacks to too much text")
                .hint("no facts pack so well; split the file if it really is that large")
        })?;
        Ok(())
    }
}
