//! Shards of a study as processes: several at once, one of them killed, one stopped by a batch system, one of a machine whose disk is
//! full; then merged, and held against the record of one process.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A study of all stages, with second moments, so that it has three waves.
const STUDY: &[&str] = &[
    "--model",
    "engram-llama",
    "-n",
    "70",
    "--maps",
    "1",
    "--edit-facts",
    "4",
    "--edit-method",
    "rome,memit",
    "--edit-layers",
    "3",
];

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
        command.args(arguments).current_dir(self.folder.path());
        command
            .env("HF_HUB_OFFLINE", "1")
            .env("HF_HOME", self.path("no-cache"))
            .env("ENGRAM_CACHE", self.path("cache"));
        command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("engram starts")
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn shard(&self, wave: u8, shard: &str) -> Command {
        let wave = wave.to_string();
        self.command(&["study", "--plan", "study.plan", "--wave", &wave, "--shard", shard, "--device", "cpu"])
    }

    fn plan(&self) -> String {
        self.done(&[&["study", "--facts", "bundled", "--device", "cpu", "--plan", "study.plan"], STUDY].concat())
    }

    /// How far the shards are.
    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.done(&["study", "--status", "study.plan", "--json"])).expect("JSON")
    }

    /// Lines of all segments.
    fn units(&self) -> usize {
        let entries = std::fs::read_dir(self.path("study.plan.d/units")).into_iter().flatten().flatten();
        let lines = |path: &Path| std::fs::read(path).map_or(0, |bytes| bytes.iter().filter(|b| **b == b'\n').count());
        entries.map(|entry| lines(&entry.path())).sum()
    }

    /// Waits until a shard has written more than so many lines.
    fn more_than(&self, lines: usize, child: &mut Child) {
        let start = Instant::now();
        while self.units() <= lines && child.try_wait().expect("a child").is_none() {
            assert!(start.elapsed() < Duration::from_secs(60), "nothing is written");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A record without what tells who has computed it.
fn without_runs(path: &Path) -> Vec<u8> {
    let mut record = engram_core::journal::read(path).expect("a record").record;
    record.runs.clear();
    engram_core::journal::to_json(&record).expect("finite")
}

#[test]
fn three_shards_of_which_one_is_killed_make_the_record_of_one_process() {
    let place = Place::new();
    place.done(&[&["study", "--facts", "bundled", "--device", "cpu", "--out", "alone"], STUDY].concat());
    let alone = without_runs(&place.path("alone/engram-llama.engram.json"));

    let told = place.plan();
    assert!(told.contains("70 facts, 3 waves") && told.contains("--wave 1 --shard K/N"), "{told}");
    assert!(told.contains("tracing takes about") && told.contains("redundancy and maps about"), "{told}");
    // The same plan once more is the same plan.
    let plan = std::fs::read(place.path("study.plan")).expect("a plan");
    place.plan();
    assert_eq!(std::fs::read(place.path("study.plan")).expect("a plan"), plan);

    // Nothing of a wave before the one before it.
    let early = place.shard(2, "0/3").output().expect("it starts");
    assert_eq!(early.status.code(), Some(3), "{}", said(&early));
    assert!(said(&early).contains("hint: engram study --plan study.plan --wave 1 --shard"), "{}", said(&early));
    let early = place.run(&["merge", "study.plan"]);
    assert_eq!(early.status.code(), Some(3), "{}", said(&early));

    for wave in 1..=3 {
        let mut all: Vec<Child> =
            (0..3).map(|k| place.shard(wave, &format!("{k}/3")).spawn().expect("it starts")).collect();
        let before = place.units();
        place.more_than(before + 2, &mut all[1]);
        // Without a word, whatever it is at.
        let _ = all[1].kill();
        for mut child in all {
            child.wait().expect("its end");
        }
        let again = place.shard(wave, "1/3").output().expect("it starts");
        assert!(again.status.success(), "{}", said(&again));
    }
    let state = place.status();
    assert!(state["wave"].is_null() && state["units_left"] == 0 && state["traced"] == 70, "{state}");
    let status = place.done(&["study", "--status", "study.plan"]);
    assert!(status.contains("70 of 70 facts traced") && status.contains("everything is there"), "{status}");
    place.done(&["merge", "study.plan"]);
    let merged = place.path("engram-llama.engram.json");
    assert!(without_runs(&merged) == alone);
    place.done(&["merge", "study.plan", "--no-runs", "--out", "bare.json"]);
    let bytes = |name: &str| std::fs::read(place.path(name)).expect("a record");
    assert!(bytes("bare.json") == bytes("alone/engram-llama.engram.json"), "the very bytes");
    let runs = engram_core::journal::read(&merged).expect("a record").record.runs;
    assert!(runs.len() > 3 && runs.iter().all(|run| run.units > 0 && !run.host.is_empty()), "{runs:?}");
    // It is a record like any other.
    let checks = place.done(&["verify", "engram-llama.engram.json", "--rerun", "2", "--device", "cpu"]);
    assert!(checks.contains("computed again"), "{checks}");
    place.done(&["report", "engram-llama.engram.json", "--out", "page.html"]);
}

#[cfg(unix)]
#[test]
fn a_shard_that_is_asked_to_stop_ends_its_unit_and_is_run_again() {
    let place = Place::new();
    place.plan();
    let before = place.units();
    let mut child = place.shard(1, "0/1").spawn().expect("it starts");
    place.more_than(before + 2, &mut child);
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(stopped.success());
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(75), "{}", said(&output));
    let kept = place.units();
    assert!(kept > before + 2);
    let again = place.shard(1, "0/1").output().expect("it starts");
    assert!(again.status.success() && place.units() > kept, "{}", said(&again));
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_without_room_ends_a_shard_with_a_code_of_its_own() {
    let place = Place::new();
    place.plan();
    // A process whose files may have 8 KiB each, as where a quota is used up.
    let line = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} study --plan study.plan --wave 1 --shard 0/1 --device cpu",
        env!("CARGO_BIN_EXE_engram")
    );
    let mut full = Command::new("bash");
    full.args(["-c", &line]).current_dir(place.folder.path()).env("NO_COLOR", "1").env("HF_HUB_OFFLINE", "1");
    let output = full.stdin(Stdio::null()).output().expect("bash");
    assert_eq!(output.status.code(), Some(74), "{}", said(&output));
    assert!(
        said(&output).contains(".jsonl") && said(&output).contains("hint: free some disk space"),
        "{}",
        said(&output)
    );
    // What was cut off is computed again.
    for wave in 1..=3 {
        let again = place.shard(wave, "0/1").output().expect("it starts");
        assert!(again.status.success(), "{}", said(&again));
    }
    // The merge has a record to write, and no room either.
    let merge = format!("trap '' XFSZ; ulimit -f 8; exec {} merge study.plan", env!("CARGO_BIN_EXE_engram"));
    let mut full = Command::new("bash");
    full.args(["-c", &merge]).current_dir(place.folder.path()).env("NO_COLOR", "1").stdin(Stdio::null());
    let output = full.output().expect("bash");
    assert_eq!(output.status.code(), Some(74), "{}", said(&output));
    assert!(!place.path("engram-llama.engram.json").exists(), "no half record");
    place.done(&["merge", "study.plan"]);
}

