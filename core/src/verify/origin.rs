//! Whether facts and model at hand are those that a record names.

use super::tally::Tally;
use super::{Check, State, clip, place};
use crate::facts::{FactFile, shuffled};
use crate::record::{ModelInfo, Record};

/// Checks of a record against the facts that it was made from: digest, count, and every fact at its place of the seeded
/// order.
pub fn source(record: &Record, file: &FactFile) -> Vec<Check> {
    const NAME: &str = "fact source";
    let (there, here) = (&record.source, file.source());
    if there.sha256 != here.sha256 || there.count != here.count {
        let detail = format!(
            "the record names {} facts with SHA-256 {}; here are {} with {}",
            there.count,
            short(&there.sha256),
            here.count,
            short(&here.sha256)
        );
        return vec![Check::new(NAME, State::Failed, detail).hint("give the file that was studied with --facts")];
    }
    let same = Check::new(NAME, State::Ok, format!("{} facts, SHA-256 {}", here.count, short(&here.sha256)));
    let mut tally = Tally::new("facts are the source's in its seeded order", "facts");
    let order = shuffled(file.facts.len(), record.settings.seed);
    for fact in &record.facts {
        let wanted = order.get(fact.order).and_then(|&at| file.facts.get(at));
        let equal = wanted.is_some_and(|wanted| wanted.is_in(fact));
        tally.see(equal, || match wanted {
            Some(wanted) => format!("{}: the source has fact {} there, or other texts", place(fact), clip(&wanted.id)),
            None => format!("{}: the source ends before it", place(fact)),
        });
    }
    vec![same, tally.done("there are no facts")]
}

/// A check of a record against a model at hand: the three digests, and what follows from them.
pub fn model(record: &Record, here: &ModelInfo) -> Check {
    const NAME: &str = "model";
    let there = &record.model;
    let pairs = [
        ("config", &there.config_sha256, &here.config_sha256),
        ("weights", &there.weights_sha256, &here.weights_sha256),
        ("tokenizer", &there.tokenizer_sha256, &here.tokenizer_sha256),
    ];
    let mut wrong: Vec<String> = pairs
        .iter()
        .filter(|(_, there, here)| there != here)
        .map(|(what, there, here)| format!("{what} {} there, {} here", short(there), short(here)))
        .collect();
    let numbers = [
        ("layers", there.layers as u64, here.layers as u64),
        ("width", there.width as u64, here.width as u64),
        ("parameters", there.parameters, here.parameters),
    ];
    // A caller that has not built the model leaves these at 0.
    let differ = numbers.iter().filter(|(_, there, here)| *here != 0 && there != here);
    wrong.extend(differ.map(|(what, there, here)| format!("{there} {what} there, {here} here")));
    if wrong.is_empty() {
        let digest = short(&here.weights_sha256);
        return Check::new(
            NAME,
            State::Ok,
            format!("config, weights ({digest}) and tokenizer are those of the record"),
        );
    }
    let tokenizer = there.weights_sha256 == here.weights_sha256 && there.tokenizer_sha256 != here.tokenizer_sha256;
    Check::new(NAME, State::Failed, format!("another model than the record's: {}", wrong.join("; "))).hint(
        match tokenizer {
            true => {
                "give the tokenizer that was used: a tokenizer.json beside a GGUF file is another than the one that is \
                 built from its metadata"
            }
            false => "give the model that was studied with --model",
        },
    )
}

/// The beginning of a digest, which a record may fill with anything.
fn short(digest: &str) -> String {
    match digest.char_indices().nth(12) {
        Some((at, _)) => format!("{}…", &digest[..at]),
        None if digest.is_empty() => "(none)".into(),
        None => digest.into(),
    }
}
