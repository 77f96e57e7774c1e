//! How long things take here: told whole, and kept beside what was built, so that the next run can say what is ahead.

use crate::shell::target;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What runs now.
pub(crate) struct Timed {
    name: String,
    start: Instant,
    about: Option<Duration>,
}

impl Timed {
    /// Says what begins, and how long it took the last time it ended well.
    pub(crate) fn start(name: &str) -> Self {
        let about = read().get(name).copied();
        println!("== {name}{}", about.map_or_else(String::new, |time| format!(" (last time {})", spoken(time))));
        Self { name: name.to_owned(), start: Instant::now(), about }
    }

    /// So far, as `2 min 10 s of about 6 min 0 s`.
    pub(crate) fn told(&self) -> String {
        let now = spoken(self.start.elapsed());
        self.about.map_or_else(|| now.clone(), |about| format!("{now} of about {}", spoken(about)))
    }

    /// How long it took.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// It ended well: the next run may say how long it took. That nothing can be kept is no reason to fail.
    pub(crate) fn keep(&self) {
        let mut all = read();
        all.insert(self.name.clone(), self.elapsed());
        let lines: String = all.iter().map(|(name, time)| format!("{}\t{name}\n", time.as_secs())).collect();
        let _ = std::fs::write(file(), lines);
    }
}

/// `45 s`, `3 min 5 s`, `2 h 10 min`.
pub(crate) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

fn file() -> PathBuf {
    target().join("xtask-times.tsv")
}

fn read() -> BTreeMap<String, Duration> {
    parse(&std::fs::read_to_string(file()).unwrap_or_default())
}

fn parse(text: &str) -> BTreeMap<String, Duration> {
    let line = |line: &str| {
        let (seconds, name) = line.split_once('\t')?;
        Some((name.to_owned(), Duration::from_secs(seconds.parse().ok()?)))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_whole() {
        assert_eq!(spoken(Duration::from_millis(59_400)), "59 s");
        assert_eq!(spoken(Duration::from_secs(130)), "2 min 10 s");
        assert_eq!(spoken(Duration::from_secs(7800)), "2 h 10 min");
        let before = Timed { name: "lints".into(), start: Instant::now(), about: Some(Duration::from_secs(360)) };
        assert_eq!(before.told(), "0 s of about 6 min 0 s");
    }

    #[test]
    fn damaged_lines_are_passed_over() {
        let read = parse("130\tlints\nwhat\n\nx\ty\n");
        assert_eq!(read.into_iter().collect::<Vec<_>>(), [("lints".to_owned(), Duration::from_secs(130))]);
    }
}
