//! `engram study` beside another run, after a crash, and again with other settings. What is lost, kept and said.

use engram_core::journal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A study of a few facts with all stages.
const STUDY: &[&str] = &["--model", "engram-llama", "-n", "5", "--maps", "1", "--edit-facts", "2"];

fn command(out: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.args(["study", "--facts", "bundled", "--device", "cpu", "--out"]).arg(out).args(arguments);
    // No cache and no network: whoever asks for either fails here.
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", out.join("no-cache")).env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(out: &Path, arguments: &[&str]) -> Output {
    command(out, arguments).output().expect("engram starts")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    told(output)
}

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", told(output));
    told(output)
}

/// A folder for records, which is not there yet.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    (folder, out)
}

fn names(folder: &Path) -> Vec<String> {
    let entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
    let mut names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

const RECORD: &str = "engram-llama.engram.json";
const JOURNAL: &str = "engram-llama.engram.journal";

fn record(out: &Path) -> Vec<u8> {
    std::fs::read(out.join(RECORD)).expect("the record")
}

/// The record of a study that nobody disturbs.
fn undisturbed(more: &[&str]) -> Vec<u8> {
    let (_folder, out) = place();
    done(&run(&out, &[STUDY, more].concat()));
    assert_eq!(names(&out), [RECORD]);
    record(&out)
}

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| undisturbed(&[]));

/// A run that has begun, ended with the test.
struct Running(Child);

