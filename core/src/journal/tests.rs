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
        patched: BTreeMap::from([(Reading::SubjectLast, vec![p, 0.3]), (Reading::LastToken, vec![0.1, p])]),
        without_block: vec![0.1, 0.2],
        without_attention: vec![0.1, 0.2],
        without_mlp: vec![0.1, 0.2],
        redundancy: BTreeMap::new(),
        maps: Some(Maps { window: 1, residual: vec![vec![0.1, p]], mlp: vec![], attention: vec![] }),
        lens: None,
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
        paraphrases: vec![Shift { prompt: "x".into(), p_true: [0.1, 0.2], p_false: [0.3, 0.4] }],
        neighbourhood: vec![],
        unrelated: vec![Unrelated { fact: 1, p_true: [0.5, 0.4], flipped: false }],
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
    }
}

fn full() -> Record {
    let mut record = record(vec![validated(0, 0.9), dropped(1), validated(2, 0.123_456_79)]);
    if let Some(traced) = record.facts[0].traced_mut() {
        let curve = RedundancyCurve { ablated: 1, patched: vec![None, Some(0.4)] };
        traced.redundancy.insert(Reading::SubjectLast, curve);
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
fn a_reading_twice_is_refused() -> Result<()> {
    let mut record = full();
    record.settings.readings = vec![Reading::SubjectLast, Reading::LastToken];
    assert!(check(&record).is_ok());
    record.settings.readings = vec![Reading::SubjectLast; 100_000];
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
                    t.patched.entry(Reading::LastToken).or_default()[0] = f32::NAN
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

#[cfg(not(target_family = "wasm"))]
mod disk {
    use super::*;
    use std::path::PathBuf;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("study.journal");
        (folder, path)
    }

    /// The journal of [`full`], facts out of order as batches finish.
    fn journal(path: &std::path::Path) -> Result<Journal> {
        let mut journal = Journal::create(path, &full())?;
        journal.append(&dropped(1))?;
        journal.append(&validated(2, 0.123_456_79))?;
        journal.append(&validated(0, 0.9))?;
        let curve = RedundancyCurve { ablated: 1, patched: vec![None, Some(0.4)] };
        journal.append_redundancy(&RedundancyLine { fact: 0, reading: Reading::SubjectLast, curve })?;
        journal.append_edit(&edit(0))?;
        Ok(journal)
    }

    #[test]
    fn a_journal_gives_the_record_back() -> Result<()> {
        let (folder, path) = folder();
        drop(journal(&path)?);
        assert_eq!(read(&path)?.record, full(), "a journal reads as a record");
        let (mut again, resumed) = Journal::open(&path, &record(vec![]))?;
        assert_eq!((resumed.record, resumed.dropped), (full(), None));
        again.append(&dropped(3))?;
        again.append_edit(&EditRecord { p_true: 0.75, ..edit(0) })?;
        drop(again);
        let resumed = read(&path)?;
        assert_eq!(resumed.record.facts.len(), 4);
        assert_eq!(resumed.record.edits, Some(vec![EditRecord { p_true: 0.75, ..edit(0) }]));
        let (journal, _) = Journal::open(&path, &record(vec![]))?;
        let out = folder.path().join("study.engram.json.gz");
        journal.finish(&out, &resumed.record)?;
        assert_eq!(read(&out)?.record, resumed.record);
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1, "no temporary file stays");
        Ok(())
    }

    #[test]
    fn every_torn_end_is_tolerated() -> Result<()> {
        let (_folder, path) = folder();
        drop(journal(&path)?);
        let bytes = std::fs::read(&path).expect("journal");
        let ends: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b'\n').map(|at| at + 1).collect();
        assert_eq!(ends.len(), 6);
        // Around every line end, and within the last two lines and the header.
        let near = ends.iter().flat_map(|end| [end - 2, end - 1, *end, (end + 1).min(bytes.len())]);
        for cut in near.chain((ends[3]..bytes.len()).step_by(11)).chain((0..ends[0]).step_by(31)) {
            std::fs::write(&path, &bytes[..cut]).expect("cut");
            let (mut journal, resumed) = Journal::open(&path, &record(vec![])).map_err(|error| error.at(cut))?;
            let whole = ends.iter().filter(|end| **end <= cut + 1).count(); // a line may lack its newline only
            let facts = resumed.record.facts.len();
            assert_eq!(facts, whole.saturating_sub(1).min(3), "cut at {cut}");
            let clean = ends.contains(&cut) || ends.contains(&(cut + 1));
            assert_eq!(resumed.dropped.is_none(), clean, "cut at {cut}: {:?}", resumed.dropped);
            journal.append(&dropped(9))?;
            drop(journal);
            let after = read(&path).map_err(|error| error.at(cut))?;
            assert_eq!((after.record.facts.len(), after.dropped), (facts + 1, None), "cut at {cut}");
        }
        Ok(())
    }

    #[test]
    fn damage_inside_is_an_error_with_its_line() -> Result<()> {
        let (_folder, path) = folder();
        drop(journal(&path)?);
        let text = std::fs::read_to_string(&path).expect("journal");
        let lines: Vec<&str> = text.lines().collect();
        let spoil = |at: usize, with: &str| {
            let mut lines = lines.clone();
            lines[at] = with;
            std::fs::write(&path, lines.join("\n")).expect("write");
            message(Journal::open(&path, &record(vec![])).map(|_| ()))
        };
        assert!(spoil(2, "{\"order\":").contains("line 3: the JSON is cut off"));
        assert!(spoil(2, "{}").contains("line 3: missing field"), "{}", spoil(2, "{}"));
        assert!(spoil(5, "{\"edit\":{}}").contains("line 6: missing field `fact`"));
        assert!(spoil(3, "").contains("line 5: redundancy of fact 0, which no line before has traced"));
        assert!(spoil(0, &lines[0].replace("\"engram\":1", "\"engram\":9")).contains("newer"));
        Ok(())
    }

    #[test]
    fn another_study_is_refused_by_field() -> Result<()> {
        let (_folder, path) = folder();
        drop(journal(&path)?);
        let other = |change: fn(&mut Record)| {
            let mut header = record(vec![]);
            change(&mut header);
            message(Journal::open(&path, &header).map(|_| ()))
        };
        let found = other(|r| r.settings.seed = 7);
        assert!(found.contains("settings.seed: 42 there, 7 here") && found.contains("--fresh"), "{found}");
        let found = other(|r| r.settings.corruption = Corruption::Noise { sigmas: 3.0, draws: 10, sigma: 0.1 });
        assert!(found.contains("settings.corruption.kind: \"replace\" there, \"noise\" here"), "{found}");
        assert!(other(|r| r.settings.edit.layer = Some(3)).contains("settings.edit.layer: null there, 3 here"));
        assert!(other(|r| r.model.weights_sha256 = "cc".into()).contains("model.weights_sha256"));
        assert!(other(|r| r.source.sha256 = "cc".into()).contains("source.sha256"));
        // The same weights and facts under other names, on another device, by a patched program.
        let same = other(|r| {
            r.model.name = "copy".into();
            r.source.name = "copy.json".into();
            r.device.kind = "gpu".into();
            r.program = "0.1.1".into();
        });
        assert_eq!(same, "no error");
        Ok(())
    }

    #[test]
    fn one_writer_at_a_time_and_nothing_bad_written() -> Result<()> {
        let (_folder, path) = folder();
        let mut first = journal(&path)?;
        for second in [Journal::create(&path, &full()), Journal::open(&path, &full()).map(|(journal, _)| journal)] {
            assert!(message(second).contains("another run is writing it"));
        }
        let found = message(first.append(&validated(4, f32::NAN)));
        assert!(found.contains("fact 104: p_clean is NaN"), "{found}");
        drop(first);
        assert_eq!(read(&path)?.record, full());
        drop(Journal::create(&path, &full())?);
        assert_eq!(read(&path)?.record, record(vec![]), "create starts over");
        assert!(message(Journal::open(&path.with_file_name("none"), &full())).contains("no such file"));
        assert!(!path.with_file_name("none").exists(), "a failed open leaves no file behind");
        Ok(())
    }

    #[test]
    fn a_failed_write_leaves_the_old_record() -> Result<()> {
        let (folder, _) = folder();
        let path = folder.path().join("r.json");
        write(&path, &full())?;
        let mut bad = full();
        bad.settings.min_effect = f32::NAN;
        assert!(write(&path, &bad).is_err());
        assert!(message(write(&folder.path().join("none/r.json"), &full())).contains("no such file or folder"));
        // A folder stands where the file should go: the rename fails after the temporary file was written.
        std::fs::create_dir(folder.path().join("taken.json")).expect("folder");
        assert!(write(&folder.path().join("taken.json"), &full()).is_err());
        assert_eq!(read(&path)?.record, full());
        assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 2, "no temporary file stays");
        Ok(())
    }

    /// `/dev/full` fails every write as a full disk does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_named() -> Result<()> {
        use std::path::Path;
        let found = message(Journal::over(Path::new("/dev/full")).and_then(|mut journal| journal.append(&dropped(0))));
        assert!(found.contains("/dev/full: no space left on the disk") && found.contains("free some space"), "{found}");
        // A small real file system, where a person gives one: the journal fills it and stays readable.
        let Some(small) = std::env::var_os("ENGRAM_SMALL_DISK").map(PathBuf::from) else { return Ok(()) };
        let path = small.join("study.journal");
        let mut journal = Journal::create(&path, &record(vec![]))?;
        let written = (0..1_000_000).take_while(|order| journal.append(&validated(*order, 0.5)).is_ok()).count();
        assert!(message(journal.append(&validated(0, 0.5))).contains("no space left"));
        drop(journal);
        let resumed = read(&path)?;
        assert_eq!((resumed.record.facts.len(), resumed.dropped), (written, None));
        assert!(message(write(&small.join("r.json"), &resumed.record)).contains("no space left"));
        assert_eq!(std::fs::read_dir(&small).expect("folder").count(), 1, "no temporary file stays");
        std::fs::remove_file(&path).expect("removed");
        Ok(())
    }
}
