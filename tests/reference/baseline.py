#!/usr/bin/env python3
"""The published tools' way to localize facts, as a baseline for the speed comparison: one full forward per cell.

    python tests/reference/smollm2.py --write DIR --no-reference
    python tests/reference/baseline.py --model DIR --n 20 --out cells.json
    python tests/reference/baseline.py --model DIR --n 20 --batched

For each fact: a clean and a corrupt forward, then for every layer five cells, each one forward of one prompt with
hooks: the clean residual patched into the corrupt run at the subject's last token and at the last token; block,
attention and MLP zeroed in the clean run. Each cell reads the answer's probability at the last position.
Llama-family models only. One JSON line on stdout, progress on stderr. With `--batched` all cells of a fact share two
forwards, one for each prompt, each cell a row: what somebody writes who knows PyTorch well.

With `--vstar LAYER`, instead: for each fact the gradient of the answer's log-probability on what is added to that layer's MLP
output at the subject's last token (the inner step of ROME's v*), one forward and one backward a fact.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[2]
CORRUPT_SUBJECT = "Random Person"
CELLS = ("patch_subject", "patch_last", "ablate_block", "ablate_attn", "ablate_mlp")


def encode(tokenizer, template, subject):
    """Token ids of the prompt, and the position of the subject's last token (through character offsets)."""
    at = template.index("{}")
    e = tokenizer.encode(template.replace("{}", subject, 1))
    inside = [i for i, (x, y) in enumerate(e.offsets) if y > at and x < at + len(subject)]
    return e.ids, inside[-1]


