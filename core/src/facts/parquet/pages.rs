//! The pages of a column. What a page claims is held against bounds before memory is taken by it.

use super::thrift::{Thrift, is_true};
use super::{codec, damaged, delta};
use crate::{Error, Result};
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Unpacked size of a page that does no harm; writers make pages of a megabyte.
const SMALL: usize = 8 << 20;
/// Larger ones may unpack to so many times their size.
const MOST_TIMES: usize = 100;
/// Largest page.
const MOST: usize = 256 << 20;
/// Most entries of lists that are read at a time.
const MOST_ENTRIES: usize = 4 << 20;

/// Reads the pages of a column of a row group.
pub(super) struct Pages {
    bytes: Bytes,
    at: usize,
    end: usize,
    codec: Compression,
    /// Values that the column has and that were not read yet.
    left: i64,
    has_dictionary: bool,
    repeated: bool,
    optional: bool,
    texts: bool,
    /// Entries of lists since the last batch was begun: a record can be a list without end.
    entries: Arc<AtomicUsize>,
    most_entries: usize,
}

/// What stands before a page.
#[derive(Default)]
struct Header {
    kind: i64,
    size: usize,
    packed: usize,
    values: u32,
    encoding: i64,
    definition_encoding: i64,
    repetition_encoding: i64,
    nulls: u32,
    rows: u32,
    definition_bytes: u32,
    repetition_bytes: u32,
    is_packed: bool,
}

impl Pages {
    pub(super) fn new(column: &ColumnChunkMetaData, bytes: &Bytes, entries: Arc<AtomicUsize>) -> Result<Self> {
        let data = column.data_page_offset();
        let begin = column.dictionary_page_offset().filter(|at| (1..data).contains(at)).unwrap_or(data);
        let begin = usize::try_from(begin).map_err(damaged)?;
        let size = usize::try_from(column.compressed_size()).map_err(damaged)?;
        let end = begin.checked_add(size).filter(|end| *end <= bytes.len());
        let descr = column.column_descr();
        Ok(Self {
            at: begin,
            end: end.ok_or_else(|| damaged("a column lies beyond its end"))?,
            codec: column.compression(),
            left: column.num_values(),
            has_dictionary: false,
            repeated: descr.max_rep_level() > 0,
            optional: descr.max_def_level() > 0,
            texts: descr.physical_type() == Type::BYTE_ARRAY,
            entries,
            most_entries: MOST_ENTRIES.min((1 << 16) + bytes.len().saturating_mul(64)),
            bytes: bytes.clone(),
        })
    }

    fn next_page(&mut self) -> Result<Option<Page>> {
        while self.left > 0 && self.at < self.end {
            let header = self.header()?;
            let end = self.at.checked_add(header.packed).filter(|end| *end <= self.end);
            let packed = self.bytes.slice(self.at..end.ok_or_else(|| damaged("a page lies beyond its column"))?);
            self.at += header.packed;
            match header.kind {
                0 => return self.data(&header, &packed).map(Some),
                2 => return self.dictionary(&header, &packed).map(Some),
                3 => return self.data2(&header, &packed).map(Some),
                // An index, or what later writers put in.
                _ => {}
            }
        }
        if self.left > 0 { Err(damaged("a column has fewer values than it says")) } else { Ok(None) }
    }

    fn header(&mut self) -> Result<Header> {
        let mut reader = Thrift::new(&self.bytes[self.at..self.end]);
        let header = header(&mut reader).ok_or_else(|| damaged("a page has no header"))?;
        self.at += reader.at();
        let most = SMALL.max(header.packed.saturating_mul(MOST_TIMES)).min(MOST);
        if header.size > most {
            let mib = most >> 20;
            return Err(Error::input(format!("a page of the Parquet file unpacks to more than {mib} MiB"))
                .hint("no facts pack so well; write the file with smaller pages if it really is that large"));
        }
        Ok(header)
    }

