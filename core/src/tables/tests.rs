use super::*;
use crate::facts::ReferenceTexts;
use crate::metrics::{MetricConvention, Verdict};
use crate::record::*;
use std::collections::{BTreeMap, BTreeSet};

fn fact(order: usize, relation: &str, subject: [f32; 3]) -> FactRecord {
    let last = vec![0.0, 0.0, 0.5];
    let curve = RedundancyCurve { ablated: 2, patched: vec![Some(0.0625), None, Some(0.125)] };
    let traced = Traced {
        p_clean: 0.5,
        patched: BTreeMap::from([(PatchPosition::SubjectLast, subject.to_vec()), (PatchPosition::LastToken, last)]),
        without_block: vec![0.5, 0.25, 0.5],
        without_attention: vec![0.5, 0.375, 0.5],
        without_mlp: vec![0.5, 0.125, 0.5],
        redundancy: BTreeMap::from([(PatchPosition::SubjectLast, curve)]),
        ..Traced::default()
    };
    FactRecord {
        order,
        id: order.to_string(),
        relation: relation.into(),
        prompt: "p".into(),
        subject: "s".into(),
        target_true: "t".into(),
        target_new: "n".into(),
        answer_ids: Default::default(),
        outcome: Outcome::Validated(Box::new(traced)),
    }
}

fn record(name: &str, facts: Vec<FactRecord>) -> Record {
    Record {
        engram: VERSION,
        program: "test".into(),
        settings: Settings::default(),
        model: ModelInfo { name: name.into(), layers: 3, parameters: 1_234_567_890, ..ModelInfo::default() },
        device: DeviceInfo::default(),
        source: FactSource::default(),
        facts,
        edits: None,
        sequences: Vec::new(),
        runs: Vec::new(),
    }
}

fn records() -> Vec<Record> {
    let mut one = record("lab/one|a", vec![fact(0, "P36", [0.1, 0.3, 0.0]), fact(1, "P27", [0.1, 0.3, 0.0])]);
    let dropped = Dropped { reason: Reason::TooLong, detail: String::new(), p_clean: None, p_corrupt: None };
    one.facts.push(FactRecord { outcome: Outcome::Dropped(dropped), ..fact(2, "", [0.0; 3]) });
    one.facts.push(fact(3, "P27", [-0.1, -0.3, 0.0]));
    let edit = |p_false_after: f32, layer: usize| EditRecord {
        fact: 0,
        layer,
        seed: 1,
        p_true: 0.5,
        p_false: 0.25,
        p_true_after: 0.5,
        p_false_after,
        loss: vec![],
        relative_change: 0.0,
        residual: 0.0,
        restored: true,
        paraphrases: vec![],
        neighbourhood: vec![],
        neighbourhood_plus: vec![],
        generations: vec![],
        unrelated: vec![Unrelated { fact: 9, p_true: [0.5, 0.25], flipped: true }],
        ..EditRecord::default()
    };
    one.edits = Some(vec![edit(0.75, 2), edit(0.25, 2), edit(0.25, 1)]);
    vec![
        one,
        record("two", vec![fact(0, "P36", [0.3, 0.1, 0.0]), fact(7, "P36", [0.3, 0.1, 0.0])]),
        record("none", vec![]),
    ]
}

/// Displayed cells by column name.
fn row(table: &Table, at: usize) -> BTreeMap<&str, String> {
    table.columns.iter().map(|column| column.name.as_str()).zip(table.rows[at].iter().map(Cell::display)).collect()
}

