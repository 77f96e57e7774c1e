//! `engram trace`: one fact, layer by layer, with its token × layer maps.

use crate::cell;
use crate::engine::{self, Tracing};
use crate::options::{self, CorruptionArgs, METHOD, MODEL, OUTPUT, RunArgs};
use crate::progress::Progress;
use crate::render::bars::{self, Chart, Column};
use crate::render::heatmap::{self, Heatmap};
use crate::render::style::{Screen, Tone};
use crate::render::text;
use crate::ui::Ui;
use crate::wanted::{Emit, Source};
use anyhow::Result;
use clap::Args;
use engram_core::Error;
use engram_core::metrics::{self, Finding, MetricConvention};
use engram_core::protocol::MapSite;
use engram_core::record::{FactRecord, PatchPosition, Record, Settings, Traced, UnitEffects};
use engram_core::trace::{CellName, CellPlace, CellSite, Number, Units};
use engram_web::figures::finding;
use engram_web::figures::heatmap::windowed;

/// Arguments of `engram trace`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TraceArgs {
    /// Prompt that the answer continues; `{}` stands for the subject
    #[arg(value_name = "PROMPT", value_parser = options::text)]
    pub prompt: String,
    /// What the fact is about, as written in the prompt
    #[arg(long, value_name = "TEXT", value_parser = options::subject)]
    pub subject: String,
    /// True answer [default: the model's own greedy answer]
    #[arg(long, value_name = "TEXT", value_parser = options::text)]
    pub target: Option<String>,
    /// Another answer whose probability is shown too
    #[arg(long, value_name = "TEXT", value_parser = options::text)]
    pub target_new: Option<String>,
    /// Bundled model, Hub id, folder, or .gguf file
    #[arg(long, value_name = "MODEL", value_parser = options::source, help_heading = MODEL)]
    pub model: Source,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    corruption: CorruptionArgs,
    /// Patch positions: subject-last, last-token, same-index
    #[arg(long, alias = "readings", value_name = "LIST", value_delimiter = ',', value_parser = options::position(), help_heading = METHOD)]
    #[arg(default_value = "subject-last,last-token", hide_possible_values = true)]
    pub positions: Vec<PatchPosition>,
    /// Window of the attention and MLP maps, in layers [default: a third of the model's, odd; 10 from 30 layers on]
    #[arg(long, value_name = "LAYERS", value_parser = options::count, help_heading = METHOD)]
    pub window: Option<usize>,
    /// Also patch single heads (head) or neurons (neuron A..B, from 0) of every layer, one at a time
    #[arg(long, value_name = "UNIT", value_parser = options::units, help_heading = METHOD)]
    pub site: Option<Units>,
    /// Draw the token × layer maps, also with --json [default: on]
    #[arg(long, overrides_with = "no_map", help_heading = OUTPUT)]
    pub map: bool,
    /// Leave the maps out; they cost most of the time
    #[arg(long, overrides_with = "map", help_heading = OUTPUT)]
    pub no_map: bool,
    /// Print a record of this one fact as JSON instead of drawing it
    #[arg(long, help_heading = OUTPUT)]
    pub json: bool,
    /// Print a PyTorch script that recomputes one cell, or a layer's ablations (FOR: transformers)
    #[arg(long, value_name = "FOR", value_parser = options::emit(), hide_possible_values = true, help_heading = OUTPUT)]
    #[arg(conflicts_with_all = ["json", "site"])]
    pub emit: Option<Emit>,
    /// Cell for --emit as LAYER:POSITION[:SITE]: POSITION is a patch position or a token of the corrupted prompt, counted from 0; SITE is residual, mlp, attention, head.N or neuron.N [default: the highest at the first patch position]
    #[arg(long, value_name = "CELL", value_parser = cell::cell, requires = "emit", help_heading = OUTPUT)]
    pub cell: Option<CellName>,
    /// Layer whose ablations --emit recomputes: block, attention and MLP, with r_MLP; with --cell: the cell with that block ablated in the corrupted run
    #[arg(long, value_name = "LAYER", value_parser = options::layer, requires = "emit", help_heading = OUTPUT)]
    pub ablation: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  engram trace \"The capital of France is\" --subject France \\
      --model HuggingFaceTB/SmolLM2-135M
  engram trace \"{} plays the\" --subject \"Miles Davis\" --target trumpet \\
      --model ./my-model --no-map
  engram trace \"The capital of France is\" --subject France \\
      --model HuggingFaceTB/SmolLM2-135M --site head --no-map
  engram trace \"The capital of {} is\" --subject France --model model.gguf \\
      --json > france.engram.json
  engram trace \"The capital of France is\" --subject France \\
      --model HuggingFaceTB/SmolLM2-135M --emit transformers > check.py
  engram trace \"{} plays the\" --subject \"Miles Davis\" \\
      --model engram-llama --emit transformers --cell 5:last-token:head.2
  engram trace \"{} plays the\" --subject \"Miles Davis\" \\
      --model engram-llama --emit transformers --ablation 5";

