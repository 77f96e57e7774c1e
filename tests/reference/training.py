#!/usr/bin/env python3
"""Steps a second of PyTorch on the shape of a bundled model's training, for docs/BENCHMARKS.md.

    python tests/reference/training.py core/bundled/models/engram-llama 64 18 [threads]

The same forward, loss and AdamW step as `engram train`, in transformers' own code (f32, eager): a batch of 64 sentences of 18
tokens, cross-entropy on a third of the positions, clipped gradient.
"""

import sys
import time

import torch
from transformers import AutoConfig, AutoModelForCausalLM


def main():
    folder, batch, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if len(sys.argv) > 4:
        torch.set_num_threads(int(sys.argv[4]))
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(folder)
    config.dtype = torch.float32
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.1)
    ids = torch.randint(0, config.vocab_size, (batch, length))
    rows = torch.arange(0, batch * (length - 1), 3)
    labels = ids[:, 1:].reshape(-1)[rows]

    def step():
        hidden = model.model(input_ids=ids).last_hidden_state[:, :-1].reshape(-1, config.hidden_size)
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[rows]), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    for _ in range(3):
        step()
    start = time.perf_counter()
    steps = 20
    for _ in range(steps):
        step()
    print(f"{steps / (time.perf_counter() - start):.2f} steps/s on {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
