//! Stage 3 at several layers, in batches, and one edit after the other: every shortcut against the plain way, and wherever a
//! study is stopped, going on gives the same record without a second search.

use engram_core::device::Compute;
use engram_core::edit::{EditTarget, edit_one, prepare, tokens_of};
use engram_core::facts::{FactFile, statements};
use engram_core::journal::{Chain, Found, SequenceLine, find, header_line, to_json};
use engram_core::load::Model;
use engram_core::metrics::{Dominant, dominant, predictions, sequence_summaries};
use engram_core::pack::{from_text, to_text};
use engram_core::protocol::StudyPhase;
use engram_core::record::{
    Checkpoint, EditLayers, EditMethod, EditRecord, EditSettings, PatchPosition, Record, SecondMomentSettings,
    Settings, Traced,
};
use engram_core::run::{Edited, Prompt, Read, Sites};
use engram_core::second_moment::StatsText;
use engram_core::study::{Event, Observer, header, is_complete, run};
use engram_core::tensor::Matrix;
use engram_core::verify::{self, State};
use engram_core::{Kind, Result};
use engram_tests::fixtures::model;
use engram_tests::made::{facts, settings};
use pollster::block_on;
use std::collections::BTreeMap;

/// A journal in memory; stops after so many lines.
struct Journal {
    bytes: Vec<u8>,
    chain: Chain,
    left: usize,
    /// Steps of searches that were told.
    searched: usize,
}

impl Journal {
    fn new(bytes: Vec<u8>, chain: Chain, left: usize) -> Self {
        Self { bytes, chain, left, searched: 0 }
    }
}

impl Observer for Journal {
    fn event(&mut self, event: Event<'_>) -> Result<()> {
        if let Event::Progress { phase: StudyPhase::Optimize, .. } = event {
            self.searched += 1;
        }
        if let Some(line) = event.line()? {
            self.bytes.extend(self.chain.seal(&line));
            self.left = self.left.saturating_sub(1);
        }
        Ok(())
    }

    fn stop(&self) -> bool {
        self.left == 0
    }
}

struct Bench {
    model: Model,
    facts: FactFile,
}

impl Bench {
    fn new(name: &str) -> Self {
        let mut model = model(name, &Compute::cpu("tests"));
        let facts = facts(&model);
        model.second_moments.text = Some(StatsText::new("facts", statements(&facts.facts)));
        Self { model, facts }
    }

    fn study(&mut self, settings: &Settings) -> (Record, Journal) {
        let (found, journal) = self.until(settings, usize::MAX, None);
        (found.expect("a study"), journal)
    }

    /// A study that goes on from a journal, and stops after so many lines.
    fn until(&mut self, settings: &Settings, lines: usize, begun: Option<&[u8]>) -> (Result<Record>, Journal) {
        let start = block_on(header(&self.model, &self.facts, settings.clone(), "test")).expect("header");
        let (record, mut journal) = match begun {
            None => {
                let mut chain = Chain::default();
                let bytes = chain.seal(&header_line(&start).expect("a line"));
                (start, Journal::new(bytes, chain, lines))
            }
            Some(bytes) => {
                let Found::Study(found) = find(bytes).expect("a journal") else { panic!("nothing in the journal") };
                assert_eq!(found.dropped, None);
                (found.record, Journal::new(bytes.to_vec(), found.chain, lines))
            }
        };
        let found = block_on(run(&mut self.model, &self.facts, record, &mut journal));
        (found, journal)
    }

