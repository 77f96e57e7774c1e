//! `engram study`: the three stages over many facts, one record a model.

use super::shards::{self, ShardArgs};
use super::{compare, sweep};
use crate::engine::{self, Studied};
use crate::method::{self, MethodArgs};
use crate::options::{self, CorruptionArgs, METHOD, MODEL, OUTPUT, RunArgs};
use crate::progress::{self, Progress};
use crate::render::text;
use crate::ui::Ui;
use crate::wanted::{Facts, Model, Place, Source};
use anyhow::Result;
use clap::Args;
use clap::builder::PossibleValuesParser;
use engram_core::device::DeviceChoice;
use engram_core::metrics::{self, MetricConvention};
use engram_core::record::{Answer, EditLayers, EditMethod, EditSettings, PatchPosition, Reason, Record, Settings};
use engram_core::tables;
use engram_core::{Error, Kind};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

/// Arguments of `engram study`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(override_usage = "engram study [OPTIONS] --facts <FILE> --model <MODEL>... --out <DIR>")]
pub struct StudyArgs {
    /// Facts: JSON, JSON lines, CSV or Parquet, as published, or `bundled`
    #[arg(long, value_name = "FILE", value_parser = options::facts, required_unless_present_any = PLANNED)]
    pub facts: Option<Facts>,
    /// Number of validated facts
    #[arg(short, value_name = "COUNT", value_parser = options::count, default_value_t = 100)]
    pub n: usize,
    /// Bundled model, Hub id, folder, or .gguf file; give several, or repeat the flag
    #[arg(long, value_name = "MODEL", value_parser = options::source, required_unless_present_any = PLANNED, num_args = 1.., help_heading = MODEL)]
    pub model: Vec<Source>,
    #[command(flatten)]
    run: RunArgs,
    /// Stages: 1 localization, 2 redundancy, 3 editing
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,3", help_heading = METHOD)]
    #[arg(value_parser = options::stage(), hide_possible_values = true)]
    pub stages: Vec<u8>,
    /// Seed of the fact order and of every draw
    #[arg(long, value_name = "NUMBER", default_value_t = 42, help_heading = METHOD)]
    pub seed: u64,
    #[command(flatten)]
    corruption: CorruptionArgs,
    /// Patch positions: subject-last, last-token, same-index
    #[arg(long, alias = "readings", value_name = "LIST", value_delimiter = ',', value_parser = options::position(), help_heading = METHOD)]
    #[arg(default_value = "subject-last,last-token", hide_possible_values = true)]
    pub positions: Vec<PatchPosition>,
    /// What counts as the answer: first-token, or sequence (geometric mean over its tokens)
    #[arg(long, value_name = "WHAT", default_value = "first-token", help_heading = METHOD)]
    #[arg(value_parser = PossibleValuesParser::new(["first-token", "sequence"]), hide_possible_values = true)]
    pub answer: String,
    /// Token × layer maps for the first COUNT facts
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = METHOD)]
    pub maps: usize,
    /// Window of the attention and MLP maps, in layers [default: a third of the model's, odd; 10 from 30 layers on]
    #[arg(long, value_name = "LAYERS", value_parser = options::count, help_heading = METHOD)]
    pub window: Option<usize>,
    /// Test facts of stage 3
    #[arg(long, value_name = "COUNT", value_parser = options::count, default_value_t = 15, help_heading = EDITING)]
    pub edit_facts: usize,
    /// Edit so many facts one after the other, nothing undone, instead of each from the unedited model; the model is measured after 1, 3, 10, 30 and so on
    #[arg(long, value_name = "COUNT", value_parser = options::count, conflicts_with = "edit_facts", help_heading = EDITING)]
    pub edit_sequence: Option<usize>,
    /// Patch position whose dominant layer is edited
    #[arg(long, alias = "edit-reading", value_name = "WHERE", value_parser = options::position(), default_value = "subject-last", help_heading = EDITING)]
    #[arg(hide_possible_values = true)]
    pub edit_position: PatchPosition,
    /// Layers at which each fact is edited, one edit for each: dominant (its own), all, or numbers from 1 such as 3 or 1-6,12
    #[arg(long, alias = "edit-layer", value_name = "LAYERS", value_parser = EditLayers::from_str, default_value = "dominant", help_heading = EDITING)]
    pub edit_layers: EditLayers,
    /// Facts that memit, alphaedit and ultraedit edit at once [default: all of them; in a sequence one]
    #[arg(long, value_name = "COUNT", value_parser = options::count, help_heading = EDITING)]
    pub edit_batch: Option<usize>,
    /// How facts are rewritten, one method or several: spsa, rome, r-rome, p-rome, memit, alphaedit, ft-m, lora, ultraedit
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = method::method(), default_value = "spsa", help_heading = EDITING)]
    #[arg(hide_possible_values = true)]
    pub edit_method: Vec<EditMethod>,
    /// Edit facts whose new answer has more than this probability [default: 0.0005 where spsa is among the methods, else 0]
    #[arg(long, value_name = "P", value_parser = options::not_negative, help_heading = EDITING)]
    pub min_p_false: Option<f32>,
    /// Let the model write texts of 100 tokens about each edited subject, from the facts' generation prompts, and measure how varied they are (GE); takes longer than all the rest
    #[arg(long, help_heading = EDITING)]
    pub fluency: bool,
    /// Trace both answers again after each edit, as `engram edit --retrace` does; of facts that are edited at several layers, at the dominant one
    #[arg(long, help_heading = EDITING)]
    pub retrace: bool,
    #[command(flatten)]
    editor: MethodArgs,
    /// Folder for the records; made when missing
    #[arg(long, value_name = "DIR", value_parser = options::folder, required_unless_present_any = ["plan", "status"], help_heading = OUTPUT)]
    pub out: Option<PathBuf>,
    /// Start again instead of resuming an interrupted study
    #[arg(long, help_heading = OUTPUT)]
    pub fresh: bool,
    /// Print as JSON which records were written, instead of the tables; with --status, how far the shards are
    #[arg(long, conflicts_with = "plan", help_heading = OUTPUT)]
    pub json: bool,
    /// Stop at a fact that is malformed or does not fit the tokenizer, instead of dropping it with its reason
    #[arg(long, help_heading = METHOD)]
    pub strict: bool,
    #[command(flatten)]
    pub shards: ShardArgs,
}

