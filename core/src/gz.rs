//! Gzip in and out, for fact files and records. What is unpacked is bounded, and read as a stream where it can be.

use crate::{Error, Result};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Read, Write};

/// Largest unpacked size. A small archive can claim to hold terabytes; a browser tab must not believe it, and has less
/// memory than a program of its own.
const MAX_UNPACKED: u64 = if cfg!(target_family = "wasm") { 1 << 29 } else { 1 << 30 };
/// Facts and records pack to between a third and a thirtieth. What unpacks to more than this many times its size was
/// made to fill memory; but a short file of one letter is no attack, so this counts above [`SMALL`] only.
const MOST_TIMES: u64 = 100;
/// An unpacked size that does no harm.
const SMALL: u64 = 64 << 20;
/// Bytes that are unpacked at a time.
const PIECE: usize = 64 << 10;

/// The bytes of a file, packed or not.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    packed: bool,
    /// Bytes at the beginning that are left out.
    skipped: u64,
}

/// What a look through a whole file found.
pub(crate) struct Text {
    /// Bytes before the first character that is neither white space nor a byte order mark.
    pub(crate) begin: u64,
    /// That character; none in an empty file.
    pub(crate) first: Option<char>,
    /// The line that it is on, from 1.
    pub(crate) line: usize,
}

impl<'a> Source<'a> {
    /// Bytes; they are packed when they begin with gzip's magic number.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, packed: bytes.starts_with(&[0x1f, 0x8b]), skipped: 0 }
    }

    /// The same from a later byte of its content on.
    pub(crate) fn after(self, begin: u64) -> Self {
        Self { skipped: begin, ..self }
    }

    /// Bytes that are left out at the beginning.
    pub(crate) fn begin(&self) -> u64 {
        self.skipped
    }

    /// The bytes themselves, packed or not.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether it is packed.
    pub(crate) fn is_packed(&self) -> bool {
        self.packed
    }

    /// How the content begins. Damage is told by whoever reads on.
    pub(crate) fn head(&self, most: usize) -> Vec<u8> {
        let mut head = Vec::new();
        let _ = self.reader().take(most as u64).read_to_end(&mut head);
        head
    }

    /// The content where it needs no unpacking.
    pub(crate) fn plain(&self) -> Option<&'a [u8]> {
        let begin = usize::try_from(self.skipped).ok()?;
        (!self.packed).then(|| self.bytes.get(begin..).unwrap_or_default())
    }

    /// Reads the content from its beginning. Sizes were looked at by [`Source::check`].
    pub(crate) fn reader(&self) -> Box<dyn BufRead + 'a> {
        let mut reader: Box<dyn BufRead + 'a> = match self.packed {
            true => Box::new(BufReader::with_capacity(PIECE, MultiGzDecoder::new(self.bytes))),
            false => Box::new(self.bytes),
        };
        // An error here comes again at the next byte.
        let _ = std::io::copy(&mut (&mut reader).take(self.skipped), &mut std::io::sink());
        reader
    }

    /// One JSON value and nothing else.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<T> {
        self.json_seed(std::marker::PhantomData)
    }

    /// [`Source::json`] with a seed.
    pub(crate) fn json_seed<T, S: for<'de> serde::de::DeserializeSeed<'de, Value = T>>(
        &self,
        seed: S,
    ) -> serde_json::Result<T> {
        let slice = |bytes: &[u8], seed: S| {
            let mut reader = serde_json::Deserializer::from_slice(bytes);
            let found = seed.deserialize(&mut reader)?;
            reader.end().map(|()| found)
        };
        if let Some(bytes) = self.plain() {
            return slice(bytes, seed);
        }
        // The page's program has one decoder of everything: a second one, of streams, would be an eighth of it.
        #[cfg(target_family = "wasm")]
        {
            let bytes = unpack(self.bytes).map_err(serde::de::Error::custom)?;
            slice(bytes.get(self.skipped as usize..).unwrap_or_default(), seed)
        }
        #[cfg(not(target_family = "wasm"))]
        {
            let mut reader = serde_json::Deserializer::from_reader(self.reader());
            let found = seed.deserialize(&mut reader)?;
            reader.end().map(|()| found)
        }
    }

    /// Refuses damaged gzip data and what unpacks to too much, keeping nothing of it.
    pub(crate) fn check(&self) -> Result<()> {
        self.pieces(|_| Ok(()))
    }

    /// [`Source::check`], and that it is UTF-8.
    pub(crate) fn text(&self) -> Result<Text> {
        let mut found = Text { begin: 0, first: None, line: 1 };
        let (mut lines, mut rest) = (1, Vec::new());
        self.pieces(|piece| {
            rest.extend_from_slice(piece);
            let valid = match std::str::from_utf8(&rest) {
                Ok(_) => rest.len(),
                // A character may go on in the next piece.
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(error) => {
                    let (before, after) = rest.split_at(error.valid_up_to());
                    return Err(not_text(lines + newlines(before), after));
                }
            };
            lines += newlines(&rest[..valid]);
            if found.first.is_none() {
                let text = std::str::from_utf8(&rest[..valid]).unwrap_or_default();
                let mark = |c: char| c.is_whitespace() || (c == '\u{feff}');
                let begin = text.trim_start_matches(mark);
                found.begin += (text.len() - begin.len()) as u64;
                found.line += newlines(&text.as_bytes()[..text.len() - begin.len()]);
                found.first = begin.chars().next();
            }
            rest.drain(..valid);
            Ok(())
        })?;
        if rest.is_empty() { Ok(found) } else { Err(not_text(lines, &rest)) }
    }

    fn pieces(&self, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if !self.packed {
            return self.bytes.chunks(PIECE).try_for_each(each);
        }
        let mut decoder = MultiGzDecoder::new(self.bytes);
        let (mut piece, mut size) = (vec![0; PIECE], 0u64);
        loop {
            let read = decoder.read(&mut piece).map_err(|error| damaged(&error))?;
            size += read as u64;
            bounded(self.bytes.len() as u64, size)?;
            if read == 0 {
                return Ok(());
            }
            each(&piece[..read])?;
        }
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// The error for bytes that are no UTF-8, and where they are.
fn not_text(line: usize, bytes: &[u8]) -> Error {
    let byte = bytes.first().copied().unwrap_or_default();
    Error::input(format!("not UTF-8 text (line {line}): byte 0x{byte:02x}"))
        .hint("it may be Windows-1252 or Latin-1; save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
}

fn damaged(error: &std::io::Error) -> Error {
    Error::input(format!("the gzip data is damaged: {error}")).hint("copy or download the file again")
}

/// Most bytes that so many packed ones may be.
pub(crate) fn most_unpacked(packed: u64) -> u64 {
    MAX_UNPACKED.min(SMALL.max(packed.saturating_mul(MOST_TIMES)))
}

/// Whether so many packed bytes may be so many unpacked ones.
fn bounded(packed: u64, size: u64) -> Result<()> {
    let most = most_unpacked(packed);
    if size <= most {
        return Ok(());
    }
    let mib = most >> 20;
    Err(Error::input(format!("the gzip file of {packed} bytes unpacks to more than {mib} MiB"))
        .hint("no facts and no record pack so well; pass it unpacked if it really is that large"))
}

/// The bytes themselves, or what they unpack to when they begin with gzip's magic number.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    let source = Source::new(bytes);
    if let Some(plain) = source.plain() {
        return Ok(Cow::Borrowed(plain));
    }
    // Counted before it is kept: memory then grows once, to what it has to be.
    let mut size = 0;
    source.pieces(|piece| {
        size += piece.len();
        Ok(())
    })?;
    let mut out = Vec::new();
    out.try_reserve_exact(size).map_err(|_| {
        Error::new(crate::Kind::Memory, format!("no memory for the {size} bytes that the gzip file unpacks to"))
            .hint("close other programs, or split the file")
    })?;
    source.reader().read_to_end(&mut out).map_err(|error| damaged(&error))?;
    Ok(Cow::Owned(out))
}

/// Packs with gzip's default level. The header holds no name or time, so equal input gives equal bytes.
pub(crate) fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    packed(bytes, Compression::default())
}