    /// Killed after every line behind the facts', a study goes on to the same record, to the byte; and it can be stopped.
    fn goes_on(&mut self, settings: &Settings) -> Record {
        let (whole, journal) = self.study(settings);
        let bytes = to_json(&whole).expect("JSON");
        let lines: Vec<&[u8]> = journal.bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for kept in 1 + whole.facts.len()..lines.len() {
            let (resumed, after) = self.until(settings, usize::MAX, Some(&lines[..kept].concat()));
            let resumed = to_json(&resumed.expect("it goes on")).expect("JSON");
            assert!(resumed == bytes, "killed after {kept} of {} lines", lines.len());
            let Found::Study(found) = find(&after.bytes).expect("a journal") else { panic!("nothing in it") };
            assert!(is_complete(&found.record, &self.facts).expect("the same study"));
        }
        let (stopped, _) = self.until(settings, lines.len() / 2, None);
        assert_eq!(stopped.expect_err("it was stopped").kind, Kind::Cancelled);
        assert!(is_complete(&whole, &self.facts).expect("the same study"));
        assert!(
            verify::record(&whole).iter().all(|check| check.state != State::Failed),
            "{:?}",
            verify::record(&whole)
        );
        whole
    }
}

fn by(methods: &[&str], edit: EditSettings) -> Settings {
    let mut methods: Vec<EditMethod> = methods.iter().map(|name| EditMethod::named(name).expect("a method")).collect();
    methods.iter_mut().for_each(|method| method.set_count("steps", 4));
    let second_moment = SecondMomentSettings { keys: 60, window: 12, ridge: 0.1, ..SecondMomentSettings::default() };
    let contexts = vec!["The capital. {}".into(), "Italy is born. {}".into()];
    let edit = EditSettings { methods, contexts, second_moment, ..edit };
    Settings { edit, maps: 0, ..settings() }
}

fn edits(record: &Record) -> &[EditRecord] {
    record.edits.as_deref().expect("stage 3 was asked for")
}

#[test]
fn an_edit_of_a_sweep_is_the_edit_at_that_layer_alone() {
    for name in ["llama", "gemma2", "gpt2", "phi"] {
        let mut bench = Bench::new(name);
        let layers = bench.model.layers();
        let methods = ["rome", "r-rome", "spsa", "lora", "ft-m", "memit"];
        let wanted = |layers| by(&methods, EditSettings { layers, ..settings().edit });
        let (sweep, _) = bench.study(&wanted(EditLayers::All));
        assert_eq!(edits(&sweep).len(), methods.len() * 3 * layers, "{name}");
        for layer in 1..=layers {
            let (alone, _) = bench.study(&wanted(EditLayers::of([layer])));
            for edit in edits(&alone) {
                let same = edits(&sweep).iter().find(|one| one.is_of(edit.method, edit.fact, layer));
                assert_eq!(same, Some(edit), "{name}, layer {layer}, {}", methods[edit.method]);
            }
        }
        let found = predictions(&sweep);
        assert_eq!(found.len(), methods.len(), "{name}");
        assert!(found.iter().all(|one| one.facts == 3 && one.layers.len() == layers), "{name}");
    }
}

#[test]
fn a_sweep_goes_on_where_it_stopped_and_searches_nothing_twice() {
    let mut bench = Bench::new("llama");
    let wanted = by(&["rome", "memit"], EditSettings { layers: EditLayers::of([1, 2]), ..settings().edit });
    let whole = bench.goes_on(&wanted);
    assert_eq!(edits(&whole).len(), 2 * 3 * 2);
    let places: Vec<(usize, usize)> = edits(&whole)[..6].iter().map(|edit| (edit.fact, edit.layer)).collect();
    assert!(places.chunks(2).all(|pair| pair[0].0 == pair[1].0 && pair[1].1 == 2), "fact after fact: {places:?}");
    // With all of a method's edits there, it is not searched again.
    let (_, journal) = bench.study(&wanted);
    let lines: Vec<&[u8]> = journal.bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let rome = lines.len() - 6;
    let (resumed, after) = bench.until(&wanted, usize::MAX, Some(&lines[..rome].concat()));
    assert_eq!(resumed.expect("it goes on"), whole);
    assert!(after.searched > 0 && after.searched < journal.searched, "{} {}", after.searched, journal.searched);
}

