use super::*;
use crate::figures::sample;
use engram_core::record::{Lens, Maps, Outcome};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const PAGE: &str = "https://example.org/lab/?model=a%2Fb";

/// A trace with maps of so many tokens and a lens, no number of which is round.
fn trace(tokens: usize) -> Record {
    let mut next = 1u32;
    // Marsaglia's xorshift: gzip finds nothing in it.
    let mut curve = move || -> Vec<f32> {
        let step = |_| {
            next ^= next << 13;
            next ^= next >> 17;
            next ^= next << 5;
            next as f32 / u32::MAX as f32
        };
        (0..4).map(step).collect()
    };
    let mut record = sample::record();
    record.facts.truncate(1);
    record.edits = None;
    sample::each(&mut record, |traced| {
        traced.tokens = vec!["a".into(); tokens];
        traced.corrupt_tokens = vec!["b".into(); tokens];
        let mut map = || (0..tokens).map(|_| curve()).collect();
        let [residual, mlp, attention] = [map(), map(), map()];
        traced.maps = Some(Maps { window: 3, residual, mlp, attention });
        let ranks = vec![1; 4];
        let (rank_true, rank_false, top) = (ranks.clone(), ranks, vec!["x".into(); 4]);
        traced.lens = Some(Lens { p_true: curve(), p_false: curve(), rank_true, rank_false, top });
    });
    record
}

/// Why a packed text is refused, and what is advised.
fn refused(text: &str) -> String {
    let error = read(text).err();
    let said = error.map(|error| format!("{}; {}", error.message(), error.next_step().unwrap_or("no hint")));
    said.unwrap_or_else(|| "it was read".into())
}

fn packed(records: &[Record]) -> Result<String> {
    Ok(pack::to_link(&pack::pack(records)?))
}

#[test]
fn a_trace_survives_its_link() -> Result<()> {
    let record = trace(9);
    let link = to(PAGE, &record)?;
    assert!(link.len() < 3000, "{}", link.len());
    let (page, hash) = link.split_once('#').unwrap_or_default();
    assert_eq!(page, PAGE);
    let text = text(hash).unwrap_or_default();
    assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{text}");
    assert_eq!(super::text(&super::hash(text)), Some(text));
    assert_eq!(read(text)?, record);
    assert_eq!(to(PAGE, &read(text)?)?, link);
    Ok(())
}

#[test]
fn what_is_too_long_says_both_sizes() -> Result<()> {
    let error = to(PAGE, &trace(900)).err();
    let said = error.as_ref().map(Error::message).unwrap_or_default();
    let found = said.strip_prefix("the link would have ").and_then(|rest| rest.split_once(" characters"));
    let count: usize = found.map(|found| found.0.replace(',', "")).and_then(|count| count.parse().ok()).unwrap_or(0);
    assert!(count > MOST_LINK && said.ends_with("and 32,000 is the most"), "{said}");
    assert!(error.as_ref().and_then(Error::next_step).is_some_and(|hint| hint.contains("save the record")));
    // The page's own address counts, and a result just within the limit is read.
    let record = trace(9);
    let length = to("", &record)?.len();
    assert!(to(&"x".repeat(MOST_LINK - length), &record).is_ok());
    assert!(to(&"x".repeat(MOST_LINK - length + 1), &record).is_err());
    assert!(refused(&"A".repeat(MOST_LINK + 1)).contains("32,001 characters"));
    assert_eq!([1, 999, 1000, 1_234_567].map(thousands), ["1", "999", "1,000", "1,234,567"]);
    Ok(())
}

#[test]
fn only_one_trace_comes_with_a_link() -> Result<()> {
    let record = trace(2);
    let mut dropped = sample::record();
    dropped.edits = None;
    assert!(to(PAGE, &dropped).is_err_and(|error| error.message().ends_with("it holds 3 facts")));
    assert!(refused(&packed(&[dropped.clone()])?).contains("it holds 3 facts"));
    dropped.facts.retain(|fact| fact.traced().is_none());
    assert!(to(PAGE, &dropped).is_err());
    assert!(refused(&packed(&[dropped])?).contains("was not traced"));
    let edited = Record { edits: sample::record().edits, ..record.clone() };
    assert!(refused(&packed(&[edited])?).contains("it holds edits"));
    assert!(refused(&packed(&[record.clone(), record.clone()])?).contains("one record"));
    assert!(refused(&packed(&[])?).contains("one record"));
    let none = Record { facts: Vec::new(), ..record };
    assert!(refused(&packed(&[none])?).contains("no facts"));
    Ok(())
}

