//! A whole study on a fixture model: wherever it is interrupted, going on gives the identical record; every edit holds
//! and is undone to the bit.

use engram_core::device::Compute;
use engram_core::facts::{FactFile, statements};
use engram_core::load::Model;
use engram_core::record::{
    EditLayers, EditMethod, EditRecord, EditSettings, Record, SecondMomentSettings, Settings, UltraEdit,
};
use engram_core::second_moment::StatsText;
use engram_core::study::{Event, Observer, header, run};
use engram_core::verify::{self, State};
use engram_core::{Kind, Result};
use engram_tests::fixtures::{fixture, model, open};
use engram_tests::made::{facts, settings};
use pollster::block_on;
use safetensors::SafeTensors;

/// Keeps what a journal would, and stops after so many events.
struct Journal {
    record: Record,
    left: usize,
}

impl Observer for Journal {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        match event {
            Event::Fact(fact) => self.record.facts.push(fact.clone()),
            Event::Redundancy(line) => {
                let fact = self.record.facts.iter_mut().find(|fact| fact.order == line.fact).expect("a traced fact");
                fact.traced_mut().expect("traced").redundancy.insert(line.position, line.curve.clone());
            }
            Event::Mlp(_) | Event::Sequence(_) => unreachable!("no sweep and no sequence was asked for"),
            Event::Edit(edit) => self.record.edits.get_or_insert_default().push(edit.clone()),
            Event::Progress { .. } => return Ok(()),
        }
        self.left = self.left.saturating_sub(1);
        Ok(())
    }

    fn stop(&self) -> bool {
        self.left == 0
    }
}

#[test]
fn an_interrupted_study_gives_the_identical_record() {
    let compute = Compute::cpu("tests");
    let mut model = model("llama", &compute);
    let facts = facts(&model);
    let start = block_on(header(&model, &facts, Settings { rows: 300, ..settings() }, "test")).expect("header");
    let endless = |record: &Record| Journal { record: record.clone(), left: usize::MAX };
    let mut journal = endless(&start);
    let whole = block_on(run(&mut model, &facts, start.clone(), &mut journal)).expect("a study");
    assert_eq!(journal.record, whole, "the journal holds everything");
    let validated = whole.validated().count();
    assert_eq!(validated, 7, "of {} facts", facts.facts.len());
    assert!(whole.validated().next().expect("a fact").1.maps.is_some());
    let events = whole.facts.len() + validated * 2 + whole.edits.as_ref().map_or(0, Vec::len);

    for stop in 1..events {
        let mut journal = Journal { record: start.clone(), left: stop };
        let stopped = block_on(run(&mut model, &facts, start.clone(), &mut journal));
        if let Err(error) = &stopped {
            assert_eq!(error.kind, Kind::Cancelled);
        }
        // A crash may lose the journal's last line too.
        if stop % 3 == 0 && journal.record.edits.is_none() {
            journal.record.facts.pop();
        }
        let partial = journal.record.clone();
        let resumed = block_on(run(&mut model, &facts, partial.clone(), &mut endless(&partial))).expect("resumed");
        assert_eq!(resumed, whole, "stopped after {stop} of {events}");
    }
    let again = block_on(run(&mut model, &facts, whole.clone(), &mut endless(&whole))).expect("nothing to do");
    assert_eq!(again, whole);
}

/// Settings of a study of several methods, with a second moment over what there is of text.
fn by(methods: &[EditMethod]) -> Settings {
    let second_moment = SecondMomentSettings { keys: 60, window: 12, ridge: 0.1, ..SecondMomentSettings::default() };
    let contexts = vec!["The capital. {}".into(), "Italy is born. {}".into()];
    let mut methods = methods.to_vec();
    methods.iter_mut().for_each(|method| method.set_count("steps", 4));
    let usual = settings();
    let edit = EditSettings { methods, layers: EditLayers::of([2]), contexts, second_moment, ..usual.edit };
    Settings { edit, maps: 0, ..usual }
}

fn named(names: &[&str]) -> Vec<EditMethod> {
    names.iter().map(|name| EditMethod::named(name).expect("a method")).collect()
}