#[test]
fn what_mlps_restore_is_what_the_map_has_at_the_patch_positions() {
    let mut bench = Bench::new("gemma3");
    let edit = EditSettings { layers: EditLayers::All, facts: 2, ..settings().edit };
    let wanted = Settings { maps: 7, window: 2, ..by(&["spsa"], edit) };
    let (record, _) = bench.study(&wanted);
    let swept: Vec<_> = record.validated().filter(|(_, traced)| !traced.patched_mlp.is_empty()).collect();
    assert_eq!(swept.len(), 2);
    for (fact, traced) in swept {
        let maps = traced.maps.as_ref().expect("a map");
        for (position, at) in [
            (PatchPosition::SubjectLast, traced.corrupt_span[1] - 1),
            (PatchPosition::LastToken, traced.corrupt_tokens.len() - 1),
        ] {
            assert_eq!(traced.patched_mlp[&position], maps.mlp[at], "{}, {}", fact.id, position.name());
        }
    }
}

#[test]
fn batches_are_edited_apart_from_each_other() {
    let mut bench = Bench::new("llama");
    let of = |batch, facts| {
        let usual = settings().edit;
        by(&["memit"], EditSettings { layers: EditLayers::of([2]), batch, facts, unrelated: 0, ..usual })
    };
    let (one, _) = bench.study(&of(1, 3));
    let (two, _) = bench.study(&of(2, 3));
    let (all, _) = bench.study(&of(0, 2));
    assert_eq!(edits(&two)[..2], edits(&all)[..2], "the first two together");
    assert_eq!(edits(&two)[2], edits(&one)[2], "the third alone");
    assert_ne!(edits(&two)[0].p_false_after, edits(&one)[0].p_false_after);
}

#[test]
fn edits_one_after_the_other_go_on_where_they_stopped() {
    for (name, methods) in [("llama", &["rome", "lora"][..]), ("gpt2", &["alphaedit"]), ("phi", &["memit", "spsa"])] {
        let mut bench = Bench::new(name);
        let edit = EditSettings { layers: EditLayers::of([2]), facts: 4, sequence: 4, ..settings().edit };
        let whole = bench.goes_on(&by(methods, edit));
        assert_eq!(whole.edits, None);
        assert_eq!(whole.sequences.len(), methods.len(), "{name}");
        for sequence in &whole.sequences {
            let counts: Vec<usize> = sequence.checkpoints.iter().map(|one| one.edits).collect();
            assert_eq!((sequence.steps.len(), counts.as_slice()), (4, &[1, 3, 4][..]), "{name}");
            let last = &sequence.checkpoints[2];
            assert_eq!((last.edited.len(), last.untouched.len()), (4, 3), "{name}");
            assert!(last.perplexity.is_some_and(|[before, now]| before > 1.0 && now > 1.0 && before != now), "{name}");
            assert!(sequence.steps.iter().all(|step| step.change.is_empty() && step.edits.len() == 1), "{name}");
        }
        assert_eq!(sequence_summaries(&whole).len(), methods.len());
    }
}

