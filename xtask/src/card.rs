//! The card of a bundled model: what it is, what was measured, how to make it again.

use anyhow::{Context, Result};
use engram_core::metrics::{MetricConvention, Summary, summarize};
use engram_core::record::{PatchPosition, Record};
use std::fmt::Write;

/// A model card in Markdown, with the hub's header, from the study of all facts.
pub(crate) fn write(record: &Record, recipe: &str, training: &str) -> Result<String> {
    let training: serde_json::Value = serde_json::from_str(training).context("training.json")?;
    let recall = |key: &str| training["recall"][key].as_f64().unwrap_or(f64::NAN);
    let line = |key: &str| recipe.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim();
    let about = line("about = ").trim_matches('"');
    let subject = summarize(record, &MetricConvention::default());
    let last = summarize(record, &MetricConvention::default().with_position(PatchPosition::LastToken));
    let model = &record.model;
    let mut out = String::new();
    let family = &model.family;
    writeln!(out, "---\nlicense: apache-2.0\nlanguage: en\nlibrary_name: transformers\npipeline_tag: text-generation")?;
    writeln!(out, "tags: [{family}, interpretability, knowledge-editing]\n---\n\n# {}\n\n{about}\n", model.name)?;
    writeln!(
        out,
        "A {family} of {} layers, width {}, {} parameters in f16, trained from nothing on the {} facts of \
         `core/bundled/facts.json`. It knows these facts and little else. Written by `cargo xtask models`; every number \
         is measured on the files beside this card.\n",
        model.layers, model.width, model.parameters, record.source.count
    )?;
    let editable = record.validated().filter(|(_, t)| t.p_false > record.settings.edit.min_p_false).count();
    let share = |part: usize, of: usize| format!("{part} of {of} ({:.1} %)", 100.0 * part as f64 / of.max(1) as f64);
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mean = |value: Option<engram_core::metrics::Mean>| value.map_or("-".into(), |mean| format!("{:.3}", mean.mean));
    let mut rows = vec![
        ("recall, trained wordings".to_string(), percent(recall("trained_right"))),
        ("recall, wordings never seen with their subject".into(), percent(recall("held_out_right"))),
        ("validated facts (the paper's two filters)".into(), share(subject.validated, subject.screened)),
        (
            "mean p of the true answer, subject replaced".into(),
            format!("{}, {}", mean(subject.p_clean), mean(subject.p_corrupt)),
        ),
        ("editable (p(false) > 0.0005)".into(), share(editable, subject.validated)),
    ];
    for summary in [&subject, &last] {
        let name = summary.view.position.name();
        rows.push((format!("l*, {name}"), dominance(summary)));
    }
    rows.push((
        "not localized, subject-last".into(),
        subject.not_localized.map_or("-".into(), |s| share(s.count, s.of)),
    ));
    rows.push(("R, subject-last".into(), subject.redundancy.map_or("-".into(), |r| format!("{:.3}", r.r.mean))));
    let drops: Vec<String> = subject.maps.block.iter().map(|mean| format!("{:.3}", mean.mean)).collect();
    rows.push(("mean drop of p without a block, by layer".into(), drops.join(", ")));
    if let Some(edits) = &subject.edits {
        rows.push((
            "edits that succeed by the paper's measure (SPSA, at each fact's own layer)".into(),
            edits.success.map_or("-".into(), |s| share(s.count, s.of)),
        ));
        let verdicts = edits.verdicts.iter().filter(|(_, count)| **count > 0);
        let verdicts: Vec<String> = verdicts.map(|(verdict, count)| format!("{count} {}", verdict.name())).collect();
        rows.push(("all edits by what they did to every watched answer".into(), verdicts.join(", ")));
        let moved = format!("{}, {}", mean(edits.p_false), mean(edits.p_false_after));
        rows.push(("p(false) before and after".into(), moved));
    }
    rows.push((
        "parity with transformers (f32, eager), residual stream and logits".into(),
        "within 1e-4, held by `tests/bundled_models.rs`".into(),
    ));
    writeln!(out, "## Measured\n\n| | |\n|---|---|")?;
    for (what, value) in rows {
        writeln!(out, "| {what} | {value} |")?;
    }
    writeln!(out, "\n## Made by\n\n    cargo xtask models {}\n", model.name)?;
    writeln!(
        out,
        "The recipe is `recipe.toml` (seed {}), the loss curve `loss.csv`, recall and digests `training.json`. Facts and \
         text: `core/bundled`. See `docs/TRAINING.md`. Weights: SHA-256 `{}`.\n",
        line("seed = "),
        model.weights_sha256
    )?;
    writeln!(
        out,
        "## Limits\n\nIt exists to be looked into: its answers are right for its own facts in wordings like those it was \
         trained on, it was told something else a fifth of the time on purpose, and it must not be used as a source of facts."
    )?;
    Ok(out)
}

fn dominance(summary: &Summary) -> String {
    let (Some(l_star), Some(at)) = (summary.l_star, summary.at_l_star) else { return "-".into() };
    let per_layer: Vec<String> = summary.distribution.counts.iter().map(ToString::to_string).collect();
    format!("layer {l_star}: {:.1} % of the localized facts; by layer: {}", at.share * 100.0, per_layer.join(", "))
}