#[test]
fn several_methods_edit_the_same_facts_and_go_on_where_they_stopped() {
    for name in ["llama", "gemma2", "gpt2", "phi"] {
        let compute = Compute::cpu("tests");
        let mut model = model(name, &compute);
        let facts = facts(&model);
        model.second_moments.text = Some(StatsText::new("facts", statements(&facts.facts)));
        let some = by(&named(&["spsa", "rome", "r-rome", "p-rome", "memit", "ft-m", "lora", "ultraedit"]));
        let settings = Settings { edit: EditSettings { fluency: 12, ..some.edit }, ..some };
        let start = block_on(header(&model, &facts, settings, "test")).expect("header");
        let endless = |record: &Record| Journal { record: record.clone(), left: usize::MAX };
        let whole = block_on(run(&mut model, &facts, start.clone(), &mut endless(&start))).expect("a study");
        let edits = whole.edits.clone().expect("stage 3 was asked for");
        assert_eq!(edits.len(), 8 * 3, "{name}: three facts by eight methods");
        let texts = || edits.iter().flat_map(|edit| &edit.generations).map(|one| &one.texts);
        assert_eq!(texts().count(), edits.len(), "{name}: one generation prompt each");
        assert!(
            texts().all(|[before, _]| model.tokens.encode(before).is_ok_and(|text| text.ids.len() >= 10)),
            "{name}"
        );
        assert!(texts().any(|[before, after]| before != after), "{name}: no edit changes what is written");
        for edit in &edits {
            let method = &whole.settings.edit.methods[edit.method];
            assert_eq!(edit.failed, None, "{name}, {}", method.title());
            assert_eq!(edit.search.is_some(), method.has_gradients(), "{name}, {}", method.title());
            let answers = edit.answers.expect("whole answers");
            assert_eq!(edit.portability.len(), 2, "{name}: both prompts whose answers follow");
            assert_eq!(edit.portability[0].argmax, answers.argmax_new, "the first is the fact's own prompt");
            assert!(edit.relative_norm.is_some_and(|norm| norm > 0.0));
            if method.is_joint() {
                let others: Vec<usize> = edits.iter().map(|edit| edit.fact).collect();
                assert!(edit.unrelated.iter().all(|other| !others.contains(&other.fact)), "edited with it");
            } else {
                assert!(edit.residual <= 1e-5, "{name}, {}: {}", method.title(), edit.residual);
            }
        }
        assert!(verify::record(&whole).iter().all(|check| check.state != State::Failed), "{name}");
        for kept in [0, 2, 3, 8, 14, 17, 20, 23] {
            let mut partial = whole.clone();
            partial.edits = Some(edits[..kept].to_vec());
            let resumed = block_on(run(&mut model, &facts, partial.clone(), &mut endless(&partial))).expect("resumed");
            assert_eq!(resumed, whole, "{name}: after {kept} edits");
        }
    }
}

/// The edits of a study that has to go through.
fn edits_of(model: &mut Model, facts: &FactFile, settings: Settings) -> Vec<EditRecord> {
    let start = block_on(header(model, facts, settings, "test")).expect("header");
    let record = block_on(run(model, facts, start.clone(), &mut Journal { record: start, left: usize::MAX }));
    record.expect("the study goes on").edits.expect("stage 3 was asked for")
}

#[test]
fn an_edit_that_fails_ends_no_study() {
    // A model whose second layer has no key but zeros.
    let folder = tempfile::tempdir().expect("a folder");
    let source = fixture("models/llama");
    for entry in std::fs::read_dir(source).expect("a fixture") {
        let path = entry.expect("an entry").path();
        let mut bytes = std::fs::read(&path).expect("a file");
        if let Ok((header, found)) = SafeTensors::read_metadata(&bytes)
            && let Some(info) = found.info("model.layers.1.mlp.up_proj.weight")
        {
            let (from, to) = info.data_offsets;
            bytes[8 + header + from..8 + header + to].fill(0);
        }
        std::fs::write(folder.path().join(path.file_name().expect("a name")), bytes).expect("a copy");
    }
    let mut model = open(folder.path(), None, &Compute::cpu("tests"));
    let facts = facts(&model);
    model.second_moments.text = Some(StatsText::new("facts", statements(&facts.facts)));
    let mut settings = by(&named(&["spsa", "p-rome"]));
    // With nothing but zeros C has no inverse.
    settings.edit.methods.iter_mut().for_each(|method| method.set_covariance(false));
    let edits = edits_of(&mut model, &facts, settings);
    assert_eq!(edits.len(), 6);
    for edit in &edits {
        assert!(edit.failed.as_ref().is_some_and(|why| why.contains("zero")), "{:?}", edit.failed);
        assert_eq!((edit.p_true, edit.p_false), (edit.p_true_after, edit.p_false_after));
        assert!(edit.unrelated.iter().all(|other| !other.flipped));
    }
}

