//! Records in few bytes, for pages and links that carry them: every raw value keeps its 32 bits, and no digit is spent
//! on it.
//!
//! The records go in as JSON without raw values, followed by the values themselves as steps from one to the
//! next, their first bytes together, then their second ones and so on; gzip makes little of signs and exponents. Facts and edits of several records take turns in that JSON, since studies to be compared hold the same ones, and
//! gzip finds a repetition only when it is near.

mod extract;
mod page;
mod text;
mod values;

pub use extract::extract;
pub use page::{RECORDS, WORDS, beside, from_beside, from_page, in_page};
pub use text::{from_link, from_text, to_link, to_text};

use crate::record::read::list;
use crate::record::{EditRecord, FactRecord, Record};
use crate::{Error, Result, gz, journal};
use serde::{Deserialize, Serialize};

/// What packed records begin with, once unpacked.
const MAGIC: &[u8; 8] = b"engram\x00\x01";
/// Bytes of a raw value.
const WIDTH: usize = size_of::<f32>();
/// Most facts that a page or a link may bring, over all of its records: a tab must not be made to hang.
pub const MOST_FACTS: usize = 150_000;
/// Most records, for the same reason; each has charts of its own.
pub const MOST_RECORDS: usize = 100;

/// What is read before it is refused: a little more, so that the refusal can say how many there are.
const SOME_RECORDS: usize = 10 * MOST_RECORDS;
/// As [`SOME_RECORDS`].
const SOME_FACTS: usize = 2 * MOST_FACTS;

/// Records with their facts and edits taken out.
#[derive(Serialize, Deserialize)]
struct Hollow {
    /// The records, without facts; edits are an empty list where there are any.
    #[serde(deserialize_with = "list::<_, _, SOME_RECORDS>")]
    records: Vec<Record>,
    /// How many facts and edits each has.
    #[serde(deserialize_with = "list::<_, _, SOME_RECORDS>")]
    counts: Vec<[usize; 2]>,
    /// The facts: the first one of each record, then the second ones, and so on.
    #[serde(deserialize_with = "list::<_, _, SOME_FACTS>")]
    facts: Vec<FactRecord>,
    /// The edits, likewise.
    #[serde(deserialize_with = "list::<_, _, SOME_FACTS>")]
    edits: Vec<EditRecord>,
}

impl Hollow {
    fn of(mut records: Vec<Record>) -> Self {
        let facts: Vec<_> = records.iter_mut().map(|record| std::mem::take(&mut record.facts)).collect();
        let edits: Vec<_> = records.iter_mut().map(|record| record.edits.as_mut().map(std::mem::take)).collect();
        let edits: Vec<_> = edits.into_iter().map(Option::unwrap_or_default).collect();
        let counts = facts.iter().zip(&edits).map(|(facts, edits)| [facts.len(), edits.len()]).collect();
        Self { records, counts, facts: in_turn(facts), edits: in_turn(edits) }
    }

    /// The records with their facts and edits; `None` where the counts do not fit.
    fn filled(mut self) -> Option<Vec<Record>> {
        if self.counts.len() != self.records.len() {
            return None;
        }
        let facts = dealt(self.facts, self.counts.iter().map(|count| count[0]))?;
        let edits = dealt(self.edits, self.counts.iter().map(|count| count[1]))?;
        for ((record, facts), edits) in self.records.iter_mut().zip(facts).zip(edits) {
            record.facts = facts;
            match &mut record.edits {
                Some(list) => *list = edits,
                None if edits.is_empty() => {}
                None => return None,
            }
        }
        Some(self.records)
    }
}

