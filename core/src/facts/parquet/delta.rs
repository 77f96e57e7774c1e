//! Lengths of texts that are packed as differences: how many there are is looked at before room is made for them.

use super::thrift::Thrift;
use parquet::basic::Encoding;

/// Whether a page's values promise no more lengths than the page has values.
pub(super) fn fits(encoding: Encoding, values: &[u8], most: usize) -> bool {
    let lists = match encoding {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // Lengths of what is shared with the text before, and of the rest.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return true,
    };
    let mut at = 0;
    (0..lists).all(|_| {
        let found = values.get(at..).and_then(list);
        at += found.map_or(0, |(_, end)| end);
        found.is_some_and(|(count, _)| count <= most)
    })
}

/// Numbers in a list of differences, and where it ends.
fn list(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut reader = Thrift::new(bytes);
    let block = usize::try_from(reader.varint()?).ok()?;
    let parts = usize::try_from(reader.varint()?).ok()?;
    let count = usize::try_from(reader.varint()?).ok()?;
    reader.integer()?;
    let mut at = reader.at();
    let each = block.checked_div(parts)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let mut reader = Thrift::new(bytes.get(at..)?);
        reader.integer()?;
        at += reader.at();
        let widths = bytes.get(at..at.checked_add(parts)?)?;
        at += parts;
        for width in widths {
            if left == 0 {
                break;
            }
            if each == 0 {
                return None;
            }
            at = at.checked_add(each.checked_mul(usize::from(*width))?.div_ceil(8))?;
            left = left.saturating_sub(each);
        }
        if parts == 0 || at > bytes.len() {
            return None;
        }
    }
    Some((count, at))
}