/// What stands in the place of facts and model.
const PLANNED: [&str; 2] = ["wave", "status"];

/// Tokens of a text, the prompt's included, as in Meng et al. 2022.
const FLUENCY: usize = 100;
const EDITING: &str = "Editing (stage 3)";

const EXAMPLES: &str = "\
Examples:
  engram study --model HuggingFaceTB/SmolLM2-135M --facts counterfact.json \\
      -n 100 --out studies
  engram study --model ./a ./b --facts mine.csv -n 50 --stages 1 --out studies
  engram study --model model.gguf --facts mine.csv --edit-layers 8 --out studies
  engram study --model engram-llama --facts bundled --edit-layers all \\
      --edit-method rome --out studies

An interrupted study goes on where it stopped when the same line is run again.
With other settings of stage 3 it goes on from its tracing; a finished record
with the earlier edits is kept under another name.";

impl StudyArgs {
    /// A model as it is to be opened.
    pub fn of(&self, source: &Source) -> Model {
        Model { stats_text: self.editor.stats_text.clone(), ..self.run.model(source) }
    }

    /// Where shards compute.
    pub fn device(&self) -> DeviceChoice {
        self.run.device
    }

    /// The record's form of the arguments.
    pub fn settings(&self) -> engram_core::Result<Settings> {
        options::distinct("--stages", &self.stages, u8::to_string)?;
        options::distinct("--edit-method", &self.edit_method, |method| method.name().into())?;
        options::distinct("--positions", &self.positions, |position| position.name().into())?;
        let mut stages = self.stages.clone();
        stages.sort_unstable();
        if stages.first() != Some(&1) {
            let list: Vec<String> = stages.iter().map(u8::to_string).collect();
            return Err(Error::input("stages 2 and 3 build on stage 1")
                .hint(format!("ask for it too: --stages 1,{}", list.join(","))));
        }
        let edited = self.edit_position;
        let dominant = self.edit_layers == EditLayers::Dominant;
        if stages.contains(&3) && dominant && !self.positions.contains(&edited) {
            let name = edited.name();
            return Err(Error::input(format!("`--edit-position {name}` is not among `--positions`"))
                .hint(format!("add {name} to --positions, or choose another --edit-position")));
        }
        if let Some(single) = self.edit_method.iter().find(|method| !method.is_joint())
            && self.edit_batch.is_some()
        {
            return Err(Error::input(format!("`--edit-batch`: {} edits one fact at a time", single.title()))
                .hint("memit, alphaedit and ultraedit edit many at once"));
        }
        if self.edit_sequence.is_some() && self.edit_method.iter().any(|method| matches!(method, EditMethod::FtM(_))) {
            return Err(Error::input(
                "`--edit-sequence`: each change of FT-M is as large as the matrix, and a sequence keeps all of them",
            )
            .hint("take lora, whose changes have low rank"));
        }
        if self.edit_sequence.is_some() && self.retrace {
            return Err(Error::input(
                "`--retrace` with `--edit-sequence`: only edits of the unedited model are traced again",
            )
            .hint("leave out one of the two"));
        }
        let editor = self.editor.settings(&self.edit_method)?;
        Ok(Settings {
            n: self.n,
            seed: self.seed,
            corruption: self.corruption.corruption()?,
            answer: match self.answer.as_str() {
                "sequence" => Answer::Sequence,
                _ => Answer::FirstToken,
            },
            positions: self.positions.clone(),
            stages,
            maps: self.maps,
            window: self.window.unwrap_or_default(),
            edit: EditSettings {
                facts: self.edit_sequence.unwrap_or(self.edit_facts),
                position: edited,
                layers: self.edit_layers.clone(),
                batch: self.edit_batch.unwrap_or_default(),
                sequence: self.edit_sequence.unwrap_or_default(),
                retrace: self.retrace,
                fluency: if self.fluency { FLUENCY } else { 0 },
                min_p_false: self.min_p_false.unwrap_or(editor.min_p_false),
                ..editor
            },
            ..Settings::default()
        })
    }
}