def first_facts(shared, model_dir, n):
    """The first n CounterFact records in the study's order, whether the model knows them or not."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_dir / "tokenizer.json"))
    records = json.loads((shared / "data" / "counterfact.json").read_text(encoding="utf-8"))
    random.Random(42).shuffle(records)
    facts = []
    for record in records[:n]:
        r = record["requested_rewrite"]
        clean_ids, s = encode(tokenizer, r["prompt"], r["subject"])
        corrupt_ids, s_corrupt = encode(tokenizer, r["prompt"], CORRUPT_SUBJECT)
        longer = tokenizer.encode(r["prompt"].replace("{}", r["subject"], 1) + " " + r["target_true"]["str"]).ids
        facts.append(
            {
                "case_id": record["case_id"],
                "clean_ids": clean_ids,
                "corrupt_ids": corrupt_ids,
                "s": s,
                "s_corrupt": s_corrupt,
                "answer": longer[len(clean_ids)],
            }
        )
    return facts


class Stage1:
    def __init__(self, model, all_logits):
        self.model = model
        self.layers = model.model.layers
        self.keep = 0 if all_logits else 1
        self.forwards = 0

    def p(self, ids, answer, hooks=()):
        """Probability of the answer after a full forward under (module, hook) pairs."""
        handles = [module.register_forward_hook(hook) for module, hook in hooks]
        try:
            logits = self.model(torch.tensor([ids]), use_cache=False, logits_to_keep=self.keep).logits
        finally:
            for h in handles:
                h.remove()
        self.forwards += 1
        return torch.softmax(logits[0, -1], -1)[answer].item()

    def fact(self, fact):
        clean, corrupt, answer = fact["clean_ids"], fact["corrupt_ids"], fact["answer"]
        state = [None] * len(self.layers)

        def save(i):
            def hook(_module, _args, output):
                state[i] = first(output)[0].clone()

            return hook

        out = {
            "p_clean": self.p(clean, answer, [(layer, save(i)) for i, layer in enumerate(self.layers)]),
            "p_corrupt": self.p(corrupt, answer),
        }
        out |= {name: [] for name in CELLS}
        for layer, h in zip(self.layers, state):
            patch_subject = put(fact["s_corrupt"], h[fact["s"]])
            patch_last = put(len(corrupt) - 1, h[len(clean) - 1])
            sublayers = [(layer.self_attn, zero), (layer.mlp, zero)]
            out["patch_subject"].append(self.p(corrupt, answer, [(layer, patch_subject)]))
            out["patch_last"].append(self.p(corrupt, answer, [(layer, patch_last)]))
            out["ablate_block"].append(self.p(clean, answer, sublayers))
            out["ablate_attn"].append(self.p(clean, answer, sublayers[:1]))
            out["ablate_mlp"].append(self.p(clean, answer, sublayers[1:]))
        return out

    def batch(self, ids, rows, answer, hooks):
        """Probabilities of the answer in every row of one batch under (module, hook) pairs."""
        handles = [module.register_forward_hook(hook) for module, hook in hooks]
        try:
            logits = self.model(torch.tensor([ids] * rows), use_cache=False, logits_to_keep=self.keep).logits
        finally:
            for h in handles:
                h.remove()
        self.forwards += 1
        return torch.softmax(logits[:, -1], -1)[:, answer].tolist()

    def fact_batched(self, fact):
        """The same with all cells of a fact in two batches, one for each prompt."""
        clean, corrupt, answer, n = fact["clean_ids"], fact["corrupt_ids"], fact["answer"], len(self.layers)
        state = [None] * n

        def save(i):
            def hook(_module, _args, output):
                state[i] = first(output)[0].clone()

            return hook

        hooks = [(layer, save(i)) for i, layer in enumerate(self.layers)]
        for i, layer in enumerate(self.layers):
            # Row 0 is the prompt itself, then come block, attention and MLP, a row a layer.
            hooks.append((layer.self_attn, zero_rows([1 + i, 1 + n + i])))
            hooks.append((layer.mlp, zero_rows([1 + i, 1 + 2 * n + i])))
        ablated = self.batch(clean, 1 + 3 * n, answer, hooks)

        def patch(i):
            def hook(_module, _args, output):
                x = first(output).clone()
                x[1 + i, fact["s_corrupt"]] = state[i][fact["s"]]
                x[1 + n + i, len(corrupt) - 1] = state[i][len(clean) - 1]
                return replaced(output, x)

            return hook

        hooks = [(layer, patch(i)) for i, layer in enumerate(self.layers)]
        patched = self.batch(corrupt, 1 + 2 * n, answer, hooks)
        cells = [patched[1 : 1 + n], patched[1 + n :], ablated[1 : 1 + n], ablated[1 + n : 1 + 2 * n], ablated[1 + 2 * n :]]
        return {"p_clean": ablated[0], "p_corrupt": patched[0]} | dict(zip(CELLS, cells))


def vstar(model, fact, layer):
    delta = torch.zeros(model.config.hidden_size, requires_grad=True)

    def add(_module, _args, output):
        x = output.clone()
        x[0, fact["s"]] = x[0, fact["s"]] + delta
        return x

    handle = model.model.layers[layer - 1].mlp.register_forward_hook(add)
    logits = model(torch.tensor([fact["clean_ids"]]), use_cache=False, logits_to_keep=1).logits[0, -1]
    handle.remove()
    torch.log_softmax(logits, -1)[fact["answer"]].backward()
    return delta.grad.tolist()


def rome(model, fact, layer, settings):
    """ROME's search for v*: in every step all prompts of a fact as one padded batch, as its authors' code has it, or each
    alone, unpadded (`naive`)."""
    rows, count = fact["rows"], max(len(row["ids"]) for row in fact["rows"])
    ids = torch.tensor([row["ids"] + [0] * (count - len(row["ids"])) for row in rows])
    mask = torch.tensor([[1] * len(row["ids"]) + [0] * (count - len(row["ids"])) for row in rows])
    subject = torch.tensor([row["s"] for row in rows])
    lines = torch.arange(len(rows))
    answer, kl_row = torch.tensor(fact["answer"]), len(rows) - 1
    starts = torch.tensor([len(row["ids"]) - len(answer) for row in rows[:-1]])
    places = starts[:, None] + torch.arange(len(answer))
    delta = torch.zeros(model.config.hidden_size, requires_grad=True)
    optimizer = torch.optim.Adam([delta], lr=settings["lr"])
    value, before, losses, alone = None, None, [], None

    def add(_module, _args, output):
        nonlocal value
        if value is None:
            value = output[0, rows[0]["s"]].detach().clone()
        x = output.clone()
        if len(x) == 1:
            x[0, alone] = x[0, alone] + delta
        else:
            x[lines, subject] = x[lines, subject] + delta
        return x

    def predictions():
        """log p of the answer's tokens [rows, tokens], and of what follows the subject in the last row."""
        nonlocal alone
        if not settings.get("naive"):
            log_p = torch.log_softmax(model(ids, attention_mask=mask, use_cache=False).logits, -1)
            return log_p[lines[:-1, None], places, answer], log_p[kl_row, rows[kl_row]["s"]]
        found = []
        for row in rows:
            alone = row["s"]
            found.append(torch.log_softmax(model(torch.tensor([row["ids"]]), use_cache=False).logits[0], -1))
        answers = [log_p[place, answer] for log_p, place in zip(found, places)]
        return torch.stack(answers), found[kl_row][rows[kl_row]["s"]]

    handle = model.model.layers[layer - 1].mlp.down_proj.register_forward_hook(add)
    for step in range(settings["steps"]):
        optimizer.zero_grad()
        answers, essence = predictions()
        nll = -answers.mean()
        before = essence.detach() if before is None else before
        kl = (essence.exp() * (essence - before)).sum()
        loss = nll + settings["kl"] * kl + settings["decay"] * delta.norm() / value.norm() ** 2
        losses.append(loss.item())
        if loss < settings["stop"] or step + 1 == settings["steps"]:
            break
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            most = settings["clamp"] * value.norm()
            if delta.norm() > most:
                delta.mul_(most / delta.norm())
    handle.remove()
    return losses


