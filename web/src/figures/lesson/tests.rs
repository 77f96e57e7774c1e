use super::values::{Expression, Scope};
use super::*;
use crate::{load, sample};
use engram_core::protocol::Edited;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("lessons")
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn shipped() -> Vec<(String, Lesson)> {
    let names = names(&text_of(INDEX)).expect("the index names files");
    let one = |name: String| match read(&text_of(&name)) {
        Ok(lesson) => (name, lesson),
        Err(flaw) => panic!("{name}, line {}: {}", flaw.line, flaw.what),
    };
    names.into_iter().map(one).collect()
}

/// What a trace and an edit give: a fact of the stored study, which has maps, a lens and a second pass.
fn measured() -> Measured {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(sample::FILE);
    let opened = load::open(sample::FILE, &std::fs::read(path).expect("the stored study")).expect("it opens");
    let record = sample::only(&opened.record, 0).expect("its first fact");
    let edit = opened.record.edits.as_ref().and_then(|edits| edits.first()).expect("an edit").clone();
    let edited = Edited {
        edit: 1,
        tensor: "tensor".into(),
        prompt: "prompt".into(),
        subject: "subject".into(),
        target: "old".into(),
        target_new: "new".into(),
        record: edit,
        unrelated: Vec::new(),
        said: Default::default(),
        relative_norm: 0.1,
        seconds: 1.0,
    };
    Measured { beside: Some(record.clone()), record, edited: Some(Box::new(edited)), greedy: "Spanish".into() }
}

fn words(blocks: &[Block]) -> String {
    blocks.iter().flat_map(|block| &block.pieces).map(|piece| piece.text.as_str()).collect()
}

#[test]
fn all_lessons_are_read_and_named() {
    let lessons = shipped();
    assert_eq!(lessons.len(), 8);
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != INDEX)
        .collect();
    files.sort();
    assert_eq!(files, lessons.iter().map(|lesson| lesson.0.clone()).collect::<Vec<_>>());
    for (name, lesson) in &lessons {
        for step in &lesson.steps {
            let count = words(&step.text).split_whitespace().count();
            assert!(count <= 75, "{name}: “{}” has {count} words before its question", step.title);
            assert!(crate::state::BUNDLED.contains(&step.ask.model.as_str()), "{name}: {}", step.ask.model);
        }
    }
}

#[test]
fn every_value_is_one_that_the_measurement_gives() {
    let mut all = measured();
    for (name, lesson) in shipped() {
        for step in lesson.steps {
            all.record.model.layers = 8;
            let plain = Measured {
                beside: all.beside.clone().filter(|_| step.ask.beside.is_some()),
                edited: all.edited.clone().filter(|_| step.ask.edits),
                ..all.clone()
            };
            let found = outcome(&step, &plain, 0.0).unwrap_or_else(|why| panic!("{name}, “{}”: {why}", step.title));
            for blocks in [&step.told, &step.expected] {
                let told = words(&filled(blocks, &step.ask, Some(&plain), &found.mine, &found.best));
                assert!(!told.contains("not measured"), "{name}, “{}”: {told}", step.title);
            }
            assert!(!found.best.is_empty() && !found.mine.is_empty(), "{name}, “{}”", step.title);
            let drawn = found.stage.iter().map(|group| group.bars.len()).sum::<usize>();
            let runs = [[Show::Runs], [Show::Clean]].iter().any(|show| step.ask.show == show);
            assert!(runs || drawn > 0, "{name}, “{}” draws nothing", step.title);
        }
    }
}

#[test]
fn a_prediction_is_held_against_the_numbers() {
    let lessons = shipped();
    let measured = measured();
    let step = &lessons[1].1.steps[1];
    let scope = Scope { beside: false, edits: false };
    let from = Expression::read("subject.from", scope).ok().and_then(|from| from.of(&measured)).expect("a layer");
    let right = outcome(step, &measured, from - 1.0).expect("an outcome");
    assert!(right.verdict == Verdict::Exact && right.mine == format!("layer {from}"), "{right:?}");
    let wrong = outcome(step, &measured, 7.0).expect("an outcome");
    assert!(
        wrong.verdict == Verdict::Other && wrong.mine == "layer 8" && wrong.marks == [Some((0, 7)), right.marks[0]],
        "{wrong:?}"
    );
    // Recovery as METHODS has it, from the record's own numbers.
    let traced = measured.record.facts[0].traced().expect("a trace");
    let patched = &traced.patched[&engram_core::record::PatchPosition::SubjectLast];
    let recovery = (patched[4] - traced.p_corrupt) / (traced.p_clean - traced.p_corrupt);
    assert!((wrong.stage[0].bars[4].value.expect("a value") - f64::from(recovery)).abs() < 1e-6);
    assert_eq!(wrong.stage[0].bars[4].said, format!("{recovery:.2}"));
    let share = Expression::read("corrupt / clean", scope).ok().and_then(|share| share.of(&measured));
    assert!((share.expect("a share") - f64::from(traced.p_corrupt / traced.p_clean)).abs() < 1e-6);
}

