#!/usr/bin/env python3
"""What transformers computes from the bundled models (f32, eager), for tests/bundled_models.rs.

    python tests/reference/bundled.py

Writes tests/fixtures/bundled.safetensors: for each model and a few prompts of core/bundled/facts.json the token ids, the
residual stream after every block at the last position (before the final norm) and the logits there.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "core" / "bundled"
PROMPTS = 6


def main():
    torch.manual_seed(0)
    facts = json.loads((BUNDLED / "facts.json").read_text(encoding="utf-8"))
    chosen = facts[:: len(facts) // PROMPTS][:PROMPTS]
    prompts = [f["requested_rewrite"]["prompt"].replace("{}", f["requested_rewrite"]["subject"]) for f in chosen]
    tensors = {}
    for folder in sorted((BUNDLED / "models").iterdir()):
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        blocks = model.model.layers
        for number, prompt in enumerate(prompts):
            ids = tokenizer(prompt, return_tensors="pt").input_ids
            states = []

            def keep(_module, _inputs, output):
                states.append((output[0] if isinstance(output, tuple) else output)[0, -1].clone())

            hooks = [block.register_forward_hook(keep) for block in blocks]
            with torch.no_grad():
                logits = model(input_ids=ids).logits[0, -1]
            for hook in hooks:
                hook.remove()
            key = f"{folder.name}.p{number}"
            tensors[f"{key}.ids"] = ids[0].to(torch.int32)
            tensors[f"{key}.resid"] = torch.stack(states).contiguous()
            tensors[f"{key}.logits"] = logits.clone()
        print(folder.name, sum(p.numel() for p in model.parameters()), "parameters")
    save_file(tensors, ROOT / "tests" / "fixtures" / "bundled.safetensors")


if __name__ == "__main__":
    main()
