#!/usr/bin/env python3
"""Twins of the fixture models with odd configs, tensors and files, and what transformers computes from each.

    python tests/reference/odd.py        # tests/fixtures/odd.json; half a minute

A twin is made by a recipe (keys removed and set, tensors changed by name and rule) that a test can follow without
random numbers. tests/fixtures/README.md says how to read a case.
"""

import contextlib
import json
import logging as python_logging
import os
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

import odd_cases
from hooks import forward
from odd_cases import FIXTURES

TOP = 24
BUDGET = 400_000


def ramp(shape, dtype):
    """(i mod 7 - 3) / 8 over the flat index: exact in every float type."""
    count = int(torch.tensor(shape).prod())
    return ((torch.arange(count) % 7 - 3) / 8).reshape(shape).to(dtype)


def changed(tensors, steps):
    """The tensors of a file after the steps of a recipe."""
    out = dict(tensors)
    dtype = next(iter(tensors.values())).dtype
    for step in steps:
        op = step["op"]
        if op == "copy":
            out[step["to"]] = out[step["from"]].clone()
        elif op == "reverse_rows":
            out[step["to"]] = out[step["from"]].flip(0).contiguous()
        elif op == "drop":
            out = {k: v for k, v in out.items() if not k.endswith(step["name"])}
        elif op == "only":
            out = {k: v for k, v in out.items() if k.startswith(step["prefix"])}
        elif op == "ramp":
            out[step["to"]] = ramp(step["shape"], dtype)
        elif op == "double":
            out[step["name"]] = out[step["name"]] * 2
        elif op == "prefix":
            out = {
                (step["with"] + k[len(step["instead"]) :] if k.startswith(step["instead"]) else k): v
                for k, v in out.items()
            }
        else:
            raise ValueError(op)
    return out


def weights(model):
    folder = FIXTURES / "models" / model
    out = {}
    for path in sorted(folder.glob("model*.safetensors")):
        out |= load_file(path)
    return out


def put(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


@contextlib.contextmanager
def heard():
    """What transformers logs meanwhile."""
    lines = []
    handler = python_logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.get_logger("transformers")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def config_of(case):
    config = json.loads((FIXTURES / "models" / case["model"] / case["base"]).read_text())
    for key in case["remove"]:
        del config[key]
    config |= case["set"]
    if case["text_config"]:
        config = case["outer"] | {"text_config": config}
    return config


def write(case, folder):
    (folder / "config.json").write_text(json.dumps(config_of(case)))
    source = FIXTURES / "models" / case["model"]
    if "files" in case:
        for name, steps in case["files"].items():
            save_file(changed(weights(case["model"]), steps), folder / name, {"format": "pt"})
        if "index" in case:
            mapped = dict(case["index"]["map"])
            rest = case["index"].get("rest")
            if rest:
                mapped = {k: mapped.get(k, rest) for k in weights(case["model"])}
            index = {"metadata": {}, "weight_map": mapped}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    elif case["tensors"]:
        save_file(changed(weights(case["model"]), case["tensors"]), folder / "model.safetensors", {"format": "pt"})
    else:
        for path in source.glob("model*"):
            put(path, folder / path.name)


def short(error):
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text[:200]


def compute(case):
    meta = json.loads((FIXTURES / "models" / case["model"] / "reference.json").read_text())
    ids, answer = meta["prompts"][0]["ids"], meta["answer"]["id"]
    case["ids"] = ids
    with tempfile.TemporaryDirectory(dir=FIXTURES) as folder, heard() as lines:
        try:
            write(case, Path(folder))
            model, info = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32,
                attn_implementation="eager",
                local_files_only=True,
                output_loading_info=True,
            )
            # The vision tower of the text_config form has no weights here and no part in a text.
            missing = sorted(k for k in info["missing_keys"] if "vision" not in k and "multi_modal_projector" not in k)
            if missing:
                case["missing"] = missing[:4] + (["..."] if len(missing) > 4 else [])
            else:
                logits = forward(model.eval(), ids)[-1]
                if not torch.isfinite(logits).all():
                    raise FloatingPointError("logits that are not finite")
                top = logits.topk(TOP).indices.tolist()
                top += [] if answer in top else [answer]
                case["top"] = [[i, float(f"{logits[i].item():.7g}")] for i in top]
            unexpected = sorted(info["unexpected_keys"])
            if unexpected:
                case["unexpected"] = unexpected[:4] + (["..."] if len(unexpected) > 4 else [])
        except Exception as error:
            case["error"] = short(error).replace(folder, "FOLDER")
        if any("NOT tie" in line for line in lines):
            case["warns"] = "both are present in the checkpoints with different values, so we will NOT tie them"
    return case


def main():
    torch.set_num_threads(1)
    logging.set_verbosity_warning()
    logging.disable_progress_bar()
    logging.disable_default_handler()
    cases = []
    for group in odd_cases.GROUPS:
        made = [compute(c) for c in group()]
        print(group.__name__, len(made), flush=True)
        cases += made
    plain = {(c["model"], c["base"]): c.get("top") for c in cases if c["name"] == "as it is"}
    for c in cases:
        if c["name"] != "as it is" and c.get("top") == plain[c["model"], c["base"]]:
            c["top"] = "as it is"
    names = [(c["model"], c["base"], c["name"]) for c in cases]
    assert len(set(names)) == len(names), "a name twice"
    defaults = {"remove": [], "set": {}, "text_config": False, "tensors": []}
    rows = [{k: v for k, v in c.items() if k != "ids" and defaults.get(k, 0) != v} for c in cases]
    ids = {c["model"]: c["ids"] for c in cases}
    lines = ",\n".join("  " + json.dumps(r, ensure_ascii=False) for r in rows)
    path = FIXTURES / "odd.json"
    path.write_text(f'{{\n "ids": {json.dumps(ids)},\n "cases": [\n{lines}\n ]\n}}\n', encoding="utf-8")
    print(len(cases), "cases,", path.stat().st_size, "bytes")
    assert path.stat().st_size < BUDGET


if __name__ == "__main__":
    main()
