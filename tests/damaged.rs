//! A real study whose journal is damaged, whose later settings change, or that goes on from what is not its own: the
//! record is the undisturbed one byte for byte, or the study is refused. It never differs silently.

use engram_core::device::Compute;
use engram_core::facts::{Fact, FactFile};
use engram_core::journal::{Chain, Found, change, fact_line, find, header_line, settings_line, to_json};
use engram_core::load::Model;
use engram_core::record::{Corruption, EditLayers, EditSettings, Outcome, Record, Settings, Spsa};
use engram_core::study::{Event, Observer, header, is_complete, run};
use engram_core::{Kind, Result};
use engram_tests::fixtures::model;
use engram_tests::made::{facts, settings, spsa};
use pollster::block_on;
use std::collections::BTreeMap;

/// Writes a journal as every host of a study does, into memory.
#[derive(Default)]
struct Journal {
    chain: Chain,
    lines: Vec<Vec<u8>>,
}

impl Journal {
    fn line(&mut self, json: &[u8]) {
        self.lines.push(self.chain.seal(json));
    }
}

impl Observer for Journal {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::Fact(fact) => self.line(&fact_line(fact)?),
            Event::Progress { .. } => {}
            done => self.line(&done.line()?.expect("a line")),
        }
        Ok(())
    }
}

struct Lab {
    model: Model,
    facts: FactFile,
}

impl Lab {
    fn new() -> Self {
        let model = model("llama", &Compute::cpu("tests"));
        let facts = facts(&model);
        Self { model, facts }
    }

    fn header(&self, settings: Settings) -> Result<Record> {
        block_on(header(&self.model, &self.facts, settings, "test"))
    }

    /// A whole study and its journal.
    fn study(&mut self, settings: Settings) -> (Record, Journal) {
        let header = self.header(settings).expect("a header");
        let mut journal = Journal::default();
        journal.line(&header_line(&header).expect("finite"));
        let record = block_on(run(&mut self.model, &self.facts, header, &mut journal)).expect("a study");
        (record, journal)
    }

    fn go_on(&mut self, record: Record) -> Result<Record> {
        block_on(run(&mut self.model, &self.facts, record, &mut Journal::default()))
    }
}

/// Small numbers in an order that looks random, the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

#[test]
fn a_flipped_bit_never_changes_a_record() {
    let mut lab = Lab::new();
    let (whole, journal) = lab.study(settings());
    let bytes = to_json(&whole).expect("finite");
    let content = journal.lines.concat();
    let kinds = [&b"{\"order\""[..], b"{\"redundancy\"", b"{\"edit\""];
    assert!(kinds.iter().all(|kind| journal.lines.iter().any(|line| line.starts_with(kind))), "all phases are there");

    // What is left of a study decides what becomes of it, so each beginning is gone on from once.
    let mut resumed: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let (mut random, mut flips, mut restarted) = (Random(42), 0, 0);
    let mut flip = |at: usize, bit: usize| {
        let mut bad = content.clone();
        bad[at] ^= 1 << bit;
        flips += 1;
        let begun = match find(&bad).expect("no newer program") {
            Found::Nothing(_) => {
                restarted += 1;
                return;
            }
            Found::Study(begun) => begun,
        };
        assert!(begun.dropped.is_some(), "bit {bit} of byte {at} went unnoticed");
        let kept = &content[..begun.kept as usize];
        assert!(begun.kept as usize <= at && bad.starts_with(kept), "bit {bit} of byte {at} is in what is kept");
        let record = begun.record;
        let again = resumed.entry(begun.kept).or_insert_with(|| {
            let record = lab.go_on(record.clone()).unwrap_or_else(|error| panic!("{at}: {error}"));
            to_json(&record).expect("finite")
        });
        assert_eq!(*again, bytes, "bit {bit} of byte {at}");
    };
    for _ in 0..1500 {
        flip(random.below(content.len()), random.below(8));
    }
    // Each line's first and last byte, its digest and its newline.
    let mut end = 0;
    for line in &journal.lines {
        for at in [end, end + line.len() - 1, end + line.len() - 2, end + line.len() - 40] {
            flip(at, random.below(8));
        }
        end += line.len();
    }
    assert!(flips > 1500 && restarted < flips / 4 && resumed.len() > journal.lines.len() / 2);
}

