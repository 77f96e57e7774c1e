//! From the bytes of a file to a record that the page may draw.

use engram_core::record::Record;
use engram_core::{Error, Result, journal, pack};

/// Most blocks that a record may claim. Charts have a column for each, and a hostile record could claim billions.
pub(crate) const MOST_LAYERS: usize = 1000;
/// Largest file that is read; a browser tab holds it several times over while it is parsed.
pub const MOST_BYTES: f64 = 512.0 * 1024.0 * 1024.0;

/// A record and what is worth saying about its file.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The record.
    pub record: Record,
    /// Where it came from.
    pub file: String,
    /// What was dropped from the journal of an unfinished study.
    pub note: Option<String>,
}

/// What a record needs to be drawn, wherever it came from.
///
/// # Errors
/// When its model has no layers or too many, or it has no facts.
pub fn drawable(record: &Record) -> Result<()> {
    let layers = record.model.layers;
    if layers == 0 || layers > MOST_LAYERS {
        return Err(Error::input(format!("a model with {layers} layers"))
            .hint(format!("this page draws models with 1 to {MOST_LAYERS} layers")));
    }
    if record.facts.is_empty() {
        return Err(Error::input("the record has no facts yet").hint("let the study go on first"));
    }
    Ok(())
}

/// Reads a record, a journal, or gzip of either.
///
/// # Errors
/// When the bytes are no record that this page can draw; the message names the file.
pub fn open(file: &str, bytes: &[u8]) -> Result<Opened> {
    let read = journal::read_bytes(file, bytes)?;
    drawable(&read.record).map_err(|error| error.at(file))?;
    Ok(Opened { record: read.record, file: file.to_owned(), note: read.dropped })
}

/// The records of a file: all of those that a result page carries, or else the one that [`open`] reads.
///
/// # Errors
/// As [`open`]; one record that cannot be drawn is an error for its whole page.
pub fn open_all(file: &str, bytes: &[u8]) -> Result<Vec<Opened>> {
    let Some(found) = pack::from_page(bytes) else { return Ok(vec![open(file, bytes)?]) };
    let records = found.and_then(|records| {
        records.iter().try_for_each(drawable)?;
        match records.is_empty() {
            true => Err(Error::input("the page carries no record")),
            false => Ok(records),
        }
    });
    let records = records.map_err(|error| error.at(file))?;
    let several = records.len() > 1;
    let label = |place: usize| if several { format!("{file}, record {}", place + 1) } else { file.to_owned() };
    let one = |(place, record)| Opened { record, file: label(place), note: None };
    Ok(records.into_iter().enumerate().map(one).collect())
}

/// Open records, in the order in which they came.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The records, in one slice as the tables want them.
    pub records: Vec<Record>,
    /// File and note of each record.
    pub labels: Vec<(String, Option<String>)>,
}

impl Shelf {
    /// Adds a record, or finds the one that is equal to it; gives its place.
    pub fn add(&mut self, opened: Opened) -> usize {
        if let Some(place) = self.records.iter().position(|record| *record == opened.record) {
            return place;
        }
        self.records.push(opened.record);
        self.labels.push((opened.file, opened.note));
        self.records.len() - 1
    }

    /// Closes a record.
    pub fn remove(&mut self, place: usize) {
        if place < self.records.len() {
            self.records.remove(place);
            self.labels.remove(place);
        }
    }

    /// The model's name, and its file too where two records are of models of the same name.
    pub fn name(&self, place: usize) -> String {
        let Some(record) = self.records.get(place) else { return String::new() };
        let name = &record.model.name;
        let alone = self.records.iter().filter(|other| other.model.name == *name).count() == 1;
        let file = self.labels.get(place).map_or("", |label| &label.0);
        crate::words::visible(&if alone { name.clone() } else { format!("{name} ({file})") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::sample;

    #[test]
    fn a_record_opens_and_a_monster_does_not() -> Result<()> {
        let mut record = sample::record();
        let opened = open("a.engram.json", &journal::to_json(&record)?)?;
        assert_eq!(opened.record, record);
        let packed = open("a.engram.json.gz", &journal::to_json_gz(&record)?)?;
        assert_eq!(packed.record, record);
        record.facts.retain(|fact| fact.traced().is_none());
        record.edits = None;
        record.model.layers = 4_000_000_000;
        let error = open("big.engram.json", &journal::to_json(&record)?).err();
        assert!(error.is_some_and(|error| error.message().contains("4000000000 layers")));
        assert!(open("x", b"<html>").is_err());
        Ok(())
    }

    #[test]
    fn a_page_opens_with_all_of_its_records() -> Result<()> {
        let mut records = [sample::record(), sample::record()];
        records[1].program = "another".into();
        let page = |records: &[Record]| -> Result<String> {
            Ok(format!("<!doctype html><title>x</title>{}", pack::in_page(&pack::pack(records)?)))
        };
        let opened = open_all("p.html", page(&records)?.as_bytes())?;
        assert_eq!(opened.iter().map(|one| &one.record).collect::<Vec<_>>(), records.iter().collect::<Vec<_>>());
        let mut shelf = Shelf::default();
        assert_eq!(opened.into_iter().map(|one| shelf.add(one)).collect::<Vec<_>>(), [0, 1]);
        assert_eq!([shelf.name(0), shelf.name(1)], ["tiny (p.html, record 1)", "tiny (p.html, record 2)"]);
        assert_eq!(open_all("p.html", page(&records[..1])?.as_bytes())?[0].file, "p.html");
        assert_eq!(open_all("a.json", &journal::to_json(&records[0])?)?.len(), 1);

        let said = |page: &str| open_all("p.html", page.as_bytes()).err().map(|error| error.message().to_owned());
        assert_eq!(said(&page(&[])?).as_deref(), Some("p.html: the page carries no record"));
        records[1].model.layers = 0;
        sample::each(&mut records[1], |traced| *traced = engram_core::record::Traced::default());
        records[1].edits = None;
        assert_eq!(said(&page(&records)?).as_deref(), Some("p.html: a model with 0 layers"));
        assert!(said("<html>").is_some_and(|said| said.starts_with("p.html: a web page without records")));
        Ok(())
    }

    #[test]
    fn the_same_record_is_kept_once() {
        let opened = |file: &str, name: &str| {
            let mut record = sample::record();
            record.program = name.into();
            Opened { record, file: file.into(), note: None }
        };
        let mut shelf = Shelf::default();
        assert_eq!(shelf.add(opened("a.json", "one")), 0);
        assert_eq!(shelf.name(0), "tiny");
        assert_eq!(shelf.add(opened("b.json", "two")), 1);
        assert_eq!(shelf.add(opened("c.json", "one")), 0);
        assert_eq!(shelf.name(1), "tiny (b.json)");
        shelf.remove(0);
        shelf.remove(7);
        assert_eq!((shelf.records.len(), shelf.name(0).as_str()), (1, "tiny"));
    }
}
