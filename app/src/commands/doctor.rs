//! `engram doctor`: what works on this machine, how a model's files are understood, and whether it fits.

mod outlook;

use crate::engine::{self, Check, State, Understood};
use crate::options;
use crate::progress::Progress;
use crate::render::style::{Ink, Screen, Tone};
use crate::render::text;
use crate::ui::Ui;
use crate::wanted::Source;
use anyhow::Result;
use clap::Args;
use engram_core::device::DeviceChoice;
use std::path::{Path, PathBuf};

/// Arguments of `engram doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  engram doctor\n  engram doctor --model ./my-model\n  engram doctor --model ./my-model --device gpu --precision f16\n  engram doctor --json > doctor.json"
)]
pub struct DoctorArgs {
    /// Show what this model takes of GPU and CPU, whether it fits, and how its files are read, to compare with config.json:
    /// bundled model, Hub id, folder, or .gguf
    #[arg(long, value_name = "MODEL", value_parser = options::source)]
    pub model: Option<Source>,
    /// tokenizer.json, where it is not beside the weights
    #[arg(long, value_name = "FILE", requires = "model")]
    pub tokenizer: Option<PathBuf>,
    /// Where the model would compute: auto, gpu or cpu; auto picks the faster one, and tells of both
    #[arg(long, value_name = "WHERE", value_parser = options::device, default_value = "auto", requires = "model")]
    pub device: DeviceChoice,
    /// What a GPU would hold its matrices in: f32, f16, or auto: f32 where it fits
    #[arg(long, value_name = "BITS", value_parser = options::precision(), default_value = "auto", requires = "model")]
    #[arg(hide_possible_values = true)]
    pub precision: options::WantedPrecision,
    /// Print JSON, to attach to a report
    #[arg(long)]
    pub json: bool,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    program: &'static str,
    system: String,
    checks: &'a [Check],
}

/// Runs the command; `false` says that something does not work, or that the model does not fit.
pub fn run(args: &DoctorArgs, ui: &Ui) -> Result<bool> {
    if let Some(source) = &args.model {
        let model = crate::wanted::Model {
            source: source.clone(),
            tokenizer: args.tokenizer.clone(),
            device: args.device,
            precision: args.precision.0,
            stats_text: None,
        };
        let understood = engine::understand(&model, &Progress::new(*ui))?;
        match args.json {
            true => ui.print_json(&understood)?,
            false => ui.print(&told(&understood, ui.screen))?,
        }
        return Ok(understood.devices.first().is_some_and(|first| first.works));
    }
    let mut checks = engine::check_devices();
    checks.push(cache());
    checks.push(terminal(ui));
    let healthy = checks.iter().all(|check| check.state != State::Failed);
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    if args.json {
        let program = env!("CARGO_PKG_VERSION");
        ui.print_json(&Report { program, system, checks: &checks })?;
    } else {
        ui.print(&format!("engram {} on {system}", env!("CARGO_PKG_VERSION")))?;
        ui.print(&draw(&checks, ui.screen))?;
    }
    Ok(healthy)
}

/// How a model's files are understood, as text.
fn told(understood: &Understood, screen: Screen) -> String {
    let width = understood.lines.iter().map(|line| text::width(&line.0)).max().unwrap_or(0);
    let mut lines = vec![screen.paint(Tone::Heading, &text::escape(&understood.model))];
    for (name, value) in &understood.lines {
        lines.push(format!("  {}  {}", text::pad(name, width), text::escape(value)));
    }
    lines.extend(
        understood.notes.iter().map(|note| format!("  {} {}", screen.paint(Tone::Hint, "note:"), text::escape(note))),
    );
    lines.extend(understood.devices.iter().map(|device| outlook::draw(device, screen)));
    lines.join("\n")
}

fn cache() -> Check {
    let name = "model cache".to_owned();
    let folder = engine::cache_folder();
    let state = if writable(&folder) { State::Ok } else { State::Failed };
    let hint = (state == State::Failed).then(|| "make the folder writable, or point HF_HOME to another place".into());
    let mut models: Vec<String> = engine::cached_models().into_iter().map(|model| model.id).collect();
    models.sort();
    models.dedup();
    let models = if models.len() == 1 { "1 model".into() } else { format!("{} models", models.len()) };
    Check { name, state, detail: format!("{}, {models}", folder.display()), hint }
}

/// Whether a file can be made in a folder, or in the nearest folder above it that exists.
fn writable(folder: &Path) -> bool {
    let Some(existing) = folder.ancestors().find(|path| path.is_dir()) else { return false };
    // One without a name where the system has such: nothing stays there if this run is killed.
    tempfile::tempfile_in(existing).is_ok()
}

fn terminal(ui: &Ui) -> Check {
    let colours = match ui.screen.ink {
        Ink::None => "no colours",
        Ink::Ansi256 => "256 colours",
        Ink::True => "true colour",
    };
    let kind = if ui.terminal { "terminal" } else { "file or pipe" };
    let detail = format!("{kind}, {} columns, {colours}", ui.screen.width);
    let narrow = ui.terminal && ui.screen.width < 60;
    Check {
        name: "output".into(),
        state: if narrow { State::Warning } else { State::Ok },
        detail,
        hint: narrow.then(|| "60 columns or more show bars and maps better".into()),
    }
}

fn draw(checks: &[Check], screen: Screen) -> String {
    let width = checks.iter().map(|check| text::width(&check.name)).max().unwrap_or(0);
    let mut lines = Vec::new();
    for check in checks {
        let (word, tone) = match check.state {
            State::Ok => ("ok  ", Tone::Good),
            State::Warning => ("warn", Tone::Warning),
            State::Failed => ("FAIL", Tone::Bad),
        };
        let name = text::pad(&check.name, width);
        lines.push(format!("{}  {name}  {}", screen.paint(tone, word), text::escape(&check.detail)));
        if let Some(hint) = &check.hint {
            let indent = " ".repeat(6 + width + 2);
            lines.push(format!("{indent}{} {hint}", screen.paint(Tone::Hint, "hint:")));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_as_text() {
        let check = |name: &str, state, hint: Option<&str>| Check {
            name: name.into(),
            state,
            detail: "what was found".into(),
            hint: hint.map(str::to_owned),
        };
        let checks = [
            check("gpu", State::Failed, Some("install a Vulkan driver")),
            check("cpu", State::Ok, None),
            check("model cache", State::Warning, None),
        ];
        insta::assert_snapshot!(draw(&checks, Screen { width: 80, ink: Ink::None }));
    }
}
