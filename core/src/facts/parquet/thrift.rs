//! Thrift's compact protocol, as far as a Parquet file's own words have to be looked at before they are believed.

/// Deepest nesting of a schema, and of values that are passed over. The library goes down by recursion.
const DEEPEST: usize = 24;
/// Most columns of a schema, groups included.
const MOST_COLUMNS: usize = 10_000;

/// A reader; everything is `None` where the bytes are no such data.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Kinds of values.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// An unsigned number of variable length.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A signed one.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn pass(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    /// The fields of a struct: `each` gets number and kind, and says whether it has read the value.
    pub(super) fn fields(&mut self, mut each: impl FnMut(&mut Self, i64, u8) -> Option<bool>) -> Option<()> {
        self.fields_at(0, &mut each)
    }

    fn fields_at(&mut self, depth: usize, each: &mut dyn FnMut(&mut Self, i64, u8) -> Option<bool>) -> Option<()> {
        let mut id = 0_i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            id = match head >> 4 {
                0 => self.integer()?,
                more => id.checked_add(i64::from(more))?,
            };
            if !each(self, id, head & 0x0f)? {
                self.skip(head & 0x0f, depth, false)?;
            }
        }
    }

    /// Length of a list and the kind of its entries.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let length = match head >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        // An entry has at least a byte.
        (length <= (self.bytes.len() - self.at) as u64).then_some((length, head & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: usize, listed: bool) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            // Among fields the kind is the value.
            TRUE | FALSE if !listed => Some(()),
            TRUE | FALSE | 3 => self.pass(1),
            4..=6 => self.varint().map(drop),
            7 => self.pass(8),
            8 => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | 10 => {
                let (length, kind) = self.list()?;
                (0..length).try_for_each(|_| self.skip(kind, depth + 1, true))
            }
            11 => {
                let length = self.varint()?;
                if length == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..length).try_for_each(|_| {
                    self.skip(kinds >> 4, depth + 1, true)?;
                    self.skip(kinds & 0x0f, depth + 1, true)
                })
            }
            STRUCT => self.fields_at(depth + 1, &mut |_, _, _| Some(false)),
            13 => self.pass(16),
            _ => None,
        }
    }
}

/// Whether a field of a struct is true.
pub(super) fn is_true(kind: u8) -> bool {
    kind == TRUE
}

/// Whether a file's description is a tree of columns that is not too deep or too wide, each group with as many members as
/// it claims.
pub(super) fn check_footer(footer: &[u8]) -> Option<()> {
    const SCHEMA: i64 = 2;
    const CHILDREN: i64 = 5;
    let mut counts = Vec::new();
    Thrift::new(footer).fields(|file, id, kind| {
        if (id, kind) != (SCHEMA, LIST) {
            return Some(false);
        }
        let (length, STRUCT) = file.list()? else { return None };
        for _ in 0..usize::try_from(length).ok().filter(|length| *length <= MOST_COLUMNS)? {
            let mut children = 0;
            file.fields(|element, id, kind| {
                if id != CHILDREN || !(4..=6).contains(&kind) {
                    return Some(false);
                }
                children = element.integer()?;
                Some(true)
            })?;
            counts.push(usize::try_from(children).ok()?);
        }
        Some(true)
    })?;
    // Members that each open group still wants.
    let mut open: Vec<usize> = Vec::new();
    for (at, &count) in counts.iter().enumerate() {
        match open.last_mut() {
            Some(wanted) => *wanted -= 1,
            None if at > 0 => return None,
            None => {}
        }
        open.push(count);
        while open.last() == Some(&0) {
            open.pop();
        }
        if open.len() > DEEPEST || open.iter().sum::<usize>() > MOST_COLUMNS {
            return None;
        }
    }
    (open.is_empty() && !counts.is_empty()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A description with elements of so many children.
    fn footer(children: &[u32]) -> Vec<u8> {
        let varint = |mut number: u32, out: &mut Vec<u8>| {
            while number >= 0x80 {
                out.push(number as u8 | 0x80);
                number >>= 7;
            }
            out.push(number as u8);
        };
        // Field 2, a list of structs.
        let mut out = vec![0x29, 0xfc];
        varint(children.len() as u32, &mut out);
        for count in children {
            // Field 5, an integer.
            out.push(0x55);
            varint(count << 1, &mut out);
            out.push(0);
        }
        out.push(0);
        out
    }

    #[test]
    fn schemas_are_trees_of_a_bounded_size() {
        assert!(check_footer(&footer(&[2, 0, 1, 0])).is_some());
        assert!(check_footer(&footer(&[2, 0, 1])).is_none(), "a child is missing");
        assert!(check_footer(&footer(&[1, 0, 0])).is_none(), "a second root");
        assert!(check_footer(&footer(&[0x7fff_ffff, 0])).is_none(), "more children than there can be");
        assert!(check_footer(&footer(&[1; 20_000])).is_none() && check_footer(&footer(&[1; 200])).is_none(), "depth");
        assert!(check_footer(&[]).is_none() && check_footer(&[0]).is_none() && check_footer(&[0x29, 0xff]).is_none());
        // Structs in structs, passed over: field 1 is a struct whose field 1 is one.
        assert!(check_footer(&[0x1c; 100_000]).is_none());
        // A list of lists, and one that claims more than there is.
        assert!(check_footer(&[&[0x19_u8][..], &[0x19; 100_000]].concat()).is_none());
        assert!(check_footer(&[0x19, 0xf8, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]).is_none());
    }

    #[test]
    fn numbers() {
        assert_eq!(Thrift::new(&[0xac, 0x02]).varint(), Some(300));
        assert_eq!([1, 2, 3].map(|byte| Thrift::new(&[byte]).integer()), [Some(-1), Some(1), Some(-2)]);
        assert!(Thrift::new(&[0xff; 20]).varint().is_none() && Thrift::new(&[0x80]).varint().is_none());
    }
}
