//! `engram edit`: one fact rewritten by a rank-one update (METHODS, section 4).

use super::retrace;
use crate::engine::{self, Edited, LoadedChange};
use crate::method::{self, MethodArgs};
use crate::options::{self, METHOD, MODEL, OUTPUT, RunArgs};
use crate::progress::{self, Progress};
use crate::render::style::{Screen, Tone};
use crate::render::table::{self, Align, Table};
use crate::render::text;
use crate::ui::Ui;
use crate::wanted::{EditWish, Emit, Model, Save, Source};
use anyhow::Result;
use clap::Args;
use engram_core::edit::{Format, full_rank};
use engram_core::metrics::{self, EditOutcome, Level, Mark, edit_outcome};
use engram_core::record::{EditLayers, EditMethod, EditRecord, EditSettings, Settings};
use engram_core::{Error, Result as CoreResult};
use std::path::PathBuf;

/// Arguments of `engram edit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "\
    engram edit [OPTIONS] <PROMPT> --subject <TEXT> --target <TEXT>\n                   --new <TEXT> --model <MODEL>")]
pub struct EditArgs {
    /// Prompt that the answer continues; `{}` stands for the subject
    #[arg(value_name = "PROMPT", value_parser = options::text)]
    pub prompt: String,
    /// What the fact is about, as written in the prompt
    #[arg(long, value_name = "TEXT", value_parser = options::subject)]
    pub subject: String,
    /// Answer that the model gives now
    #[arg(long, value_name = "TEXT", value_parser = options::text)]
    pub target: String,
    /// Answer that it should give instead
    #[arg(long, value_name = "TEXT", value_parser = options::text)]
    pub new: String,
    /// Bundled model, Hub id, folder, or .gguf file
    #[arg(long, value_name = "MODEL", value_parser = options::source, help_heading = MODEL)]
    pub model: Source,
    #[command(flatten)]
    run: RunArgs,
    /// Layer to edit, from 1 [default: where restoring the subject's last token helps most]
    #[arg(long, value_name = "LAYER", value_parser = options::layer, help_heading = METHOD)]
    pub layer: Option<usize>,
    /// How the edit is found: spsa, rome, r-rome, p-rome, memit, alphaedit, ft-m, lora, ultraedit
    #[arg(long, value_name = "METHOD", value_parser = method::method(), default_value = "r-rome", hide_possible_values = true, help_heading = METHOD)]
    pub method: EditMethod,
    /// Apply a saved change instead of searching one: a file of --save-delta, or a folder with a LoRA adapter of PEFT
    #[arg(long, value_name = "PATH", value_parser = saved_change, help_heading = METHOD)]
    #[arg(conflicts_with_all = ["layer", "method", "seed", "MethodArgs"])]
    pub load: Option<PathBuf>,
    /// Seed of the draws: contexts, SPSA directions
    #[arg(long, value_name = "NUMBER", default_value_t = 42, help_heading = METHOD)]
    pub seed: u64,
    #[command(flatten)]
    editor: MethodArgs,
    /// Write the weight change as a safetensors file
    #[arg(long, value_name = "FILE", value_parser = delta_file, help_heading = OUTPUT)]
    pub save_delta: Option<PathBuf>,
    /// Write the weight change as a LoRA adapter of PEFT into a new folder
    #[arg(long, value_name = "DIR", value_parser = new_folder, help_heading = OUTPUT)]
    pub save_lora: Option<PathBuf>,
    /// Write the edited model into a new folder
    #[arg(long, value_name = "DIR", value_parser = new_folder, help_heading = OUTPUT)]
    pub save_model: Option<PathBuf>,
    /// Trace both answers before the edit and after it, with maps and their difference
    #[arg(long, help_heading = OUTPUT)]
    pub retrace: bool,
    /// Print the edit's raw values as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Print a PyTorch script that recomputes the edit from the file of --save-delta or --save-lora (FOR: transformers)
    #[arg(long, value_name = "FOR", value_parser = options::emit(), hide_possible_values = true, help_heading = OUTPUT)]
    #[arg(conflicts_with = "json")]
    pub emit: Option<Emit>,
}

const EXAMPLES: &str = "\
Examples:
  engram edit \"The capital of France is\" --subject France --target Paris \\
      --new Rome --model HuggingFaceTB/SmolLM2-135M
  engram edit \"{} plays the\" --subject \"Miles Davis\" --target trumpet \\
      --new violin --model ./my-model --layer 8 --save-delta miles.safetensors
  engram edit \"{} plays the\" --subject \"Miles Davis\" --target trumpet \\
      --new violin --model ./my-model --load miles.safetensors --save-lora miles

