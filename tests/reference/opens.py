#!/usr/bin/env python3
"""Opens a saved folder (or GGUF file) in transformers and says what it computes: one line of JSON.

    python tests/reference/opens.py FOLDER                  # ids of a short text
    python tests/reference/opens.py FOLDER --text "The capital of France is"
    python tests/reference/opens.py FOLDER --ids 1,2,3      # no tokenizer needed
    python tests/reference/opens.py model.gguf --ids 1,2,3

    {"ids": [...], "top": [[id, logit], ...16, at the last position], "warnings": [...]}

f32, eager attention. Missing, unexpected or mismatched tensors are told in `warnings`; a folder that transformers refuses
gives {"error": "..."} and exit code 1. A GGUF file needs the accelerate package.
"""

import argparse
import json
import logging as python_logging
import sys
import warnings as python_warnings
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging


def opened(args):
    path = Path(args.folder)
    folder, gguf = (path.parent, {"gguf_file": path.name}) if path.suffix == ".gguf" else (path, {})
    if args.ids:
        ids = [int(i) for i in args.ids.split(",")]
    else:
        ids = AutoTokenizer.from_pretrained(folder, local_files_only=True, **gguf)(args.text).input_ids
    model, info = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        attn_implementation="eager",
        local_files_only=True,
        output_loading_info=True,
        **gguf,
    )
    with torch.no_grad():
        logits = model.eval()(torch.tensor([ids]), use_cache=False).logits[0, -1]
    assert logits.dtype == torch.float32
    top = [[i, logits[i].item()] for i in logits.topk(min(16, len(logits))).indices.tolist()]
    told = [f"{kind}: {sorted(map(str, keys))}" for kind, keys in info.items() if keys]
    return {"ids": ids, "top": top}, told


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--ids", help="comma-separated token ids")
    parser.add_argument("--text", default="The capital of France is")
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    logging.disable_default_handler()
    lines = []
    handler = python_logging.Handler(level=python_logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())
    logging.get_logger("transformers").addHandler(handler)
    with python_warnings.catch_warnings(record=True) as caught:
        python_warnings.simplefilter("always")
        try:
            out, told = opened(args)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"[:2000]}))
            sys.exit(1)
    out["warnings"] = lines + told + [str(w.message) for w in caught]
    print(json.dumps(out))


if __name__ == "__main__":
    main()