#[test]
fn facts_that_cannot_be_edited_together_end_no_study() {
    let mut model = model("llama", &Compute::cpu("tests"));
    let facts = facts(&model);
    let settings = by(&[UltraEdit { lr: 3e38 }.into()]);
    let edits = edits_of(&mut model, &facts, settings);
    assert_eq!(edits.len(), 3);
    for edit in &edits {
        assert!(edit.failed.as_ref().is_some_and(|why| why.contains("no finite number")), "{:?}", edit.failed);
        assert_eq!((edit.p_true, edit.p_false), (edit.p_true_after, edit.p_false_after));
    }
}

#[test]
fn edits_store_their_value_and_are_undone_to_the_bit() {
    for name in ["llama", "gemma2", "gpt2", "phi"] {
        let compute = Compute::cpu("tests");
        let mut model = model(name, &compute);
        let facts = facts(&model);
        let start = block_on(header(&model, &facts, settings(), "test")).expect("header");
        let mut journal = Journal { record: start.clone(), left: usize::MAX };
        let record = block_on(run(&mut model, &facts, start, &mut journal)).expect("a study");
        let edits = record.edits.as_ref().expect("stage 3 was asked for");
        assert!(!edits.is_empty(), "{name}");
        for edit in edits {
            assert!(edit.residual <= 1e-5, "{name}: W'k is {:e} off v*", edit.residual);
            assert!(edit.restored, "{name}: the weights are not what they were");
            assert_eq!(edit.loss.len(), 21, "{name}");
            assert!(edit.relative_change > 0.0, "{name}");
            let fact = record.facts.iter().find(|fact| fact.order == edit.fact).expect("its fact");
            let traced = fact.traced().expect("traced");
            assert!((edit.p_true - traced.p_clean).abs() <= 1e-5, "{name}");
            assert!((edit.p_false - traced.p_false).abs() <= 1e-5, "{name}");
            assert_eq!((edit.paraphrases.len(), edit.neighbourhood.len()), (1, 1), "{name}");
        }
        // The weights are whole again: the same study gives the same record.
        let start = block_on(header(&model, &facts, settings(), "test")).expect("header");
        let mut journal = Journal { record: start.clone(), left: usize::MAX };
        assert_eq!(block_on(run(&mut model, &facts, start, &mut journal)).expect("again"), record, "{name}");
    }
}

/// What shards and other machines rest on.
#[test]
fn numbers_depend_neither_on_threads_nor_on_batches() {
    for name in ["llama", "gemma3", "gpt2", "phi"] {
        let compute = Compute::cpu("tests");
        let study = |threads: usize, trace_batch: usize, screen_batch: usize, rows: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                let mut model = model(name, &compute);
                let facts = facts(&model);
                let start = block_on(header(&model, &facts, Settings { rows, ..settings() }, "test")).expect("header");
                let settings = Settings { trace_batch, screen_batch, rows, ..start.settings.clone() };
                let start = Record { settings, ..start };
                let mut journal = Journal { record: start.clone(), left: usize::MAX };
                let record = block_on(run(&mut model, &facts, start, &mut journal)).expect("a study");
                serde_json::to_string(&(record.facts, record.edits)).expect("JSON")
            })
        };
        let one = study(1, 4, 32, 2048);
        for (threads, trace_batch, screen_batch, rows) in
            [(2, 4, 32, 2048), (7, 4, 32, 2048), (2, 1, 5, 16), (3, 9, 7, 256)]
        {
            let other = study(threads, trace_batch, screen_batch, rows);
            assert!(one == other, "{name}: {threads} threads, {trace_batch} facts, {rows} rows give other numbers");
        }
    }
}
