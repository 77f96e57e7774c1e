//! Records in few bytes, for pages and links that carry them: every raw value keeps its 32 bits, and no digit is spent
//! on it.
//!
//! The records go in as JSON with each raw value put to zero, followed by the values themselves as steps from one to the
//! next, their first bytes together, then their second ones and so on; gzip makes little of zeros, signs and exponents. Facts of several records take turns in that JSON, since studies to be compared hold the same ones, and
//! gzip finds a repetition only when it is near.

mod page;
mod text;
mod values;

pub use page::{RECORDS, WORDS, beside, from_beside, from_page, in_page};
pub use text::{from_text, to_text};

use crate::record::{FactRecord, Record};
use crate::{Error, Result, gz, journal};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::{Deserialize, Serialize};

/// What packed records begin with, once unpacked.
const MAGIC: &[u8; 8] = b"engram\x00\x01";
/// Bytes of a raw value.
const WIDTH: usize = size_of::<f32>();
/// Most facts that a page or a link may bring, over all of its records: a tab must not be made to hang.
pub const MOST_FACTS: usize = 150_000;

/// Records with their facts taken out.
#[derive(Serialize, Deserialize)]
struct Hollow {
    /// The records, without facts.
    records: Vec<Record>,
    /// How many facts each has.
    counts: Vec<usize>,
    /// The facts: the first one of each record, then the second ones, and so on.
    facts: Vec<FactRecord>,
}

impl Hollow {
    fn of(mut records: Vec<Record>) -> Self {
        let counts: Vec<usize> = records.iter().map(|record| record.facts.len()).collect();
        let mut lists: Vec<_> =
            records.iter_mut().map(|record| std::mem::take(&mut record.facts).into_iter()).collect();
        let rounds = counts.iter().copied().max().unwrap_or(0);
        let facts = (0..rounds).flat_map(|_| lists.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect();
        Self { records, counts, facts }
    }

    /// The records with their facts; `None` where the counts do not fit.
    fn filled(mut self) -> Option<Vec<Record>> {
        let total = self.counts.iter().try_fold(0usize, |sum, count| sum.checked_add(*count))?;
        if self.counts.len() != self.records.len() || total != self.facts.len() {
            return None;
        }
        let mut facts = self.facts.into_iter();
        for round in 0..self.counts.iter().copied().max().unwrap_or(0) {
            for (record, _) in self.records.iter_mut().zip(&self.counts).filter(|(_, count)| round < **count) {
                record.facts.extend(facts.next());
            }
        }
        Some(self.records)
    }
}

/// How far a value lies from the one before it, as bits: small numbers for small steps up or down. Neighbours on a curve
/// share sign and exponent, so this is what gzip can use.
fn step(before: &mut u32, bits: u32) -> u32 {
    let difference = bits.wrapping_sub(std::mem::replace(before, bits)).cast_signed();
    ((difference << 1) ^ (difference >> 31)).cast_unsigned()
}

/// The bits that [`step`] was given.
fn stepped(before: &mut u32, step: u32) -> u32 {
    let difference = (step >> 1) ^ (step & 1).wrapping_neg();
    *before = before.wrapping_add(difference);
    *before
}

/// Packs records. Equal records give equal bytes.
///
/// # Errors
/// On a number that is not finite, naming its place.
pub fn pack(records: &[Record]) -> Result<Vec<u8>> {
    let (mut values, mut records) = (Vec::new(), records.to_vec());
    let mut before = 0;
    for record in &mut records {
        journal::finite(record)?;
        values::each(record, &mut |value| values.push(step(&mut before, std::mem::take(value).to_bits())));
    }
    let json = serde_json::to_vec(&Hollow::of(records)).map_err(|error| Error::io(format!("records: {error}")))?;
    let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + json.len() + WIDTH * values.len());
    bytes.extend(MAGIC);
    let length = u32::try_from(json.len()).map_err(|_| Error::input("the records are too many for one page"))?;
    bytes.extend(length.to_le_bytes());
    bytes.extend(&json);
    for place in 0..WIDTH {
        bytes.extend(values.iter().map(|value| value.to_le_bytes()[place]));
    }
    gz::pack_small(&bytes)
}

/// Unpacks records, and checks them as if they had come as files.
///
/// # Errors
/// When the bytes are damaged, claim more than [`MOST_FACTS`], or hold a record that [`journal::from_bytes`] would
/// refuse.
pub fn unpack(bytes: &[u8]) -> Result<Vec<Record>> {
    let damaged = |what: &str| Error::input(format!("packed records: {what}")).hint("copy the page or link again");
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(damaged("they do not begin as gzip does"));
    }
    let plain = gz::unpack(bytes)?;
    let rest = plain.strip_prefix(MAGIC).ok_or_else(|| {
        let newer = plain.starts_with(&MAGIC[..7]);
        if newer {
            Error::input("packed records: of a newer format")
                .hint("open the page with its own viewer, or update Engram")
        } else {
            damaged("they do not begin with their mark")
        }
    })?;
    let (length, rest) = rest.split_first_chunk().ok_or_else(|| damaged("they are cut off"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let (json, planes) = rest.split_at_checked(length).ok_or_else(|| damaged("they are cut off"))?;
    let hollow = hollow(json)?;
    let facts = hollow.facts.len();
    if facts > MOST_FACTS {
        return Err(Error::input(format!("{facts} facts; a page shows at most {MOST_FACTS}"))
            .hint("`engram export` takes the record's numbers out at any size"));
    }
    let mut records = hollow.filled().ok_or_else(|| damaged("their counts of facts do not fit"))?;
    let count = planes.len() / WIDTH;
    let (mut next, mut missing, mut before) = (0, planes.len() % WIDTH != 0, 0);
    for record in &mut records {
        values::each(record, &mut |value| {
            let byte = |place: usize| planes.get(place * count + next).copied();
            match (next < count, byte(0), byte(1), byte(2), byte(3)) {
                (true, Some(a), Some(b), Some(c), Some(d)) => {
                    *value = f32::from_bits(stepped(&mut before, u32::from_le_bytes([a, b, c, d])));
                }
                _ => missing = true,
            }
            next += 1;
        });
    }
    if missing || next != count {
        return Err(damaged(&format!("{next} raw values are wanted, {count} are there")));
    }
    records.iter().try_for_each(journal::check)?;
    Ok(records)
}

/// Reads the JSON part; a newer record's version is told before anything that is wrong with its fields.
fn hollow(json: &[u8]) -> Result<Hollow> {
    #[derive(Deserialize)]
    struct Versions {
        records: Vec<Version>,
    }
    #[derive(Deserialize)]
    struct Version {
        engram: u32,
    }
    let wrong =
        |error: serde_json::Error| Error::input(format!("packed records: {error}")).hint("copy the page or link again");
    let versions: Versions = serde_json::from_slice(json).map_err(wrong)?;
    versions.records.iter().try_for_each(|record| journal::readable(record.engram))?;
    serde_json::from_slice(json).map_err(wrong)
}

/// Packed records as text for an address: letters, digits, `-` and `_`.
pub fn to_link(packed: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(packed)
}

/// The bytes of [`to_link`].
///
/// # Errors
/// On a character that does not belong to it.
pub fn from_link(text: &str) -> Result<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD
        .decode(text.trim())
        .map_err(|error| Error::input(format!("the link is damaged: {error}")).hint("copy it again, whole"))
}

#[cfg(test)]
mod tests;