impl TraceArgs {
    /// The number that a script is wanted of.
    fn number(&self) -> engram_core::Result<Option<Number>> {
        if self.emit.is_none() {
            return Ok(None);
        }
        let first = self.positions.first().copied().unwrap_or(PatchPosition::SubjectLast);
        let usual = CellName { layer: None, place: CellPlace::Patched(first), site: CellSite::Map(MapSite::Residual) };
        let number = match (self.cell, self.ablation) {
            (cell, None) => Number::Cell(cell.unwrap_or(usual)),
            (None, Some(layer)) => Number::Ablation(layer),
            (Some(cell), Some(layer)) => Number::SecondPass(cell, layer),
        };
        number.check()?;
        if self.corruption.corruption == "noise" {
            return Err(Error::input("`--emit` does not support noise corruption, whose draws are Engram's own")
                .hint("leave `--corruption noise` out, so that the subject is replaced by a text"));
        }
        Ok(Some(number))
    }

    fn settings(&self) -> engram_core::Result<Settings> {
        options::distinct("--positions", &self.positions, |position| position.name().into())?;
        // A script is of one position, which may be none of those that are shown.
        let number = self.number()?;
        let position = number.and_then(|number| number.position());
        let positions = position.map_or_else(|| self.positions.clone(), |position| vec![position]);
        let maps = number.map_or(!self.no_map, |number| number.needs_maps());
        Ok(Settings {
            n: 1,
            corruption: self.corruption.corruption()?,
            positions,
            stages: vec![1],
            maps: usize::from(maps),
            window: self.window.unwrap_or_default(),
            ..Settings::default()
        })
    }
}

/// Runs the command.
pub fn run(args: &TraceArgs, ui: &Ui) -> Result<()> {
    let settings = args.settings()?;
    let (target, new) = (args.target.as_deref(), args.target_new.as_deref());
    let question = options::question(&args.prompt, &args.subject, target, new)?;
    let progress = Progress::new(*ui);
    let model = args.run.model(&args.model);
    let tracing = engine::trace(&model, &question, &settings, args.site.as_ref(), args.number()?.as_ref(), &progress)?;
    progress.finish();
    if let Some(script) = &tracing.script {
        return Ok(ui.print(script)?);
    }
    if args.json {
        return ui.print_json(&tracing);
    }
    ui.print(&draw(&tracing, ui.screen))?;
    Ok(())
}

