//! The header of a GGUF file (versions 2 and 3, little endian): metadata and the list of tensors.
//!
//! Nothing is allocated by a count that the file merely claims: every length is held against the file's size first.

use crate::names;
use std::collections::BTreeMap;

use crate::error::{Error, Result};

use super::gguf_names::{TYPE_NAMES, dtype};
use super::read::bytes_of;
use super::source::truncated;
use super::{ByteSource, StoredDtype};

/// Bytes asked for first; doubled until the header fits.
const FIRST_READ: u64 = 4 << 20;
/// No vocabulary needs more.
const HEADER_LIMIT: u64 = 128 << 20;
/// Most metadata values, tensors, and entries of kept arrays in all: each takes many times its bytes in the file.
const MOST_VALUES: u64 = 1 << 16;
/// Longer texts (chat templates) are not kept.
const LONGEST_TEXT: u64 = 1 << 16;
/// Arrays up to this length are kept; of longer ones, and of vocabularies, only the place is.
const KEPT: u64 = 4096;
/// Keys of the vocabulary.
const VOCABULARY: &str = "tokenizer.";
const DAMAGED: &str = "the file is damaged or not a GGUF file: download it again";

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meta {
    Integer(i128),
    Float(f64),
    Bool(bool),
    Text(String),
    List(Vec<Meta>),
    /// A text that is too long to keep.
    Long,
    /// An array that is not kept, only where it lies.
    Array(Span),
}

/// Where the elements of an array lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// The type number of the elements.
    pub(super) kind: u32,
    /// How many there are.
    pub(super) count: u64,
    /// Where the first begins, from the start of the file.
    pub(super) offset: u64,
    /// Bytes of them all.
    pub(super) bytes: u64,
}

/// One entry of the tensor list, checked against the file's size.
#[derive(Debug, Clone)]
pub(super) struct RawTensor {
    pub(super) name: String,
    /// Row-major shape: the reverse of the file's order.
    pub(super) shape: Vec<usize>,
    pub(super) dtype: StoredDtype,
    /// From the start of the file.
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// Everything before the data.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, Meta>,
    pub(super) tensors: Vec<RawTensor>,
}

/// Reads the header in growing pieces.
pub(super) async fn read(source: &dyn ByteSource) -> Result<Header> {
    let len = source.len();
    let mut want = len.min(FIRST_READ);
    loop {
        let bytes = source.read(0, want as usize).await?;
        match parse(&mut Cursor { kept: MOST_VALUES, file: source.name(), bytes: &bytes, at: 0, len }) {
            Ok(header) => return Ok(header),
            Err(Stop::Bad(error)) => return Err(error),
            Err(Stop::More(end)) if end > HEADER_LIMIT => {
                return Err(Error::input(format!("{}: a header of more than {HEADER_LIMIT} bytes", source.name()))
                    .hint(DAMAGED));
            }
            // `More` never asks for more than the file has, so this always grows.
            Err(Stop::More(end)) => want = end.max(want * 2).min(len),
        }
    }
}

/// Why parsing stopped.
enum Stop {
    /// The header goes on at least to this byte.
    More(u64),
    Bad(Error),
}

struct Cursor<'a> {
    /// Entries of arrays that may still be kept.
    kept: u64,
    file: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Of the whole file.
    len: u64,
}

