//! `engram edit`: one fact rewritten by a rank-one update (METHODS, section 4).

use crate::engine::{self, Edited};
use crate::method::{self, MethodArgs};
use crate::options::{self, METHOD, MODEL, OUTPUT, RunArgs};
use crate::progress::{self, Progress};
use crate::render::style::{Screen, Tone};
use crate::render::table::{self, Align, Table};
use crate::render::text;
use crate::ui::Ui;
use crate::wanted::{Model, Save, Source};
use anyhow::Result;
use clap::Args;
use engram_core::metrics::{self, EditOutcome, Level, Mark, edit_outcome};
use engram_core::record::{EditMethod, EditSettings, Settings};
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
    /// Seed of the draws: contexts, SPSA directions
    #[arg(long, value_name = "NUMBER", default_value_t = 42, help_heading = METHOD)]
    pub seed: u64,
    #[command(flatten)]
    editor: MethodArgs,
    /// Write the weight change as a safetensors file
    #[arg(long, value_name = "FILE", value_parser = delta_file, help_heading = OUTPUT)]
    pub save_delta: Option<PathBuf>,
    /// Write the edited model into a new folder
    #[arg(long, value_name = "DIR", value_parser = new_folder, help_heading = OUTPUT)]
    pub save_model: Option<PathBuf>,
    /// Print the edit's raw values as JSON
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  engram edit \"The capital of France is\" --subject France --target Paris \\
      --new Rome --model HuggingFaceTB/SmolLM2-135M
  engram edit \"{} plays the\" --subject \"Miles Davis\" --target trumpet \\
      --new violin --model ./my-model --layer 8 --save-delta miles.safetensors

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
        Ok(Settings {
            n: 1,
            seed: self.seed,
            stages: vec![1, 3],
            edit: EditSettings { layer: self.layer, ..self.editor.settings(&[self.method])? },
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

fn new_folder(value: &str) -> CoreResult<PathBuf> {
    let path = options::folder(value)?;
    let used = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if used {
        return Err(Error::input("the folder is not empty").hint("give a new one; a model is never written over"));
    }
    Ok(path)
}

/// Runs the command.
pub fn run(args: &EditArgs, ui: &Ui) -> Result<()> {
    let (target, new) = (Some(args.target.as_str()), Some(args.new.as_str()));
    let question = options::question(&args.prompt, &args.subject, target, new)?;
    let save = Save { delta: args.save_delta.clone(), model: args.save_model.clone() };
    let progress = Progress::new(*ui);
    let model = Model { stats_text: args.editor.stats_text.clone(), ..args.run.model(&args.model) };
    let edited = engine::edit(&model, &question, &args.settings()?, &save, &progress)?;
    progress.finish();
    if args.json {
        ui.print_json(&edited)?;
    } else {
        ui.print(&draw(&edited, &args.target, &args.new, ui.screen, ui.terminal))?;
    }
    for (what, path) in [("weight change", &save.delta), ("edited model", &save.model)] {
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
    let (first, last) = (edit.loss.first().copied(), edit.loss.last().copied());
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
    lines.extend([format!(
        "{}, layer {} of {}, {} on {}",
        edited.settings.method().title(),
        edit.layer,
        edited.model.layers,
        edited.model.name,
        edited.device.name
    )]);
    if let (Some(first), Some(last)) = (first, last) {
        let steps = edit.loss.len() - 1;
        let seconds = edited.seconds;
        let what = if edited.settings.method().has_gradients() { "loss" } else { "logit margin" };
        lines.push(match steps {
            0 => format!("{what} {first:.3} before the edit, {seconds:.1} s"),
            _ => format!("{what} {first:.3} -> {last:.3} in {steps} steps, {seconds:.1} s"),
        });
    }
    if !edited.settings.method().has_target_value() {
        lines.push(format!(
            "the MLP output at the subject moved by {:.1} % of its length",
            100.0 * edit.relative_change
        ));
        return lines.join("\n");
    }
    if edited.settings.method().is_joint() {
        lines.push(format!(
            "what is added to the stream has {:.1} % of its length; {:.1} % of the wanted stream is missing after the edit",
            100.0 * edit.relative_change,
            100.0 * edit.residual
        ));
        return lines.join("\n");
    }
    lines.push(format!(
        "the MLP output moved by {:.1} % of its length; the edited weights miss it by {:.1e}",
        100.0 * edit.relative_change,
        edit.residual
    ));
    if !edit.restored {
        lines.push(screen.paint(Tone::Bad, "the weights were not restored exactly"));
    }
    lines.join("\n")
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