#[test]
fn tables_hold_the_indices() {
    let records = records();
    let tables = all(&records, &MetricConvention::default(), Some("one|A"));
    assert_eq!(
        tables.iter().map(|table| table.number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 6],
        "nothing is matched by three"
    );
    for table in &tables {
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "table {}", table.number);
        let names: BTreeSet<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names.len(), table.columns.len(), "column names are unique");
    }
    let one = row(&tables[0], 0);
    assert_eq!(
        (one["parameters"].as_str(), one["screened"].as_str(), one["validated"].as_str()),
        ("1,234,567,890", "4", "3")
    );
    assert_eq!((one["entity"].as_str(), one["relation"].as_str(), one["too-long"].as_str()), ("2", "1", "1"));
    assert_eq!(one["facts per 10⁹ parameters"], "2.4");
    assert_eq!(tables[1].rows.len(), 6, "a row per model and patch position");
    let one = row(&tables[1], 0);
    assert_eq!((one["l*"].as_str(), one["facts at l*"].as_str()), ("2", "2/2 (100.0 %)"));
    assert_eq!((one["not localized"].as_str(), one["C"].as_str()), ("1/3 (33.3 %)", "0.333"));
    assert_eq!(row(&tables[1], 1)["l*"], "3");
    assert_eq!(row(&tables[1], 4)["l*"], "–");
    let one = row(&tables[2], 0);
    assert_eq!((one["Δ_nec"].as_str(), one["Δ_attn"].as_str()), ("0.2500 ± 0.0000", "0.1250 ± 0.0000"));
    assert_eq!((one["r_MLP"].as_str(), one["R"].as_str()), ("0.750 ± 0.000", "0.500"));
    assert_eq!(one["r_MLP / baseline"], "1.00");
    let two = row(&tables[2], 2);
    assert_eq!(
        (two["layer"].as_str(), two["Δ_nec"].as_str(), two["Δ_nec / baseline"].as_str()),
        ("1", "0.0000 ± 0.0000", "0.00")
    );
    assert_eq!(two["facts per 10⁹ parameters / baseline"], "0.67");
    assert!(tables[2].notes.iter().any(|note| note.contains("two, subject-last: R was measured with layer 2 ablated")));
    assert_eq!(row(&tables[2], 4)["C / baseline"], "–");
    let edits = row(&tables[3], 0);
    assert_eq!(
        (edits["layers"].as_str(), edits["success"].as_str(), edits["L1"].as_str()),
        ("1, 2 ×2", "1/3 (33.3 %)", "1")
    );
    assert_eq!((edits["|Δp| worst"].as_str(), edits["flips"].as_str()), ("0.2500", "3/3 (100.0 %)"));
    assert_eq!(tables[3].rows.len(), 1, "only records with Stage 3");
    let verdicts = row(&tables[4], 0);
    let counts = Verdict::ALL.map(|verdict| verdicts[verdict.name()].parse::<usize>().unwrap_or_default());
    assert_eq!(
        (verdicts["edits"].as_str(), counts),
        ("3", [0, 0, 0, 1, 0, 0, 2]),
        "one with harm, two that did nothing"
    );
    assert_eq!(verdicts["unrelated facts unharmed"], "0/3 (0.0 %)");
    assert_eq!(verdicts["other wordings that follow"], "–", "not measured");
    let unknown = table3(&records, &MetricConvention::default(), Some("three"));
    assert!(unknown.notes.iter().any(|note| note.contains("No record of the baseline model three")));
}

#[test]
fn matched_table() {
    let records = records();
    let table = matched_facts(&records[..2], &MetricConvention::default()).expect("fact 0 is shared");
    assert_eq!(table.rows.len(), 4);
    let one = row(&table, 0);
    assert_eq!((one["facts"].as_str(), one["l*"].as_str(), one["p(true)"].as_str()), ("1", "2", "0.500"));
    assert_eq!(matched_facts(&records[..1], &MetricConvention::default()), None);
    assert_eq!(matched_facts(&records, &MetricConvention::default()), None);
    let same = [records[1].clone(), records[1].clone()];
    assert_eq!(row(&table1(&same), 1)["model"], "two (2)");
}

#[test]
fn renderings() -> crate::Result<()> {
    let tables = all(&records(), &MetricConvention::default(), None);
    let markdown = tables[1].to_markdown();
    assert!(markdown.starts_with("### Table 2. Localization\n\n| model | patch position | facts | l* |"), "{markdown}");
    assert!(markdown.contains("| :-- | :-- | --: |"));
    assert!(markdown.contains("| lab/one\\|a | subject-last | 3 | 2 | 2/2 (100.0 %) |"));
    for table in &tables {
        let text = table.to_csv()?;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().expect("header").clone();
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("even rows");
        assert_eq!(rows.len(), table.rows.len());
        assert_eq!(header.iter().collect::<BTreeSet<_>>().len(), header.len());
        let json = table.to_json();
        assert_eq!(json["rows"].as_array().map(Vec::len), Some(table.rows.len()));
    }
    let text = tables[2].to_csv()?;
    assert!(text.starts_with("model,patch position,layer,Δ_nec,Δ_nec sem,Δ_nec n,"), "{text}");
    assert!(text.contains("lab/one|a,subject-last,2,0.25,0,3,0.125,0,3,0.375,0,3,"), "{text}");
    let json = tables[1].to_json();
    assert_eq!(json["rows"][0]["C"].as_f64(), Some(1.0 / 3.0), "full precision");
    assert_eq!(json["rows"][0]["facts at l*"]["count"], 2);
    assert!(json["rows"][4]["C"].is_null());
    Ok(())
}

