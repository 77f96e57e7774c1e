//! Inputs that something has fallen over once, and good ones cut and changed: whatever the bytes are, the answer comes
//! soon, and it is a value or an error. The fuzz targets (`fuzz/`) try many more.

use engram_tests::outside::{files, models, seeds};
use std::time::{Duration, Instant};

/// A kind's function.
fn entry(kind: &str) -> fn(&[u8]) {
    match kind {
        "facts" => files::facts,
        "record" => files::record,
        "journal" => files::journal,
        "page" => files::page,
        "message" => files::message,
        "frame" => files::frame,
        "config" => models::config,
        "safetensors" => models::safetensors,
        "gguf" => models::gguf,
        "tokenizer" => models::tokenizer,
        "change" => models::change,
        _ => panic!("no such kind of input: {kind}"),
    }
}

/// Longest time for one input; more than the fuzzer's, for machines that do other things meanwhile.
const LONGEST: Duration = Duration::from_secs(5);

fn try_one(kind: &str, name: &str, bytes: &[u8]) {
    let start = Instant::now();
    entry(kind)(bytes);
    assert!(start.elapsed() < LONGEST, "{kind} {name}: {:?}", start.elapsed());
}

#[test]
fn what_was_hostile_once() {
    for kind in seeds::KINDS {
        for (name, bytes) in seeds::hostile(kind) {
            try_one(kind, &name, &bytes);
        }
    }
}

/// Every good input, cut off at some places, and with a byte changed at some.
#[test]
fn cut_and_changed() {
    for kind in seeds::KINDS {
        for (at, bytes) in seeds::good(kind).iter().enumerate() {
            try_one(kind, &format!("good {at}"), bytes);
            for step in 0..24 {
                let place = bytes.len() * step / 24;
                try_one(kind, &format!("good {at} cut at {place}"), &bytes[..place]);
                let mut changed = bytes.clone();
                changed[place] = changed[place].wrapping_add(1 << (step % 8));
                try_one(kind, &format!("good {at} changed at {place}"), &changed);
            }
        }
    }
}
