//! Progress on stderr: a redrawn bar on a terminal, a line every ten seconds elsewhere, nothing with `--quiet`.

use crate::render::style::Tone;
use crate::render::text;
use crate::ui::Ui;
use engram_core::pause::{self, Pause};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time between two lines where nothing can be redrawn.
const EVERY: Duration = Duration::from_secs(10);

static CANCELLED: AtomicBool = AtomicBool::new(false);

/// The unit at hand may end first, for so many seconds; 0 where work stops at once.
static PATIENCE: AtomicU64 = AtomicU64::new(0);
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Asks all work to stop; called on Ctrl-C and by whoever ends the process. `false`: the unit at hand may end first.
pub fn cancel() -> bool {
    STOPPING.store(true, Ordering::Relaxed);
    let patience = PATIENCE.load(Ordering::Relaxed);
    if patience == 0 {
        CANCELLED.store(true, Ordering::Relaxed);
        return true;
    }
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(patience));
        CANCELLED.store(true, Ordering::Relaxed);
    });
    false
}

/// From now on the unit at hand may end before work stops, for so long.
pub fn end_units(patience: Duration) {
    PATIENCE.store(patience.as_secs().max(1), Ordering::Relaxed);
}

/// Somebody has asked work to stop.
pub fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}

/// Lets the engine hear of it between two blocks of a model.
pub fn interrupt_work() {
    struct Interrupt;

    impl Pause for Interrupt {
        fn cancelled(&self) -> bool {
            CANCELLED.load(Ordering::Relaxed)
        }

        fn rest(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
            None
        }
    }

    pause::install(Some(Rc::new(Interrupt)));
}

/// What the engine reports to and asks.
pub struct Progress {
    ui: Ui,
    now: RefCell<Option<Phase>>,
}

struct Phase {
    label: String,
    unit: &'static str,
    total: Option<u64>,
    done: u64,
    /// What was done before this run, so that a resumed study's speed is its own.
    before: u64,
    started: Instant,
    said: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing is shown until the first phase.
    pub fn new(ui: Ui) -> Self {
        Self { ui, now: RefCell::new(None) }
    }

    /// Starts a phase, for example `("tracing", "facts", Some(100), 12)`: 12 of 100 facts are there already.
    pub fn start(&self, label: &str, unit: &'static str, total: Option<u64>, before: u64) {
        self.finish();
        let now = Instant::now();
        let bar = (self.ui.live && !self.ui.quiet).then(|| bar(label, unit, total, before));
        let (label, done) = (label.to_owned(), before);
        let phase = Phase { label, unit, total, done, before, started: now, said: now, bar };
        *self.now.borrow_mut() = Some(phase);
    }

    /// So much of the phase is done.
    pub fn set(&self, done: u64) {
        let mut now = self.now.borrow_mut();
        let Some(phase) = now.as_mut() else { return };
        phase.done = done;
        match &phase.bar {
            Some(bar) => bar.set_position(done),
            None if phase.said.elapsed() >= EVERY => {
                phase.said = Instant::now();
                self.ui.note(&phase.line());
            }
            None => {}
        }
    }

    /// A line of talk above the bar.
    pub fn note(&self, line: &str) {
        self.above(|| self.ui.note(line));
    }

    /// What a user should know of the input, above the bar.
    pub fn notes(&self, lines: impl IntoIterator<Item = String>) {
        lines.into_iter().for_each(|line| self.note(&line));
    }

    /// A warning above the bar.
    pub fn warn(&self, line: &str) {
        self.above(|| self.ui.warn(line));
    }

    /// Ends the phase; its bar goes away.
    pub fn finish(&self) {
        if let Some(phase) = self.now.borrow_mut().take()
            && let Some(bar) = phase.bar
        {
            bar.finish_and_clear();
        }
    }

    /// Somebody pressed Ctrl-C.
    pub fn is_cancelled(&self) -> bool {
        CANCELLED.load(Ordering::Relaxed)
    }

    fn above(&self, talk: impl FnOnce()) {
        match self.now.borrow().as_ref().and_then(|phase| phase.bar.as_ref()) {
            Some(bar) => bar.suspend(talk),
            None => talk(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Phase {
    fn line(&self) -> String {
        line(&self.label, self.unit, self.done, self.before, self.total, self.started.elapsed())
    }
}

/// `tracing: 40/100 facts, 2.0 facts/s, 30 s left`.
fn line(label: &str, unit: &str, done: u64, before: u64, total: Option<u64>, elapsed: Duration) -> String {
    let mut out = match total {
        Some(total) => format!("{label}: {done}/{total} {unit}"),
        None => format!("{label}: {done} {unit}"),
    };
    let speed = done.saturating_sub(before) as f64 / elapsed.as_secs_f64().max(1e-3);
    if speed > 0.0 {
        out.push_str(&format!(", {speed:.1} {unit}/s"));
        if let Some(total) = total {
            let left = total.saturating_sub(done) as f64 / speed;
            out.push_str(&format!(", {} left", duration(Duration::from_secs_f64(left.min(1e9)))));
        }
    }
    out
}

/// `45 s`, `3 min 5 s`, `2 h 10 min`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

fn bar(label: &str, unit: &str, total: Option<u64>, before: u64) -> ProgressBar {
    let template = match total {
        Some(_) => format!("{label} {{bar:24}} {{pos}}/{{len}} {unit} {{per_sec}} {{left}} left"),
        None => format!("{label} {{spinner}} {{pos}} {unit} {{per_sec}}"),
    };
    let style = ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█▉▊▋▌▍▎▏ ")
        .with_key("per_sec", move |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.1}/s", state.per_sec());
        });
    let style = style.with_key("left", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = out.write_str(&duration(state.eta()));
    });
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    let bar = bar.with_position(before).with_style(style);
    bar.reset_eta();
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Says what was written, with its path in the colour of paths.
pub fn wrote(ui: &Ui, what: &str, path: &std::path::Path) {
    let path = text::escape(&path.display().to_string());
    ui.say(&format!("{what}: {}", ui.talk.paint(Tone::Hint, &path)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_speed_and_time_left() {
        let seconds = Duration::from_secs;
        let said = line("tracing", "facts", 40, 0, Some(100), seconds(20));
        assert_eq!(said, "tracing: 40/100 facts, 2.0 facts/s, 30 s left");
        let resumed = line("tracing", "facts", 40, 30, Some(100), seconds(10));
        assert_eq!(resumed, "tracing: 40/100 facts, 1.0 facts/s, 1 min 0 s left");
        assert_eq!(line("loading", "MB", 0, 0, None, seconds(1)), "loading: 0 MB");
    }

    #[test]
    fn durations() {
        assert_eq!(duration(Duration::from_secs(59)), "59 s");
        assert_eq!(duration(Duration::from_secs(3599)), "59 min 59 s");
        assert_eq!(duration(Duration::from_secs(7800)), "2 h 10 min");
    }
}