#[test]
fn cells_for_people() {
    let number = |value| Cell::Number { value, decimals: 2 }.display();
    assert_eq!((number(-0.001).as_str(), number(-0.01).as_str(), number(1.0).as_str()), ("0.00", "-0.01", "1.00"));
    for (count, wanted) in [(0, "0"), (999, "999"), (1_000, "1,000"), (134_515_008, "134,515,008")] {
        assert_eq!(Cell::Count(count).display(), wanted);
    }
    assert_eq!(Cell::Missing.display(), "–");
}

/// A record whose names are of the worst kind: in no format do they act, and the numbers beside them are numbers.
#[test]
fn hostile_names_are_texts_in_every_format() -> crate::Result<()> {
    let mut records = records();
    for (record, name) in records.iter_mut().zip(["<img src=x>[a](javascript:b)", "=HYPERLINK(\"http://e.example\")"]) {
        record.model.name = name.into();
    }
    for table in all(&records, &MetricConvention::default(), Some("=HYPERLINK(\"http://e.example\")")) {
        let markdown = table.to_markdown();
        assert!(
            !markdown.contains(['<', '>']) && !markdown.contains("[a]") && !markdown.contains("http://"),
            "{markdown}"
        );
        let csv = table.to_csv()?;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        for row in reader.records().map_while(Result::ok) {
            let formula = row.iter().find(|field| field.starts_with(['=', '+', '@', '\t']));
            assert_eq!(formula, None, "{csv}");
            let negative = row.iter().filter(|field| field.starts_with('-'));
            negative.for_each(|field| assert!(field.parse::<f64>().is_ok(), "{field}"));
        }
        assert!(!table.to_latex().contains("<img"));
    }
    Ok(())
}

#[test]
fn texts_stand_beside_reference_texts_of_their_new_answer() {
    let mut records = records();
    let references = r#"[{"relation_id": "P36", "target_id": "Q7", "samples": [{"text": "river and harbour"}]},
        {"relation_id": "P27", "target_id": "n", "samples": [{"text": "mountain"}, {"text": "valley"}]}]"#;
    let references = ReferenceTexts::parse("f", references.as_bytes()).expect("texts");
    assert!(table9(&records, &references).is_none(), "nothing is written");
    let edits = records[0].edits.as_mut().expect("edits");
    let texts =
        |before: &str, after: &str| vec![Generation { prompt: "p".into(), texts: [before.into(), after.into()] }];
    // Fact 0 is of P36: its references are found by the id. Fact 1 is of P27, without one; fact 9 is unknown.
    edits[0].target_new_id = "Q7".into();
    edits[0].generations = texts("a mountain", "river and harbour");
    edits[1].fact = 1;
    edits[1].generations = texts("nothing of it", "the valley");
    edits[2].fact = 9;
    edits[2].generations = texts("valley", "valley");
    let table = table9(&records, &references).expect("a table");
    let percent = |mean: f64, of: f64| Cell::Mean { mean: Mean { mean, sem: Some(of), n: 2 }, decimals: 1 };
    assert_eq!(table.rows.len(), 2);
    assert_eq!(table.rows[0][3], percent(0.0, 0.0), "{:?}", table.rows);
    let Cell::Mean { mean: after, .. } = &table.rows[1][3] else { panic!("{:?}", table.rows) };
    // All words of both texts about P27 weigh the same, so "the valley" has the cosine of one of two: the unknown word counts nowhere.
    let want = [1.0, 0.5f64.sqrt()];
    assert!((after.mean - 50.0 * (want[0] + want[1])).abs() < 1e-9, "{after:?}");
}