impl Running {
    /// Starts a study and waits until its journal has so many lines.
    fn start(out: &Path, arguments: &[&str], lines: usize) -> Self {
        let running = Self(command(out, arguments).spawn().expect("engram starts"));
        let start = Instant::now();
        loop {
            let journal = std::fs::read(out.join(JOURNAL)).unwrap_or_default();
            if journal.iter().filter(|byte| **byte == b'\n').count() >= lines {
                return running;
            }
            assert!(start.elapsed() < Duration::from_secs(300), "the journal has no {lines} lines");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn end(mut self) -> Output {
        let child = std::mem::replace(&mut self.0, Command::new("true").spawn().expect("a process"));
        child.wait_with_output().expect("its end")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a study and kills it when its journal has so many lines.
fn killed(out: &Path, lines: usize) {
    drop(Running::start(out, STUDY, lines));
    assert!(names(out).contains(&JOURNAL.to_owned()), "it was killed before its end");
}

#[test]
fn a_journal_without_a_header_starts_again_and_says_so() {
    for (content, copied) in
        [(&b""[..], false), (&[0; 4096], false), (b"{\"engram\":1,\"prog", false), (b"rubbish\n{}\n", true)]
    {
        let (_folder, out) = place();
        std::fs::create_dir(&out).expect("a folder");
        std::fs::write(out.join(JOURNAL), content).expect("a journal");
        let said = done(&run(&out, STUDY));
        assert!(said.contains("so the study starts again"), "{said}");
        assert_eq!(record(&out), *WHOLE);
        let copy = format!("{JOURNAL}.old");
        assert_eq!(names(&out).contains(&copy), copied);
        assert_eq!(said.contains("a copy is"), copied, "{said}");
        assert!(!copied || std::fs::read(out.join(copy)).expect("the copy") == content);
    }
}

#[test]
fn damage_is_told_and_computed_again() {
    let (_folder, out) = place();
    killed(&out, 12);
    let path = out.join(JOURNAL);
    let mut bytes = std::fs::read(&path).expect("the journal");
    let line = bytes.split_inclusive(|byte| *byte == b'\n').take(4).map(<[u8]>::len).sum::<usize>();
    bytes[line + 50] ^= 4;
    std::fs::write(&path, bytes).expect("the journal");
    // Whoever reads it has what precedes the damage.
    let read = journal::read(&path).expect("its beginning");
    assert!(read.record.facts.len() == 3 && read.dropped.is_some_and(|why| why.starts_with("line 5 is damaged")));
    let said = done(&run(&out, STUDY));
    assert!(said.contains("line 5 is damaged") && said.contains("this work is done again"), "{said}");
    assert!(said.contains("going on after 3 facts"), "{said}");
    assert_eq!((record(&out), names(&out)), (WHOLE.clone(), vec![RECORD.to_owned()]));
}

#[test]
fn a_journal_of_an_older_program_goes_on() {
    let (_folder, out) = place();
    killed(&out, 6);
    let path = out.join(JOURNAL);
    let text = std::fs::read_to_string(&path).expect("the journal");
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let old: String = whole.map(|line| format!("{}}}\n", &line[..line.len() - 78])).collect();
    std::fs::write(&path, old).expect("the journal");
    let said = done(&run(&out, STUDY));
    assert!(said.contains("an older program wrote it") && said.contains("going on after"), "{said}");
    assert_eq!((record(&out), names(&out)), (WHOLE.clone(), vec![RECORD.to_owned()]));
}

#[test]
fn a_running_study_keeps_others_out() {
    let (_folder, out) = place();
    let longer = [&["--model", "engram-llama", "-n", "60"][..], &["--stages", "1"]].concat();
    let first = Running::start(&out, &longer, 3);
    for more in [&[][..], &["--fresh"], &["--seed", "7", "--fresh"]] {
        let said = refused(&run(&out, &[&longer[..], more].concat()));
        assert!(said.contains("another run is writing it") && said.contains("--out"), "{said}");
        assert!(out.join(JOURNAL).exists() && !out.join(RECORD).exists());
    }
    done(&first.end());
    assert_eq!(names(&out), [RECORD]);
    assert_eq!(journal::read(&out.join(RECORD)).expect("the record").record.validated().count(), 60);
}

#[test]
fn of_two_that_start_together_one_wins() {
    for more in [&[][..], &["--fresh"]] {
        let (_folder, out) = place();
        let arguments = [STUDY, more].concat();
        let both = [(); 2].map(|()| command(&out, &arguments).spawn().expect("engram starts"));
        let both = both.map(|child| child.wait_with_output().expect("its end"));
        let won = both.iter().filter(|output| output.status.success()).count();
        // The slower one may have come so late that the record was there.
        assert!(won > 0, "{}\n{}", told(&both[0]), told(&both[1]));
        for lost in both.iter().filter(|output| !output.status.success()) {
            assert!(refused(lost).contains("another run is writing it"));
        }
        assert_eq!((record(&out), names(&out)), (WHOLE.clone(), vec![RECORD.to_owned()]));
    }
}

#[test]
fn a_fresh_study_keeps_the_old_record_until_it_has_a_new_one() {
    let (_folder, out) = place();
    done(&run(&out, STUDY));
    let fresh = [STUDY, &["--fresh"]].concat();
    drop(Running::start(&out, &fresh, 2));
    assert_eq!(record(&out), *WHOLE);
    assert!(out.join(JOURNAL).exists());
    // Without the flag it goes on, although a finished record is there.
    assert!(done(&run(&out, STUDY)).contains("going on after"));
    assert_eq!((record(&out), names(&out)), (WHOLE.clone(), vec![RECORD.to_owned()]));
}

#[test]
fn other_settings_of_stage_3_go_on_from_the_tracing() {
    let other = &["--edit-layer", "2"][..];
    let arguments = [STUDY, other].concat();
    let wanted = undisturbed(other);
    // After a kill.
    let (_folder, out) = place();
    killed(&out, 8);
    let said = done(&run(&out, &arguments));
    assert!(said.contains("going on with other settings of stage 3") && said.contains("going on after"), "{said}");
    assert_eq!((record(&out), names(&out)), (wanted.clone(), vec![RECORD.to_owned()]));
    // After the end: the record with the edits that were is kept.
    let (_folder, out) = place();
    done(&run(&out, STUDY));
    let said = done(&run(&out, &arguments));
    assert!(said.contains("2 edits no longer fit and are done again"), "{said}");
    assert!(said.contains(&format!("{RECORD}.old")), "{said}");
    assert_eq!(record(&out), wanted);
    assert_eq!(std::fs::read(out.join(format!("{RECORD}.old"))).expect("the first record"), *WHOLE);
    assert_eq!(names(&out), [RECORD.to_owned(), format!("{RECORD}.old")]);
    // The same line again has nothing to do.
    done(&run(&out, &arguments));
    assert_eq!(names(&out).len(), 2);
    // Another study is another one, though.
    for (more, field) in [(["--seed", "7"], "settings.seed"), (["--maps", "2"], "settings.maps")] {
        let mut arguments = arguments.clone();
        arguments.retain(|argument| !["--maps", "1"].contains(argument));
        arguments.extend(more);
        let said = refused(&run(&out, &arguments));
        assert!(said.contains("belongs to another study") && said.contains(field), "{said}");
    }
    assert_eq!(record(&out), wanted);
}

#[test]
fn layers_batches_and_sequences_that_make_no_sense_are_refused() {
    let (_folder, out) = place();
    for (flags, said) in [
        (&["--edit-layers", "3-1"][..], "3-1 runs backwards"),
        (&["--edit-layers", "0"], "layers are numbered from 1"),
        (&["--edit-batch", "9", "--edit-method", "rome"], "ROME edits one fact at a time"),
        (&["--edit-sequence", "9", "--edit-method", "ft-m"], "is as large as the matrix"),
        (&["--edit-sequence", "9", "--edit-facts", "9"], "exclude each other"),
        (&["--edit-method", "memit"], "several facts together, at one layer"),
    ] {
        let told = refused(&run(&out, &[&["--model", "engram-llama", "-n", "5"], flags].concat()));
        assert!(told.contains(said) && told.contains("hint: "), "{flags:?}: {told}");
    }
    assert!(!out.exists(), "no folder stays of a study that never began");
}

/// Killed in the middle, edits one after the other go on to the record of a run that nobody disturbs.
#[test]
fn a_killed_sequence_goes_on_to_the_same_record() {
    let sequence =
        ["--model", "engram-llama", "-n", "7", "--stages", "1,3", "--edit-method", "rome", "--edit-layers", "1,2"];
    let sequence = [&sequence[..], &["--edit-sequence", "5"]].concat();
    let (_folder, whole) = place();
    let output = run(&whole, &sequence);
    done(&output);
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("Table 13") && shown.contains("5 edits in sequence"), "{shown}");
    let (_other, out) = place();
    let begun = journal::from_bytes("whole", &record(&whole)).expect("the record").facts.len();
    drop(Running::start(&out, &sequence, begun + 5));
    assert!(names(&out).contains(&JOURNAL.to_owned()), "it was killed before its end: {:?}", names(&out));
    done(&run(&out, &sequence));
    assert!(record(&out) == record(&whole), "the same bytes");
}

#[test]
fn what_can_be_checked_is_checked_first() {
    let (folder, out) = place();
    let said = refused(&run(&out, &[STUDY, &["--edit-layer", "99"]].concat()));
    assert!(said.contains("layer 99 to edit does not exist") && said.contains("1 to"), "{said}");
    assert!(!out.exists(), "no folder stays of a study that never began");
    let long = "Random Person ".repeat(400);
    let said = refused(&run(&out, &[STUDY, &["--replace-with", &long]].concat()));
    assert!(said.contains("stands in for the subject has"), "{said}");
    // What does not fit the last of several models is said before the first one is studied.
    let several = ["--model", "engram-llama-large", "engram-llama", "--edit-layer", "10"];
    let said = refused(&run(&out, &several));
    assert!(said.contains("engram-llama: layer 10 to edit does not exist"), "{said}");
    let nowhere = folder.path().join("nowhere");
    std::fs::create_dir(&nowhere).expect("a folder");
    let nowhere = nowhere.to_str().expect("UTF-8");
    let said = refused(&run(&out, &["--model", "engram-llama", nowhere]));
    assert!(said.contains("nowhere"), "{said}");
    let twin = folder.path().join("engram-llama");
    std::fs::create_dir(&twin).expect("a folder");
    let said = refused(&run(&out, &["--model", "engram-llama", twin.to_str().expect("UTF-8")]));
    assert!(said.contains("two models are called engram-llama"), "{said}");
    assert!(!out.exists());
    // A place that cannot be written is found before the model is loaded.
    std::fs::create_dir_all(out.join(RECORD)).expect("a folder");
    let said = refused(&run(&out, STUDY));
    assert!(said.contains("a folder stands where the record goes"), "{said}");
}

#[test]
fn a_record_of_other_facts_is_refused_and_stays() {
    let (_folder, out) = place();
    std::fs::create_dir(&out).expect("a folder");
    let mut spoiled = journal::from_bytes("whole", &WHOLE).expect("the record");
    let last = spoiled.facts.len() - 1;
    spoiled.facts[last].order = 999_999;
    spoiled.edits = None;
    let bytes = journal::to_json(&spoiled).expect("finite");
    std::fs::write(out.join(RECORD), &bytes).expect("the record");
    let said = refused(&run(&out, STUDY));
    assert!(said.contains("has order 999999") && said.contains("--fresh"), "{said}");
    assert_eq!((record(&out), names(&out)), (bytes, vec![RECORD.to_owned()]));
    // One that lacks something goes on.
    let mut lacking = journal::from_bytes("whole", &WHOLE).expect("the record");
    lacking.facts.truncate(3);
    lacking.edits = None;
    lacking.facts.iter_mut().filter_map(|fact| fact.traced_mut()).for_each(|traced| traced.redundancy.clear());
    std::fs::write(out.join(RECORD), journal::to_json(&lacking).expect("finite")).expect("the record");
    assert!(done(&run(&out, STUDY)).contains("going on after 3 facts"));
    assert_eq!((record(&out), names(&out)), (WHOLE.clone(), vec![RECORD.to_owned()]));
}

/// A line that no study is of, in a folder with a few files.
fn other(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.current_dir(folder).args(arguments).env("HF_HUB_OFFLINE", "1").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).output().expect("engram starts")
}

#[test]
fn a_running_training_keeps_others_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("model");
    std::fs::create_dir(&out).expect("a folder");
    std::fs::write(out.join("training.state"), "an epoch").expect("a state");
    let lock = journal::Lock::take(&out.join("training.lock")).expect("the lock");
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/bundled");
    let file = |path: &str| bundled.join(path).to_str().expect("UTF-8").to_owned();
    let [recipe, facts, text] = ["models/engram-llama/recipe.toml", "facts.json", "text.tsv"].map(file);
    let train = ["train", &recipe, "--facts", &facts, "--text", &text, "--device", "cpu", "--out", "model", "--fresh"];
    assert!(refused(&other(folder.path(), &train)).contains("another run is writing it"));
    assert_eq!(names(&out), ["training.lock", "training.state"]);
    drop(lock);
}

#[test]
fn an_edit_is_checked_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let edit = |more: &[&str]| {
        let line = ["edit", "The capital of France is", "--subject", "France", "--target", "Paris", "--new", "Rome"];
        let model = ["--model", "engram-llama", "--device", "cpu"];
        other(folder.path(), &[&line[..], &model, more].concat())
    };
    let said = refused(&edit(&["--layer", "99"]));
    assert!(said.contains("layer 99 to edit does not exist") && said.contains("1 to 8"), "{said}");
    if cfg!(target_os = "linux") {
        let output = edit(&["--save-delta", "/proc/change.safetensors"]);
        assert!(told(&output).contains("/proc: nothing can be written there"), "{}", told(&output));
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn records_are_named_as_json() {
    let (_folder, out) = place();
    let output = run(&out, &["--model", "engram-llama", "engram-phi", "-n", "2", "--stages", "1", "--json"]);
    done(&output);
    let written: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    let path = |name: &str| serde_json::json!({ "path": out.join(name) });
    assert_eq!(written, serde_json::json!([path(RECORD), path("engram-phi.engram.json")]));
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    let said = refused(&command.args(["study", "--plan", "plan", "--json"]).output().expect("engram starts"));
    assert!(said.contains("--plan and --json exclude each other") || said.contains("--json and --plan"), "{said}");
}

/// Facts with rows that cannot be traced, among bundled ones in CounterFact's columns.
fn odd_facts(folder: &Path) -> PathBuf {
    let file = folder.join("odd.csv");
    let rows = "prompt,subject,target_true,target_new\n\
        The capital of France is,Spain,Paris,Rome\n\
        The capital of {} is,France,Paris,Rome\n\
        The capital of {} is,Italy,Rome,Paris\n\
        The capital of {} is,Japan,Tokyo,Paris\n";
    std::fs::write(&file, rows).expect("written");
    file
}

#[test]
fn a_bad_row_ends_a_study_only_when_it_shall() {
    let (folder, out) = place();
    std::fs::create_dir_all(folder.path()).expect("a folder");
    let facts = odd_facts(folder.path());
    let study = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
        command.args(["study", "--device", "cpu", "--model", "engram-llama", "--stages", "1", "--facts"]).arg(&facts);
        command.arg("--out").arg(&out).args(more).env("HF_HUB_OFFLINE", "1").env("NO_COLOR", "1");
        command.output().expect("engram starts")
    };
    let said = refused(&study(&["--strict"]));
    assert!(said.contains("Spain") && said.contains("hint"), "{said}");
    assert!(names(&out).is_empty(), "{:?}", names(&out));
    let said = done(&study(&[]));
    assert!(said.contains("odd.csv") || said.contains("warning"), "{said}");
    let record = journal::from_bytes("record", &record(&out)).expect("a record");
    assert_eq!(record.facts.len(), 4, "every row is accounted for");
    let dropped = record.facts.iter().find(|fact| fact.subject == "Spain").expect("the odd row");
    assert!(dropped.traced().is_none());
    // A defect that only the tokenizer shows.
    let long = folder.path().join("long.csv");
    let prompt = format!("{}{{}} is", "of ".repeat(200));
    std::fs::write(&long, format!("prompt,subject,target_true,target_new\n{prompt},France,Paris,Rome\n"))
        .expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command
        .args(["study", "--strict", "--device", "cpu", "--model", "engram-llama", "--stages", "1", "--facts"])
        .arg(&long);
    command.arg("--out").arg(&out).env("NO_COLOR", "1").args(["--fresh"]);
    let said = refused(&command.output().expect("engram starts"));
    assert!(said.contains("too-long") && said.contains("--strict"), "{said}");
}
