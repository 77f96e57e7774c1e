//! The program's log: lines on stderr, as many as `-v` asks for.

use crate::ui::Ui;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Talk(Ui);

impl Log for Talk {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Graphics drivers and network libraries warn about much that no user can act on.
        metadata.target().starts_with("engram") || log::max_level() >= LevelFilter::Trace
    }

    fn log(&self, record: &Record<'_>) {
        // A shader that does not compile is only told here.
        engram_core::device::hear(record);
        if !self.enabled(record.metadata()) {
            return;
        }
        match record.level() {
            Level::Error | Level::Warn => self.0.warn(&record.args().to_string()),
            _ => self.0.note(&record.args().to_string()),
        }
    }

    fn flush(&self) {}
}

/// Starts the log; `verbose` counts the `-v`.
pub fn start(ui: Ui, verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    if log::set_logger(Box::leak(Box::new(Talk(ui)))).is_ok() {
        log::set_max_level(level);
    }
}