/// The whole answer as text.
pub fn draw(tracing: &Tracing, screen: Screen) -> String {
    let record = &tracing.record;
    let Some((fact, traced)) = record.traced().next() else {
        return "The fact could not be traced.".into();
    };
    let mut parts = vec![head(tracing, fact, traced, screen)];
    let nothing = finding::nothing(fact);
    parts.push(bars::render(&sufficiency(record, fact, traced), screen));
    parts.extend(remarks(record, fact, traced).map(|line| wrapped(&line, screen)));
    parts.push(bars::render(&necessity(traced, nothing.is_none()), screen));
    parts.extend(lens(fact, traced).map(|chart| bars::render(&chart, screen)));
    parts.extend(traced.units.iter().map(|effects| units(effects, traced, nothing.as_deref(), screen)));
    if let Some(maps) = &traced.maps {
        let window = maps.window;
        let kinds = [
            ("residual stream after a block".to_owned(), &maps.residual),
            (windowed("MLP outputs", window), &maps.mlp),
            (windowed("attention outputs", window), &maps.attention),
        ];
        for (kind, values) in kinds {
            let map = Heatmap {
                title: format!("p(answer) with one clean state put back: {kind}"),
                tokens: traced.corrupt_tokens.clone(),
                subject: traced.corrupt_span[0]..traced.corrupt_span[1],
                values: values.clone(),
                nothing: nothing.clone(),
                ..Heatmap::default()
            };
            parts.push(heatmap::render(&map, screen));
        }
    }
    parts.join("\n\n")
}

fn head(tracing: &Tracing, fact: &FactRecord, traced: &Traced, screen: Screen) -> String {
    let record = &tracing.record;
    let (model, device) = (&record.model, &record.device);
    let line = |name: &str, value: &str| format!("{} {value}", text::pad(name, 10));
    let own = if tracing.greedy.trim() == fact.target_true.trim() {
        "the model's own answer".to_owned()
    } else {
        format!("the model itself says {}", text::token(&tracing.greedy))
    };
    let answer = format!("{} ({own})", text::token(&fact.target_true));
    let mut lines = vec![
        screen.paint(Tone::Heading, &text::escape(&fact.prompt)),
        line("subject", &text::escape(&fact.subject)),
        line("answer", &answer),
    ];
    let none =
        |why: String| screen.paint(Tone::Warning, &text::wrap(&format!("{why} No layer is named."), screen.width));
    lines.extend(finding::nothing(fact).map(none));
    lines.extend([
        line("p clean", &text::probability(traced.p_clean)),
        line("p corrupt", &text::probability(traced.p_corrupt)),
    ]);
    if !fact.target_new.is_empty() {
        let value = format!("{} for {}", text::probability(traced.p_false), text::token(&fact.target_new));
        lines.push(line("p new", &value));
    }
    let place = format!("{} ({}, {})", device.kind, device.name, device.backend);
    let on = format!("{}, {} layers, on {place}", model.name, model.layers);
    lines.push(line("model", &text::escape(&on)));
    lines.join("\n")
}

fn sufficiency(record: &Record, fact: &FactRecord, traced: &Traced) -> Chart {
    let column = |position: &PatchPosition| {
        let curve = metrics::sufficiency(traced, *position)?;
        Some(Column {
            name: position.name().into(),
            values: curve.iter().map(|s| *s as f32).collect(),
            mark: found(fact, *position).and_then(Finding::layer),
        })
    };
    Chart {
        least: least(finding::nothing(fact).is_none()),
        title: "Sufficiency: p gained by putting the clean state back, per layer".into(),
        columns: record.settings.positions.iter().filter_map(column).collect(),
    }
}

fn found(fact: &FactRecord, position: PatchPosition) -> Option<Finding> {
    metrics::finding(fact, &MetricConvention::default().with_position(position))
}

/// How far the bars' scale reaches at least: nothing may look large where the fact shows no effect.
fn least(effect: bool) -> f32 {
    if effect { 0.0 } else { metrics::SMALL as f32 }
}

/// `named`: layers may be named.
fn necessity(traced: &Traced, named: bool) -> Chart {
    let column = |name: &str, without: &[f32]| {
        let values: Vec<f32> = without.iter().map(|p| traced.p_clean - p).collect();
        let best = values.iter().copied().fold(0f32, f32::max);
        let mark = values.iter().position(|v| named && best > 0.0 && *v == best).map(|i| i + 1);
        Column { name: name.into(), values, mark }
    };
    Chart {
        least: least(named),
        title: "Necessity: p lost by ablating the layer's contribution, per layer".into(),
        columns: vec![
            column("block", &traced.without_block),
            column("attention", &traced.without_attention),
            column("MLP", &traced.without_mlp),
        ],
    }
}

