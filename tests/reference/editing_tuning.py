"""Edits by gradients of the weights: fine-tuning of one layer (FT-M), LoRA, UltraEdit. Used by editing.py.

The loss of a fact is the mean of -log p over the target's tokens, teacher forced after the bare prompt.

FT-M: Adam on the down-projection's weight (no bias) of one layer. A step whose loss is below `stop` changes nothing and
is the last.

LoRA: W + (alpha / rank) B A for the same matrix; no dropout, all steps taken (`stop` 0). At the start B is zero and
A[i, j] = sin(1 + i width + j) / sqrt(width), from 0, computed in f64.

UltraEdit: for each fact one forward and backward pass; h is the input of the down-projection and g the gradient of the
loss on its output (bias included), at the positions chosen. Mean and std of [h, g] are over the rows of all facts; with
them h and g become h^ and g^. v = -lr |h^|^2 g^, and dW^T = (H^T H + I)^-1 H^T V.

| setting | value | what |
|---|---|---|
| positions | all | every position of prompt and target, the BOS and the target's last token (where g is 0) too |
| positions | answer | the positions that predict a token of the target |
| std | code | as published code does it, see below |
| std | population | std over all rows, at least 1e-8 |

Where published code (EasyEdit's and the authors') does other than the paper says, or the paper does not say:
- H is h as it is, not h^; only v is made of h^ and g^.
- All facts of a batch are seen before any row is normalised.
- Its running sum of squares grows, for a batch of n_b rows, by n_b times their variance (which divides by n_b - 1, so
  it is too large by n_b / (n_b - 1)) and by n_old n_b (difference of means)^2 / n. The std is the root of that sum by
  n - 1; 2^-23 is added to it. A batch of one row gives NaN. Batches are single facts here.
- EasyEdit takes all positions of prompt and whole target; the authors' code those of the answer alone, of prompt and
  target without its last token.
"""

import math

import torch

from editing_common import down, nll, logits, restored, scores, set_weight, solve, target_nll, weight
from hooks import first


def bare(tokenizer, fact):
    return tokenizer(fact.text).input_ids, fact.answer(tokenizer)


def descend(model, ids, target, parameters, settings):
    """Adam on the parameters; the losses before each step."""
    adam = torch.optim.Adam(parameters, lr=settings["lr"], betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for _ in range(settings["steps"]):
        adam.zero_grad()
        loss = target_nll(model, ids, target)
        losses.append(loss.item())
        if loss.item() < settings["stop"]:
            break
        loss.backward()
        adam.step()
    return losses


def plain(model, ids, target):
    with torch.no_grad():
        return target_nll(model, ids, target).item()


def ft(model, tokenizer, facts, settings, put):
    module, report = down(model, settings["layer"]), {"settings": settings, "facts": []}
    for number, fact in enumerate(facts):
        ids, target = bare(tokenizer, fact)
        before = plain(model, ids, target)
        old = weight(module)
        with restored([module]):
            module.weight.requires_grad_(True)
            losses = descend(model, ids, target, [module.weight], settings)
            module.weight.requires_grad_(False)
            module.weight.grad = None
            assert abs(losses[0] - before) < 1e-5
            delta = weight(module) - old
            after = scores(model, tokenizer, fact)
        put(f"f{number}.row", delta[0])
        change = (delta.norm() / old.norm()).item()
        report["facts"].append({"loss": losses, "change": change, "after": after})
    return report


def first_a(rank, width):
    flat = torch.arange(rank * width, dtype=torch.float64)
    return (torch.sin(1 + flat) / math.sqrt(width)).reshape(rank, width)


def lora(model, tokenizer, facts, settings, put):
    rank, scale = settings["rank"], settings["alpha"] / settings["rank"]
    module, report = down(model, settings["layer"]), {"settings": settings, "facts": []}
    norm, dtype = weight(module).norm(), module.weight.dtype
    for number, fact in enumerate(facts):
        ids, target = bare(tokenizer, fact)
        before = plain(model, ids, target)
        a = first_a(rank, module.in_features).to(dtype).requires_grad_(True)
        b = torch.zeros(module.out_features, rank, dtype=dtype, requires_grad=True)
        handle = module.register_forward_hook(lambda _m, args, out, a=a, b=b: out + scale * (args[0] @ a.T) @ b.T)
        losses = descend(model, ids, target, [a, b], settings)
        assert abs(losses[0] - before) < 1e-5
        after = scores(model, tokenizer, fact)
        handle.remove()
        delta = (scale * b @ a).detach()
        put(f"f{number}.row", delta[0])
        report["facts"].append({"loss": losses, "change": (delta.norm() / norm).item(), "after": after})
    return report


def rows_of(model, tokenizer, fact, layer, positions):
    """h and g of a fact [n, width], and the loss."""
    ids, target = bare(tokenizer, fact)
    row = ids + (target if positions == "all" else target[:-1])
    got = []

    def keep(_module, args, out):
        out = first(out).clone().requires_grad_(True)
        got.append((args[0][0].detach(), out))
        return out

    handle = down(model, layer).register_forward_hook(keep)
    loss = nll(logits(model, row), len(ids), target).mean()
    handle.remove()
    loss.backward()
    h, g = got[0][0], got[0][1].grad[0]
    chosen = slice(None) if positions == "all" else slice(len(ids) - 1, None)
    return h[chosen].double(), g[chosen].double(), loss.item()


def running(batches):
    """Mean and divisor as the published code has them."""
    n, mean, total = 0, torch.zeros_like(batches[0][0]), torch.zeros_like(batches[0][0])
    for x in batches:
        size = len(x)
        shift = x.mean(0) - mean
        total = total + size * x.var(0, correction=1) + n * size * shift**2 / (n + size)
        mean = mean + size * shift / (n + size)
        n += size
    tiny = 2.0**-23
    return mean, (total / (n - 1 + tiny)).sqrt() + tiny


def ultraedit(model, tokenizer, facts, settings, put):
    layer, report = settings["layer"], {"settings": settings, "runs": []}
    report["before"] = [scores(model, tokenizer, fact) for fact in facts]
    module = down(model, layer)
    for number, variant in enumerate(settings["runs"]):
        every = [rows_of(model, tokenizer, fact, layer, variant["positions"]) for fact in facts]
        for fact, (_, _, loss) in zip(facts, every):
            assert abs(loss - plain(model, *bare(tokenizer, fact))) < 1e-5
        batches = [torch.cat((h, g), 1) for h, g, _ in every]
        x = torch.cat(batches)
        if variant["std"] == "code":
            mean, std = running(batches)
        else:
            mean, std = x.mean(0), x.std(0, correction=0).clamp(min=1e-8)
        h = torch.cat([h for h, _, _ in every])
        width = h.shape[1]
        normal = (x - mean) / std
        v = -variant["lr"] * (normal[:, :width] ** 2).sum(1, keepdim=True) * normal[:, width:]
        delta = solve(h.T @ h + torch.eye(width, dtype=h.dtype), h.T @ v).T
        old = weight(module)
        with restored([module]):
            set_weight(module, old.double() + delta)
            after = [scores(model, tokenizer, fact) for fact in facts]
        put(f"r{number}.mean", mean)
        put(f"r{number}.std", std)
        put(f"r{number}.row", delta[0])
        report["runs"].append(
            variant
            | {
                "rows": len(x),
                "loss": [loss for _, _, loss in every],
                "smallest_std_g": std[width:].min().item(),
                "delta_norm": delta.norm().item(),
                "change": (delta.norm() / old.double().norm()).item(),
                "after": after,
            }
        )
    return report