#[test]
fn a_line_that_is_missing_doubled_moved_or_foreign_changes_no_record() {
    let mut lab = Lab::new();
    let (whole, journal) = lab.study(settings());
    let (_, foreign) = lab.study(Settings { seed: 7, ..settings() });
    let lines = journal.lines;
    let mut random = Random(7);
    for _ in 0..40 {
        let at = 1 + random.below(lines.len() - 2);
        let mut bad = lines.clone();
        match random.below(4) {
            0 => drop(bad.remove(at)),
            1 => bad.insert(at, lines[random.below(lines.len())].clone()),
            2 => bad.swap(at, 1 + random.below(lines.len() - 1)),
            _ => bad[at].clone_from(&foreign.lines[at.min(foreign.lines.len() - 1)]),
        }
        if bad == lines {
            continue;
        }
        let Ok(Found::Study(begun)) = find(&bad.concat()) else { panic!("the header is whole") };
        assert!(begun.dropped.is_some() && lines.concat().starts_with(&bad.concat()[..begun.kept as usize]));
        assert_eq!(lab.go_on(begun.record).expect("resumed"), whole);
    }
}

/// Only what decides the edits changed: the tracing that is there counts, and the record is that of a study which had
/// these settings from its beginning.
#[test]
fn a_study_with_other_later_settings_goes_on_from_its_tracing() {
    let mut lab = Lab::new();
    let (whole, journal) = lab.study(settings());
    type Change = fn(&mut Settings);
    let changes: [(&str, Change); 9] = [
        ("the layer", |s| s.edit.layers = EditLayers::of([2])),
        ("more facts", |s| s.edit.facts = 5),
        ("fewer facts", |s| s.edit.facts = 1),
        ("unrelated facts", |s| s.edit.unrelated = 1),
        ("steps", |s| s.edit.methods = vec![Spsa { steps: 10, ..spsa() }.into()]),
        ("epsilon", |s| s.edit.methods = vec![Spsa { epsilon: 0.01, ..spsa() }.into()]),
        ("the patch position", |s| s.edit.position = engram_core::record::PatchPosition::LastToken),
        ("no stage 3", |s| s.stages = vec![1, 2]),
        ("stages, but the edits stay", |s| s.stages = vec![1, 3]),
    ];
    for (what, change_one) in changes {
        let mut wanted = settings();
        change_one(&mut wanted);
        let (undisturbed, _) = lab.study(wanted.clone());
        let expected = to_json(&undisturbed).expect("finite");
        // From every fifth line of the journal, and from the finished record.
        for count in (1..=journal.lines.len()).step_by(5).chain([journal.lines.len()]) {
            let content = journal.lines[..count].concat();
            let Ok(Found::Study(mut begun)) = find(&content) else { panic!("a journal") };
            let kept = &begun.record.settings;
            let settings = Settings { rows: kept.rows, window: kept.window, ..wanted.clone() };
            let line = begun.chain.seal(&settings_line(&settings).expect("finite"));
            let Ok(Found::Study(begun)) = find(&[&content[..], &line].concat()) else { panic!("a journal") };
            assert_eq!(begun.dropped, None);
            let record = lab.go_on(begun.record).unwrap_or_else(|error| panic!("{what}, {count} lines: {error}"));
            assert_eq!(to_json(&record).expect("finite"), expected, "{what}, {count} lines");
        }
        let mut record = whole.clone();
        let settings = Settings { rows: whole.settings.rows, window: whole.settings.window, ..wanted };
        let dropped = change(&mut record, &settings);
        assert_eq!(dropped == 0, what.ends_with("stay"), "{what}: {dropped}");
        let record = lab.go_on(record).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(to_json(&record).expect("finite"), expected, "{what}");
        assert!(is_complete(&record, &lab.facts).expect("of these facts"));
    }
}

/// Stage 3 for a study that was without.
#[test]
fn a_stage_can_be_added() {
    let mut lab = Lab::new();
    let (whole, _) = lab.study(settings());
    let (mut traced, _) = lab.study(Settings { stages: vec![1], ..settings() });
    assert!(traced.edits.is_none() && is_complete(&traced, &lab.facts).expect("of these facts"));
    assert_eq!(change(&mut traced, &whole.settings), 0);
    assert!(!is_complete(&traced, &lab.facts).expect("of these facts"));
    assert_eq!(lab.go_on(traced).expect("goes on"), whole);
}

