//! Files of other kinds than the wanted one, named for what they are by their first bytes.

use crate::{Error, lfs};

/// Beginnings, what they are the beginnings of, and what to do about it.
const KINDS: [(&[u8], &str, &str); 23] = [
    (b"PK\x03\x04", "a ZIP archive", UNPACK),
    (b"PAR1", "a Parquet file", ""),
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"ARROW1", "an Arrow (Feather) file", TABLE),
    (b"\xff\xff\xff\xff", "a stream of Arrow data", TABLE),
    (b"%PDF", "a PDF document", ""),
    (b"SQLite format 3", "an SQLite database", TABLE),
    (b"GGUF", "a model in GGUF", "give it as the model"),
    (b"Obj\x01", "an Avro file", TABLE),
    (b"\x89HDF", "an HDF5 file", TABLE),
    (b"\x93NUMPY", "a NumPy array", TABLE),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "save the table as CSV UTF-8"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard", UNPACK),
    (b"BZh", "packed with bzip2", UNPACK),
    (b"\xfd7zXZ", "packed with xz", UNPACK),
    (b"\x04\x22\x4d\x18", "packed with LZ4", UNPACK),
    (b"7z\xbc\xaf", "a 7-Zip archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"\x89PNG", "a picture", ""),
    (b"\xff\xd8\xff", "a picture", ""),
    (b"{\\rtf", "an RTF document", "save it as plain text"),
    (b"\x7fELF", "a program", ""),
    (b"\x1f\x8b", "packed with gzip, twice", UNPACK),
];

const UNPACK: &str = "unpack it and give the file that is in it";
const TABLE: &str = "write it as CSV, JSON lines or Parquet; in pandas: to_json(orient=\"records\", lines=True)";
/// Bytes that are looked at, at most.
pub(crate) const HEAD: usize = 4096;

/// What a file is that begins so, if it is surely no text, and what to do about it.
fn kind(first: &[u8]) -> Option<(&'static str, &'static str)> {
    let holds = |text: &[u8]| first.windows(text.len()).any(|part| part == text);
    if first.starts_with(b"PK\x03\x04") {
        if holds(b"[Content_Types].xml") || holds(b"xl/") {
            return Some(("an Excel workbook (or another Office file)", "save the table as CSV UTF-8"));
        }
        if holds(b"opendocument.spreadsheet") {
            return Some(("a spreadsheet (ODS)", "save the table as CSV"));
        }
    }
    if let Some((_, what, hint)) = KINDS.iter().find(|(begin, ..)| first.starts_with(begin)) {
        return Some((what, hint));
    }
    // Python's pickle: its protocol, then a frame or the first operation.
    if let [0x80, 2..=5, next, ..] = first
        && matches!(next, 0x95 | b'}' | b']' | b'c' | b'(' | b'X' | 0x8c)
    {
        return Some(("a Python pickle, which could run anything", TABLE));
    }
    if first.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", UNPACK));
    }
    // The length of a header that is JSON.
    if let [length @ .., b'{', b'"'] = first.get(..10)?
        && u64::from_le_bytes(length.try_into().ok()?) < 1 << 27
    {
        return Some(("a model in safetensors", "give it as the model"));
    }
    None
}

/// Refuses what is surely neither text nor anything that is read: `first` is how the file begins, unpacked where it was
/// `packed`.
pub(crate) fn refuse(first: &[u8], packed: bool) -> crate::Result<()> {
    if lfs::pointer(first) {
        return Err(lfs::refusal());
    }
    let Some((what, hint)) = kind(first) else { return Ok(()) };
    let inside = if packed { ", packed with gzip" } else { "" };
    let error = Error::input(format!("this is {what}{inside}"));
    Err(if hint.is_empty() { error } else { error.hint(hint) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_for_what_they_are() {
        let said = |first: &[u8]| refuse(first, false).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said(b"PK\x03\x04\x14\0\x06\0[Content_Types].xml").contains("Excel"));
        assert!(said(b"PK\x03\x04\x14\0\x06\0facts.json").contains("ZIP archive"));
        assert!(said(b"\x80\x04\x95\x10\0").contains("pickle"));
        assert!(said(b"\x40\x01\0\0\0\0\0\0{\"__metadata__\"").contains("safetensors"));
        assert!(said(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
        assert!(
            refuse(b"%PDF-1.7", true).is_err_and(|error| error.message().contains("PDF document, packed with gzip"))
        );
        for text in ["", "[", "{\"engram\":1}", "prompt,subject", "\u{feff}[", "PARIS"] {
            assert!(refuse(text.as_bytes(), false).is_ok(), "{text}");
        }
    }
}
