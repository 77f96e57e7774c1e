use super::*;
use crate::record::*;
use std::collections::BTreeMap;

fn traced(p: f32) -> Traced {
    Traced {
        tokens: vec!["a".into(), "b".into()],
        subject_span: [0, 1],
        corrupt_tokens: vec!["c".into()],
        corrupt_span: [0, 1],
        p_clean: p,
        p_corrupt: 0.1,
        p_false: 1e-7,
        patched: BTreeMap::from([(PatchPosition::SubjectLast, vec![p, 0.3]), (PatchPosition::LastToken, vec![0.1, p])]),
        without_block: vec![0.1, 0.2],
        without_attention: vec![0.1, 0.2],
        without_mlp: vec![0.1, 0.2],
        patched_mlp: BTreeMap::new(),
        redundancy: BTreeMap::new(),
        maps: Some(Maps { window: 1, residual: vec![vec![0.1, p]], mlp: vec![], attention: vec![] }),
        lens: None,
        units: Vec::new(),
    }
}

fn fact(order: usize, outcome: Outcome) -> FactRecord {
    FactRecord {
        order,
        id: format!("{}", 100 + order),
        relation: "P36".into(),
        prompt: "The capital of \"France\"\n is".into(),
        subject: "France".into(),
        target_true: "Paris".into(),
        target_new: "Rome".into(),
        answer_ids: Default::default(),
        outcome,
    }
}

fn validated(order: usize, p: f32) -> FactRecord {
    fact(order, Outcome::Validated(Box::new(traced(p))))
}

fn dropped(order: usize) -> FactRecord {
    let detail = "says Lyon".to_owned();
    fact(order, Outcome::Dropped(Dropped { reason: Reason::NotKnown, detail, p_clean: Some(0.1), p_corrupt: None }))
}

fn edit(fact: usize) -> EditRecord {
    EditRecord {
        fact,
        layer: 2,
        seed: u64::MAX,
        p_true: 0.5,
        p_false: 0.001,
        p_true_after: 0.1,
        p_false_after: 0.7,
        loss: vec![1.5, -0.25],
        relative_change: 0.5,
        residual: 1e-6,
        restored: true,
        paraphrases: vec![Shift { prompt: "x".into(), p_true: [0.1, 0.2], p_false: [0.3, 0.4], answers: None }],
        neighbourhood: vec![],
        neighbourhood_plus: vec![],
        generations: vec![],
        unrelated: vec![Unrelated { fact: 1, p_true: [0.5, 0.4], flipped: false }],
        ..EditRecord::default()
    }
}

fn record(facts: Vec<FactRecord>) -> Record {
    Record {
        engram: VERSION,
        program: "0.1.0".into(),
        settings: Settings::default(),
        model: ModelInfo { name: "m".into(), layers: 2, weights_sha256: "aa".into(), ..ModelInfo::default() },
        device: DeviceInfo::default(),
        source: FactSource { name: "facts.json".into(), sha256: "bb".into(), count: 9 },
        facts,
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    }
}

fn full() -> Record {
    let mut record = record(vec![validated(0, 0.9), dropped(1), validated(2, 0.123_456_79)]);
    if let Some(traced) = record.facts[0].traced_mut() {
        let curve = RedundancyCurve { ablated: 1, patched: vec![None, Some(0.4)] };
        traced.redundancy.insert(PatchPosition::SubjectLast, curve);
    }
    record.edits = Some(vec![edit(0)]);
    record
}

fn message<T>(result: Result<T>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_else(|| "no error".into())
}

#[test]
fn records_round_trip_plain_packed_and_pretty() -> Result<()> {
    let record = full();
    assert_eq!(from_bytes("r", &to_json(&record)?)?, record);
    assert_eq!(from_bytes("r", &to_json_gz(&record)?)?, record);
    let pretty = serde_json::to_vec_pretty(&record).expect("serializes");
    assert_eq!(from_bytes("r", &pretty)?, record);
    Ok(())
}

#[test]
fn every_kind_of_float_survives() -> Result<()> {
    let mut bits = 1_u32;
    let mut values = vec![f32::MIN_POSITIVE, f32::MAX, f32::EPSILON, 1e-45, 0.1, -0.0];
    while values.len() < 20_000 {
        bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        values.extend(Some(f32::from_bits(bits)).filter(|value| value.is_finite()));
    }
    let mut record = full();
    record.edits = Some(vec![EditRecord { loss: values.clone(), ..edit(0) }]);
    let read = from_bytes("r", &to_json(&record)?)?;
    let loss = &read.edits.as_ref().expect("edits")[0].loss;
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(loss), bits(&values));
    Ok(())
}

