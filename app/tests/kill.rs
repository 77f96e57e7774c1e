//! Studies that are killed with -9 at random moments, again and again, until they are done: each record is the
//! undisturbed one byte for byte, and no other file stays. An ordinary test kills a few times; `ENGRAM_KILLS=200` asks for
//! more, see docs/DEVELOPMENT.md.

#![expect(clippy::print_stdout, reason = "tests report what they measure")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const RECORD: &str = "engram-llama.engram.json";
const JOURNAL: &str = "engram-llama.engram.journal";

fn study(out: &Path, layer: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_engram"));
    command.args([
        "study",
        "--model",
        "engram-llama",
        "--facts",
        "bundled",
        "--device",
        "cpu",
        "-n",
        "8",
        "--maps",
        "2",
    ]);
    command.args(["--edit-facts", "3", "--edit-layer", layer, "--quiet", "--out"]).arg(out);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Numbers of a linear congruential generator: the same moments every time, as far as a clock allows.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// How many lines of a journal begin so.
fn lines(journal: &[u8], with: &str) -> usize {
    journal.split(|byte| *byte == b'\n').filter(|line| line.starts_with(with.as_bytes())).count()
}

/// What the study was at, by what it has left on the disk.
fn phase(out: &Path) -> &'static str {
    let journal = std::fs::read(out.join(JOURNAL));
    let has = |with: &str| journal.as_ref().map_or(0, |journal| lines(journal, with));
    match (&journal, has("{\"edit\""), has("{\"redundancy\"")) {
        (Err(_), ..) if out.join(RECORD).exists() => "6 after the record was written",
        (Err(_), ..) => "0 before the journal",
        (Ok(bytes), ..) if !bytes.contains(&b'\n') => "1 loading",
        (Ok(_), 3, _) => "5 writing the record",
        (Ok(_), 1.., _) => "4 editing",
        (Ok(_), 0, 16) => "4 optimizing",
        (Ok(_), 0, 1..) => "3 redundancy",
        (Ok(_), ..) => "2 tracing",
    }
}

#[test]
fn killed_studies_end_with_the_undisturbed_record() {
    let wanted: usize = std::env::var("ENGRAM_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6);
    let folder = tempfile::tempdir().expect("a folder");
    let begin = Instant::now();
    let layers = ["2", "3"];
    let undisturbed = layers.map(|layer| {
        let out = folder.path().join("undisturbed").join(layer);
        assert!(study(&out, layer).status().expect("engram starts").success());
        std::fs::read(out.join(RECORD)).expect("the record")
    });
    let most = begin.elapsed() / 2;
    let (mut random, mut kills, mut studies, mut cut) = (Random(12), 0, 0, 0);
    let mut phases: BTreeMap<&str, usize> = BTreeMap::new();
    while kills < wanted {
        let out = folder.path().join("killed");
        studies += 1;
        // Now and then the settings of stage 3 change on the way, so that a journal has those of two.
        let mut layer = studies % 2;
        let mut runs = 0;
        while !out.join(RECORD).exists() || out.join(JOURNAL).exists() {
            runs += 1;
            assert!(runs < 100, "a study that never ends");
            if runs % 4 == 3 {
                layer = 1 - layer;
            }
            let mut child = study(&out, layers[layer]).spawn().expect("engram starts");
            // A moment of the whole study, of its beginning, of its start or of its end, or that of a new line.
            let moment = Duration::from_micros(match random.below(6) {
                0 => random.below(most.as_micros() as u64),
                1 => random.below(most.as_micros() as u64 / 4),
                2 => random.below(150_000),
                3 => {
                    let all = |journal: &[u8]| lines(journal, "{\"edit\"") == 3;
                    wait(&out, &mut child, most, all);
                    random.below(8_000)
                }
                _ => {
                    let count = |journal: &[u8]| lines(journal, "{");
                    let wanted = count(&std::fs::read(out.join(JOURNAL)).unwrap_or_default()) + 1;
                    let wanted = wanted + random.below(12) as usize;
                    wait(&out, &mut child, most, |journal| count(journal) >= wanted);
                    random.below(30_000)
                }
            });
            let start = Instant::now();
            let ended = loop {
                match child.try_wait().expect("its state") {
                    Some(status) => break Some(status),
                    None if start.elapsed() >= moment => break None,
                    None => std::thread::sleep(Duration::from_micros(200)),
                }
            };
            match ended {
                Some(status) => assert!(status.success(), "{status} after {kills} kills"),
                None => {
                    child.kill().expect("killed"); // SIGKILL
                    child.wait().expect("its end");
                    kills += 1;
                    *phases.entry(phase(&out)).or_default() += 1;
                    let torn =
                        std::fs::read(out.join(JOURNAL)).is_ok_and(|bytes| bytes.last().is_some_and(|b| *b != b'\n'));
                    cut += usize::from(torn);
                }
            }
        }
        // A kill between the record and the end leaves the record alone: another run finds nothing to do.
        assert!(study(&out, layers[layer]).status().expect("engram starts").success());
        assert_eq!(std::fs::read(out.join(RECORD)).expect("the record"), undisturbed[layer], "study {studies}");
        let entries = std::fs::read_dir(&out).expect("the folder").flatten();
        let others: Vec<_> = entries.map(|entry| entry.file_name()).filter(|name| name != RECORD).collect();
        // A record of the other settings is kept when the study had ended with them.
        assert!(others.iter().all(|name| name.to_string_lossy().starts_with(&format!("{RECORD}.old"))), "{others:?}");
        std::fs::remove_dir_all(&out).expect("removed");
    }
    let seconds = begin.elapsed().as_secs();
    println!("{kills} kills of {studies} studies in {seconds} s, {cut} left half a line; all records are equal");
    for (phase, count) in &phases {
        println!("  {count:4} {}", &phase[2..]);
    }
    assert!(kills < 200 || phases.len() >= 6, "some phases were never met");
}

/// Waits until a study's journal is so, or the study has ended.
fn wait(out: &Path, child: &mut Child, most: Duration, is: impl Fn(&[u8]) -> bool) {
    let start = Instant::now();
    let waits = || !std::fs::read(out.join(JOURNAL)).is_ok_and(|journal| is(&journal));
    while waits() && start.elapsed() < most && child.try_wait().expect("its state").is_none() {
        std::thread::sleep(Duration::from_micros(500));
    }
}