/// The first of each list, then the second ones, and so on.
fn in_turn<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let rounds = lists.iter().map(Vec::len).max().unwrap_or(0);
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    (0..rounds).flat_map(|_| lists.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

/// What [`in_turn`] was given, from the lengths of the lists; `None` where they do not fit.
fn dealt<T>(all: Vec<T>, counts: impl Iterator<Item = usize> + Clone) -> Option<Vec<Vec<T>>> {
    let total = counts.clone().try_fold(0usize, |sum, count| sum.checked_add(count))?;
    if total != all.len() {
        return None;
    }
    let mut all = all.into_iter();
    let mut lists: Vec<Vec<T>> = counts.clone().map(|_| Vec::new()).collect();
    for round in 0..counts.clone().max().unwrap_or(0) {
        let open = lists.iter_mut().zip(counts.clone()).filter(|(_, count)| round < *count);
        open.for_each(|(list, _)| list.extend(all.next()));
    }
    Some(lists)
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

/// Takes the values out of records.
#[derive(Default)]
struct Taking {
    steps: Vec<u32>,
    before: u32,
}

impl values::Visit for Taking {
    fn value(&mut self, value: &mut f32) {
        let bits = std::mem::take(value).to_bits();
        self.steps.push(step(&mut self.before, bits));
    }

    fn before(&mut self, _: &mut Vec<f32>) {}

    /// A curve's length stands for its zeros.
    fn after(&mut self, curve: &mut Vec<f32>) {
        if !curve.is_empty() {
            *curve = vec![curve.len() as f32];
        }
    }
}

/// Puts the values back.
struct Filling<'a> {
    planes: &'a [u8],
    count: usize,
    next: usize,
    before: u32,
    fits: bool,
}

impl values::Visit for Filling<'_> {
    fn value(&mut self, value: &mut f32) {
        let byte = |place: usize| self.planes.get(place * self.count + self.next).copied();
        match (self.next < self.count, byte(0), byte(1), byte(2), byte(3)) {
            (true, Some(a), Some(b), Some(c), Some(d)) => {
                *value = f32::from_bits(stepped(&mut self.before, u32::from_le_bytes([a, b, c, d])));
            }
            _ => self.fits = false,
        }
        self.next += 1;
    }

    fn before(&mut self, curve: &mut Vec<f32>) {
        let Some(length) = curve.first().copied() else { return };
        // Never more than there are values left, whatever the length claims to be.
        let fits = curve.len() == 1 && length.fract() == 0.0 && (1.0..=(1 << 24) as f32).contains(&length);
        if fits && length as usize <= self.count.saturating_sub(self.next) {
            curve.resize(length as usize, 0.0);
        } else {
            curve.clear();
            self.fits = false;
        }
    }

    fn after(&mut self, _: &mut Vec<f32>) {}
}

/// Packs records. Equal records give equal bytes.
///
/// # Errors
/// On a number that is not finite, naming its place.
pub fn pack(records: &[Record]) -> Result<Vec<u8>> {
    let (mut taking, mut records) = (Taking::default(), records.to_vec());
    for record in &mut records {
        journal::finite(record)?;
        values::each(record, &mut taking);
    }
    let values = taking.steps;
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
    let hollow: Hollow = serde_json::from_slice(json).map_err(|error| {
        Error::input(format!("packed records: {error}")).hint("copy the page or link again, whole; or update Engram")
    })?;
    hollow.records.iter().try_for_each(|record| journal::readable(record.engram))?;
    let (facts, records) = (hollow.facts.len(), hollow.records.len());
    if records > MOST_RECORDS {
        return Err(Error::input(format!("{records} records; a page shows at most {MOST_RECORDS}"))
            .hint("`engram compare` holds as many as there are against each other"));
    }
    if facts > MOST_FACTS {
        return Err(Error::input(format!("{facts} facts; a page shows at most {MOST_FACTS}"))
            .hint("`engram export` takes the record's numbers out at any size"));
    }
    let mut records = hollow.filled().ok_or_else(|| damaged("their counts of facts do not fit"))?;
    let count = planes.len() / WIDTH;
    let mut filling = Filling { planes, count, next: 0, before: 0, fits: planes.len() % WIDTH == 0 };
    records.iter_mut().for_each(|record| values::each(record, &mut filling));
    if !filling.fits || filling.next != count {
        return Err(damaged(&format!("{} raw values are wanted, {count} are there", filling.next)));
    }
    records.iter().try_for_each(journal::check)?;
    records.iter_mut().for_each(Record::settle);
    Ok(records)
}

#[cfg(test)]
mod tests;