#[test]
fn versions_and_unknown_keys() -> Result<()> {
    let text = String::from_utf8(to_json(&full())?).expect("UTF-8");
    let newer = text.replacen("{\"engram\":1,", "{\"engram\":2,\"facts\":7,", 1);
    let found = message(from_bytes("r", newer.as_bytes()));
    assert!(found.contains("r: record format 2 is newer") && found.contains("hint: update Engram"), "{found}");
    let more = text.replacen("{\"engram\":1,", "{\"engram\":1,\"later\":{\"a\":[1]},", 1);
    let more = more.replacen("\"relation\":", "\"colour\":3,\"relation\":", 1);
    assert_eq!(from_bytes("r", more.as_bytes())?, full());
    assert!(message(from_bytes("r", b"{\"a\": 1}")).contains("not an Engram record"));
    assert!(message(from_bytes("r", &text.as_bytes()[..text.len() / 2])).contains("cut off"));
    assert!(message(from_bytes("r", b"")).contains("cut off"));
    Ok(())
}

#[test]
fn a_position_twice_is_refused() -> Result<()> {
    let mut record = full();
    record.settings.positions = vec![PatchPosition::SubjectLast, PatchPosition::LastToken];
    assert!(check(&record).is_ok());
    record.settings.positions = vec![PatchPosition::SubjectLast; 100_000];
    assert!(message(from_bytes("r", &to_json(&record)?)).contains("settings.readings has subject-last twice"));
    Ok(())
}

#[test]
fn numbers_that_cannot_be_are_refused_with_their_place() -> Result<()> {
    type Spoil = fn(&mut Record);
    let cases: [(Spoil, &str); 6] = [
        (
            |r| {
                if let Some(t) = r.facts[2].traced_mut() {
                    t.p_false = f32::NAN
                }
            },
            "facts[2] (id 102): p_false is NaN",
        ),
        (
            |r| {
                if let Some(t) = r.facts[0].traced_mut() {
                    t.without_mlp[1] = f32::INFINITY
                }
            },
            "facts[0] (id 100): without_mlp[1] is inf",
        ),
        (
            |r| {
                if let Some(t) = r.facts[0].traced_mut() {
                    t.patched.entry(PatchPosition::LastToken).or_default()[0] = f32::NAN
                }
            },
            "patched.last-token[0] is NaN",
        ),
        (
            |r| {
                if let Some(m) = r.facts[0].traced_mut().and_then(|t| t.maps.as_mut()) {
                    m.residual[0][1] = f32::NAN
                }
            },
            "maps.residual[0][1] is NaN",
        ),
        (|r| r.edits.iter_mut().flatten().for_each(|e| e.loss[1] = f32::NAN), "edits[0] (fact 0): loss[1] is NaN"),
        (|r| r.settings.min_effect = f32::NEG_INFINITY, "settings.min_effect is -inf"),
    ];
    for (spoil, wanted) in cases {
        let mut bad = full();
        spoil(&mut bad);
        let found = message(to_json(&bad));
        assert!(found.contains(wanted), "{found}");
        // And from outside, where serde writes null for it or a number overflows f32.
        let bytes = serde_json::to_vec(&bad).expect("serializes");
        assert!(from_bytes("r", &bytes).is_err(), "{wanted}");
    }
    let text = String::from_utf8(to_json(&full())?).expect("UTF-8");
    let huge = text.replacen("\"p_corrupt\":0.1", "\"p_corrupt\":1e39", 1);
    assert!(message(from_bytes("r", huge.as_bytes())).contains("facts[0] (id 100): p_corrupt is inf"));
    let null = text.replacen("\"p_corrupt\":0.1", "\"p_corrupt\":null", 1);
    let found = message(from_bytes("r", null.as_bytes()));
    assert!(found.contains("r: facts[0] (id 100): invalid type: null") && found.contains("NaN"), "{found}");
    let short = text.replacen("\"without_mlp\":[0.1,0.2]", "\"without_mlp\":[0.1]", 1);
    assert!(message(from_bytes("r", short.as_bytes())).contains("without_mlp has 1 entries, the model has 2 layers"));
    let far = text.replacen("\"layer\":2", "\"layer\":3", 1);
    assert!(message(from_bytes("r", far.as_bytes())).contains("edits[0].layer is 3"));
    Ok(())
}

mod damage;
#[cfg(not(target_family = "wasm"))]
mod disk;

#[test]
fn what_a_study_drew_itself_stays_when_it_goes_on() {
    let settings = |contexts: &[&str], text: &str| {
        let mut record = record(vec![]);
        record.settings.edit = EditSettings::of(Rome::default().into());
        record.settings.edit.contexts = contexts.iter().map(|&text| text.to_owned()).collect();
        record.settings.edit.second_moment.text = text.to_owned();
        record.settings.edit.second_moment.sha256 = "ab".to_owned();
        record
    };
    let (there, header) = (settings(&["One. {}"], "a.txt"), settings(&["Two. {}"], "b.txt"));
    let asked = Settings { edit: EditSettings::of(Rome::default().into()), ..Settings::default() };
    let found = alike(&header, &there, &asked);
    assert_eq!(found.settings.edit, there.settings.edit, "drawn otherwise by another device, a renamed text");
    let given = Settings { edit: header.settings.edit.clone(), ..asked };
    assert_eq!(alike(&header, &there, &given).settings.edit.contexts, ["Two. {}"], "given ones count");
}
