//! Shards of a study against the study in one process: the same bytes, whoever computes what, in whatever order, however often it is
//! stopped; and what a disk or a machine may do wrong.

use engram_core::device::Compute;
use engram_core::facts::{FactFile, parse, statements};
use engram_core::journal::{Chain, to_json};
use engram_core::load::Model;
use engram_core::record::{EditLayers, EditMethod, EditSettings, Record, Settings, Spsa};
use engram_core::second_moment::StatsText;
use engram_core::study::shards::{Header, Known, Missing, Plan, PlannedModel, Segment, Shard, plan, work};
use engram_core::study::{self, Event, Observer};
use engram_core::weights::Checkpoint;
use engram_core::{Kind, Result};
use pollster::block_on;
use std::cell::Cell;
use std::path::{Path, PathBuf};

const PROGRAM: &str = "tests";

fn facts() -> FactFile {
    parse("bundled facts", include_bytes!("../core/bundled/facts.json")).expect("facts")
}

fn bundled(name: &str, compute: Compute) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled/models").join(name);
    let checkpoint = block_on(Checkpoint::open(&folder, None)).expect("a bundled model");
    block_on(Model::load(&checkpoint, name, compute, &|_, _| {})).expect("it loads")
}

fn model() -> Model {
    let mut model = bundled("engram-llama", Compute::cpu("tests"));
    model.second_moments.text = Some(StatsText::new("bundled facts", statements(&facts().facts)));
    model
}

fn settings(edit: EditSettings) -> Settings {
    let stages = vec![1, 2, 3];
    Settings { n: 11, maps: 2, window: 3, screen_batch: 6, trace_batch: 2, stages, edit, ..Settings::default() }
}

fn spsa() -> EditMethod {
    Spsa { steps: 10, ..Spsa::default() }.into()
}

/// Studies of every kind of unit: single edits; a sweep with second moments and edits of many facts at once; sequences.
fn studies() -> Vec<Settings> {
    let rome = EditMethod::named("r-rome").map(|mut rome| {
        rome.set_count("steps", 3);
        rome
    });
    let memit = EditMethod::named("memit").map(|mut memit| {
        memit.set_count("steps", 3);
        memit
    });
    let both = vec![rome.expect("a method"), memit.expect("a method")];
    let edit =
        EditSettings { facts: 3, unrelated: 2, min_p_false: 0.0, methods: vec![spsa()], ..EditSettings::default() };
    vec![
        settings(edit.clone()),
        settings(EditSettings { methods: both, layers: EditLayers::Fixed(vec![2, 3]), batch: 2, ..edit.clone() }),
        settings(EditSettings { facts: 4, sequence: 4, layers: EditLayers::Fixed(vec![1, 3]), ..edit }),
    ]
}

struct Nobody;

impl Observer for Nobody {
    fn event(&mut self, _: Event<'_>) -> Result<()> {
        Ok(())
    }
}

fn in_one_process(model: &Model, settings: &Settings) -> Vec<u8> {
    let (mut own, facts) = (with_text(model), facts());
    let header = block_on(study::header(&own, &facts, settings.clone(), PROGRAM)).expect("a header");
    let record = block_on(study::run(&mut own, &facts, header, &mut Nobody)).expect("it runs");
    assert_eq!(record.validated().count(), settings.n);
    to_json(&record).expect("finite")
}

/// The model with nothing known of second moments but their text.
fn with_text(model: &Model) -> Model {
    let mut own = model.share();
    own.second_moments.text.clone_from(&model.second_moments.text);
    own
}

