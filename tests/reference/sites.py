#!/usr/bin/env python3
"""What transformers has within the blocks of the fixture models: sites.safetensors beside each of them.

    python tests/reference/sites.py            # all of them, some seconds
    python tests/reference/sites.py gpt2 phi   # only these

f32, eager attention. Queries, keys (before rotation), values, head outputs and attention patterns of the clean prompt; and the
answer's probability on the corrupted prompt with one head's or one neuron's clean output put back, by hooks, one full forward
each. tests/fixtures/README.md lists every tensor.
"""

import json
import sys

import torch
from safetensors.torch import load_file, save_file

from gradients import attention
from hooks import forward, parts, text_config
from make_fixtures import FIXTURES, SPECS, load

NEURONS = range(2, 7)


def inside(model, ids):
    """Activations of every block, [L, T, width], and attention patterns, [L, heads, T, T]."""
    got, handles = {}, []

    def after(name):
        def hook(_m, _a, out):
            out = out[0]
            got.setdefault(name, []).append(out.transpose(0, 1).flatten(1) if out.dim() == 3 else out)

        return hook

    for q, k, v, o in attention(model):
        for name, module in dict(q=q, k=k, value=v).items():
            if module is not None:
                handles.append(module.register_forward_hook(after(name)))
        handles.append(o.register_forward_pre_hook(lambda _m, args: got.setdefault("heads", []).append(args[0][0])))
    with torch.no_grad():
        patterns = model(torch.tensor([ids]), use_cache=False, output_attentions=True).attentions
    for handle in handles:
        handle.remove()
    got = {name: torch.stack(values) for name, values in got.items()}
    if model.config.model_type == "gpt2":
        got["q"], got["k"], got["value"] = got.pop("q").chunk(3, dim=-1)
    return got | {"pattern": torch.stack([pattern[0] for pattern in patterns])}


def keys(model, ids):
    """Inputs of every down projection, [L, T, ff]."""
    got = []
    handles = [
        down.register_forward_pre_hook(lambda _m, args: got.append(args[0][0].clone())) for _, _, _, down in parts(model)
    ]
    forward(model, ids)
    for handle in handles:
        handle.remove()
    return torch.stack(got)


def patched(model, module, ids, at, columns, values, answer):
    """p(answer) at the last position when the module reads `values` in these columns at a position."""

    def hook(_m, args):
        x = args[0].clone()
        x[0, at, columns] = values
        return (x, *args[1:])

    handle = module.register_forward_pre_hook(hook)
    p = torch.softmax(forward(model, ids)[-1], -1)[answer]
    handle.remove()
    return p


def main():
    for name in sys.argv[1:] or SPECS:
        folder = FIXTURES / "models" / name
        model = load(folder)
        about = json.loads((folder / "reference.json").read_text())
        reference = load_file(folder / "reference.safetensors")
        clean, corrupt = (reference[f"p{at}.ids"].tolist() for at in (0, 1))
        answer = about["answer"]["id"]
        got = inside(model, clean)
        key = keys(model, clean)
        outputs = [o for *_, o in attention(model)]
        downs = [down for *_, down in parts(model)]
        heads = text_config(model).num_attention_heads
        dim = got["heads"].shape[-1] // heads
        for place, (at, to) in dict(
            subject=(about["s"], about["s_corrupt"]), last=(len(clean) - 1, len(corrupt) - 1)
        ).items():
            rows = []
            for layer, module in enumerate(outputs):
                columns = [slice(head * dim, (head + 1) * dim) for head in range(heads)]
                clean_row = got["heads"][layer, at]
                rows.append([patched(model, module, corrupt, to, c, clean_row[c], answer) for c in columns])
            got[f"patch.heads.{place}"] = torch.tensor(rows)
            rows = [
                [patched(model, module, corrupt, to, n, key[layer, at, n], answer) for n in NEURONS]
                for layer, module in enumerate(downs)
            ]
            got[f"patch.neurons.{place}"] = torch.tensor(rows)
        got = {key: value.detach().float().contiguous() for key, value in got.items()}
        save_file(got, folder / "sites.safetensors")
        print(name, {key: list(value.shape) for key, value in got.items()})


if __name__ == "__main__":
    main()