/// What a journal from elsewhere has in a change's place is refused, never run.
#[test]
fn changes_that_do_not_fit_the_model_are_refused() {
    let mut bench = Bench::new("llama");
    let edit = EditSettings { layers: EditLayers::of([2]), facts: 2, sequence: 2, ..settings().edit };
    let wanted = by(&["rome"], edit);
    let (_, journal) = bench.study(&wanted);
    let lines: Vec<&[u8]> = journal.bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let place = lines.iter().position(|line| line.starts_with(b"{\"sequence\"")).expect("a step");
    let Found::Study(found) = find(&lines[..=place].concat()).expect("a journal") else { panic!("nothing in it") };
    let good = found.record.sequences[0].steps[0].change.clone();
    let bytes = from_text(&good).expect("base64");
    let with = |old: &str, new: &str| {
        let mut bytes = bytes.clone();
        let places: Vec<usize> =
            (0..bytes.len() - old.len()).filter(|&at| bytes[at..].starts_with(old.as_bytes())).collect();
        places.iter().for_each(|&at| bytes[at..at + new.len()].copy_from_slice(new.as_bytes()));
        assert!(places.len() > 1 && old.len() == new.len());
        to_text(&bytes)
    };
    let keys: [BTreeMap<usize, Vec<String>>; 2] =
        [[(2, vec!["AAAAAAAA8D8=".into()])].into(), [(0, vec!["é".into()])].into()];
    let cases = [
        (String::new(), BTreeMap::new()),
        ("{}".into(), BTreeMap::new()),
        (with("layers.1.", "layers.9."), BTreeMap::new()),
        (with(".mlp.down_proj.", ".mlp.down_prox."), BTreeMap::new()),
        (good[..good.len() - 8].into(), BTreeMap::new()),
        (good.clone(), keys[0].clone()),
        (good.clone(), keys[1].clone()),
    ];
    for (change, keys) in cases {
        let mut record = found.record.clone();
        (record.sequences[0].steps[0].change, record.sequences[0].steps[0].keys) = (change.clone(), keys);
        let mut journal = Journal::new(Vec::new(), Chain::default(), usize::MAX);
        let error = block_on(run(&mut bench.model, &bench.facts, record, &mut journal)).expect_err(&change);
        assert!(error.kind == Kind::Input && error.message().contains("damaged"), "{change}: {error}");
    }
    assert!(bench.model.overlays.is_empty(), "what was in force before is in force again");
    // Lines that do not follow.
    let second =
        lines[place + 1..].iter().position(|line| line.starts_with(b"{\"sequence\"")).expect("another") + place + 1;
    let mut record = found.record.clone();
    record.sequences[0].checkpoints.clear();
    let value: serde_json::Value = serde_json::from_slice(lines[second]).expect("JSON");
    for (sequence, fits) in [(0, true), (1, false), (5, false), (usize::MAX, false)] {
        let mut line: SequenceLine = serde_json::from_value(value["sequence"].clone()).expect("a line");
        line.sequence = sequence;
        assert_eq!(line.clone().put_into(&mut record.clone()).is_ok(), fits, "{sequence}");
        assert!(SequenceLine { step: None, checkpoint: None, ..line }.put_into(&mut record.clone()).is_err());
    }
}

/// A method that ruins the model ends its sequence, not the study.
#[test]
fn a_model_that_is_ruined_ends_the_sequence_and_not_the_study() {
    let mut bench = Bench::new("llama");
    let edit = EditSettings { layers: EditLayers::of([2]), facts: 3, sequence: 3, ..settings().edit };
    let mut wanted = by(&["lora", "rome"], edit);
    let EditMethod::Lora(lora) = &mut wanted.edit.methods[0] else { panic!("it is LoRA") };
    (lora.tuning.lr, lora.alpha) = (1e30, 1e6);
    let whole = bench.goes_on(&wanted);
    let [ruined, fine] = whole.sequences.as_slice() else { panic!("{} sequences", whole.sequences.len()) };
    assert_eq!(ruined.steps.len(), 3, "each step is an edit, or one that failed");
    assert_eq!((fine.steps.len(), fine.checkpoints.len()), (3, 2));
    let summaries = sequence_summaries(&whole);
    assert_eq!(summaries[0].collapse, Some(1), "{ruined:?}");
    assert!(summaries.iter().all(|one| one.sentence().is_some()));
    // Where there is nothing finite to measure the sequence has ended.
    let mut broken = whole.clone();
    let last = &mut broken.sequences[0];
    last.checkpoints.truncate(1);
    last.checkpoints[0] =
        Checkpoint { edits: 1, broken: Some("a prediction is not a finite number".into()), ..Checkpoint::default() };
    assert!(is_complete(&broken, &bench.facts).expect("the same study"));
    let said = sequence_summaries(&broken)[0].sentence();
    assert_eq!(said.as_deref(), Some("LoRA, 1 edit in sequence: the model no longer gives finite numbers."));
}

