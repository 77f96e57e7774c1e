//! How far long work is: phases of a study and of loading, in words and shares, with what is left.

use super::bytes::{Speed, about, bytes, of};
use crate::words;
use engram_core::protocol::{Phase, StudyPhase};

/// A bar with its words.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What is measured.
    pub label: &'static str,
    /// Share that is done, 0 to 1; `None` when nobody knows.
    pub share: Option<f64>,
    /// The same in words.
    pub words: String,
}

/// The phases of a study, in their order.
pub const PHASES: [StudyPhase; 6] = [
    StudyPhase::Trace,
    StudyPhase::Redundancy,
    StudyPhase::Mlp,
    StudyPhase::SecondMoment,
    StudyPhase::Optimize,
    StudyPhase::Edit,
];

/// A phase's name, and what it counts.
pub fn phase(phase: StudyPhase) -> (&'static str, &'static str) {
    match phase {
        StudyPhase::Trace => ("Screening and tracing", "validated fact"),
        StudyPhase::Redundancy => ("Redundancy", "curve"),
        StudyPhase::Mlp => ("Tracing MLPs", "fact"),
        StudyPhase::SecondMoment => ("Second moments of keys", "token"),
        StudyPhase::Optimize => ("Searching new values", "step"),
        StudyPhase::Edit => ("Editing", "edit"),
    }
}

/// One phase of a study that runs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Track {
    /// Done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
    /// Done when this run began the phase, and when that was, in seconds.
    begun: Option<(usize, f64)>,
    /// The latest news, in seconds.
    latest: f64,
}

impl Track {
    /// Takes news of the phase.
    pub fn heard(&mut self, done: usize, of: usize, second: f64) {
        if self.begun.is_none() {
            self.begun = Some((done, second));
        }
        (self.done, self.of, self.latest) = (done, of, second);
    }

    /// It has begun.
    pub fn begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Everything is done.
    pub fn finished(&self) -> bool {
        self.begun() && self.done >= self.of
    }

    /// Done per second in this run.
    pub fn per_second(&self) -> Option<f64> {
        let (first, since) = self.begun?;
        let passed = self.latest - since;
        // In the first second nobody knows.
        (self.done > first && passed >= 1.0).then(|| (self.done - first) as f64 / passed)
    }

    /// Seconds that are left; what has passed since the latest news is taken off.
    pub fn left(&self, now: f64) -> Option<f64> {
        let rest = self.of.saturating_sub(self.done) as f64;
        let left = rest / self.per_second()?;
        Some((left - (now - self.latest).max(0.0)).max(0.0))
    }

    /// The phase as a bar; `now` in seconds while it runs, nothing while it is paused.
    pub fn bar(&self, which: StudyPhase, now: Option<f64>) -> Bar {
        let (label, noun) = phase(which);
        let share = (self.of > 0).then(|| self.done as f64 / self.of as f64);
        let mut words = match (self.begun(), self.finished()) {
            (false, _) => "waits".to_owned(),
            (true, true) => format!("{}, done", words::count(self.done, noun)),
            _ => format!("{} of {}", self.done, words::count(self.of, noun)),
        };
        if let (true, false, Some(now)) = (self.begun(), self.finished(), now) {
            if let Some(speed) = self.per_second() {
                words.push_str(&format!(", {} a second", words::fixed(speed, if speed < 10.0 { 1 } else { 0 })));
            }
            if let Some(left) = self.left(now) {
                words.push_str(&format!(", {} left", about(left)));
            }
        }
        let share = if self.begun() { share.or(Some(1.0)) } else { Some(0.0) };
        Bar { label, share, words }
    }
}

/// Loading as bars of words: `None` before the first news.
pub fn loading(phase: Option<&Phase>, speed: &Speed) -> Bar {
    match phase {
        None => Bar { label: "Loading", share: None, words: "reading the configuration".into() },
        Some(Phase::Weights { tensors, of: all_tensors, bytes: done, all, file }) => {
            let mut words = format!("{}, tensor {tensors} of {all_tensors}", of(*done, *all));
            if let Some(found) = speed.per_second() {
                words.push_str(&format!(", {}/s", bytes(found as u64)));
            }
            if let Some(left) = speed.left(all.saturating_sub(*done) as f64).filter(|_| done < all) {
                words.push_str(&format!(", {} left", about(left)));
            }
            if !file.is_empty() {
                words.push_str(&format!(" ({})", words::visible(file)));
            }
            Bar { label: "Weights", share: share(*done, *all), words }
        }
        Some(Phase::Retry { attempt, why }) => Bar {
            label: "Trying again",
            share: None,
            words: format!("attempt {attempt}; the transfer was interrupted: {}", words::visible(why)),
        },
        Some(Phase::Hashing { bytes: done, all }) => {
            Bar { label: "Checking digests", share: share(*done, *all), words: of(*done, *all) }
        }
    }
}

fn share(done: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| (done as f64 / all as f64).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_this_runs_speed() {
        let mut track = Track::default();
        assert_eq!((track.left(0.0), track.begun()), (None, false));
        assert_eq!(track.bar(StudyPhase::Trace, Some(0.0)).words, "waits");
        // A resumed study begins at 31: these took no time in this run.
        track.heard(31, 50, 100.0);
        assert_eq!((track.per_second(), track.left(100.0)), (None, None));
        track.heard(35, 50, 102.0);
        assert_eq!(track.per_second(), Some(2.0));
        assert_eq!(track.left(102.0), Some(7.5));
        assert_eq!(track.left(104.0), Some(5.5));
        assert_eq!(track.left(900.0), Some(0.0));
        assert_eq!(track.bar(StudyPhase::Trace, None).words, "35 of 50 validated facts");
        let bar = track.bar(StudyPhase::Trace, Some(102.0));
        assert_eq!(bar.words, "35 of 50 validated facts, 2.0 a second, about 10 s left");
        assert_eq!(bar.share, Some(0.7));
        track.heard(50, 50, 110.0);
        assert_eq!(track.bar(StudyPhase::Trace, Some(110.0)).words, "50 validated facts, done");
    }

    #[test]
    fn a_phase_without_work_is_done() {
        let mut track = Track::default();
        track.heard(0, 0, 1.0);
        let bar = track.bar(StudyPhase::Edit, Some(1.0));
        assert_eq!((bar.share, bar.words.as_str()), (Some(1.0), "0 edits, done"));
    }

    #[test]
    fn loading_is_told() {
        let mut speed = Speed::default();
        assert_eq!(loading(None, &speed).share, None);
        for second in 0..5 {
            speed.measure(f64::from(second) * 1e6, f64::from(second));
        }
        let weights =
            Phase::Weights { tensors: 3, of: 74, bytes: 4_000_000, all: 16_000_000, file: "model.safetensors".into() };
        let bar = loading(Some(&weights), &speed);
        assert_eq!(bar.share, Some(0.25));
        assert_eq!(bar.words, "4.0 of 16.0 MB, tensor 3 of 74, 1.0 MB/s, about 15 s left (model.safetensors)");
        let retry = Phase::Retry { attempt: 2, why: "the network changed".into() };
        assert!(loading(Some(&retry), &speed).words.starts_with("attempt 2; the transfer was interrupted"));
        let hashing = Phase::Hashing { bytes: 1, all: 2 };
        assert_eq!(loading(Some(&hashing), &speed).share, Some(0.5));
    }
}
