//! The printed article of small records, as a whole: a change of a word or a mark anywhere in it is a change here.

use super::*;
use crate::figures::sample;
use crate::shell;
use engram_core::record::PatchPosition;

/// The article, a line a tag, so that a difference is readable. Formulas are tested where they are made.
fn lines(records: &[Record]) -> String {
    let mut pieces = vec![];
    for piece in article(records).1.split("<math") {
        pieces.push(piece.split_once("</math>").map_or(piece, |(_, after)| after).to_owned());
    }
    pieces.join("<math>").replace('<', "\n<").trim_start().to_owned()
}

/// Two studies of models of different depths and patch positions.
fn two() -> Vec<Record> {
    let mut second = sample::study("small", PatchPosition::SubjectLast, &[&[0.2, 0.6, 0.1], &[0.1, 0.3, 0.7]]);
    sample::edited(&mut second, 2, &[[0.2, 0.5], [0.6, 0.3]]);
    vec![sample::record(), second]
}

/// Snapshots free of what differs between releases.
fn snapshot(name: &str, records: &[Record]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.add_filter(&env!("CARGO_PKG_VERSION").replace('.', r"\."), "[version]");
    settings.bind(|| insta::assert_snapshot!(name, lines(records)));
}

#[test]
fn one_study() {
    snapshot("one-study", &[sample::record()]);
}

#[test]
fn two_studies() {
    let printed = lines(&two());
    let (figures, text) = printed.split_once("\n<details id=\"tables\"").unwrap_or_default();
    // Method, limits and tables are long and say the same of one study; what compares is in the first half.
    assert!(text.contains("id=\"table-4\"") && text.contains("id=\"reproduce\""), "{text}");
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("two-studies", figures));
}

#[test]
fn a_page_is_the_same_every_time_and_holds_its_records() -> Result<()> {
    let records = two();
    let made = page(&shell::bare(), &records)?;
    assert_eq!(made, page(&shell::bare(), &records)?);
    assert_eq!(pack::from_page(made.as_bytes()).transpose()?, Some(records.clone()));
    assert!(says_what_its_records_give(&made, &records)?);
    assert!(!says_what_its_records_give(&made, &records[..1])?);
    // A number, a word and a mark that somebody changed.
    for (from, to) in [("0.6", "0.7"), ("Findings", "Findings!"), ("<rect ", "<rect x=1 ")] {
        assert!(made.contains(from), "{from}");
        assert!(!says_what_its_records_give(&made.replacen(from, to, 1), &records)?, "{from}");
    }
    Ok(())
}

#[test]
fn a_large_page_of_edits_at_several_layers_carries_an_extract_and_says_so() -> Result<()> {
    let small = sample::swept("small");
    let made = page(&shell::bare(), std::slice::from_ref(&small))?;
    assert_eq!(pack::from_page(made.as_bytes()).transpose()?, Some(vec![small.clone()]));
    assert!(made.contains("id=\"prediction\"") && made.contains("id=\"figure-e\"") && !made.contains("an extract"));
    let mut large = small;
    // Losses that nothing can pack.
    let mut bits = 1u32;
    for loss in large.edits.iter_mut().flatten().map(|edit| &mut edit.loss) {
        *loss = std::iter::repeat_with(|| {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from_bits(0x3f00_0000 | bits >> 9)
        })
        .take(80_000)
        .collect();
    }
    let records = [large];
    let made = page(&shell::bare(), &records)?;
    let carried = pack::from_page(made.as_bytes()).transpose()?.unwrap_or_default();
    assert_eq!(Some(&carried), pack::extract(&records).as_ref());
    assert!(made.contains("an extract of the record"), "it says so");
    assert_eq!(page(&shell::bare(), &carried)?, made, "a page of a page is the same one");
    assert!(says_what_its_records_give(&made, &carried)?);
    Ok(())
}

#[test]
fn studies_with_more_than_single_edits_have_sections_of_their_own() -> Result<()> {
    let made = page(&shell::bare(), &[sample::record()])?;
    for id in ["retrace", "sequence", "figure-g", "figure-h", "figure-i"] {
        assert!(!made.contains(&format!("id=\"{id}\"")), "{id}");
    }
    let made = page(&shell::bare(), &[sample::retraced("again")])?;
    assert!(made.contains("id=\"retrace\"") && made.contains("id=\"figure-h\"") && made.contains("--retrace"));
    assert!(!made.contains("id=\"figure-i\"") && !made.contains("id=\"sequence\""), "there are no maps");
    let made = page(&shell::bare(), &[sample::edited_in_turn("turn")])?;
    assert!(made.contains("id=\"sequence\"") && made.contains("id=\"figure-g\"") && made.contains("edits in force"));
    for said in ["No fact was edited", "Stage 3 was not run", "None of these studies has edits"] {
        assert!(!made.contains(said), "{said}");
    }
    assert!(made.contains("ROME (Meng et al. 2022"), "the method is told");
    Ok(())
}

#[test]
fn what_no_page_can_be_made_of_is_an_error() {
    let said = |records: &[Record]| page(&shell::bare(), records).err().map(|error| error.to_string());
    assert!(said(&[]).is_some_and(|said| said.contains("at least one record")));
    let mut many = sample::record();
    let fact = many.facts.swap_remove(1);
    many.facts = vec![fact; pack::MOST_FACTS / 2 + 1];
    assert!(said(&[many.clone(), many]).is_some_and(|said| said.contains("150002 facts; a page shows at most 150000")));
    let mut broken = sample::record();
    sample::each(&mut broken, |traced| traced.p_false = f32::NAN);
    assert!(said(&[broken]).is_some_and(|said| said.contains("p_false is NaN")));
    assert!(page("<html></html>", &[sample::record()]).is_err());
}

/// Texts of a megabyte wherever a record can hold one: no step takes the square of them.
#[test]
fn texts_of_a_megabyte() -> Result<()> {
    let mut record = sample::record();
    let long = "long \u{202e}".repeat(125_000);
    record.model.name = long.clone();
    record.model.family = long.clone();
    record.program = long.clone();
    record.device.name = long.clone();
    record.source.name = long.clone();
    let fact = &mut record.facts[0];
    for text in [&mut fact.id, &mut fact.relation, &mut fact.prompt, &mut fact.subject, &mut fact.target_true] {
        *text = long.clone();
    }
    let records = [record.clone(), record];
    let start = std::time::Instant::now();
    page(&shell::bare(), &records)?;
    pictures(&records, ViewState::default())?;
    // A machine that builds and tests at once takes several times as long; quadratic work would take hours.
    assert!(start.elapsed().as_secs() < 240, "{:?}", start.elapsed());
    Ok(())
}

#[test]
fn every_figure_has_a_name() {
    for plate in PLATES {
        let named = NAMES.iter().filter(|(id, _)| *id == plate.id).count();
        assert_eq!(named, 1, "{}", plate.id);
    }
}