/// The second edit is found on the model that the first one left, and both are in force where they are measured.
#[test]
fn a_step_starts_from_what_the_steps_before_left() {
    let mut bench = Bench::new("llama");
    let edit = EditSettings { layers: EditLayers::of([2]), facts: 2, sequence: 2, ..settings().edit };
    let wanted = by(&["rome"], edit);
    let (record, _) = bench.study(&wanted);
    let settings = record.settings.clone();
    let sequence = &record.sequences[0];
    block_on(prepare(&mut bench.model, &settings.edit, &[2].into(), &mut |_, _| Ok(()))).expect("second moments");
    let order = engram_core::facts::shuffled(bench.facts.facts.len(), settings.seed);
    for (at, step) in sequence.steps.iter().enumerate() {
        let fact = &bench.facts.facts[order[step.edits[0].fact]];
        let tokens = tokens_of(&bench.model, fact, &settings).expect("tokens");
        let target =
            EditTarget { order: step.edits[0].fact, fact, tokens, layer: 2, unrelated: Vec::new(), alike: Vec::new() };
        let alone = block_on(edit_one(&bench.model, &target, &settings, &mut |_| Ok(()))).expect("an edit");
        assert_eq!(alone.record.loss, step.edits[0].loss, "step {at}");
        assert_eq!(alone.record.relative_norm, Some(step.edits[0].relative_norm), "step {at}");
        bench.model.overlays.push(alone.overlay);
        let now = &sequence.checkpoints[at].edited[at];
        assert!((now.p_false_after - alone.record.p_false_after).abs() <= 1e-6, "step {at}");
    }
    // Perplexity is exp of the mean -log p of what follows each beginning of the text.
    let text = bench.model.second_moments.text.clone().expect("a text").text;
    let ids = bench.model.tokens.encode(&text).expect("tokens").ids;
    let before = bench.model.tokens.before().to_vec();
    let body = &ids[before.len()..];
    let body = &body[body.len().saturating_sub(2048)..];
    let p = |prompt: &[u32], token: u32| {
        let edited = bench.model.edited();
        let cache =
            block_on(edited.capture(&[Prompt::plain(prompt)], &Matrix::default(), &Sites::end())).expect("a run");
        let read = [(0, Read { position: prompt.len() - 1, tokens: vec![token] })];
        block_on(Edited { ..edited }.read(&cache, &read)).expect("a readout")[0].p[0]
    };
    let (mut sum, mut count) = (0.0, 0);
    for chunk in body.chunks(12 - before.len()) {
        let window = [&before[..], chunk].concat();
        for end in 1..window.len() {
            sum -= f64::from(p(&window[..end], window[end])).ln();
            count += 1;
        }
    }
    let want = (sum / f64::from(count)).exp();
    let found = f64::from(sequence.checkpoints[1].perplexity.expect("a text")[1]);
    assert!((found / want - 1.0).abs() < 1e-4, "{found} {want}");
}