/// What the head reads after each layer at the last token (METHODS, section 2).
fn lens(fact: &FactRecord, traced: &Traced) -> Option<Chart> {
    let lens = traced.lens.as_ref()?;
    let first = |ranks: &[u32]| ranks.iter().position(|rank| *rank == 1).map(|at| at + 1);
    let column = |answer: &str, p: &[f32], ranks: &[u32]| Column {
        name: text::token(answer),
        values: p.to_vec(),
        mark: first(ranks),
    };
    Some(Chart {
        least: 0.0,
        title: "Logit lens: p(first token of the answer) read after each layer, marked where it first ranks highest"
            .into(),
        columns: vec![
            column(&fact.target_true, &lens.p_true, &lens.rank_true),
            column(&fact.target_new, &lens.p_false, &lens.rank_false),
        ],
    })
}

/// Most units that are drawn as a map; of more than these only the strongest are named.
const DRAWN: usize = 40;
/// Units that are named.
const NAMED: usize = 8;

/// Heads or neurons: a map of them where they are few, and the strongest by name.
fn units(effects: &UnitEffects, traced: &Traced, nothing: Option<&str>, screen: Screen) -> String {
    let UnitEffects { unit, position, first, patched } = effects;
    let count = patched.first().map_or(0, Vec::len);
    let name = unit.name();
    let title = format!("p(answer) with one {name} of the clean run put back at {}, per layer", position.name());
    let mut parts = Vec::new();
    if count <= DRAWN {
        let map = Heatmap {
            title,
            tokens: (0..count).map(|at| format!("{name}-{}", first + at)).collect(),
            subject: 0..0,
            values: (0..count).map(|at| patched.iter().map(|layer| layer[at]).collect()).collect(),
            nothing: nothing.map(str::to_owned),
            ..Heatmap::default()
        };
        parts.push(heatmap::render(&map, screen));
    } else {
        parts.push(screen.paint(Tone::Heading, &text::wrap(&title, screen.width)));
    }
    if nothing.is_none() {
        let all = patched.iter().enumerate();
        let mut all: Vec<(usize, usize, f32)> = all
            .flat_map(|(layer, values)| values.iter().enumerate().map(move |(at, p)| (layer + 1, first + at, *p)))
            .collect();
        let gain = |p: f32| p - traced.p_corrupt;
        all.sort_by(|a, b| gain(b.2).abs().total_cmp(&gain(a.2).abs()));
        for (layer, number, p) in all.into_iter().take(NAMED) {
            let line = format!("layer {layer}, {name} {number}: p {} ({:+.4})", text::probability(p), gain(p));
            parts.push(format!("  {line}"));
        }
    }
    parts.join("\n")
}

/// What a reader must know before believing the bars (METHODS, section 2).
fn remarks(record: &Record, fact: &FactRecord, traced: &Traced) -> impl Iterator<Item = String> {
    let ends = traced.subject_span[1] == traced.tokens.len();
    let remark = |position: &PatchPosition| {
        let patched = traced.patched.get(position)?;
        // What shows no effect is said at the top.
        found(fact, *position).filter(|found| found.is_effect())?;
        let said = finding::said(fact, &MetricConvention::default().with_position(*position));
        let caution = match position {
            PatchPosition::LastToken => {
                " The last layer gives p clean back by definition, so a late peak is no finding.".into()
            }
            PatchPosition::SubjectLast if !ends => {
                format!(" Layer {} is 0 by definition, nothing reads the subject after it.", patched.len())
            }
            _ => String::new(),
        };
        Some(format!("{}: {said}{caution}", position.name()))
    };
    let remarks: Vec<String> = record.settings.positions.iter().filter_map(remark).collect();
    remarks.into_iter()
}

fn wrapped(line: &str, screen: Screen) -> String {
    screen.paint(Tone::Faint, &text::wrap(line, screen.width))
}
