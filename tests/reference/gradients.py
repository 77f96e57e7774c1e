#!/usr/bin/env python3
"""Gradients that transformers' autograd computes on the fixture models: gradients.safetensors beside each of them.

    python tests/reference/gradients.py            # all of them, some seconds
    python tests/reference/gradients.py gpt2 phi   # only these

f32 but for divergences, eager attention, the clean prompt of reference.safetensors. tests/fixtures/README.md lists every tensor.
"""

import copy
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from hooks import blocks, changed, first, parts, text_config
from make_fixtures import FIXTURES, SPECS, load

# The other token of the logit difference; the first is the answer.
OTHER = 17


def attention(model):
    """For each block: what gives queries, keys and values before rotation, and the output projection."""
    kind = model.config.model_type
    if kind == "gpt2":
        return [(b.attn.c_attn, None, None, b.attn.c_proj) for b in blocks(model)]
    out = []
    for block in blocks(model):
        own = block.self_attn
        q, k = (own.q_norm, own.k_norm) if kind.startswith("gemma3") else (own.q_proj, own.k_proj)
        out.append((q, k, own.v_proj, own.dense if kind == "phi" else own.o_proj))
    return out


def rows(grad):
    """[T, width] of a gradient; Gemma-3's normed queries and keys are [1, heads, T, dim]."""
    grad = grad[0]
    return grad.transpose(0, 1).flatten(1) if grad.dim() == 3 else grad


def sites(model, ids, objective):
    """Gradients of a scalar of the logits [T, vocab] on every named activation of every block."""
    kept, handles = [], []

    def keep(name, output=True):
        def after(_m, _a, out):
            value = first(out)
            value.retain_grad()
            kept.append((name, value))

        def before(_m, args):
            args[0].retain_grad()
            kept.append((name, args[0]))

        return after if output else before

    for (block, attn, mlp, down), (q, k, v, o) in zip(parts(model), attention(model)):
        for name, module in dict(q=q, k=k, value=v, attn=attn, mlp=mlp, v=down, resid=block).items():
            if module is not None:
                handles.append(module.register_forward_hook(keep(name)))
        handles.append(o.register_forward_pre_hook(keep("heads", output=False)))
        handles.append(down.register_forward_pre_hook(keep("key", output=False)))
    embedded = []

    def embed(_m, args, kw):
        value = (args[0] if args else kw["hidden_states"]).detach().requires_grad_()
        embedded.append(value)
        return ((value, *args[1:]), kw) if args else (args, kw | {"hidden_states": value})

    handles.append(parts(model)[0][0].register_forward_pre_hook(embed, with_kwargs=True))
    logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    objective(logits).backward()
    for handle in handles:
        handle.remove()
    got = {"embed": rows(embedded[0].grad)}
    for name in dict.fromkeys(name for name, _ in kept):
        got[name] = torch.stack([rows(value.grad) for kind, value in kept if kind == name])
    if model.config.model_type == "gpt2":
        got["q"], got["k"], got["value"] = got.pop("q").chunk(3, dim=-1)
    return got


def vstar(model, ids, at, answer):
    """For each layer the gradient of the answer's log-probability on what is added to the MLP's value at a position."""
    out = []
    for _, _, _, down in parts(model):
        delta = torch.zeros(text_config(model).hidden_size, requires_grad=True)

        def add(value):
            value[at] = value[at] + delta

        with changed(down, add):
            logits = model(torch.tensor([ids]), use_cache=False).logits[0]
        torch.log_softmax(logits[-1], -1)[answer].backward()
        out.append(delta.grad)
    return torch.stack(out)


def divergence(model, ids, at, row):
    """KL of the run with `row` added after block 1 to the plain one, and its gradient on that row; in f64."""
    model, row = copy.deepcopy(model).double(), row.double()
    with torch.no_grad():
        plain = torch.log_softmax(model(torch.tensor([ids]), use_cache=False).logits[0, -1], -1)
    row = row.clone().requires_grad_()

    def add(value):
        value[at] = value[at] + row

    with changed(parts(model)[0][0], add):
        run = torch.log_softmax(model(torch.tensor([ids]), use_cache=False).logits[0, -1], -1)
    kl = (run.exp() * (run - plain)).sum()
    kl.backward()
    return kl.detach(), row.grad


def main():
    for name in sys.argv[1:] or SPECS:
        folder = FIXTURES / "models" / name
        model = load(folder)
        model.requires_grad_(False)
        about = json.loads((folder / "reference.json").read_text())
        ids = load_file(folder / "reference.safetensors")["p0.ids"].tolist()
        answer, at = about["answer"]["id"], about["s"]
        got = sites(model, ids, lambda logits: logits[-1, answer] - logits[-1, OTHER])
        got = {f"difference.{key}": value for key, value in got.items()}
        got["vstar"] = vstar(model, ids, at, answer)
        row = 0.5 * torch.randn(text_config(model).hidden_size, generator=torch.Generator().manual_seed(1))
        got["kl.row"] = row
        got["kl.value"], got["kl.gradient"] = divergence(model, ids, at, row)
        got = {key: value.float().contiguous() for key, value in got.items()}
        save_file(got, folder / "gradients.safetensors")
        print(name, {key: list(value.shape) for key, value in got.items()})


if __name__ == "__main__":
    main()