/// The bar of the highest layer that is asked for, with a tolerance.
fn asked(near: f64) -> Step {
    let lesson = read(&GOOD.replace("predict", &format!("near = {near}\npredict"))).expect("it is whole");
    lesson.steps[0].clone()
}

#[test]
fn a_bar_that_is_nearly_as_high_is_near_enough() {
    let measured = measured();
    let bars: Vec<f64> = outcome(&asked(0.0), &measured, 0.0).expect("an outcome").stage[0]
        .bars
        .iter()
        .map(|bar| bar.value.expect("a value"))
        .collect();
    let best = (0..bars.len()).reduce(|best, at| if bars[at] > bars[best] { at } else { best }).expect("bars");
    let next = (0..bars.len()).filter(|at| *at != best).reduce(|a, b| if bars[b] > bars[a] { b } else { a });
    let next = next.expect("another bar");
    let gap = bars[best] - bars[next];
    let said = |near: f64| outcome(&asked(near), &measured, next as f64).expect("an outcome").verdict;
    assert_eq!((said(gap * 0.99), said(gap * 1.01)), (Verdict::Other, Verdict::Near));
}

#[test]
fn what_says_nothing_gets_no_verdict() {
    let said = |change: &dyn Fn(&mut engram_core::record::Traced)| {
        let mut measured = measured();
        change(measured.record.facts[0].traced_mut().expect("it is traced"));
        match outcome(&asked(0.0), &measured, 0.0).expect("an outcome").verdict {
            Verdict::Nothing(why) => why,
            other => panic!("{other:?}"),
        }
    };
    let flat = said(&|traced| {
        let low = traced.p_corrupt;
        traced.patched.values_mut().for_each(|curve| curve.fill(low));
    });
    assert!(flat.starts_with("No state of this token alone restores a tenth"), "{flat}");
    let same = said(&|traced| traced.p_corrupt = traced.p_clean);
    assert!(same.contains("hardly depends on the subject"), "{same}");
}

const GOOD: &str = "# Title\n\n## Step\n\nText of {subject}.\n\n```ask\nquestion = \"Which layer?\"\nmodel = \"engram-relay\"\n\
                    prompt = \"A b is\"\nsubject = \"A b\"\nshow = \"subject\"\npredict = \"layer\"\n```\n\n### Result\n\n{subject.peak} at {subject.layer}.\n";

#[test]
fn a_broken_file_says_where_and_what() {
    assert!(read(GOOD).is_ok());
    let broken = [
        ("# Title", "", 1, "has no title"),
        ("## Step", "##Step", 3, "with a space behind"),
        ("Text of {subject}.", "Text of {subject.", 5, "has no `}`"),
        ("Text of {subject}.", "Text of {clean}.", 5, "before the question"),
        ("```ask", "```toml", 7, "only ```ask"),
        ("model = \"engram-relay\"\n", "", 8, "no `model`"),
        ("\"engram-relay\"", "engram-relay", 9, "quotation marks"),
        ("subject = \"A b\"", "subject = \"C\"", 8, "not in the `prompt`"),
        ("\"subject\"\npredict", "\"objects\"\npredict", 12, "name of a curve"),
        ("predict = ", "predicts = ", 13, "`predicts` is not a name"),
        ("predict = \"layer\"", "predict = \"option\"", 8, "one bound less than options"),
        ("predict = \"layer\"", "of = \"edit.new\"", 13, "measure = \"edit\""),
        ("```\n\n###", "\n\n###", 7, "does not end"),
        ("### Result", "### Wrong", 16, "`### Result`"),
        ("{subject.layer}", "{subjct.layer}", 18, "`subjct.layer` is not a value"),
        ("{subject.layer}", "{beside.subject.layer}", 18, "second model"),
    ];
    for (from, to, line, what) in broken {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from} is not in it");
        match read(&text) {
            Ok(_) => panic!("{to} is taken"),
            Err(flaw) => assert!(flaw.line == line && flaw.what.contains(what), "{to}: {flaw:?}"),
        }
    }
    assert!(names("a.md\n../b.md").is_err_and(|flaw| flaw.line == 2));
    assert!(names("# nothing\n").is_err());
}

#[test]
fn options_are_lists_of_texts() {
    let text = GOOD.replace(
        "predict = \"layer\"",
        "predict = \"option\"\nof = \"clean\"\noptions = [\"a, b\", \"c\"]\nbounds = [0.5]",
    );
    let lesson = read(&text).expect("it is whole");
    assert_eq!(lesson.steps[0].ask.options, ["a, b", "c"]);
}
