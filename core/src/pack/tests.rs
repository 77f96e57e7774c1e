use super::*;
use crate::record::{FactRecord, Lens, Maps, Outcome, PatchPosition, RedundancyCurve, Shift, Traced, Unrelated};

/// A record with every kind of raw value, none of which is a round number.
fn record(facts: usize) -> Record {
    let mut next = 0.1f32;
    let mut value = move || {
        next = (next * 3.3).fract() + f32::EPSILON;
        next
    };
    let mut curve = move || (0..4).map(|_| value()).collect::<Vec<f32>>();
    let fact = |order: usize| FactRecord {
        order,
        id: order.to_string(),
        relation: "P36".into(),
        prompt: "The capital of <b>Ré\u{301}</b> is".into(),
        subject: "Ré\u{301}".into(),
        target_true: "Paris".into(),
        target_new: "Rome".into(),
        answer_ids: Default::default(),
        outcome: Outcome::Validated(Box::new(Traced {
            tokens: vec!["a".into()],
            subject_span: [0, 1],
            corrupt_tokens: vec!["b".into()],
            corrupt_span: [0, 1],
            p_clean: 0.7,
            p_corrupt: f32::MIN_POSITIVE,
            p_false: -0.0,
            patched: [(PatchPosition::SubjectLast, curve()), (PatchPosition::LastToken, curve())].into(),
            without_block: curve(),
            without_attention: curve(),
            without_mlp: curve(),
            patched_mlp: Default::default(),
            redundancy: [(
                PatchPosition::SubjectLast,
                RedundancyCurve { ablated: 2, patched: vec![Some(0.5), None, Some(1.0 / 3.0), Some(0.0)] },
            )]
            .into(),
            maps: Some(Maps { window: 3, residual: vec![curve()], mlp: vec![curve()], attention: vec![curve()] }),
            units: Vec::new(),
            lens: Some(Lens {
                p_true: curve(),
                p_false: curve(),
                rank_true: vec![1; 4],
                rank_false: vec![2; 4],
                top: vec!["x".into(); 4],
            }),
        })),
    };
    let json = br#"{"engram":1,"program":"t","settings":{},"model":{"name":"m","family":"llama","layers":4,"width":8,"parameters":9,"dtype":"f32","config_sha256":"","weights_sha256":"","tokenizer_sha256":""},"device":{"kind":"cpu","name":"","backend":"flex"},"source":{"name":"f","sha256":"","count":1},"facts":[]}"#;
    let mut record = journal::from_bytes("test", json).unwrap_or_else(|error| panic!("{error}"));
    record.facts = (0..facts).map(fact).collect();
    record.edits = (facts > 1).then(|| (0..facts).map(edit).collect());
    record
}

fn edit(fact: usize) -> EditRecord {
    let shift =
        |p: f32| Shift { prompt: "Paris is in".into(), p_true: [p, p / 3.0], p_false: [0.1, p / 7.0], answers: None };
    EditRecord {
        fact,
        layer: 2,
        seed: 7,
        p_true: 0.5,
        p_false: 0.01,
        p_true_after: 1.0 / 3.0,
        p_false_after: 0.6,
        loss: vec![-3.5, 0.1, 1e-30],
        relative_change: 12.5,
        residual: 1e-7,
        restored: true,
        paraphrases: vec![shift(0.3), shift(0.7)],
        neighbourhood: vec![],
        neighbourhood_plus: vec![],
        generations: vec![],
        unrelated: vec![Unrelated { fact: 9, p_true: [0.25, 0.125], flipped: false }],
        ..EditRecord::default()
    }
}

#[test]
fn every_bit_survives() -> Result<()> {
    let records = [record(3), record(0), record(1)];
    let packed = pack(&records)?;
    let found = unpack(&packed)?;
    assert_eq!(found, records);
    let bits = |records: &[Record]| {
        let mut bits = Vec::new();
        for record in records {
            let mut taking = Taking::default();
            values::each(&mut record.clone(), &mut taking);
            bits.extend(taking.steps);
        }
        bits
    };
    // Equality does not tell -0 from 0.
    assert_eq!(bits(&found), bits(&records));
    assert_eq!(pack(&found)?, packed);
    let page = format!("<!DOCTYPE html><p>é</p>{}<p>", in_page(&packed));
    assert_eq!(from_page(page.as_bytes()).transpose()?, Some(records.to_vec()));
    assert_eq!(unpack(&from_link(&to_link(&packed))?)?, records);
    Ok(())
}

#[test]
fn what_is_no_page_is_left_alone_and_a_wrong_one_is_an_error() -> Result<()> {
    assert!(from_page(b"{\"engram\": 1}").is_none());
    assert!(from_page(b"").is_none());
    let element = in_page(&pack(&[record(1)])?);
    let twice = format!("<!doctype html>{element}{element}");
    let cut = format!("<!doctype html>{}", &element[..element.len() - 30]);
    for (page, said) in [("<html></html>", "without"), (&twice, "more than one"), (&cut, "cut off")] {
        let error = from_page(page.as_bytes()).and_then(Result::err).map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|error| error.contains(said)), "{page}: {error:?}");
    }
    Ok(())
}

