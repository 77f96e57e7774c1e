//! Layer figures on records of known curves.

use super::*;
use crate::figures::sample;
use engram_core::metrics::MetricConvention;
use engram_core::record::Record;

fn subject(name: &str, curves: &[&[f32]]) -> Record {
    sample::study(name, PatchPosition::SubjectLast, curves)
}

fn said(of: fn(&Article<'_>) -> String, records: &[Record]) -> String {
    of(&Article::new(records, &MetricConvention::default()))
}

#[test]
fn peaks_agree_or_not() {
    let early: &[&[f32]] = &[&[0.5, 0.2, 0.1, 0.1], &[0.52, 0.2, 0.1, 0.1]];
    let late: &[&[f32]] = &[&[0.1, 0.2, 0.7, 0.1], &[0.1, 0.2, 0.72, 0.1]];
    let one = said(sufficiency, &[subject("a", early)]);
    assert!(one.starts_with("Under subject-last mean sufficiency is highest at layer 1 of 4."), "{one}");
    assert!(one.contains("gained there is 0.410 ± 0.010 (n = 2)") && !one.contains("agree"), "{one}");
    let same = said(sufficiency, &[subject("a", early), subject("b", early)]);
    assert!(same.contains("the first layer in both models") && !same.contains("not agree"), "{same}");
    let apart = said(sufficiency, &[subject("a", early), subject("b", late)]);
    assert!(apart.contains("the first layer in a and layer 3 of 4 in b"), "{apart}");
    assert!(apart.contains("They do not agree in depth: 25 % to 75 %"), "{apart}");
    let faint = said(sufficiency, &[subject("a", &[&[0.5, 0.1], &[0.05, 0.1]])]);
    assert_eq!(faint, "Under subject-last no layer's mean differs from 0 beyond the standard error.");
    let near = said(sufficiency, &[subject("a", &[&[0.5, 0.4, 0.1, 0.1], &[0.3, 0.4, 0.1, 0.1]])]);
    assert!(near.contains("Between layer 1 and layer 2 there is no difference beyond the standard errors"), "{near}");
}

#[test]
fn what_does_not_help_or_is_missing_says_so() {
    let hurts = subject("a", &[&[0.05, 0.02, 0.1]]);
    assert_eq!(
        said(sufficiency, std::slice::from_ref(&hurts)),
        "Under subject-last no layer's patch helps on average."
    );
    assert_eq!(said(dominant, std::slice::from_ref(&hurts)), "Under subject-last no fact is localized.");
    let untraced = sample::study("b", PatchPosition::LastToken, &[&[0.1, 0.9]]);
    assert_eq!(said(dominant, &[untraced]), "Under subject-last no fact was traced.");
    let none = sample::study("b", PatchPosition::LastToken, &[&[0.1, 0.9]]);
    assert_eq!(said(sufficiency, std::slice::from_ref(&none)), "No fact was traced under subject-last.");
    let both = said(sufficiency, &[subject("a", &[&[0.4, 0.1, 0.1]]), none]);
    assert!(both.ends_with("Under subject-last nothing was traced in b."), "{both}");
    assert_eq!(said(second_position, &[hurts]), "No study has a patch position other than subject-last.");
}

#[test]
fn the_second_position_is_held_against_the_first() {
    let mut record = subject("a", &[&[0.5, 0.2, 0.1, 0.1]]);
    record.settings.positions.push(PatchPosition::LastToken);
    let under = |record: &mut Record, curve: &[f32]| {
        sample::each(record, |traced| drop(traced.patched.insert(PatchPosition::LastToken, curve.to_vec())));
    };
    under(&mut record, &[0.1, 0.1, 0.3, 0.9]);
    let late = said(second_position, std::slice::from_ref(&record));
    assert!(late.contains("by definition") && late.contains("Half of the effect is back by layer 4 of 4."), "{late}");
    assert!(late.contains("the first layer under subject-last, the last layer under last-token."), "{late}");
    assert!(late.contains("88 % to 100 % of the depth) is matched by last-token alone."), "{late}");
    under(&mut record, &[0.95, 0.6, 0.6, 0.9]);
    let early = said(second_position, std::slice::from_ref(&record));
    assert!(early.contains("Both patch positions have the same l*."), "{early}");
    assert!(early.contains("is matched by neither patch position."), "{early}");
    assert!(early.contains("gives more than the clean run itself has: layer 1 of a (0.850 against 0.800)"), "{early}");
}

#[test]
fn ties_and_narrow_leads_are_told() {
    let (one, two): (&[f32], &[f32]) = (&[0.5, 0.2, 0.1], &[0.2, 0.5, 0.1]);
    let tied = said(dominant, &[subject("a", &[one, two])]);
    assert!(tied.contains("ties, of which the lowest layer counts: layers 1 and 2 with 1 fact each."), "{tied}");
    let narrow = said(dominant, &[subject("a", &[one, one, two])]);
    assert!(narrow.contains("within the counting error (2 against 1 facts at layer 2)"), "{narrow}");
    let clear = said(dominant, &[subject("a", &[one; 9])]);
    assert_eq!(
        clear,
        "Under subject-last the most frequent dominant layer l* is layer 1 of 3. 9 of 9 (100.0 %) localized facts are \
         there. Every fact is localized."
    );
    let mut lost = subject("a", &[one, one, one, &[0.05, 0.0, 0.1]]);
    let told = said(dominant, std::slice::from_ref(&lost));
    assert!(told.contains("1 of 4 (25.0 %) facts are not localized"), "{told}");
    lost.model.layers = 3;
    let always = MetricConvention { argmax_always: true, ..MetricConvention::default() };
    let told = dominant(&Article::new(&[lost], &always));
    assert!(
        told.contains("The paper's convention counts 1 fact whose patches only hurt")
            && !told.contains("not localized"),
        "{told}"
    );
}