/// Runs the command. A model that fails does not stop the others; the code says that one did.
pub fn run(args: &StudyArgs, ui: &Ui) -> Result<ExitCode> {
    if let Some(code) = shards::run(args, ui)? {
        return Ok(code);
    }
    let settings = args.settings()?;
    let (Some(facts), Some(out)) = (&args.facts, &args.out) else { unreachable!("the grammar asks for them") };
    options::distinct("--model", &args.model, Source::name)?;
    if args.model.len() > 1 && args.run.tokenizer.is_some() {
        return Err(Error::input("`--tokenizer` with several models")
            .hint("study them one by one; records can be compared later")
            .into());
    }
    if args.maps > args.n {
        ui.warn(&format!("only {} facts are traced, so there are only so many maps", args.n));
    }
    if args.edit_sequence.is_some_and(|edits| edits >= args.n) {
        ui.warn("no validated facts are left that the sequence does not edit: with a larger -n it is seen what becomes of them");
    }
    let place = Place { out: out.clone(), fresh: args.fresh, strict: args.strict };
    let progress = Progress::new(*ui);
    let models: Vec<_> = args.model.iter().map(|source| args.of(source)).collect();
    if models.len() > 1 {
        engine::check_studies(&models, &settings, &progress)?;
    }
    let mut done = Vec::new();
    let mut failed = Vec::new();
    for (source, model) in args.model.iter().zip(&models) {
        if args.model.len() > 1 {
            ui.note(&format!("{}:", source.name()));
        }
        match engine::study(model, facts, &settings, &place, &progress) {
            Ok(studied) => {
                progress.finish();
                if !args.json {
                    ui.print(&summary(&studied))?;
                    sweep::print(&studied.record, ui)?;
                }
                progress::wrote(ui, "record", &studied.path);
                done.push(studied);
            }
            Err(error) if args.model.len() == 1 || engine::kind(&error) == Some(Kind::Cancelled) => return Err(error),
            Err(error) => {
                progress.finish();
                ui.failure(&error.context(source.name()));
                failed.push(source);
            }
        }
    }
    let records: Vec<Record> = done.iter().map(|studied| studied.record.clone()).collect();
    if args.json {
        let written: Vec<_> = done.iter().map(|studied| serde_json::json!({ "path": studied.path })).collect();
        ui.print_json(&written)?;
    } else if !records.is_empty() {
        compare::print_tables(&tables::all(&records, &MetricConvention::default(), None), ui)?;
    }
    if done.len() > 1 {
        let paths: Vec<String> = done.iter().map(|s| s.path.display().to_string()).collect();
        ui.say(&format!("side by side: engram compare {}", text::escape(&paths.join(" "))));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of the facts, in a few lines.
pub fn summary(studied: &Studied) -> String {
    let record = &studied.record;
    let validated = record.validated().count();
    let mut lines = vec![format!(
        "{}: {validated} facts validated of {} screened, {} wanted",
        text::escape(&record.model.name),
        record.facts.len(),
        record.settings.n
    )];
    if studied.resumed > 0 {
        lines.push(format!("  {} of them were there from an earlier run", studied.resumed));
    }
    let dropped = metrics::reasons(record);
    lines.extend(dropped.iter().map(|(reason, count)| format!("  {count} {}", words(*reason))));
    if validated < record.settings.n {
        lines.push("  the file has no more facts that pass".into());
    }
    if let Some(edits) = &record.edits {
        let facts: BTreeSet<usize> = edits.iter().map(|edit| edit.fact).collect();
        let by = match record.settings.edit.methods.len() {
            0 | 1 => String::new(),
            several => format!(", each by {several} methods"),
        };
        let at = match record.settings.edit.layers.is_sweep() {
            true => format!(" at each of layers {}", record.settings.edit.layers),
            false => String::new(),
        };
        lines.push(format!("  {} facts edited{at}{by}", facts.len()));
    }
    if let Some(sequence) = record.sequences.first() {
        let count: usize = sequence.steps.iter().map(|step| step.edits.len()).sum();
        let times = match record.sequences.len() {
            1 => String::new(),
            several => format!(", {several} times from the unedited model"),
        };
        lines.push(format!("  {count} facts edited one after the other{times}"));
    }
    lines.join("\n")
}

/// A reason in words.
fn words(reason: Reason) -> &'static str {
    match reason {
        Reason::NotKnown => "not known: greedy decoding gives another answer",
        Reason::NotSensitive => "not sensitive: corrupting the subject changes too little",
        Reason::SubjectNotFound => "subject has no tokens of its own",
        Reason::SharedFirstToken => "both answers begin with the same token",
        Reason::TooLong => "prompt too long",
        Reason::AnswerMerges => "answer merges with the prompt's last characters",
        Reason::Empty => "a field is empty",
        Reason::UnknownToken => "a token has no embedding",
    }
}