The model's own files are never changed.";

impl EditArgs {
    /// The record's form of the arguments.
    pub fn settings(&self) -> CoreResult<Settings> {
        for (flag, values) in [("--c", &self.editor.c), ("--start", &self.editor.start)] {
            if values.len() > 1 {
                return Err(Error::input(format!("`{flag}` has two values, and there is one edit"))
                    .hint(format!("choose {}", values.join(" or "))));
            }
        }
        if self.emit.is_some() && self.save_delta.is_none() && self.save_lora.is_none() && self.load.is_none() {
            return Err(engine::no_change_file());
        }
        let place = |folder: &Option<PathBuf>| folder.as_ref().and_then(|folder| std::path::absolute(folder).ok());
        if self.save_lora.is_some() && place(&self.save_lora) == place(&self.save_model) {
            return Err(Error::input("`--save-lora` and `--save-model` name one folder")
                .hint("give two: a model beside an adapter is opened with the adapter on top"));
        }
        if self.load.is_some() {
            // Nothing is searched.
            return Ok(Settings { n: 1, stages: vec![1, 3], ..Settings::default() });
        }
        if let (EditMethod::FtM(_), Some(_)) = (self.method, &self.save_lora) {
            return Err(full_rank("ft-m changes every weight of a matrix"));
        }
        Ok(Settings {
            n: 1,
            seed: self.seed,
            stages: vec![1, 3],
            edit: EditSettings { layers: EditLayers::of(self.layer), ..self.editor.settings(&[self.method])? },
            ..Settings::default()
        })
    }
}

fn delta_file(value: &str) -> CoreResult<PathBuf> {
    if !value.ends_with(".safetensors") {
        return Err(
            Error::input("its name does not end in .safetensors").hint("the change is written in that format only")
        );
    }
    options::new_file(value)
}

/// A file with a change, or an adapter's folder.
fn saved_change(value: &str) -> CoreResult<PathBuf> {
    let path = PathBuf::from(value);
    match path.exists() {
        true => Ok(path),
        false => Err(Error::input("there is no such file or folder")
            .hint("give a file of --save-delta, or a folder with adapter_config.json and adapter_model.safetensors")),
    }
}

fn new_folder(value: &str) -> CoreResult<PathBuf> {
    let path = options::folder(value)?;
    let used = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if used {
        return Err(Error::input("the folder is not empty").hint("give a new one; nothing is written over"));
    }
    Ok(path)
}

/// Runs the command.
pub fn run(args: &EditArgs, ui: &Ui) -> Result<()> {
    let (target, new) = (Some(args.target.as_str()), Some(args.new.as_str()));
    let question = options::question(&args.prompt, &args.subject, target, new)?;
    let settings = args.settings()?;
    let save = Save { delta: args.save_delta.clone(), lora: args.save_lora.clone(), model: args.save_model.clone() };
    let wish = EditWish { load: args.load.clone(), save, emit: args.emit, retrace: args.retrace };
    let save = &wish.save;
    let progress = Progress::new(*ui);
    let model = Model { stats_text: args.editor.stats_text.clone(), ..args.run.model(&args.model) };
    let edited = engine::edit(&model, &question, &settings, &wish, &progress)?;
    progress.finish();
    if let Some(script) = &edited.script {
        ui.print(script)?;
    } else if args.json {
        ui.print_json(&edited)?;
    } else {
        ui.print(&draw(&edited, &args.target, &args.new, ui.screen, ui.terminal))?;
        if let Some(retraced) = &edited.retraced {
            ui.print(&format!("\n{}", retrace::draw(retraced, ui.screen, ui.terminal)))?;
        }
    }
    for (what, path) in [("weight change", &save.delta), ("LoRA adapter", &save.lora), ("edited model", &save.model)] {
        if let Some(path) = path {
            progress::wrote(ui, what, path);
        }
    }
    Ok(())
}