def first(output):
    return output[0] if isinstance(output, tuple) else output


def replaced(output, value):
    return (value, *output[1:]) if isinstance(output, tuple) else value


def put(position, value):
    def hook(_module, _args, output):
        x = first(output).clone()
        x[0, position] = value
        return replaced(output, x)

    return hook


def zero(_module, _args, output):
    return replaced(output, torch.zeros_like(first(output)))


def zero_rows(rows):
    def hook(_module, _args, output):
        x = first(output).clone()
        x[rows] = 0
        return replaced(output, x)

    return hook


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="as written by smollm2.py --write")
    parser.add_argument("--facts", type=Path, help="JSON list of {clean_ids, corrupt_ids, s, s_corrupt, answer}")
    parser.add_argument("--n", type=int, default=20, help="how many facts (default 20)")
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared", help="the folder of shared data")
    parser.add_argument("--out", type=Path, help="write the facts with all cell probabilities as JSON")
    parser.add_argument("--threads", type=int, help="torch threads (default: torch's own, every core)")
    parser.add_argument("--all-logits", action="store_true", help="LM head at every position, as older tools do")
    parser.add_argument("--batched", action="store_true", help="all cells of a fact in two batches, not a forward each")
    parser.add_argument("--rome", metavar="JSON", help="ROME's search instead: {layer, steps, lr, decay, kl, clamp, stop, naive}")
    parser.add_argument("--vstar", type=int, metavar="LAYER", help="gradients at this layer (from 1) instead of cells")
    args = parser.parse_args()

    if args.threads:
        torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(
        args.model, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    ).eval()
    if args.facts:
        facts = json.loads(args.facts.read_text(encoding="utf-8"))[: args.n]
    else:
        facts = first_facts(args.shared, args.model, args.n)

    if args.rome:
        settings = json.loads(args.rome)
        model.requires_grad_(False)
        start = time.perf_counter()
        losses = [rome(model, fact, settings["layer"], settings) for fact in facts]
        seconds = time.perf_counter() - start
        args.out.write_text(json.dumps(losses))
        print(json.dumps({"facts": len(facts), "seconds": seconds, "threads": torch.get_num_threads()}))
        return

    if args.vstar:
        model.requires_grad_(False)
        vstar(model, facts[0], args.vstar)  # not timed: the first forward allocates
        start = time.perf_counter()
        gradients = [vstar(model, fact, args.vstar) for fact in facts]
        seconds = time.perf_counter() - start
        args.out.write_text(json.dumps(gradients))
        print(json.dumps({"facts": len(facts), "seconds": seconds, "threads": torch.get_num_threads()}))
        return

    stage = Stage1(model, args.all_logits)
    results = []
    with torch.no_grad():
        # Not timed: the first forward allocates.
        if args.batched:
            stage.fact_batched(facts[0])
        else:
            stage.p(facts[0]["clean_ids"], facts[0]["answer"])
        stage.forwards = 0
        start = time.perf_counter()
        for i, fact in enumerate(facts):
            results.append(stage.fact_batched(fact) if args.batched else stage.fact(fact))
            print(f"{i + 1}/{len(facts)} facts, {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
        seconds = time.perf_counter() - start
    if args.out:
        args.out.write_text(json.dumps([f | r for f, r in zip(facts, results)]) + "\n")
    print(
        json.dumps(
            {
                "facts": len(facts),
                "cells": len(facts) * len(CELLS) * len(model.model.layers),
                "forwards": stage.forwards,
                "seconds": round(seconds, 3),
                "seconds_per_fact": round(seconds / len(facts), 3),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "all_logits": args.all_logits,
            }
        )
    )


if __name__ == "__main__":
    main()