/// Where the raw values begin.
fn json_end(plain: &[u8]) -> usize {
    let length: [u8; 4] = std::array::from_fn(|at| plain[MAGIC.len() + at]);
    MAGIC.len() + 4 + u32::from_le_bytes(length) as usize
}

#[test]
fn damage_is_an_error_and_never_a_panic() -> Result<()> {
    let packed = pack(&[record(2)])?;
    assert!(unpack(b"{}").is_err());
    assert!(unpack(&gz::pack(b"engram\x00\x02rest")?).is_err_and(|error| error.to_string().contains("newer")));
    for length in 0..packed.len() {
        assert!(unpack(&packed[..length]).is_err(), "{length}");
    }
    let plain = gz::unpack(&packed)?.into_owned();
    for cut in [1, 2, 3, 4, 5, 400, plain.len() - 12] {
        assert!(unpack(&gz::pack(&plain[..plain.len() - cut])?).is_err(), "{cut}");
    }
    let mut longer = plain.clone();
    longer.extend([0; 4]);
    assert!(unpack(&gz::pack(&longer)?).is_err());
    // The first value's four bytes as those of infinity: JSON could not hold it either.
    let (mut wrong, values) = (plain.clone(), (plain.len() - json_end(&plain)) / WIDTH);
    for (place, byte) in step(&mut 0, f32::INFINITY.to_bits()).to_le_bytes().into_iter().enumerate() {
        wrong[json_end(&plain) + place * values] = byte;
    }
    let error = unpack(&gz::pack(&wrong)?).err().map(|error| error.to_string());
    assert!(error.as_ref().is_some_and(|error| error.contains("p_false is inf")), "{error:?}");
    Ok(())
}

#[test]
fn a_curve_that_claims_to_be_endless_is_refused() -> Result<()> {
    let plain = gz::unpack(&pack(&[record(1)])?)?.into_owned();
    let json = String::from_utf8_lossy(&plain[MAGIC.len() + 4..json_end(&plain)]).into_owned();
    for length in ["1e30", "16777217.0", "-1.0", "2.5", "4.0,4.0", "1000.0"] {
        let json = json.replacen("\"without_mlp\":[4.0]", &format!("\"without_mlp\":[{length}]"), 1);
        let mut bytes = MAGIC.to_vec();
        bytes.extend((json.len() as u32).to_le_bytes());
        bytes.extend(json.as_bytes());
        bytes.extend(&plain[json_end(&plain)..]);
        let error = unpack(&gz::pack(&bytes)?).err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|error| error.contains("raw values")), "{length}: {error:?}");
    }
    Ok(())
}

#[test]
fn too_many_facts_or_records_are_refused() -> Result<()> {
    let error = unpack(&pack(&vec![record(1); MOST_RECORDS + 1])?).err().map(|error| error.to_string());
    assert!(error.as_ref().is_some_and(|error| error.contains("101 records")), "{error:?}");
    assert_eq!(unpack(&pack(&vec![record(1); MOST_RECORDS])?)?.len(), MOST_RECORDS);
    let mut large = record(0);
    let dropped: FactRecord = serde_json::from_str(
        r#"{"order":0,"id":"","relation":"","prompt":"","subject":"","target_true":"","target_new":"","outcome":"dropped","reason":"empty"}"#,
    )
    .map_err(|error| Error::io(error.to_string()))?;
    large.facts = vec![dropped; MOST_FACTS + 1];
    let error = unpack(&pack(&[large])?).err().map(|error| error.to_string());
    assert!(error.as_ref().is_some_and(|error| error.contains("150001 facts")), "{error:?}");
    Ok(())
}

#[test]
fn an_extract_lacks_the_losses_that_no_page_shows() -> Result<()> {
    use crate::record::{EditLayers, Search};
    let mut whole = record(3);
    assert_eq!(extract(std::slice::from_ref(&whole)), None, "one edit a fact is shown whole");
    whole.settings.edit.layers = EditLayers::of([1, 2, 3, 4]);
    let search = Search { nll: vec![0.5; 3], kl: vec![0.25; 3], value_norm: 2.0, ..Search::default() };
    let at = |fact: usize, layer: usize| EditRecord { layer, search: Some(search.clone()), ..edit(fact) };
    whole.edits = Some((0..3).flat_map(|fact| (1..5).map(move |layer| (fact, layer))).map(|(f, l)| at(f, l)).collect());
    let part = extract(std::slice::from_ref(&whole)).expect("something to leave out");
    let edits = || whole.edits.iter().flatten().zip(part[0].edits.iter().flatten());
    assert_eq!(edits().filter(|(_, one)| !one.without_losses).count(), 3, "one a fact");
    for (before, after) in edits() {
        let parts = after.search.as_ref().map(|search| (search.nll.len(), search.kl.len(), search.value_norm));
        let (losses, left) = if after.without_losses { (0, 0) } else { (3, 3) };
        assert_eq!((after.loss.len(), parts), (losses, Some((left, left, 2.0))));
        // Whatever tables and figures are made of is there.
        let again = EditRecord {
            loss: before.loss.clone(),
            search: before.search.clone(),
            without_losses: false,
            ..after.clone()
        };
        assert_eq!(&again, before);
    }
    assert_eq!(extract(&part), None, "an extract has nothing more to leave out");
    assert_eq!(unpack(&pack(&part)?)?, part);
    Ok(())
}
