//! Facts, records, journals, result pages and messages: what needs no engine.

use engram_core::journal::{self, Found, Journal, fact_line};
use engram_core::metrics::{MetricConvention, MlpRatio, NecessityAt, RedundancyAggregate};
use engram_core::record::Record;
use engram_core::{facts, pack, protocol, tables, verify};
use std::path::PathBuf;

/// A file of facts, in any format; what was read makes prompts.
pub fn facts(bytes: &[u8]) {
    let Ok(file) = facts::parse("facts", bytes) else { return };
    assert_eq!(file.source().count, file.facts.len());
    for fact in &file.facts {
        let (prompt, subject) = (fact.prompt(), fact.subject_chars());
        let (corrupted, other) = fact.corrupted("New York");
        // Facts with an empty field stay, for a study to drop them with that reason.
        if fact.template.contains(facts::SLOT) {
            assert_eq!(prompt.get(subject), Some(fact.subject.as_str()));
            assert_eq!(corrupted.get(other), Some("New York"));
        }
        facts::kind(&fact.relation);
    }
}

/// A record, plain or packed; what was read goes into tables, checks and pages.
pub fn record(bytes: &[u8]) {
    if let Ok(record) = journal::from_bytes("record", bytes) {
        read(&record);
    }
}

/// What the program does with a record that it has accepted.
fn read(record: &Record) {
    // What sequences changed is read by studies that go on, and by nobody else.
    let mut record = record.clone();
    record.forget_changes();
    let record = &record;
    let json = journal::to_json(record).expect("an accepted record can be written");
    assert_eq!(&journal::from_bytes("again", &json).expect("and read"), record);
    let packed = pack::pack(std::slice::from_ref(record)).expect("and packed");
    assert_eq!(pack::unpack(&packed).expect("and unpacked"), std::slice::from_ref(record));
    verify::record(record);
    verify::digest(record).expect("a digest");
    verify::indices(record);
    let papers = MetricConvention {
        argmax_always: true,
        necessity_at: NecessityAt::PerFact,
        mlp_ratio: MlpRatio::RatioOfMeans,
        redundancy: RedundancyAggregate::MeanOfClipped,
        ..MetricConvention::default()
    };
    let twice = [record.clone(), record.clone()];
    for view in [MetricConvention::default(), papers] {
        for table in tables::all(&twice, &view, Some(&record.model.name)) {
            table.to_csv().expect("as many cells as columns");
            table.to_markdown();
            table.to_latex();
            table.to_json();
        }
    }
}

/// A study's journal: read as a record, and opened to go on with.
pub fn journal(bytes: &[u8]) {
    let _ = journal::read_bytes("journal", bytes);
    let place = Place::new();
    if std::fs::write(&place.0, bytes).is_err() {
        return;
    }
    let Ok(mut open) = Journal::lock(&place.0) else { return };
    let Ok(Found::Study(resumed)) = open.found() else { return };
    open.go_on(&resumed).expect("a file that can be cut");
    let mut expected = resumed.record;
    let Some(mut fact) = expected.facts.first().cloned() else { return };
    fact.order = expected.facts.len();
    open.append(&fact_line(&fact).expect("finite")).expect("a fact that was read");
    drop(open);
    // What is written after what was kept is read again.
    expected.facts.push(fact);
    let again = journal::read(&place.0).expect("a whole journal");
    assert_eq!((again.record, again.dropped), (expected, None));
}

/// A file of this process, which goes with the value.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let thread = std::thread::current().id();
        Self(std::env::temp_dir().join(format!("engram-outside-{}-{thread:?}", std::process::id())))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A result page, the text of a link, or packed records: the way in is told by how the bytes begin. What is no gzip is
/// taken for the inside of packed records, which nobody finds who has to make a checksum fit.
pub fn page(bytes: &[u8]) {
    let found = match (pack::from_page(bytes), std::str::from_utf8(bytes)) {
        (Some(found), _) => found,
        (None, Ok(text)) if !text.starts_with("engram") => pack::from_link(text).and_then(|bytes| pack::unpack(&bytes)),
        (None, _) => pack::unpack(bytes).or_else(|_| pack::unpack(&gzip(bytes))),
    };
    for record in found.iter().flatten() {
        read(record);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = pack::from_beside(text);
    }
}

/// Stored in gzip without being made smaller, so that it costs nothing.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    if bytes.is_empty() {
        out.extend([1, 0, 0, 255, 255]); // a last block all the same
    }
    let mut blocks = bytes.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32(bytes).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out
}

/// Of RFC 1952, section 8, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    !bytes.iter().fold(!0_u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| bit(crc)))
}

/// A message between page and engine, of either side; it is sent on as it was read.
pub fn message(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    same::<protocol::Request>(text);
    same::<protocol::Event>(text);
}

/// A frame of a socket, of either side: its head, its message and the arrays beside it.
pub fn frame(bytes: &[u8]) {
    let Ok(frame) = protocol::frame::unpack(bytes) else { return };
    let again = protocol::frame::pack(frame.kind, frame.number, frame.head, frame.bytes);
    assert_eq!(protocol::frame::unpack(&again).expect("what was packed"), frame);
    message(frame.head.as_bytes());
    let Ok(read) = protocol::Message::opened(frame.head, || frame.bytes.to_vec()) else { return };
    let (json, arrays) = read.clone().sealed(None);
    // A number of its JSON beyond f32 is read as infinite, and such a message becomes a failure.
    let again = protocol::Message::opened(&json, || arrays.unwrap_or_default()).expect("what was sealed");
    assert!(again == read || matches!(again.news, protocol::Event::Failed(_)));
}

fn same<T: serde::Serialize + serde::de::DeserializeOwned>(text: &str) {
    let Ok(read) = protocol::from_json::<T>(text) else { return };
    // A number beyond f32 is read as infinite, and such a message cannot be sent.
    let Ok(sent) = protocol::to_json(&read) else { return };
    let again = protocol::from_json::<T>(&sent).and_then(|read| protocol::to_json(&read));
    assert_eq!(again.expect("what was sent"), sent);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_unpacks() {
        for length in [0, 1, 0xffff, 0x1_0000, 200_000] {
            let plain = vec![b'a'; length];
            let error = pack::unpack(&gzip(&plain)).expect_err("no records");
            assert!(error.message().contains("begin with their mark"), "{length}: {error}");
        }
    }
}
