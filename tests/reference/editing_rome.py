"""Rank-one edits: a searched value written at one key. Used by editing.py.

The three choices of keys:

| name | u from | k and w of | v* |
|---|---|---|---|
| published | mean over the contexts | bare prompt | v0 + delta |
| averaged | mean over the contexts | mean over the contexts | v0 + delta |
| prompt | bare prompt | bare prompt | w + delta |
"""

import torch

from editing_common import down, restored, scores, searched, seen, set_weight, solve, weight, with_ridge


def keys_of(model, fact, tokenizer, contexts, module):
    """Input and output of the down-projection at the subject's last token (f64): bare, and mean over the contexts."""
    pairs = []
    for r in fact.rows(tokenizer, contexts):
        k, w = seen(model, module, r.ids)
        pairs.append((k[r.s].double(), w[r.s].double()))
    ks, ws = (torch.stack(x) for x in zip(*pairs))
    return {"bare": (ks[0], ws[0]), "mean": (ks.mean(0), ws.mean(0))}


def rank_one(kind, keys, c, v0, delta):
    """u, Lambda, k u, k and v* of W' = W + Lambda u^T."""
    key = keys["bare" if kind == "prompt" else "mean"][0]
    u = key if c is None else solve(c, key)
    u = u / u.norm()
    k, w = keys["mean" if kind == "averaged" else "bare"]
    goal = (w if kind == "prompt" else v0.double()) + delta.double()
    return u, (goal - w) / (k @ u), (k @ u).item(), k, goal


def rome(model, tokenizer, facts, contexts, moments, settings, eps, put):
    """`moments`: name -> C of the layer, without ridge. `put(name, tensor)` keeps a tensor."""
    module = down(model, settings["layer"])
    report = {"settings": settings, "facts": [], "edits": []}
    found = {}
    for number, fact in enumerate(facts):
        start, delta, run = searched(model, tokenizer, fact, contexts, module, settings)
        keys = keys_of(model, fact, tokenizer, contexts, module)
        worst = (keys["bare"][1] - start).abs().max().item()
        assert worst < 1e-6, f"v0 is not the bare prompt's value: {worst}"
        found[number] = (start, delta, keys)
        put(f"f{number}.v0", start)
        put(f"f{number}.delta", delta)
        put(f"f{number}.k", keys["bare"][0])
        put(f"f{number}.k_mean", keys["mean"][0])
        put(f"f{number}.w_mean", keys["mean"][1])
        report["facts"].append(run | {"before": scores(model, tokenizer, fact)})

    for edit in settings["edits"]:
        number, kind, name = edit["fact"], edit["keys"], edit["c"]
        start, delta, keys = found[number]
        c = None if name is None else with_ridge(moments[name], eps)
        u, direction, ku, k, goal = rank_one(kind, keys, c, start, delta)
        old = weight(module)
        with restored([module]):
            set_weight(module, old.double() + torch.outer(direction, u))
            now = keys["bare"][1] - old.double() @ keys["bare"][0] + weight(module).double() @ k
            reached = ((now - goal).norm() / goal.norm()).item()
            assert reached < 1e-5, f"W'k is not v*: {reached}"
            own = keys_of(model, facts[number], tokenizer, contexts, module)
            value = own["mean" if kind == "averaged" else "bare"][1]
            assert (value - goal).norm() < 1e-4 * goal.norm(), "the edited model does not give v*"
            after = scores(model, tokenizer, facts[number])
        tag = f"f{number}.{kind}.{name or 'identity'}"
        put(f"{tag}.u", u)
        put(f"{tag}.lambda", direction)
        report["edits"].append(
            edit
            | {
                "k_u": ku,
                "lambda_norm": direction.norm().item(),
                "change": (torch.outer(direction, u).norm() / old.double().norm()).item(),
                "reached": reached,
                "after": after,
            }
        )
    return report
