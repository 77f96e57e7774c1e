#!/usr/bin/env python3
"""LoRA adapters in PEFT: what a saved one computes, and random ones to compare with.

    python tests/reference/adapters.py run JOBS.json     # [{"model", "adapter" or null, "ids", "tokens"}, ...]
    python tests/reference/adapters.py make JOBS.json    # the same with "config": LoraConfig's arguments, written to "adapter"

Each prints one line of JSON: for every job the probabilities of `tokens` after `ids`. f32, eager attention, CPU.
"""

import json
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM
from transformers.utils import logging


def opened(folder):
    options = {"dtype": torch.float32, "attn_implementation": "eager", "local_files_only": True}
    return AutoModelForCausalLM.from_pretrained(folder, **options).eval()


def probabilities(model, job):
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([job["ids"]]), use_cache=False).logits[0, -1]
    assert logits.dtype == torch.float32
    return [logits.softmax(-1)[token].item() for token in job["tokens"]]


def run(job):
    model = opened(job["model"])
    if job["adapter"] is None:
        return probabilities(model, job)
    adapted = PeftModel.from_pretrained(model, job["adapter"]).eval()
    # What the file holds and the model does not take is told as a warning only.
    taken = {name.replace(".default", "") for name, _ in adapted.named_parameters() if ".lora_" in name}
    from safetensors.torch import load_file

    held = set(load_file(job["adapter"] + "/adapter_model.safetensors"))
    assert taken == held, f"{sorted(taken ^ held)}"
    apart = probabilities(adapted, job)
    merged = probabilities(adapted.merge_and_unload(), job)
    assert max(abs(a - b) for a, b in zip(apart, merged)) < 1e-5, f"{apart} {merged}"
    return apart


def make(job):
    torch.manual_seed(7)
    adapted = get_peft_model(opened(job["model"]), LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **job["config"]))
    adapted = adapted.eval()
    adapted.save_pretrained(job["adapter"])
    return probabilities(adapted, job)


def main():
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    what = {"run": run, "make": make}[sys.argv[1]]
    with open(sys.argv[2]) as file:
        jobs = json.load(file)
    print(json.dumps([what(job) for job in jobs]))


if __name__ == "__main__":
    main()
