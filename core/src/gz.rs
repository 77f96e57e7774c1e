//! Gzip in and out, for fact files and records.

use crate::{Error, Result};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use std::borrow::Cow;
use std::io::{Read, Write};

/// Largest unpacked size. A small archive can claim to hold terabytes; a browser tab must not believe it.
const MAX_UNPACKED: u64 = 1 << 30;

/// The bytes themselves, or what they unpack to when they begin with gzip's magic number.
pub(crate) fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    unpack_at_most(bytes, MAX_UNPACKED)
}

fn unpack_at_most(bytes: &[u8], limit: u64) -> Result<Cow<'_, [u8]>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::new();
    MultiGzDecoder::new(bytes).take(limit + 1).read_to_end(&mut out).map_err(|error| {
        Error::input(format!("the gzip data is damaged: {error}")).hint("copy or download the file again")
    })?;
    if out.len() as u64 > limit {
        return Err(Error::input(format!("the gzip file unpacks to more than {limit} bytes"))
            .hint("split it, or pass it unpacked if it really is that large"));
    }
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
        assert!(unpack_at_most(&packed, 16).is_err());
        assert!(unpack_at_most(&packed, 17).is_ok());
        Ok(())
    }
}