impl<'a> Cursor<'a> {
    fn bad(&self, what: impl std::fmt::Display) -> Stop {
        Stop::Bad(Error::input(format!("{}: {what} (at byte {})", self.file, self.at)).hint(DAMAGED))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], Stop> {
        let end = (self.at as u64).saturating_add(count);
        if end > self.len {
            return Err(Stop::Bad(truncated(self.file, end, self.len)));
        }
        let bytes = usize::try_from(end).ok().and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or(Stop::More(end))?;
        self.at += bytes.len();
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things that take at least `least` bytes each.
    fn count(&mut self, least: u64, what: &str) -> Result<u64, Stop> {
        let count = self.u64()?;
        if count > (self.len - self.at as u64) / least {
            return Err(self.bad(format_args!("{count} {what} do not fit into a file of {} bytes", self.len)));
        }
        Ok(count)
    }

    /// A name.
    fn text(&mut self) -> Result<String, Stop> {
        let len = self.count(1, "characters")?;
        if len > LONGEST_TEXT {
            return Err(self.bad(format_args!("a name of {len} bytes")));
        }
        // Some vocabularies carry bytes that are no UTF-8; nothing here depends on them.
        Ok(String::from_utf8_lossy(self.take(len)?).into_owned())
    }

    /// A value; `keep`: with its elements where it is a short array.
    fn value(&mut self, kind: u32, depth: usize, keep: bool) -> Result<Meta, Stop> {
        let integer = |value: i128| Ok(Meta::Integer(value));
        match kind {
            0 => integer(self.array::<1>()?[0].into()),
            1 => integer(i8::from_le_bytes(self.array()?).into()),
            2 => integer(u16::from_le_bytes(self.array()?).into()),
            3 => integer(i16::from_le_bytes(self.array()?).into()),
            4 => integer(self.u32()?.into()),
            5 => integer(i32::from_le_bytes(self.array()?).into()),
            6 => Ok(Meta::Float(shortest(f32::from_le_bytes(self.array()?)))),
            7 => Ok(Meta::Bool(self.array::<1>()?[0] != 0)),
            8 => {
                let len = self.count(1, "characters")?;
                let text = self.take(len)?;
                Ok(match len <= LONGEST_TEXT {
                    true => Meta::Text(String::from_utf8_lossy(text).into_owned()),
                    false => Meta::Long,
                })
            }
            9 => self.list(depth, keep),
            10 => integer(self.u64()?.into()),
            11 => integer(i64::from_le_bytes(self.array()?).into()),
            12 => Ok(Meta::Float(f64::from_le_bytes(self.array()?))),
            other => Err(self.bad(format_args!("metadata of unknown type {other}"))),
        }
    }

    fn list(&mut self, depth: usize, keep: bool) -> Result<Meta, Stop> {
        if depth > 3 {
            return Err(self.bad("arrays nested too deeply"));
        }
        let kind = self.u32()?;
        let least = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            9 => 12,
            _ => 8,
        };
        let count = self.count(least, "array elements")?;
        if keep && count <= KEPT && count <= self.kept {
            self.kept -= count;
            return (0..count).map(|_| self.value(kind, depth + 1, true)).collect::<Result<_, _>>().map(Meta::List);
        }
        let start = self.at as u64;
        if matches!(kind, 8 | 9) {
            for _ in 0..count {
                if kind == 8 {
                    let len = self.count(1, "characters")?;
                    self.take(len)?;
                } else {
                    self.list(depth + 1, false)?;
                }
            }
        } else {
            self.take(count * least)?;
        }
        Ok(Meta::Array(Span { kind, count, offset: start, bytes: self.at as u64 - start }))
    }
}

/// The decimal that was meant: 1e-5 rather than 9.99999974e-6.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn parse(cursor: &mut Cursor<'_>) -> Result<Header, Stop> {
    if &cursor.array::<4>()? != b"GGUF" {
        return Err(cursor.bad("not a GGUF file (the first four bytes differ)"));
    }
    match cursor.u32()? {
        2 | 3 => {}
        version if matches!(version.swap_bytes(), 1..=3) => {
            return Err(cursor.bad("a big-endian GGUF file; only little-endian ones can be read"));
        }
        version => {
            return Err(cursor.bad(format_args!("GGUF version {version}; versions 2 and 3 can be read")));
        }
    }
    let tensor_count = cursor.count(24, "tensors")?;
    let value_count = cursor.count(13, "metadata values")?;
    if tensor_count.max(value_count) > MOST_VALUES {
        return Err(cursor.bad(format_args!("{tensor_count} tensors and {value_count} metadata values")));
    }
    let mut metadata = BTreeMap::new();
    for _ in 0..value_count {
        let key = cursor.text()?;
        let kind = cursor.u32()?;
        let keep = !key.starts_with(VOCABULARY);
        let value = cursor.value(kind, 0, keep)?;
        metadata.insert(key, value);
    }
    let alignment = match metadata.get("general.alignment") {
        None => 32,
        Some(&Meta::Integer(value)) if value > 0 && value % 8 == 0 && value <= 1 << 20 => value as u64,
        Some(other) => return Err(cursor.bad(format_args!("an alignment of {other:?}"))),
    };
    let mut tensors = Vec::new();
    for _ in 0..tensor_count {
        tensors.push(tensor(cursor, alignment)?);
    }
    let data = (cursor.at as u64).next_multiple_of(alignment);
    place(cursor, &mut tensors, data)?;
    Ok(Header { metadata, tensors })
}

