//! Unpacking of pages. The size is known before, and never exceeded.

use crate::{Error, Result};
use parquet::basic::Compression;
use std::io::Read;

/// What a page unpacks to, which has to be `size` bytes; the error says what is wrong.
pub(super) fn unpack(codec: Compression, packed: &[u8], size: usize) -> Result<Vec<u8>> {
    let bytes = match codec {
        Compression::UNCOMPRESSED => packed.to_vec(),
        Compression::SNAPPY => {
            let fits = snap::raw::decompress_len(packed).map_err(super::damaged)? == size;
            if !fits {
                return Err(wrong_size());
            }
            snap::raw::Decoder::new().decompress_vec(packed).map_err(super::damaged)?
        }
        Compression::GZIP(_) => all(flate2::read::MultiGzDecoder::new(packed), size)?,
        Compression::BROTLI(_) => all(brotli_decompressor::Decompressor::new(packed, 4096), size)?,
        Compression::ZSTD(_) => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(packed).map_err(super::damaged)?;
            all(decoder, size)?
        }
        Compression::LZ4_RAW => {
            let mut out = vec![0; size];
            let found = lz4_flex::block::decompress_into(packed, &mut out).map_err(super::damaged)?;
            out.truncate(found);
            out
        }
        Compression::LZ4 => return Err(unknown("LZ4 in Hadoop's frames")),
        Compression::LZO => return Err(unknown("LZO")),
    };
    if bytes.len() == size { Ok(bytes) } else { Err(wrong_size()) }
}

fn wrong_size() -> Error {
    super::damaged("a page has another size than it says")
}

fn unknown(name: &str) -> Error {
    Error::input(format!("the Parquet file is packed with {name}, which is not read"))
        .hint("write it with Snappy or Zstandard, or as CSV or JSON lines")
}

/// Everything of a stream, a byte more than `size` at most.
fn all(stream: impl Read, size: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    stream.take(size as u64 + 1).read_to_end(&mut out).map_err(super::damaged)?;
    Ok(out)
}
