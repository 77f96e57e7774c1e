//! The lab's engine, as a page uses it, against what the stages compute one by one.

use engram_core::device::Compute;
use engram_core::edit::read_adapter;
use engram_core::emit::Files;
use engram_core::facts::{Fact, FactFile, parse};
use engram_core::journal::Found;
use engram_core::lab::{Lab, Log};
use engram_core::load::Model;
use engram_core::pause::{self, Pause};
use engram_core::protocol::{Command, EditCommand, Event, MapSite, Question, from_json, to_json};
use engram_core::record::{Corruption, EditSettings, Record, Settings, Spsa, Traced};
use engram_core::service;
use engram_core::trace::{capture_facts, lens, maps, stage1, tokenize};
use engram_core::weights::Checkpoint;
use engram_core::{Error, Kind, Result, journal};
use pollster::block_on;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;

const PROMPT: &str = "Miles Davis performed as a musician on the";
const SUBJECT: &str = "Miles Davis";

fn facts() -> FactFile {
    parse("facts.json", include_bytes!("../core/bundled/facts.json")).expect("bundled facts")
}

fn model() -> Model {
    named("engram-llama")
}

fn named(name: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled/models").join(name);
    let checkpoint = block_on(Checkpoint::open(&folder, None)).expect("a bundled model");
    block_on(Model::load(&checkpoint, name, Compute::cpu("tests"), &|_, _| {})).expect("it loads")
}

fn lab() -> Lab {
    Lab::new(model(), facts(), "tests")
}

fn question() -> Question {
    Question {
        prompt: PROMPT.into(),
        subject: SUBJECT.into(),
        target: None,
        target_new: None,
        corruption: Settings::default().corruption,
        positions: Settings::default().positions,
        window: 3,
        maps: true,
    }
}

/// Asks, and gathers what is told before the answer; everything passes through JSON, as it does in a page.
fn ask(lab: &mut Lab, ask: Command) -> (Vec<Event>, Result<Event>) {
    let told = RefCell::new(Vec::new());
    let tell = |news: Event| told.borrow_mut().push(from_json(&to_json(&news).expect("finite")).expect("readable"));
    let answer = block_on(lab.answer(&ask, &tell));
    (told.into_inner(), answer)
}

fn traced(lab: &mut Lab, question: Question) -> (Record, bool, Vec<Event>) {
    let (told, answer) = ask(lab, Command::Trace(question));
    match answer.expect("it can be traced") {
        Event::Trace { record, cost, .. } => (*record, cost.cached, told),
        other => panic!("not a trace: {other:?}"),
    }
}

fn close(a: &[f32], b: &[f32], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-6, "{what}: {a} and {b}");
    }
}