/// The whole answer as text.
pub fn draw(edited: &Edited, target: &str, new: &str, screen: Screen, borders: bool) -> String {
    let edit = &edited.edit;
    let head = [("p", Align::Left), ("before", Align::Right), ("after", Align::Right)];
    let mut table = Table::new("", &head);
    let number = text::probability;
    table.row([target.to_owned(), number(edit.p_true), number(edit.p_true_after)]);
    table.row([new.to_owned(), number(edit.p_false), number(edit.p_false_after)]);
    table.row(["greedy answer".to_owned(), text::token(&edited.before), text::token(&edited.after)]);

    let judged = edit_outcome(edit, EditSettings::default().min_p_false);
    let told = &edited.judgement;
    let tone = match told.mark() {
        Mark::Good => Tone::Good,
        Mark::Neutral => Tone::Warning,
        Mark::Harm => Tone::Bad,
    };
    let mut lines = vec![
        screen.paint(Tone::Heading, &text::escape(&edited.prompt)),
        text::wrap(&format!("{}: {}", screen.paint(tone, told.verdict.name()), told.verdict.meaning()), screen.width),
        String::new(),
        table::render(&table, screen, borders),
        String::new(),
    ];
    for (holds, told) in told.checks() {
        let (tone, word) = match holds {
            Some(true) => (Tone::Good, "ok   "),
            Some(false) => (Tone::Bad, "fails"),
            None => (Tone::Faint, "?    "),
        };
        lines.push(format!("{}  {told}", screen.paint(tone, word)));
    }
    lines.extend([String::new(), format!("the paper's success: {}", paper(&judged))]);
    lines.extend(metrics::lines(edit));
    let place =
        format!("layer {} of {}, {} on {}", edit.layer, edited.model.layers, edited.model.name, edited.device.name);
    match (&edited.settings, &edited.loaded) {
        (Some(settings), _) => lines.extend(searched(edit, &settings.method(), &place, edited.seconds)),
        (None, loaded) => lines.extend(loaded.iter().flat_map(|loaded| applied(edit, loaded, &place))),
    }
    if !edit.restored {
        lines.push(screen.paint(Tone::Bad, "the weights were not restored exactly"));
    }
    lines.join("\n")
}

/// How an edit was found.
fn searched(edit: &EditRecord, method: &EditMethod, place: &str, seconds: f64) -> Vec<String> {
    let mut lines = vec![format!("{}, {place}", method.title())];
    if let (Some(first), Some(last)) = (edit.loss.first(), edit.loss.last()) {
        let steps = edit.loss.len() - 1;
        let what = if method.has_gradients() { "loss" } else { "logit margin" };
        lines.push(match steps {
            0 => format!("{what} {first:.3} before the edit, {seconds:.1} s"),
            _ => format!("{what} {first:.3} -> {last:.3} in {steps} steps, {seconds:.1} s"),
        });
    }
    let moved = edit.relative_change;
    lines.push(if !method.has_target_value() {
        at_subject(moved)
    } else if method.is_joint() {
        format!(
            "residual stream: ‖Δh‖/‖h‖ = {moved:.2}; {:.1} % of the wanted change is missing after the edit",
            100.0 * edit.residual
        )
    } else {
        format!("MLP output: ‖Δv‖/‖v‖ = {moved:.2}; the edited weights miss v* by {:.1e}", edit.residual)
    });
    lines
}

/// What was read from a file.
fn applied(edit: &EditRecord, loaded: &LoadedChange, place: &str) -> Vec<String> {
    let change = &loaded.change;
    let what = match change.format {
        Format::Delta => "saved change",
        Format::Lora => "LoRA adapter",
    };
    let count = change.tensors.len();
    let tensors = if count == 1 { "1 matrix".to_owned() } else { format!("{count} matrices, most of all") };
    let ranks = || change.tensors.iter().map(|changed| changed.rank);
    let rank = match (ranks().min(), ranks().max()) {
        (Some(least), Some(most)) if least < most => format!("ranks {least} to {most}"),
        (_, most) => format!("rank {}", most.unwrap_or_default()),
    };
    let mut lines = vec![format!("{what} {} ({rank}): changes {tensors} of {place}", text::escape(&loaded.path))];
    // Where it changes no MLP's last map, there is no value that it moves by itself.
    lines.extend((edit.relative_change > 0.0).then(|| at_subject(edit.relative_change)));
    lines
}

fn at_subject(moved: f32) -> String {
    format!("MLP output at the subject: ‖Δv‖/‖v‖ = {moved:.2}")
}

/// The paper's three levels (METHODS, section 4), which look at the prompt alone.
fn paper(judged: &EditOutcome) -> &'static str {
    match judged.level() {
        _ if !judged.editable => "not counted, the new answer was too improbable to begin with (p not above 0.0005)",
        Some(Level::L1) => "level 1, the new answer is more probable than the old",
        Some(Level::L2) => "level 2, the new answer gained and the old lost more than 0.03",
        Some(Level::L3) => "level 3, the new answer is more than three times as probable and above 0.005",
        None => "none, no level is reached",
    }
}