#[test]
fn what_other_machines_have_written_may_be_seen_late() {
    let place = Place::new();
    place.plan();
    assert!(place.shard(1, "0/1").output().expect("it starts").status.success());
    let largest = || {
        let entries = std::fs::read_dir(place.path("study.plan.d/units")).expect("a folder").flatten();
        entries.map(|entry| entry.path()).max_by_key(|path| path.metadata().expect("there").len()).expect("a segment")
    };
    // A disk that does not show a file yet, and then does.
    let (file, hidden) = (largest(), place.path("hidden"));
    let hide = || std::fs::rename(&file, &hidden).expect("moved");
    hide();
    assert_eq!(place.shard(2, "0/1").output().expect("it starts").status.code(), Some(3));
    let begun = Instant::now();
    let mut patient = place.shard(2, "0/1").args(["--wait", "60"]).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(1500));
    assert!(patient.try_wait().expect("a child").is_none(), "it waits");
    std::fs::rename(&hidden, &file).expect("moved back");
    let output = patient.wait_with_output().expect("its end");
    assert!(output.status.success() && begun.elapsed() < Duration::from_secs(50), "{}", said(&output));
    assert!(place.shard(3, "0/1").output().expect("it starts").status.success());
    // The merge waits too; and where nothing comes it ends as without.
    hide();
    let begun = Instant::now();
    let output = place.run(&["merge", "study.plan", "--wait", "2"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(begun.elapsed() >= Duration::from_secs(2));
    std::fs::rename(&hidden, &file).expect("moved back");
    place.done(&["merge", "study.plan", "--wait", "60"]);
}

#[test]
fn clocks_that_differ_change_nothing() {
    let place = Place::new();
    place.plan();
    for wave in 1..=3 {
        for shard in ["0/2", "1/2"] {
            assert!(place.shard(wave, shard).output().expect("it starts").status.success());
        }
        // One machine's clock is a day before, the other's a day behind, and what is newest changes with each wave.
        let entries = std::fs::read_dir(place.path("study.plan.d/units")).expect("a folder").flatten();
        for (number, entry) in entries.enumerate() {
            let day = Duration::from_secs(86_400);
            let now = std::time::SystemTime::now();
            let time = if (number + usize::from(wave)) % 2 == 0 { now + day } else { now - day };
            let file = std::fs::OpenOptions::new().append(true).open(entry.path()).expect("a segment");
            file.set_modified(time).expect("a time");
        }
        let state = place.status();
        assert!(state["processes"].as_array().is_some_and(|all| all.len() > 2), "{state}");
    }
    place.done(&["merge", "study.plan", "--no-runs", "--out", "skewed.json"]);
    place.done(&[&["study", "--facts", "bundled", "--device", "cpu", "--out", "alone"], STUDY].concat());
    let bytes = |name: &str| std::fs::read(place.path(name)).expect("a record");
    assert!(bytes("skewed.json") == bytes("alone/engram-llama.engram.json"));
}

/// Processes that are killed at random moments, of shards of random N, whichever wave is due; as many studies as that takes.
#[test]
fn fifty_random_kills_leave_the_record_of_one_process() {
    const KILLS: usize = 50;
    let alone = Place::new();
    alone.done(&[&["study", "--facts", "bundled", "--device", "cpu", "--out", "alone"], STUDY].concat());
    let wanted = std::fs::read(alone.path("alone/engram-llama.engram.json")).expect("a record");
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let (mut kills, mut studies) = (0, 0);
    while kills < KILLS {
        let place = Place::new();
        place.plan();
        studies += 1;
        let mut here = 0;
        while let Some(wave) = place.status()["wave"].as_u64() {
            let of = 1 + below(4);
            let shard = format!("{}/{of}", below(of));
            let mut child = place.shard(u8::try_from(wave).expect("small"), &shard).spawn().expect("it starts");
            // From before it has read the plan until it is through; once a study has had its share, it is let be.
            let patience = if here < 20 { Duration::from_millis(below(700)) } else { Duration::from_secs(60) };
            let begun = Instant::now();
            while child.try_wait().expect("a child").is_none() && begun.elapsed() < patience {
                std::thread::sleep(Duration::from_millis(2));
            }
            if child.try_wait().expect("a child").is_none() {
                child.kill().expect("killed");
                (kills, here) = (kills + 1, here + 1);
            }
            let output = child.wait_with_output().expect("its end");
            assert!(output.status.success() || output.status.code().is_none(), "{}", said(&output));
        }
        place.done(&["merge", "study.plan", "--no-runs", "--out", "merged.json"]);
        assert!(std::fs::read(place.path("merged.json")).expect("a record") == wanted, "study {studies}");
    }
}

#[test]
fn lines_that_make_no_sense_are_told() {
    let place = Place::new();
    let refused = |arguments: &[&str], words: &str| {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    };
    refused(&["study", "--plan", "none.plan", "--wave", "1", "--shard", "0/2"], "none.plan");
    refused(&["study", "--plan", "none.plan", "--wave", "1", "--shard", "2/2"], "0/16");
    refused(&["study", "--plan", "none.plan", "--wave", "1"], "--shard");
    refused(&["study", "--wave", "1", "--shard", "0/2"], "--plan");
    refused(&["study", "--plan", "p", "--facts", "bundled", "--model", "engram-llama", "--out", "o"], "--out");
    refused(&["study", "--status", "none.plan"], "none.plan");
    refused(&["merge", "none.plan"], "none.plan");
    place.plan();
    let other = ["study", "--facts", "bundled", "--model", "engram-llama", "-n", "4", "--plan", "study.plan"];
    refused(&other, "a plan of another study");
}