#[test]
fn a_trace_is_what_the_stages_compute_and_its_rows_come_one_by_one() {
    let mut lab = lab();
    let (record, cached, told) = traced(&mut lab, question());
    assert!(!cached);
    let (fact, got) = record.validated().next().expect("one fact");
    let asked = Fact::asked(PROMPT, SUBJECT, &fact.target_true, &fact.target_new).expect("a fact");
    assert_eq!(fact.target_true, "trumpet", "the model's own answer");

    let model = model();
    let prepared = tokenize(&model, &asked, &record.settings).expect("tokens").expect("a fact");
    let want = block_on(stage1(&model, &[&prepared], &record.settings)).expect("stage 1").remove(0);
    for (position, curve) in &want.patched {
        close(curve, &got.patched[position], position.name());
    }
    close(&want.without_block, &got.without_block, "without block");
    close(&[want.p_clean, want.p_corrupt, want.p_false], &[got.p_clean, got.p_corrupt, got.p_false], "p");
    let spread = want.patched.values().flatten().fold(0.0f32, |most, p| most.max((p - want.p_corrupt).abs()));
    assert!(spread > 0.1, "a trace of nothing would pass: {spread}");

    // One batch for everything, and one batch a row, give the same map.
    let whole = {
        let group = block_on(capture_facts(&model, &[&prepared], &record.settings)).expect("capture");
        block_on(maps(&model, &prepared, &record.settings, want.p_corrupt, (&group, 0), None)).expect("maps")
    };
    let live = got.maps.as_ref().expect("maps");
    for (a, b) in whole.residual.iter().zip(&live.residual) {
        close(a, b, "residual map");
    }
    for (a, b) in whole.mlp.iter().chain(&whole.attention).zip(live.mlp.iter().chain(&live.attention)) {
        close(a, b, "MLP and attention maps");
    }
    let mut rows = 0;
    for news in &told {
        if let Event::MapRow { site, position, values } = news {
            let map = match site {
                MapSite::Residual => &live.residual,
                MapSite::Mlp => &live.mlp,
                MapSite::Attention => &live.attention,
            };
            assert_eq!(&map[*position], values);
            rows += 1;
        }
    }
    assert_eq!(rows, 3 * live.residual.len());
    assert!(matches!(told[1], Event::Traced(_)), "per-layer values come before the maps");

    // The most probable next tokens of both runs, and with a cell put back: the answer's probability is the cell's.
    let Event::Runs { clean, corrupt } = &told[0] else { panic!("not the runs: {:?}", told[0]) };
    assert_eq!((clean.len(), corrupt.len()), (5, 5));
    assert!(clean.is_sorted_by(|a, b| a.p >= b.p) && clean[0].text.trim() == "trumpet", "{clean:?}");
    close(&[clean[0].p], &[want.p_clean], "p in the clean run");
    let mut compared = 0;
    for (site, map) in
        [(MapSite::Residual, &live.residual), (MapSite::Mlp, &live.mlp), (MapSite::Attention, &live.attention)]
    {
        for (position, row) in map.iter().enumerate().skip(prepared.corrupt_span.start) {
            for layer in [1, 4, 8] {
                let ask_ = Command::PutBack { question: question(), site, position, layer };
                let Ok(Event::Words(words)) = ask(&mut lab, ask_).1 else { continue };
                if let Some(own) = words.iter().find(|word| word.text.trim() == "trumpet") {
                    close(&[own.p], &[row[layer - 1]], "p with a cell put back");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 10, "{compared} cells");
    for (position, layer) in [(99, 1), (prepared.corrupt_span.start, 9), (prepared.corrupt_span.start, 0)] {
        let wrong = Command::PutBack { question: question(), site: MapSite::Residual, position, layer };
        assert!(ask(&mut lab, wrong).1.is_err_and(|error| error.next_step().is_some()));
    }

    // A script has the map's own number, and the model's tokens.
    let files = Files::bundled("llama", "engram-llama");
    for (site, map) in [(MapSite::Residual, &live.residual), (MapSite::Mlp, &live.mlp)] {
        let (position, layer) = (prepared.corrupt_span.end - 1, 3);
        let script = block_on(lab.script(&question(), (site, position, layer), &files)).expect("a script");
        let (_, told) = script.split_once("\"put back\": ").expect("its number");
        let told: f32 = told.split('}').next().and_then(|number| number.parse().ok()).expect("a number");
        close(&[told], &[map[position][layer - 1]], "p in the script");
        assert!(script.contains(&format!("clean = {:?}", prepared.clean)), "{script}");
        assert!(script.contains("core/bundled/models/engram-llama"), "{script}");
        assert!(block_on(lab.script(&question(), (site, 99, layer), &files)).is_err());
    }

    // After the last layer the clean run says what the model says, after each layer what the lens reads there; attention adds up.
    let Ok(Event::Forward(after)) = ask(&mut lab, Command::Forward { question: question() }).1 else {
        panic!("no forward pass")
    };
    assert_eq!(after.len(), model.layers());
    assert_eq!(
        after[7].words.iter().map(|word| &word.text).collect::<Vec<_>>(),
        clean.iter().map(|word| &word.text).collect::<Vec<_>>()
    );
    let own_lens = got.lens.as_ref().expect("a lens");
    for (at, layer) in after.iter().enumerate() {
        assert_eq!((layer.words.len(), &layer.words[0].text), (5, &own_lens.top[at]), "layer {}", at + 1);
        if let Some(own) = layer.words.iter().find(|word| word.text.trim() == "trumpet") {
            close(&[own.p], &[own_lens.p_true[at]], "p after a layer");
        }
        assert!(!layer.attention.is_empty());
        for head in &layer.attention {
            assert_eq!(head.len(), got.tokens.len());
            close(&[head.iter().sum()], &[1.0], "attention of the last token");
        }
    }

    // The lens ends in the model's own prediction.
    let group = block_on(capture_facts(&model, &[&prepared], &record.settings)).expect("capture");
    let seen = block_on(lens(&model, &prepared, &group, 0)).expect("lens");
    assert_eq!(Some(&seen), got.lens.as_ref());
    close(&[seen.p_true[7], seen.p_false[7]], &[want.p_clean, want.p_false], "the lens at the last layer");
    assert_eq!((seen.rank_true[7], seen.p_true.len()), (1, model.layers()));
    assert!(seen.rank_true[0] > 1, "the first layer does not know it yet");
}

#[test]
fn an_open_replacement_has_as_many_tokens_as_the_subject() {
    let mut lab = lab();
    let open = Question { corruption: Corruption::Replace { with: String::new() }, ..question() };
    let (record, ..) = traced(&mut lab, open.clone());
    let (fact, got) = record.validated().next().expect("one fact");
    let Corruption::Replace { with } = &record.settings.corruption else { panic!("a replacement") };
    assert!(!with.is_empty() && *with != fact.subject, "{with}");
    assert_eq!(got.tokens.len(), got.corrupt_tokens.len(), "{with}");
    assert_eq!(got.subject_span, got.corrupt_span);
    let last = got.subject_span[1] - 1;
    assert_ne!(got.tokens[last], got.corrupt_tokens[last], "{with}");
    assert_eq!(traced(&mut lab, open).0, record, "the same each time");
    // Named, it is the same run.
    let named = Question { corruption: record.settings.corruption.clone(), ..question() };
    assert_eq!(traced(&mut lab, named).0.facts, record.facts);
}

#[test]
fn the_second_run_starts_from_the_first_ones_activations_until_the_weights_change() {
    let mut lab = lab();
    let (first, cached, _) = traced(&mut lab, question());
    assert!(!cached);
    let (second, cached, _) = traced(&mut lab, question());
    assert!(cached);
    assert_eq!(first.facts, second.facts, "to the last bit");
    let noisy = Question { corruption: Corruption::Noise { sigmas: 3.0, draws: 2, sigma: 0.0 }, ..question() };
    let (third, cached, _) = traced(&mut lab, noisy);
    assert!(!cached && third.facts != first.facts);
    edit(&mut lab, "piano");
    let (fourth, cached, _) = traced(&mut lab, question());
    assert!(!cached && fourth.facts != first.facts, "the edited model is another one");
}

fn edit(lab: &mut Lab, new: &str) -> (Box<engram_core::protocol::Edited>, usize) {
    let target = if new == "piano" { "trumpet" } else { "piano" };
    let wanted = EditCommand {
        prompt: PROMPT.into(),
        subject: SUBJECT.into(),
        target: target.into(),
        target_new: new.into(),
        layer: Some(2),
        method: Spsa { steps: 60, ..Spsa::default() }.into(),
        seed: 42,
    };
    let (told, answer) = ask(lab, Command::Edit(wanted));
    let losses = told.iter().filter(|news| matches!(news, Event::Loss { .. })).count();
    match answer.expect("it can be edited") {
        Event::Edited(edited) => (edited, losses),
        other => panic!("not an edit: {other:?}"),
    }
}

#[test]
fn edits_stay_until_they_are_taken_back_and_then_every_bit_is_as_before() {
    let mut lab = lab();
    let (before, ..) = traced(&mut lab, question());
    let (first, losses) = edit(&mut lab, "piano");
    assert_eq!((first.edit, losses), (1, 61));
    assert!(first.said[0].starts_with(" trumpet") && first.said[1].starts_with(" piano"), "{:?}", first.said);
    assert!(first.record.p_false_after > first.record.p_false && first.record.restored);
    assert!(!first.record.unrelated.is_empty() && first.record.unrelated.len() == first.unrelated.len());
    assert!(!first.record.paraphrases.is_empty(), "a bundled fact brings its paraphrases");
    assert!(first.relative_norm > 0.0 && first.relative_norm.is_finite(), "{}", first.relative_norm);
    // Both answers, without the edit and with it, as they are traced by themselves; and it is in force as before.
    let wanted = Question { target: Some("trumpet".into()), target_new: Some("piano".into()), ..question() };
    let again = |lab: &mut Lab, edit| ask(lab, Command::Retrace { edit, question: wanted.clone() }).1;
    let (own, four) = match again(&mut lab, first.edit).expect("it can be traced again") {
        Event::Retraced(both) => (both.own, both.again),
        other => panic!("not traced again: {other:?}"),
    };
    let values = |traced: &Traced| (traced.p_clean, traced.patched.clone(), traced.maps.clone());
    let alone = |record: &Record| values(record.facts[0].traced().expect("traced"));
    assert_eq!(values(own.traced().expect("traced")), alone(&before));
    let (edited, ..) = traced(&mut lab, wanted.clone());
    assert_eq!(values(&four.old_after), alone(&edited), "the edit is in force");
    let close = |one: f32, other: f32| (one - other).abs() < 1e-6;
    assert!(close(four.new_after.p_clean, first.record.p_false_after), "{}", four.new_after.p_clean);
    assert!(close(four.new_before.p_clean, first.record.p_false), "{}", four.new_before.p_clean);
    assert!(again(&mut lab, 9).expect_err("no such edit").message().contains("not in force"));
    let (second, _) = edit(&mut lab, "guitar");
    assert!(lab.delta().is_ok_and(|bytes| bytes.len() > 2 * 4 * 128));
    // Both edits are one adapter, which is read as what is in force; a script is of the model as it was loaded.
    let files = Files::bundled("llama", "engram-llama");
    let adapter = lab.adapter(&files).expect("an adapter");
    let read = read_adapter(&lab.model().net, &adapter.config, &adapter.weights).expect("a change");
    let [term] = read.overlay.terms.as_slice() else { panic!("{} terms", read.overlay.terms.len()) };
    let own: Vec<&[f32]> = lab.model().overlays.iter().map(|edit| edit.terms[0].u[0].as_slice()).collect();
    assert_eq!(term.u.iter().map(Vec::as_slice).collect::<Vec<_>>(), own);
    assert!(String::from_utf8_lossy(&adapter.config).contains("core/bundled/models/engram-llama"));
    let refused = block_on(lab.script(&question(), (MapSite::Residual, 3, 3), &files)).expect_err("edits are in force");
    assert!(refused.message().contains("edits are in force"), "{refused}");

    // The first one goes, the second stays.
    let undone = |answer: Result<Event>| match answer.expect("it can be undone") {
        Event::Undone { left, restored } => (left, restored),
        other => panic!("not undone: {other:?}"),
    };
    assert_eq!(undone(ask(&mut lab, Command::Undo { edit: Some(1) }).1), (vec![second.edit], true));
    let (between, ..) = traced(&mut lab, question());
    assert_ne!(between.facts, before.facts);
    let twice = ask(&mut lab, Command::Undo { edit: Some(1) }).1.expect_err("it is gone");
    assert!(twice.message().contains("not in force"));

    assert_eq!(undone(ask(&mut lab, Command::Undo { edit: None }).1), (vec![], true));
    let (after, ..) = traced(&mut lab, question());
    assert_eq!(after.facts, before.facts, "bit for bit");
    assert!(lab.delta().is_err());
}

#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    fails_after: Option<usize>,
}

impl Log for Lines {
    fn append(&mut self, line: &[u8]) -> Result<()> {
        if self.fails_after.is_some_and(|most| self.bytes.iter().filter(|byte| **byte == b'\n').count() >= most) {
            return Err(Error::io("the disk is full"));
        }
        self.bytes.extend_from_slice(line);
        Ok(())
    }
}

/// A study of a lab's model on its own facts.
async fn studied(
    lab: &Lab,
    settings: Settings,
    begun: Option<Found>,
    log: &mut Lines,
    tell: &dyn Fn(Event),
) -> Result<Record> {
    service::study(&mut lab.model().share(), lab.facts(), settings, begun, ("k", "tests"), log, tell).await
}

#[test]
fn a_study_that_broke_off_goes_on_from_its_journal_to_the_same_record() {
    let settings = Settings { n: 12, maps: 1, window: 3, ..Settings::default() };
    let settings = Settings {
        edit: EditSettings {
            facts: 2,
            unrelated: 3,
            methods: vec![Spsa { steps: 20, ..Spsa::default() }.into()],
            ..settings.edit.clone()
        },
        ..settings
    };
    let lab = lab();
    let whole = block_on(studied(&lab, settings.clone(), None, &mut Lines::default(), &|_| {})).expect("runs");
    assert_eq!(whole.validated().count(), 12);
    assert_eq!(whole.edits.as_ref().map(Vec::len), Some(2));
    let mut begun_again = None;
    for cut in [1, 7, 20] {
        let mut log = Lines { fails_after: Some(cut), ..Lines::default() };
        let broken = block_on(studied(&lab, settings.clone(), None, &mut log, &|_| {}));
        assert_eq!(broken.expect_err("the log fails").kind, Kind::Io);
        // The worker cuts what is not whole, as after a tab that was closed while it wrote.
        log.bytes.extend_from_slice(b"{\"order\":3,");
        let begun = journal::find(&log.bytes).expect("a journal");
        let Found::Study(resumed) = &begun else { panic!("its header is whole") };
        log.bytes.truncate(resumed.kept as usize);
        let note = RefCell::new(None);
        let tell = |news| {
            if let Event::StudyHeader { note: told, .. } = news {
                *note.borrow_mut() = told;
            }
        };
        log.fails_after = None;
        let resumed = block_on(studied(&lab, settings.clone(), Some(begun), &mut log, &tell)).expect("goes on");
        assert!(note.borrow().as_deref().is_some_and(|note| note.contains("was cut off")), "{note:?}");
        assert_eq!(resumed, whole, "cut after {cut} lines");
        let kept = journal::read_bytes("journal", &log.bytes).expect("the journal holds it all");
        assert_eq!((&kept.record, &kept.dropped, kept.undigested), (&whole, &None, false));
        begun_again = Some(Found::Study(Box::new(kept)));
    }
    let other = Settings { seed: 7, ..settings };
    let refused = block_on(studied(&lab, other, begun_again, &mut Lines::default(), &|_| {}));
    assert!(refused.expect_err("another study").message().contains("settings.seed"));
}

struct After(Cell<usize>);

impl Pause for After {
    fn cancelled(&self) -> bool {
        self.0.get() == 0
    }
    fn rest(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        self.0.set(self.0.get().saturating_sub(1));
        None
    }
}

#[test]
fn work_can_be_cancelled_at_any_point_and_leaves_nothing_behind() {
    let mut lab = lab();
    let (before, ..) = traced(&mut lab, question());
    // Natively a point comes between groups of passes, in a tab between blocks.
    for points in [1, 10, 40, 90] {
        for asked in [Command::Trace(question()), Command::Speak { prompt: PROMPT.into(), tokens: 200 }] {
            pause::install(Some(Rc::new(After(Cell::new(points)))));
            let (_, answer) = ask(&mut lab, asked);
            pause::install(None);
            assert!(answer.is_ok() || answer.is_err_and(|error| error.kind == Kind::Cancelled));
        }
        pause::install(Some(Rc::new(After(Cell::new(points)))));
        let wanted = EditCommand {
            prompt: PROMPT.into(),
            subject: SUBJECT.into(),
            target: "trumpet".into(),
            target_new: "piano".into(),
            layer: None,
            method: Spsa { steps: 100, ..Spsa::default() }.into(),
            seed: 1,
        };
        let (_, answer) = ask(&mut lab, Command::Edit(wanted));
        pause::install(None);
        assert_eq!(answer.expect_err("100 steps have more points").kind, Kind::Cancelled);
        let (after, ..) = traced(&mut lab, question());
        assert_eq!(after.facts, before.facts, "cancelled after {points} points");
    }
}

#[test]
fn questions_that_make_no_sense_are_told() {
    let mut lab = lab();
    let mut refused = |question: Question, words: &str| {
        let error = ask(&mut lab, Command::Trace(question)).1.expect_err(words);
        assert!(error.to_string().contains(words) && error.next_step().is_some(), "{error}");
    };
    refused(Question { subject: "Ornette".into(), ..question() }, "is not in the prompt");
    refused(Question { subject: String::new(), ..question() }, "there is no subject");
    let same = Some("trumpet".to_owned());
    refused(Question { target: same.clone(), target_new: same, ..question() }, "begin with");
    let long = format!("{SUBJECT} {} on the", "played ".repeat(200));
    refused(Question { prompt: long.clone(), ..question() }, "the model takes 128");
    let error = ask(&mut lab, Command::Speak { prompt: long, tokens: 3 }).1.expect_err("too long");
    assert!(error.message().contains("the model takes 128"), "{error}");
    let tokens = match ask(&mut lab, Command::Tokenize { prompt: PROMPT.into(), subject: SUBJECT.into() }).1 {
        Ok(Event::Tokenized(tokens)) => tokens,
        other => panic!("{other:?}"),
    };
    let subject: String = tokens.tokens.iter().filter(|token| token.subject).map(|token| token.text.as_str()).collect();
    assert_eq!((subject.trim(), tokens.problem), (SUBJECT, None));
}

#[test]
fn the_stored_study_of_the_page_is_what_the_engine_computes() {
    let stored = journal::from_bytes("sample", include_bytes!("../web/sample.engram.json.gz")).expect("a record");
    let lab = Lab::new(named(&stored.model.name), facts(), "tests");
    let again = block_on(studied(&lab, stored.settings.clone(), None, &mut Lines::default(), &|_| {}));
    let again = again.expect("it runs");
    assert_eq!(
        (&again.model.weights_sha256, &again.source.sha256),
        (&stored.model.weights_sha256, &stored.source.sha256)
    );
    assert_eq!(again.facts.len(), stored.facts.len());
    let close = |a: &[f32], b: &[f32], what: &str| {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4), "{what}: {a:?} and {b:?}");
    };
    for ((fact, new), (_, old)) in again.validated().zip(stored.validated()) {
        for (position, curve) in &new.patched {
            close(curve, &old.patched[position], &fact.prompt);
        }
        close(&new.without_mlp, &old.without_mlp, &fact.prompt);
        let (new, old) = (new.lens.as_ref(), old.lens.as_ref());
        assert_eq!(new.is_some(), old.is_some());
        if let (Some(new), Some(old)) = (new, old) {
            close(&new.p_true, &old.p_true, &fact.prompt);
        }
    }
    let edits = |record: &Record| -> Vec<(usize, usize)> {
        record.edits.iter().flatten().map(|edit| (edit.fact, edit.layer)).collect()
    };
    assert_eq!(edits(&again), edits(&stored));
    assert!(edits(&stored).len() >= 5 && stored.validated().count() >= 50);
}
