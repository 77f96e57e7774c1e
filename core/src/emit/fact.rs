//! What the scripts of a trace share: a fact's prompts and answer, the forward pass with hooks, and the comparison.

use super::{Source, ids, literal, number, quoted};

/// The fact that a script computes numbers of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactText<'a> {
    /// The model.
    pub source: Source<'a>,
    /// The clean and the corrupted prompt.
    pub prompts: [&'a str; 2],
    /// Their tokens.
    pub ids: [&'a [u32]; 2],
    /// The answer's text and first token.
    pub answer: (&'a str, u32),
    /// Where Engram has computed, for people.
    pub device: &'a str,
}

/// Reads and changes what modules give.
pub(super) const ROWS: &str = "\
def rows(output):  # attention gives its pattern, too
    return output[0] if isinstance(output, tuple) else output";

/// Keeps a position's activation, and puts it back at another one.
pub(super) fn keep_and_put_back([from, to]: [usize; 2]) -> String {
    format!(
        "\
kept = {{}}


{ROWS}


def keep(module, inputs, output):
    kept[module] = rows(output)[0, {from}].clone()


def put_back(module, inputs, output):
    rows(output)[0, {to}] = kept[module]"
    )
}

/// Leaves nothing of what a module adds to the stream, at any position.
pub(super) const ZERO: &str = "\
def zero(module, inputs, output):
    rows(output).zero_()";

/// The answer's probability in a run with hooks; `hook` is how modules take them.
pub(super) fn run_with(hook: &str) -> String {
    format!(
        "\
def p(prompt, hooks):
    handles = [module.{hook}(hook) for module, hook in hooks.items()]
    with torch.no_grad():
        logits = model(torch.tensor([prompt])).logits[0, -1]
    for handle in handles:
        handle.remove()
    return logits.softmax(-1)[answer].item()"
    )
}

/// How modules take hooks that see their output.
pub(super) const AFTER: &str = "register_forward_hook";
/// How modules take hooks that see their input.
pub(super) const BEFORE: &str = "register_forward_pre_hook";

impl FactText<'_> {
    /// A number, in words: with what put back where.
    pub(super) fn put_back(&self, what: &str, [from, to]: [usize; 2], counted: &str) -> String {
        let Self { prompts: [clean, corrupted], answer, device, .. } = self;
        format!(
            "\
# A number of Engram, computed again with PyTorch and transformers alone: p({answer}) after
#   {corrupted}
# with {what} put back at token {to}, taken from token {from} of
#   {clean}
# Layers count from 1, {counted} from 0. Engram computed on {device}.",
            answer = quoted(&literal(answer.0)),
            corrupted = quoted(&literal(corrupted)),
            clean = quoted(&literal(clean)),
            device = quoted(device),
        )
    }

    /// What is run on what, and Engram's numbers.
    pub(super) fn given(&self, corrupted: bool, engram: &[(&str, f64)]) -> String {
        let Self { ids: [clean_ids, corrupted_ids], answer: (_, answer), .. } = self;
        let each = |(run, value): &(&str, f64)| format!("{}: {}", literal(run), number(*value as f32));
        let numbers: Vec<String> = engram.iter().map(each).collect();
        // More of them would not fit into a line.
        let numbers = match numbers.len() > 4 {
            true => format!("{{\n    {},\n}}", numbers.join(",\n    ")),
            false => format!("{{{}}}", numbers.join(", ")),
        };
        let corrupted = if corrupted { format!("corrupted = {}\n", ids(corrupted_ids)) } else { String::new() };
        format!(
            "\
import torch
from transformers import AutoModelForCausalLM

clean = {clean}
{corrupted}answer = {answer}  # the answer's first token
engram = {numbers}

{open}",
            clean = ids(clean_ids),
            open = self.source.open(),
        )
    }
}

/// Prints what was found beside Engram's numbers, whose names are `widest` characters at most.
pub(super) fn compared(widest: usize) -> String {
    format!(
        r#"for run, value in found.items():
    print(f"{{run:>{widest}}}  {{value:<11.6g}}  Engram {{engram[run]:<11.6g}}  difference {{value - engram[run]:+.1e}}")"#
    )
}