/// [`pack`] that takes its time.
pub(crate) fn pack_small(bytes: &[u8]) -> Result<Vec<u8>> {
    packed(bytes, Compression::best())
}

fn packed(bytes: &[u8], level: Compression) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|error| Error::io(format!("gzip failed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_damage_and_bombs() -> Result<()> {
        let packed = pack(b"hello hello hello")?;
        assert_eq!(&*unpack(&packed)?, b"hello hello hello");
        assert_eq!(&*unpack(b"plain")?, b"plain");
        assert!(unpack(&packed[..packed.len() - 6]).is_err());
        assert!(bounded(10, SMALL).is_ok() && bounded(10, SMALL + 1).is_err());
        assert!(bounded(SMALL, 99 * SMALL).is_err() && bounded(SMALL / 9, 9 * SMALL / 9).is_ok());
        let bomb = pack(&vec![b'0'; SMALL as usize + 1])?;
        let said = unpack(&bomb).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains("unpacks to more than 64 MiB") && said.contains("hint"), "{said}");
        assert!(Source::new(&bomb).check().is_err() && Source::new(&bomb).text().is_err());
        Ok(())
    }

    #[test]
    fn text_is_looked_through_piece_by_piece() -> Result<()> {
        // Characters of two and three bytes lie across the ends of pieces.
        for filler in ["é", "€", "x"] {
            let text = format!(" \n\u{feff}\t{}", filler.repeat(PIECE));
            for bytes in [text.clone().into_bytes(), pack(text.as_bytes())?] {
                let found = Source::new(&bytes).text()?;
                assert_eq!((found.begin, found.first, found.line), (6, filler.chars().next(), 2));
                let mut rest = String::new();
                let read = Source::new(&bytes).after(found.begin).reader().read_to_string(&mut rest);
                assert_eq!((read.ok(), rest), (Some(filler.len() * PIECE), filler.repeat(PIECE)));
            }
            let cut = [text.as_bytes(), &[0xc3]].concat();
            assert!(
                Source::new(&cut).text().is_err_and(|error| error.message() == "not UTF-8 text (line 2): byte 0xc3")
            );
        }
        assert_eq!(Source::new(b" \n").text()?.first, None);
        Ok(())
    }
}