#[test]
fn hostile_texts_are_errors() -> Result<()> {
    let good = packed(&[trace(3)])?;
    let hostile = ["", "%", "<script>", "=", "é", "AAAA", "H4sI", &good[..good.len() / 2], &good[1..]];
    for text in hostile {
        let said = refused(text);
        assert!(said.starts_with("the link's result: ") && !said.ends_with("no hint"), "{text}: {said}");
    }
    for at in (0..good.len()).step_by(7) {
        // Whatever one wrong letter does, it is no panic; gzip's checksum hears nearly all of them.
        let mut text = good.clone();
        let other = if text[at..].starts_with('A') { "B" } else { "A" };
        text.replace_range(at..=at, other);
        assert!(read(&text).is_err() || read(&text)? == trace(3), "{at}");
    }
    assert_eq!(text("#"), None);
    assert_eq!(text("#panel-explore"), None);
    assert_eq!(text("#traces=1"), None);
    Ok(())
}

#[test]
fn monsters_are_refused_before_they_are_drawn() -> Result<()> {
    let mut deep = trace(1);
    deep.model.layers = 1_000_000;
    sample::each(&mut deep, |traced| *traced = Traced::default());
    assert!(refused(&packed(&[deep.clone()])?).contains("1000000 layers"));
    deep.model.layers = load::MOST_LAYERS + 1;
    assert!(refused(&packed(&[deep.clone()])?).contains("1001 layers"));
    deep.model.layers = 0;
    assert!(refused(&packed(&[deep])?).contains("0 layers"));
    let error = refused(&packed(&[trace(1)])?);
    assert!(error.contains("corrupt_span") && error.contains("ask for the link again"), "{error}");
    let mut wide = trace(1);
    sample::each(&mut wide, |traced| {
        traced.tokens = vec![String::new(); MOST_TOKENS + 1];
        traced.corrupt_span = [0, 1];
    });
    let said = refused(&packed(&[wide])?);
    assert!(said.contains("1001 tokens"), "{said}");
    let newer = Record { engram: 99, ..trace(2) };
    assert!(refused(&packed(&[newer])?).contains("newer than this program"));
    let mut dark = trace(2);
    sample::each(&mut dark, |traced| traced.p_clean = f32::NAN);
    assert!(to(PAGE, &dark).is_err_and(|error| error.message().contains("NaN")));
    Ok(())
}

/// The values lie behind the JSON, so a hostile link can hold what JSON cannot.
#[test]
fn a_number_that_is_none_is_named() -> Result<()> {
    let mut record = trace(1);
    sample::each(&mut record, |traced| *traced = Traced { tokens: vec!["a".into()], ..Traced::default() });
    let bytes = pack::pack(&[record])?;
    let mut plain = Vec::new();
    let read_out = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut plain);
    read_out.map_err(|error| Error::io(error.to_string()))?;
    // Three values: their lowest bytes, then the next ones, and so on. No number, as itself or as a step from zero.
    let values = plain.len() - 12;
    for (place, byte) in 0xff80_0000_u32.to_le_bytes().into_iter().enumerate() {
        plain[values + 3 * place] = byte;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(&plain).and_then(|()| encoder.finish());
    let packed = packed.map_err(|error| Error::io(error.to_string()))?;
    assert!(refused(&pack::to_link(&packed)).contains("p_clean is"), "{}", refused(&pack::to_link(&packed)));
    Ok(())
}

#[test]
fn a_bomb_is_small() -> Result<()> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let bomb = encoder.write_all(&vec![0; 24_000_000]).and_then(|()| encoder.finish());
    let text = pack::to_link(&bomb.map_err(|error| Error::io(error.to_string()))?);
    assert!(text.len() <= MOST_LINK + 200, "gzip does better than this limit counts on: {}", text.len());
    assert!(refused(&text).starts_with("the link's result: "));
    Ok(())
}

#[test]
fn the_model_to_ask_again_is_the_records() {
    let mut record = trace(1);
    let mut model = |name: &str, chosen: &str| {
        record.model.name = name.into();
        super::model(&record, chosen)
    };
    assert_eq!(model("engram-phi", ""), "engram-phi");
    assert_eq!(model("engram-phi", "engram-llama"), "engram-phi");
    assert_eq!(model("a/b", "a/b@v1"), "a/b@v1");
    assert_eq!(model("a/b", "a/bc"), "a/b");
    assert_eq!(model("folder", "https://x.org/m.gguf"), "https://x.org/m.gguf");
    assert!(matches!(record.facts[0].outcome, Outcome::Validated(_)));
}
