//! A finished study that comes with the page: what a reader sees before anything is loaded or computed.

use crate::figures::question::Asked;
use crate::load::{self, Opened};
use engram_core::record::{Corruption, FactRecord, Record, Traced};
use engram_core::{Error, Result};
use std::sync::OnceLock;

/// The file, made by `engram study` with a bundled model; it lies beside the page.
pub const FILE: &str = "sample.engram.json.gz";

static BYTES: OnceLock<Vec<u8>> = OnceLock::new();

/// Takes the file's bytes, once they are here.
pub fn arrived(bytes: Vec<u8>) {
    let _ = BYTES.set(bytes);
}

/// The stored study.
///
/// # Errors
/// When the file did not arrive, or is damaged.
pub fn stored() -> Result<Opened> {
    let missing = || Error::io("the stored study did not arrive").hint("reload the page");
    load::open(FILE, BYTES.get().ok_or_else(missing)?)
}

/// The facts that have token × layer maps, in study order: those that are worth looking at without a run.
pub fn mapped(record: &Record) -> impl Iterator<Item = (&FactRecord, &Traced)> {
    record.validated().filter(|(_, traced)| traced.maps.is_some())
}

/// The stored fact to begin with: the model is sure of it, its subject's last token restores it, and the replacement has a token for each of
/// the subject's.
pub fn strongest(record: &Record) -> Option<&FactRecord> {
    let strength = |(_, traced): &(&FactRecord, &Traced)| {
        let [start, end] = traced.corrupt_span;
        let matched = end - start >= traced.subject_span[1] - traced.subject_span[0];
        let row = traced.maps.as_ref().and_then(|maps| maps.residual.get(end.checked_sub(1)?));
        let most = row.and_then(|row| row.iter().copied().reduce(f32::max)).unwrap_or_default();
        (matched, (most - traced.p_corrupt).min(traced.p_clean - traced.p_corrupt))
    };
    let stronger = |a: &(&FactRecord, &Traced), b: &(&FactRecord, &Traced)| {
        let ((matched, a), (other, b)) = (strength(a), strength(b));
        matched.cmp(&other).then(a.total_cmp(&b))
    };
    mapped(record).max_by(stronger).map(|found| found.0)
}

/// The stored fact that answers a question: the same prompt about the same subject, and the same answers where some
/// are asked for.
pub fn answering<'a>(record: &'a Record, prompt: &str, subject: &str, answers: [&str; 2]) -> Option<&'a FactRecord> {
    let same = |asked: &str, had: &str| asked.trim().is_empty() || asked.trim() == had.trim();
    let holds = |fact: &&FactRecord| {
        let right = same(answers[0], &fact.target_true) && same(answers[1], &fact.target_new);
        fact.prompt == prompt && fact.subject == subject && right
    };
    mapped(record).map(|(fact, _)| fact).find(holds)
}

/// The same for a question with its corruption. A replacement that is left open is no other one than the record's.
pub fn for_question<'a>(record: &'a Record, asked: &Asked, answers: [&str; 2]) -> Option<&'a FactRecord> {
    let same = match (asked.corruption(), &record.settings.corruption) {
        (Corruption::Replace { with }, Corruption::Replace { .. }) if with.is_empty() => true,
        (asked, stored) => asked == *stored,
    };
    answering(record, &asked.filled(), &asked.subject, answers).filter(|_| same)
}

/// A record of one fact, as `engram trace` writes it: the same settings and identities, no edits.
pub fn only(record: &Record, order: usize) -> Option<Record> {
    let fact = record.facts.iter().find(|fact| fact.order == order)?.clone();
    Some(Record {
        engram: record.engram,
        program: record.program.clone(),
        settings: record.settings.clone(),
        model: record.model.clone(),
        device: record.device.clone(),
        source: record.source.clone(),
        facts: vec![fact],
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::BUNDLED;

    #[test]
    fn the_stored_study_can_be_shown() -> Result<()> {
        arrived(include_bytes!("../sample.engram.json.gz").to_vec());
        let record = stored()?.record;
        assert!(BUNDLED.contains(&record.model.name.as_str()), "{}", record.model.name);
        let examples: Vec<_> = mapped(&record).collect();
        assert!(examples.len() >= 3);
        for (fact, _) in &examples {
            assert!(fact.prompt.contains(&fact.subject));
            let found = answering(&record, &fact.prompt, &fact.subject, ["", &fact.target_new]);
            assert_eq!(found.map(|found| found.order), Some(fact.order));
        }
        let first = strongest(&record).and_then(FactRecord::traced).map(|traced| traced.p_clean - traced.p_corrupt);
        assert!(first.is_some_and(|effect| effect > 0.5), "{first:?}");
        assert!(answering(&record, &examples[0].0.prompt, &examples[0].0.subject, ["Atlantis", ""]).is_none());
        let mut asked = Asked::of_fact(examples[0].0, &record.settings, record.model.layers);
        let of = |asked: &Asked| for_question(&record, asked, ["", ""]).map(|fact| fact.order);
        assert_eq!(of(&asked), Some(examples[0].0.order));
        asked.instead.clear();
        assert_eq!(of(&asked), Some(examples[0].0.order), "a replacement that is left open is no other one");
        asked.noise = !asked.noise;
        assert_eq!(of(&asked), None);
        let one = only(&record, examples[1].0.order);
        assert!(one.is_some_and(|one| one.facts.len() == 1 && one.edits.is_none()));
        assert!(only(&record, 999_999).is_none());
        Ok(())
    }
}