    /// Counts the values of a page of data.
    fn count(&mut self, header: &Header) -> Result<()> {
        self.left -= i64::from(header.values);
        let values = header.values as usize;
        if self.repeated && self.entries.fetch_add(values, Ordering::Relaxed) + values > self.most_entries {
            return Err(Error::input("a list of the Parquet file has too many entries"));
        }
        if self.left < 0 { Err(damaged("a column has more values than it says")) } else { Ok(()) }
    }

    fn encoding(&self, header: &Header) -> Result<Encoding> {
        let encoding = encoding(header.encoding)?;
        if matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY) && !self.has_dictionary {
            return Err(damaged("a dictionary is missing"));
        }
        Ok(encoding)
    }

    fn data(&mut self, header: &Header, packed: &[u8]) -> Result<Page> {
        self.count(header)?;
        let buf = Bytes::from(codec::unpack(self.codec, packed, header.size)?);
        let encoding = self.encoding(header)?;
        let levels = |at: usize| Some(at + 4 + u32::from_le_bytes(*buf.get(at..)?.first_chunk()?) as usize);
        let mut values = Some(0);
        for _ in 0..usize::from(self.repeated) + usize::from(self.optional) {
            values = values.and_then(levels);
        }
        let values = values.and_then(|at| buf.get(at..)).ok_or_else(short)?;
        let most = header.values as usize;
        self.fits(encoding, values, if self.optional { 0..=most } else { most..=most })?;
        Ok(Page::DataPage {
            buf,
            num_values: header.values,
            encoding,
            def_level_encoding: level_encoding(header.definition_encoding)?,
            rep_level_encoding: level_encoding(header.repetition_encoding)?,
            statistics: None,
        })
    }

    fn data2(&mut self, header: &Header, packed: &[u8]) -> Result<Page> {
        self.count(header)?;
        let levels = u64::from(header.definition_bytes) + u64::from(header.repetition_bytes);
        let levels = usize::try_from(levels).ok().filter(|levels| *levels <= packed.len().min(header.size));
        let levels = levels.ok_or_else(short)?;
        let mut buf = packed[..levels].to_vec();
        let codec = if header.is_packed { self.codec } else { Compression::UNCOMPRESSED };
        let (rest, size) = (&packed[levels..], header.size - levels);
        // Only nulls may have nothing behind their levels.
        if size > 0 || !rest.is_empty() && codec == Compression::UNCOMPRESSED {
            buf.extend(codec::unpack(codec, rest, size)?);
        }
        let encoding = self.encoding(header)?;
        let values = header.values.checked_sub(header.nulls).ok_or_else(short)? as usize;
        self.fits(encoding, &buf[levels..], values..=values)?;
        Ok(Page::DataPageV2 {
            buf: Bytes::from(buf),
            num_values: header.values,
            encoding,
            num_nulls: header.nulls,
            num_rows: header.rows,
            def_levels_byte_len: header.definition_bytes,
            rep_levels_byte_len: header.repetition_bytes,
            is_compressed: false,
            statistics: None,
        })
    }

    /// Whether a page has as many values as it says, where the library takes that at its word.
    fn fits(&self, encoding: Encoding, values: &[u8], counts: RangeInclusive<usize>) -> Result<()> {
        let fits = match encoding {
            Encoding::PLAIN if self.texts => texts(values).is_some_and(|count| counts.contains(&count)),
            _ => delta::fits(encoding, values, *counts.end()),
        };
        if fits { Ok(()) } else { Err(short()) }
    }

    fn dictionary(&mut self, header: &Header, packed: &[u8]) -> Result<Page> {
        let buf = codec::unpack(self.codec, packed, header.size)?;
        // A value has at least four bytes, a text its length.
        if header.values as usize > buf.len() / 4 || self.has_dictionary {
            return Err(damaged("a dictionary is not as it says"));
        }
        self.fits(Encoding::PLAIN, &buf, header.values as usize..=header.values as usize)?;
        self.has_dictionary = true;
        let encoding = encoding(header.encoding)?;
        Ok(Page::DictionaryPage { buf: Bytes::from(buf), num_values: header.values, encoding, is_sorted: false })
    }
}