struct Planned {
    model: Model,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Planned {
    fn new(model: &Model, settings: &Settings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("study.plan");
        let named = PlannedModel { source: "engram-llama".into(), tokenizer: None, precision: None, stats_text: None };
        let own = with_text(model);
        let made = block_on(plan(&own, &facts(), settings.clone(), PROGRAM, named)).expect("a plan");
        made.write(&path, include_bytes!("../core/bundled/facts.json")).expect("written");
        Self { model: own, path, _folder: folder }
    }

    fn known(&self) -> Known {
        Known::open(&self.path).expect("readable")
    }

    fn segments(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(Plan::segments(&self.path)).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    fn begin(&self, known: &Known, shard: Shard) -> Segment {
        let header = Header::new(&known.plan.id, shard, "here", &self.model.compute, PROGRAM);
        Segment::begin(&Plan::segments(&self.path), &header).expect("a segment")
    }

    /// Runs a shard, which is stopped after so many units.
    fn run(&self, shard: &str, wave: u8, units: usize) -> Result<std::result::Result<(), Missing>> {
        let shard: Shard = shard.parse().expect("a shard");
        let (mut known, mut own) = (Known::open(&self.path)?, with_text(&self.model));
        block_on(known.plan.clone().admit(&own, &known.facts, PROGRAM))?;
        let mut segment = self.begin(&known, shard);
        let left = Cell::new(units);
        let stop = || {
            left.set(left.get().saturating_sub(1));
            left.get() == 0
        };
        block_on(work(&mut own, &mut known, (shard, wave), &mut segment, &mut |_| {}, &stop))
    }

    fn whole(&self, shard: &str, wave: u8) {
        self.run(shard, wave, usize::MAX).expect("it runs").expect("nothing is missing");
    }

    fn merged(&self) -> Record {
        let known = self.known();
        assert_eq!(known.unfinished(known.plan.waves + 1).expect("readable"), None);
        known.record().expect("whole")
    }

    fn bytes(&self) -> Vec<u8> {
        let record = self.merged();
        assert!(!record.runs.is_empty());
        to_json(&Record { runs: Vec::new(), ..record }).expect("finite")
    }
}

#[test]
fn shards_in_any_order_make_the_record_of_one_process() {
    let model = model();
    for settings in studies() {
        let wanted = in_one_process(&model, &settings);
        let planned = Planned::new(&model, &settings);
        let waves = planned.known().plan.waves;
        // The last shard first, as if all others were slow.
        for wave in 1..=waves {
            for shard in ["2/3", "0/3", "1/3"] {
                planned.whole(shard, wave);
            }
        }
        assert!(planned.bytes() == wanted, "{}", waves);
        // Once more, and by another number of shards: nothing is left to do.
        let segments = planned.segments().len();
        planned.whole("0/2", waves);
        assert_eq!(planned.segments().len(), segments + 1);
        assert!(planned.bytes() == wanted);
        // In one shard the same.
        let alone = Planned::new(&model, &settings);
        (1..=waves).for_each(|wave| alone.whole("0/1", wave));
        assert!(alone.bytes() == wanted);
    }
}

#[test]
fn shards_that_are_killed_again_and_again_make_the_same_record() {
    let model = model();
    let mut seed = 11u64;
    let mut random = |most: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    let mut kills = 0;
    for settings in studies().into_iter().chain(studies()) {
        let wanted = in_one_process(&model, &settings);
        let planned = Planned::new(&model, &settings);
        let waves = planned.known().plan.waves;
        for _ in 0..1000 {
            let known = planned.known();
            let Some(missing) = known.unfinished(waves + 1).expect("readable") else { break };
            let of = 1 + random(4);
            let shard = format!("{}/{of}", random(of));
            let before = planned.segments();
            match planned.run(&shard, missing.wave, 1 + random(3)) {
                Ok(done) => assert_eq!(done, Ok(())),
                Err(error) => assert_eq!(error.kind, Kind::Cancelled, "{error}"),
            }
            // Half of the times the last line is torn, or zeros stand where it should.
            let new = planned.segments().into_iter().find(|path| !before.contains(path)).expect("a segment");
            let bytes = std::fs::read(&new).expect("readable");
            if random(2) == 0 {
                let cut = random(200).min(bytes.len());
                let zeros = vec![0; random(2) * random(50)];
                std::fs::write(&new, [&bytes[..bytes.len() - cut], &zeros].concat()).expect("written");
            }
            kills += 1;
        }
        assert!(planned.bytes() == wanted, "after {kills} kills");
    }
    assert!(kills >= 80, "{kills}");
}

#[test]
fn a_later_wave_waits_for_the_earlier_one_and_says_whom_for() {
    let model = model();
    let planned = Planned::new(&model, &studies()[0]);
    planned.whole("1/3", 1);
    let missing = planned.run("0/3", 2, usize::MAX).expect("readable").expect_err("the first wave is not whole");
    assert_eq!((missing.wave, missing.of), (1, 3));
    assert!(missing.owners().iter().all(|shard| shard.to_string() != "1/3"), "{missing:?}");
    assert!(planned.known().record().is_err());
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let model = model();
    let planned = Planned::new(&model, &studies()[0]);
    let refused = |error: Result<Known>, words: &str| {
        let error = error.err().unwrap_or_else(|| panic!("not refused: {words}"));
        assert!(error.to_string().contains(words) && error.next_step().is_some(), "{error}");
    };
    // Another program, and bits that another machine computes.
    let known = planned.known();
    let error = block_on(known.plan.admit(&model, &known.facts, "other")).expect_err("another program");
    assert!(error.message().contains("another program"), "{error}");
    let other = Plan { probe: known.plan.probe.replace(|_: char| true, "0"), ..known.plan.clone() };
    let error = block_on(other.admit(&model, &known.facts, PROGRAM)).expect_err("other bits");
    assert!(error.message().contains("arithmetic"), "{error}");
    let stranger = bundled("engram-qwen2", Compute::cpu("tests"));
    let error = block_on(known.plan.admit(&stranger, &known.facts, PROGRAM)).expect_err("another model");
    assert!(error.message().contains("sha256"), "{error}");

    // Two results of one unit.
    planned.run("0/2", 1, 1).err();
    let path = planned.segments().remove(0);
    let text = std::fs::read_to_string(&path).expect("text");
    let mut chain = Chain::default();
    let changed: Vec<u8> = text
        .lines()
        .flat_map(|line| {
            let json = chain_free(line).replace(PASSED, OTHERS);
            chain.seal(json.as_bytes())
        })
        .collect();
    let twin = path.with_file_name("1of2.other.jsonl");
    std::fs::write(&twin, &changed).expect("written");
    refused(Known::open(&planned.path), "two different results");
    // Of another plan.
    let mut chain = Chain::default();
    let foreign: Vec<u8> = text
        .lines()
        .flat_map(|line| chain.seal(chain_free(line).replace(&known.plan.id, &"0".repeat(64)).as_bytes()))
        .collect();
    std::fs::write(&twin, foreign).expect("written");
    refused(Known::open(&planned.path), "another plan");
    // A changed line is not taken, and nothing after it.
    std::fs::write(&twin, text.replacen(PASSED, OTHERS, 1)).expect("written");
    assert!(Known::open(&planned.path).is_ok());
    std::fs::remove_file(&twin).expect("gone");

    // Plan and facts.
    let facts = Plan::folder(&planned.path).join("facts");
    let bytes = std::fs::read(&facts).expect("facts");
    std::fs::write(&facts, String::from_utf8_lossy(&bytes).replacen("Paris", "Lyons", 1)).expect("written");
    refused(Known::open(&planned.path), "not the plan's facts");
    std::fs::write(&facts, bytes).expect("written");
    let plan = std::fs::read_to_string(&planned.path).expect("text");
    std::fs::write(&planned.path, plan.replacen("\"n\": 11", "\"n\": 12", 1)).expect("written");
    refused(Known::open(&planned.path), "its digest is another one");
    refused(Known::open(Path::new("/nowhere/study.plan")), "study.plan");
}

/// What stands in a line of a screened chunk, and what does not.
const PASSED: &str = "\"passed\":[";
const OTHERS: &str = "\"passed\":[99,";

/// A line without its digest.
fn chain_free(line: &str) -> String {
    let end = line.rfind(",\"sha256\":\"").expect("a digest");
    format!("{}}}", &line[..end])
}