/// Both answers traced again are those of a model whose weights were changed, and a killed study has the same bytes.
#[test]
fn both_answers_are_traced_again_with_the_edit_in_force() {
    for name in ["llama", "gemma2", "gpt2"] {
        let mut bench = Bench::new(name);
        let edit = EditSettings { layers: EditLayers::of([2]), facts: 2, retrace: true, ..settings().edit };
        let mut wanted = by(&["rome", "memit"], edit);
        wanted.maps = 1;
        let whole = bench.goes_on(&wanted);
        let settings = whole.settings.clone();
        let edits = whole.edits.as_deref().expect("edits");
        assert_eq!(edits.len(), 4, "{name}");
        for edit in edits {
            let again = edit.retrace.as_deref().expect("both answers");
            let own = whole.facts[edit.fact].traced().expect("traced");
            for (name, traced) in again.parts() {
                assert_eq!(traced.maps.is_some(), own.maps.is_some(), "{name}");
                assert_eq!(traced.patched.keys().collect::<Vec<_>>(), own.patched.keys().collect::<Vec<_>>(), "{name}");
                let blocks = |traced: &Traced| {
                    traced.redundancy.iter().map(|(at, curve)| (*at, curve.ablated)).collect::<Vec<_>>()
                };
                assert_eq!(blocks(traced), blocks(own), "{name}");
            }
            assert!((again.new_after.p_clean - edit.p_false_after).abs() < 1e-6, "{name}");
            assert!((again.old_after.p_clean - edit.p_true_after).abs() < 1e-6, "{name}");
        }
        // The same edit on a model with other weights, traced as any fact is.
        let order = engram_core::facts::shuffled(bench.facts.facts.len(), settings.seed);
        let edit = &edits[0];
        let fact = bench.facts.facts[order[edit.fact]].clone();
        block_on(prepare(&mut bench.model, &settings.edit, &[2].into(), &mut |_, _| Ok(()))).expect("second moments");
        let tokens = tokens_of(&bench.model, &fact, &settings).expect("tokens");
        let target =
            EditTarget { order: edit.fact, fact: &fact, tokens, layer: 2, unrelated: Vec::new(), alike: Vec::new() };
        let alone = block_on(edit_one(&bench.model, &target, &settings, &mut |_| Ok(()))).expect("an edit");
        bench.model.overlays.push(alone.overlay);
        let again = edit.retrace.as_deref().expect("both answers");
        let file = FactFile::of("alone", vec![fact]);
        let alone = Settings { n: 1, min_effect: -1.0, maps: 1, stages: vec![1], ..settings };
        let start = block_on(header(&bench.model, &file, alone, "test")).expect("header");
        let mut nobody = Journal::new(Vec::new(), Chain::default(), usize::MAX);
        let found = block_on(run(&mut bench.model, &file, start, &mut nobody)).expect("a study");
        // An edited model may not say the old answer any more: then its study drops the fact.
        if let Some(traced) = found.facts[0].traced() {
            assert_eq!(
                (traced.p_clean, &traced.patched),
                (again.old_after.p_clean, &again.old_after.patched),
                "{name}"
            );
            assert_eq!(
                traced.maps.as_ref().map(|maps| &maps.residual),
                again.old_after.maps.as_ref().map(|maps| &maps.residual)
            );
        }
    }
}

/// In a sweep the edit at the dominant layer is traced again, and no other.
#[test]
fn a_sweep_traces_again_at_the_dominant_layer() {
    let mut bench = Bench::new("llama");
    let edit = EditSettings { layers: EditLayers::All, facts: 2, retrace: true, ..settings().edit };
    let whole = bench.goes_on(&by(&["rome"], edit));
    for edit in whole.edits.iter().flatten() {
        let own = whole.facts[edit.fact].traced().expect("traced");
        let layer = dominant(own, PatchPosition::SubjectLast, false).and_then(Dominant::layer);
        assert_eq!(edit.retrace.is_some(), layer == Some(edit.layer), "fact {} at layer {}", edit.fact, edit.layer);
    }
    assert!(whole.edits.iter().flatten().any(|edit| edit.retrace.is_some()));
}

/// An edit after which nothing finite can be measured has failed; the others of the study are measured.
#[test]
fn an_edit_that_ruins_the_model_ends_no_study() {
    let mut bench = Bench::new("llama");
    let edit = EditSettings { layers: EditLayers::of([2]), facts: 2, retrace: true, ..settings().edit };
    let mut wanted = by(&["lora", "rome"], edit);
    let mut unmeasured = 0;
    // Some change is small enough to be one, and large enough that no finite number comes of it.
    for alpha in [1e6, 1e8, 1e9, 1e10, 1e11, 1e12] {
        let EditMethod::Lora(lora) = &mut wanted.edit.methods[0] else { panic!("it is LoRA") };
        (lora.tuning.lr, lora.alpha) = (1e26, alpha);
        let whole = bench.goes_on(&wanted);
        let edits = whole.edits.as_deref().expect("edits");
        assert_eq!(edits.len(), 4);
        let (ruined, fine): (Vec<_>, Vec<_>) = edits.iter().partition(|edit| edit.method == 0);
        assert!(fine.iter().all(|edit| edit.failed.is_none() && edit.retrace.is_some()));
        assert!(ruined.iter().all(|edit| edit.failed.is_none() || edit.retrace.is_none()));
        let finite = |why: &String| why.contains("not finite") || why.contains("not a finite");
        unmeasured += ruined.iter().filter(|edit| edit.failed.as_ref().is_some_and(finite)).count();
    }
    assert!(unmeasured > 0, "no edit has ruined the model");
}
