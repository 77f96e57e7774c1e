"""The named activations of a transformers model, through forward hooks: what every fixture's reference holds."""

import copy
from contextlib import contextmanager

import torch


def text_config(model):
    """The language model's configuration: of a model that sees, too, its text part's."""
    return model.config.get_text_config()


def blocks(model):
    """The blocks of the language model."""
    if model.config.model_type == "gpt2":
        return model.transformer.h
    return getattr(model.model, "language_model", model.model).layers


def parts(model):
    """For each block: itself, what attention and MLP add to the stream, and the MLP's down-projection."""
    kind = model.config.model_type
    if kind == "gpt2":
        return [(b, b.attn, b.mlp, b.mlp.c_proj) for b in blocks(model)]
    layers = blocks(model)
    if kind == "phi":
        return [(b, b.self_attn, b.mlp, b.mlp.fc2) for b in layers]
    if kind.startswith("gemma"):  # a second norm stands between the sublayer and the stream
        return [(b, b.post_attention_layernorm, b.post_feedforward_layernorm, b.mlp.down_proj) for b in layers]
    return [(b, b.self_attn, b.mlp, b.mlp.down_proj) for b in layers]


def first(output):
    return output[0] if isinstance(output, tuple) else output


def forward(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0]


@contextmanager
def changed(module, change):
    """While it lasts, `change` edits the module's output [T, d] in place."""

    def hook(_module, _args, output):
        if isinstance(output, tuple):
            value = output[0].clone()
            change(value[0])
            return (value, *output[1:])
        value = output.clone()
        change(value[0])
        return value

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def capture(model, ids):
    got = {"resid": [], "attn": [], "mlp": [], "key": [], "v": []}
    handles, embed = [], []

    def keep(name):
        return lambda _m, _a, out: got[name].append(first(out)[0].clone())

    blocks = parts(model)
    handles.append(
        blocks[0][0].register_forward_pre_hook(
            lambda _m, args, kw: embed.append((args[0] if args else kw["hidden_states"])[0].clone()), with_kwargs=True
        )
    )
    for block, attn, mlp, down in blocks:
        handles.append(block.register_forward_hook(keep("resid")))
        handles.append(attn.register_forward_hook(keep("attn")))
        handles.append(mlp.register_forward_hook(keep("mlp")))
        handles.append(down.register_forward_hook(keep("v")))
        handles.append(down.register_forward_pre_hook(lambda _m, args: got["key"].append(args[0][0].clone())))
    logits = forward(model, ids)
    for h in handles:
        h.remove()
    run = {k: torch.stack(v) for k, v in got.items()}
    run |= {"embed": embed[0], "logits": logits, "ids": torch.tensor(ids, dtype=torch.int32)}

    before = torch.cat([run["embed"][None], run["resid"][:-1]])
    worst = (before + run["attn"] + run["mlp"] - run["resid"]).abs().max().item()
    assert worst < 1e-5, f"block output differs from the sum of its parts by {worst}"
    return run


def rounding(model, ids):
    """How far f32 is from f64, at worst: what a tolerance must allow for."""
    exact, run = capture(copy.deepcopy(model).double(), ids), capture(model, ids)
    return {k: (exact[k] - run[k]).abs().max().item() for k in ("resid", "attn", "mlp", "key", "logits")}