/// How many texts there are, each behind its length.
fn texts(mut bytes: &[u8]) -> Option<usize> {
    let mut count = 0;
    while let Some((length, rest)) = bytes.split_first_chunk() {
        bytes = rest.get(u32::from_le_bytes(*length) as usize..)?;
        count += 1;
    }
    bytes.is_empty().then_some(count)
}

fn short() -> Error {
    damaged("a page is shorter than it says")
}

fn header(reader: &mut Thrift<'_>) -> Option<Header> {
    let mut header = Header { kind: -1, is_packed: true, ..Header::default() };
    reader.fields(|reader, id, kind| {
        match (id, kind) {
            (1, 4..=6) => header.kind = reader.integer()?,
            (2, 4..=6) => header.size = usize::try_from(reader.integer()?).ok()?,
            (3, 4..=6) => header.packed = usize::try_from(reader.integer()?).ok()?,
            (5 | 7 | 8, 12) => reader.fields(|reader, field, kind| part(&mut header, (id, field), kind, reader))?,
            _ => return Some(false),
        }
        Some(true)
    })?;
    Some(header)
}

/// A field of the header of one kind of page.
fn part(header: &mut Header, id: (i64, i64), kind: u8, reader: &mut Thrift<'_>) -> Option<bool> {
    if id == (8, 7) {
        header.is_packed = is_true(kind);
        return Some(true);
    }
    if !(4..=6).contains(&kind) {
        return Some(false);
    }
    let value = reader.integer()?;
    let count = || u32::try_from(value).ok();
    match id {
        (_, 1) => header.values = count()?,
        (5 | 7, 2) | (8, 4) => header.encoding = value,
        (5, 3) => header.definition_encoding = value,
        (5, 4) => header.repetition_encoding = value,
        (8, 2) => header.nulls = count()?,
        (8, 3) => header.rows = count()?,
        (8, 5) => header.definition_bytes = count()?,
        (8, 6) => header.repetition_bytes = count()?,
        _ => {}
    }
    Some(true)
}

fn encoding(number: i64) -> Result<Encoding> {
    Ok(match number {
        0 => Encoding::PLAIN,
        2 => Encoding::PLAIN_DICTIONARY,
        3 => Encoding::RLE,
        5 => Encoding::DELTA_BINARY_PACKED,
        6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        7 => Encoding::DELTA_BYTE_ARRAY,
        8 => Encoding::RLE_DICTIONARY,
        9 => Encoding::BYTE_STREAM_SPLIT,
        other => return Err(damaged(format!("there is no encoding {other}"))),
    })
}

/// Levels of old files may be packed without runs, which nobody has written for ten years.
fn level_encoding(number: i64) -> Result<Encoding> {
    match number {
        3 => Ok(Encoding::RLE),
        _ => Err(damaged("its levels are in no known encoding")),
    }
}

fn outer(error: &Error) -> ParquetError {
    ParquetError::External(Box::new(error.clone()))
}

/// Our own error back from the library's.
pub(super) fn ours(error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => damaged(other),
        },
        other => damaged(other),
    }
}

impl Iterator for Pages {
    type Item = parquet::errors::Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> parquet::errors::Result<Option<Page>> {
        self.next_page().map_err(|error| outer(&error))
    }

    /// Only asked for to know whether a list goes on in the next page.
    fn peek_next_page(&mut self) -> parquet::errors::Result<Option<PageMetadata>> {
        let at = self.at;
        let found = loop {
            if self.left <= 0 || self.at >= self.end {
                break Ok(None);
            }
            match self.header() {
                Ok(header) if matches!(header.kind, 0 | 2 | 3) => {
                    let num_rows = (header.kind == 3).then_some(header.rows as usize);
                    let num_levels = Some(header.values as usize);
                    break Ok(Some(PageMetadata { num_rows, num_levels, is_dict: header.kind == 2 }));
                }
                Ok(header) => self.at = self.at.saturating_add(header.packed),
                Err(error) => break Err(outer(&error)),
            }
        };
        self.at = at;
        found
    }

    fn skip_next_page(&mut self) -> parquet::errors::Result<()> {
        self.get_next_page().map(drop)
    }
}
