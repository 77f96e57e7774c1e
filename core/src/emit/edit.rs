//! An edit: what its change does to the answer's probabilities.

use super::{Source, ids, literal, number, quoted};

/// A file that holds an edit's change, as Engram writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeFile<'a> {
    /// Engram's own format (`--save-delta`).
    Delta {
        /// The file.
        path: &'a str,
        /// What the checkpoint's names of tensors begin with, and transformers' of the same ones, where these differ.
        renamed: Option<(&'a str, &'a str)>,
    },
    /// A LoRA adapter's weights (`--save-lora`); what Engram writes is scaled by 1.
    Lora {
        /// `adapter_model.safetensors`.
        path: &'a str,
    },
}

/// An edit of one fact.
#[derive(Debug, Clone, PartialEq)]
pub struct EditScript<'a> {
    /// The model.
    pub source: Source<'a>,
    /// How it was edited, for people.
    pub title: &'a str,
    /// The prompt.
    pub prompt: &'a str,
    /// Its tokens.
    pub ids: &'a [u32],
    /// The true and the new answer, with their first tokens.
    pub answers: [(&'a str, u32); 2],
    /// The change.
    pub change: ChangeFile<'a>,
    /// Both answers' probabilities before the edit and after it.
    pub p: [[f32; 2]; 2],
    /// Where Engram has computed, for people.
    pub device: &'a str,
}

impl EditScript<'_> {
    /// The statements that add the change to the weights.
    fn apply(&self) -> String {
        // A Conv1D holds its matrix as [in, out].
        let turned = if self.source.model_type == "gpt2" { ".T" } else { "" };
        match self.change {
            ChangeFile::Delta { renamed, .. } => {
                let name = match renamed {
                    Some((from, to)) => format!("{} + tensor.removeprefix({})", literal(to), literal(from)),
                    None => "tensor".to_owned(),
                };
                format!(
                    r#"    for name, u in change.items():
        tensor, is_u, place = name.partition(".weight.u")
        if is_u:  # W' = W + u kᵀ
            k = change[tensor + ".weight.k" + place]
            added = torch.atleast_2d(u).T @ torch.atleast_2d(k)
            weights[{name} + ".weight"] += added{turned}"#
                )
            }
            ChangeFile::Lora { .. } => format!(
                r#"    for name, a in change.items():
        module, is_a, _ = name.removeprefix("base_model.model.").partition(".lora_A")
        if is_a:  # W' = W + B A
            b = change[name.replace("lora_A", "lora_B")]
            weights[module + ".weight"] += (b @ a){turned}"#
            ),
        }
    }

    /// The script.
    pub fn text(&self) -> String {
        let Self { source, title, prompt, answers: [(old, old_id), (new, new_id)], p, device, .. } = self;
        let (ChangeFile::Delta { path, .. } | ChangeFile::Lora { path }) = self.change;
        let both = |[before, after]: [f32; 2]| format!("({}, {})", number(before), number(after));
        let [p_old, p_new] = [[p[0][0], p[1][0]], [p[0][1], p[1][1]]].map(both);
        format!(
            r#"# An edit of Engram, computed again with PyTorch and transformers alone: {title},
# {new} in the place of {old} after
#   {prompt}
# Engram computed on {device}.
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

prompt = {ids}
answers = {{"old": {old_id}, "new": {new_id}}}  # first tokens
engram = {{"old": {p_old}, "new": {p_new}}}  # before and after

{open}


def probabilities():
    with torch.no_grad():
        return model(torch.tensor([prompt])).logits[0, -1].softmax(-1)


before = probabilities()
change = load_file({path})
weights = dict(model.named_parameters())
with torch.no_grad():
{apply}
after = probabilities()

for answer, token in answers.items():
    for when, p, ours in zip(["before", "after"], [before, after], engram[answer]):
        value = p[token].item()
        print(f"{{answer}} {{when:>6}}  {{value:<11.6g}}  Engram {{ours:<11.6g}}  difference {{value - ours:+.1e}}")"#,
            title = quoted(title),
            old = quoted(&literal(old)),
            new = quoted(&literal(new)),
            prompt = quoted(&literal(prompt)),
            device = quoted(device),
            ids = ids(self.ids),
            open = source.open(),
            path = literal(path),
            apply = self.apply(),
        )
    }
}