/// Numbers of a record index the facts, so each is looked at before.
#[test]
fn what_is_not_of_the_study_is_refused() {
    let mut lab = Lab::new();
    let (whole, _) = lab.study(settings());
    type Spoil = fn(&mut Record);
    let spoils: [(&str, Spoil); 12] = [
        ("has order 999", |r| r.facts[2].order = 999),
        ("has order 18446744073709551615", |r| r.facts[0].order = usize::MAX),
        ("has order 3", |r| drop(r.facts.remove(2))),
        ("has order 1", |r| r.facts.swap(0, 1)),
        ("is not the fact of that order", |r| r.facts[3].prompt.push('!')),
        ("is not the fact of that order", |r| {
            let last = r.facts[0].clone();
            r.facts
                .extend((r.facts.len()..2000).map(|order| engram_core::record::FactRecord { order, ..last.clone() }));
        }),
        ("facts are validated", |r| r.settings.n = 2),
        ("which was not asked for", |r| r.settings.positions.truncate(1)),
        ("was removed, not l*", |r| {
            for fact in &mut r.facts {
                let curves = fact.traced_mut().map(|traced| &mut traced.redundancy);
                curves.into_iter().flatten().for_each(|(_, curve)| curve.ablated = 1 + curve.ablated % 3);
            }
        }),
        ("its edits are not those", |r| r.edits.iter_mut().flatten().for_each(|edit| edit.fact = usize::MAX)),
        ("its edits are not those", |r| {
            let edits = r.edits.get_or_insert_default();
            edits.push(edits[0].clone());
        }),
        ("there are edits", |r| r.settings.stages = vec![1, 2]),
    ];
    for (wanted, spoil) in spoils {
        let mut record = whole.clone();
        spoil(&mut record);
        let error = lab.go_on(record.clone()).expect_err(wanted);
        assert!(error.kind == Kind::Input && error.message().contains(wanted), "{wanted}: {error}");
        assert!(error.next_step().is_some_and(|hint| hint.contains("--fresh")), "{error}");
        assert_eq!(is_complete(&record, &lab.facts).expect_err(wanted).message(), error.message());
    }
    // What is merely missing is computed.
    let mut record = whole.clone();
    record.edits.iter_mut().for_each(|edits| drop(edits.pop()));
    assert!(!is_complete(&record, &lab.facts).expect("of these facts"));
    assert_eq!(lab.go_on(record).expect("goes on"), whole);
}

/// Nothing is computed with settings that make no sense for the model.
#[test]
fn settings_are_checked_before_anything_else() {
    let lab = Lab::new();
    let layers = lab.model.layers();
    let refused = |settings: Settings, wanted: &str| {
        let error = lab.header(settings).expect_err(wanted);
        assert!(error.kind == Kind::Input && error.message().contains(wanted), "{error}");
    };
    let edit = |layer| EditSettings { layers: EditLayers::of([layer]), ..settings().edit };
    refused(Settings { edit: edit(layers + 1), ..settings() }, "to edit does not exist");
    let with = "Random Person ".repeat(100);
    refused(Settings { corruption: Corruption::Replace { with }, ..settings() }, "stands in for the subject has");
    refused(Settings { n: 0, ..settings() }, "settings.n is 0");
    assert!(lab.header(Settings { edit: edit(layers), ..settings() }).is_ok());
    assert!(lab.header(Settings { edit: edit(layers + 1), stages: vec![1], ..settings() }).is_ok());
}

/// A replacement so long that the model cannot take the corrupted prompt costs a fact, not the study.
#[test]
fn a_fact_that_is_too_long_for_the_model_falls_out() {
    let mut lab = Lab::new();
    let most = lab.model.net.shape.positions;
    let words = |count: usize| "France ".repeat(count).trim().to_owned();
    let tokens = |lab: &Lab, text: &str| lab.model.tokens.encode(text).expect("tokens").ids.len();
    let per_word = (tokens(&lab, &words(9)) - tokens(&lab, &words(1))) / 8;
    let with = words((most - 2) / per_word.max(1));
    lab.facts.facts = vec![Fact { template: "I think that the capital of {} is".into(), ..lab.facts.facts[0].clone() }];
    let settings = Settings {
        corruption: Corruption::Replace { with },
        max_tokens: usize::MAX,
        ..Settings { stages: vec![1], ..settings() }
    };
    let Ok(header) = lab.header(settings) else { panic!("the replacement alone fits") };
    let record = lab.go_on(header).expect("a study");
    let Outcome::Dropped(dropped) = &record.facts[0].outcome else { panic!("it is traced") };
    assert_eq!(dropped.reason, engram_core::record::Reason::TooLong, "{dropped:?}");
}