/// One entry of the list; its offset still counts from the start of the data.
fn tensor(cursor: &mut Cursor<'_>, alignment: u64) -> Result<RawTensor, Stop> {
    let name = cursor.text()?;
    let rank = cursor.u32()?;
    if !(1..=4).contains(&rank) {
        return Err(cursor.bad(format_args!("tensor {} with {rank} dimensions", names::tensor(&name))));
    }
    let (mut shape, mut elements) = (Vec::new(), 1u64);
    for _ in 0..rank {
        let dimension = cursor.u64()?;
        elements = elements.checked_mul(dimension).filter(|&n| n > 0 && n < 1 << 48).unwrap_or(0);
        shape.push(usize::try_from(dimension).unwrap_or(0));
    }
    // A 32-bit build refuses what it cannot address.
    if elements == 0 || usize::try_from(elements).is_err() {
        return Err(cursor.bad(format_args!("tensor {} has an impossible shape {shape:?}", names::tensor(&name))));
    }
    let kind = cursor.u32()?;
    let dtype = dtype(kind).ok_or_else(|| {
        let known = StoredDtype::ALL.map(StoredDtype::name).join(", ");
        let name_of = TYPE_NAMES.iter().find(|(id, _)| *id == kind).map_or("unknown", |(_, name)| name);
        let message = format!("{}: tensor {} is of type {kind} ({name_of})", cursor.file, names::tensor(&name));
        Stop::Bad(Error::input(message).hint(format!("take another quantisation of the model; supported: {known}")))
    })?;
    if !shape[0].is_multiple_of(dtype.block().0) {
        return Err(cursor.bad(format_args!(
            "rows of tensor {} are not whole {} blocks",
            names::tensor(&name),
            dtype.name()
        )));
    }
    shape.reverse();
    let offset = cursor.u64()?;
    if !offset.is_multiple_of(alignment) {
        return Err(cursor
            .bad(format_args!("tensor {} does not start at a multiple of {alignment} bytes", names::tensor(&name))));
    }
    Ok(RawTensor { name, shape, dtype, offset, bytes: bytes_of(dtype, elements as usize) })
}

/// Makes offsets absolute; every tensor must lie inside the file, and none in another.
fn place(cursor: &Cursor<'_>, tensors: &mut [RawTensor], data: u64) -> Result<(), Stop> {
    for tensor in tensors.iter_mut() {
        tensor.offset = tensor.offset.saturating_add(data);
        let end = tensor.offset.saturating_add(tensor.bytes);
        if end > cursor.len {
            let place = format!("{}: tensor {}", cursor.file, names::tensor(&tensor.name));
            return Err(Stop::Bad(truncated(&place, end, cursor.len)));
        }
    }
    let mut order: Vec<&RawTensor> = tensors.iter().collect();
    order.sort_by_key(|tensor| tensor.offset);
    match order.windows(2).find(|pair| pair[0].offset + pair[0].bytes > pair[1].offset) {
        None => Ok(()),
        Some(pair) => Err(cursor.bad(format_args!(
            "tensors {} and {} overlap",
            names::tensor(&pair[0].name),
            names::tensor(&pair[1].name)
        ))),
    }
}
