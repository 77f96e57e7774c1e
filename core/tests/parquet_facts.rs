//! Fact files as data sets are published: Parquet gives the same facts as the other formats. The fixtures are made by
//! tests/reference/fact_files.py.

use engram_core::facts::{Fact, FactFile, RelationKind, kind, parse, text_of_parquet};
use std::path::PathBuf;

fn bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/facts").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(name: &str) -> FactFile {
    parse(name, &bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn flat_columns_are_the_same_facts_in_every_format_and_codec() {
    let wanted = read("flat.json");
    let names = ["flat.csv", "flat.jsonl", "viewer.json", "flat.parquet", "flat-zstd.parquet", "flat-gzip.parquet"];
    for name in names.into_iter().chain(["flat-brotli.parquet", "flat-lz4.parquet", "flat-none.parquet"]) {
        let file = read(name);
        assert_eq!(file.facts, wanted.facts, "{name}");
        assert!(file.warnings.is_empty() && file.defects.is_empty(), "{name}: {:?}", file.warnings);
    }
    let first = Fact {
        id: "0".into(),
        relation: "P103".into(),
        template: "The mother tongue of {} is".into(),
        subject: "Danielle Darrieux".into(),
        target_true: "French".into(),
        target_new: "English".into(),
        ..Fact::default()
    };
    assert_eq!(wanted.facts[0], first);
    assert_eq!(wanted.facts[3].template, "The capital: the capital of {} is");
    assert_eq!(wanted.facts[4].prompt(), "The capital of 日本 is the city of");
    let kinds: Vec<_> = wanted.facts.iter().map(|fact| kind(&fact.relation)).collect();
    assert_eq!(kinds[1..3], [RelationKind::Entity, RelationKind::Relation]);
}

#[test]
fn nested_columns_are_counterfact_records() {
    let wanted = read("nested.jsonl");
    for name in ["nested.parquet", "nested-v2.parquet"] {
        let file = read(name);
        assert_eq!(file.facts, wanted.facts, "{name}");
        assert!(file.defects.is_empty(), "{name}: {:?}", file.defects);
    }
    let facts = &wanted.facts;
    assert_eq!((facts[0].id.as_str(), facts[2].relation.as_str()), ("100", ""));
    assert_eq!(facts[0].paraphrases, ["Where Léon Blum is from,".replace("Léon Blum", "{}"), "and so on".into()]);
    assert_eq!(facts.iter().map(|fact| fact.paraphrases.len()).collect::<Vec<_>>(), [2, 0, 0, 1, 3]);
    assert_eq!(facts[4].neighbourhood.len(), 4);
}

/// Made by pyarrow: tests/reference/fact_files.py.
#[test]
fn texts_of_a_parquet_file_are_one_text() {
    let found = text_of_parquet(&bytes("text.parquet")).expect("a text");
    assert_eq!(found, "\n = Title = \nWords of é and 日本 .\n");
    let other = text_of_parquet(&bytes("flat.parquet")).expect_err("no such column").to_string();
    assert!(other.contains("no column \"text\""), "{other}");
    let mut cut = bytes("text.parquet");
    cut.truncate(cut.len() - 9);
    assert!(text_of_parquet(&cut).is_err());
}

#[test]
fn a_gzip_of_a_parquet_file_is_read() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&bytes("flat.parquet")).expect("in memory");
    let packed = encoder.finish().expect("in memory");
    assert_eq!(parse("x", &packed).expect("facts").facts, read("flat.json").facts);
}

/// Every file that is cut off, and thousands with a byte or two changed: an error or facts, never a crash.
#[test]
fn damaged_files_are_refused_or_read() {
    let mut refused = 0;
    let names = ["flat.parquet", "flat-zstd.parquet", "flat-brotli.parquet", "flat-lz4.parquet", "flat-gzip.parquet"];
    for name in names.into_iter().chain(["flat-none.parquet", "nested.parquet", "nested-v2.parquet"]) {
        let whole = bytes(name);
        for end in (4..whole.len()).step_by(97) {
            assert!(parse("x", &whole[..end]).is_err(), "{name} cut at {end}");
        }
        let mut state = 1_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..600 {
            let mut other = whole.clone();
            for _ in 0..1 + draw(3) {
                let at = 4 + draw(other.len() - 8);
                other[at] = [0, 1, 0x7f, 0x80, 0xff, draw(256) as u8][draw(6)];
            }
            refused += usize::from(parse("x", &other).is_err());
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn what_a_file_lacks_is_told() {
    let said = |bytes: &[u8]| parse("f.parquet", bytes).expect_err("no facts").to_string();
    let whole = bytes("flat.parquet");
    assert!(said(&whole[..100]).contains("f.parquet: the Parquet file is damaged: its end is missing"));
    // A name of the same length, in the description at the end.
    let mut other = bytes("flat-none.parquet");
    while let Some(at) = other.windows(7).position(|part| part == b"subject") {
        other[at] = b'o';
    }
    let said = said(&other);
    assert!(said.contains("no columns prompt, subject") && said.contains("target_false, oubject"), "{said}");
}
