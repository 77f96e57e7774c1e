"""Many facts at once, over several layers: MEMIT and AlphaEdit. Used by editing.py.

The goal Z of a fact is what the last of the layers gives at the subject's last token of the bare prompt, plus the
searched vector. The space of Z is the stream after that block, or (`space` "value") the output of its down-projection:
a family with a norm after it cannot write a row of the stream linearly. Only the last layer changes there.

The loss of the search is that of the model's own logits, a final soft cap included.
"""

import torch

from editing_common import block, down, restored, scores, searched, seen, set_weight, solve, weight, with_ridge


def place(model, settings):
    """The module whose output Z is about."""
    last = settings["layers"][-1]
    return down(model, last) if settings["space"] == "value" else block(model, last)


def keys_of(model, tokenizer, facts, contexts, module):
    """A column per fact: half the bare prompt's key, half the mean of the others'."""
    columns = []
    for fact in facts:
        ks = [seen(model, module, r.ids)[0][r.s].double() for r in fact.rows(tokenizer, contexts)]
        columns.append((ks[0] + torch.stack(ks[1:]).mean(0)) / 2)
    return torch.stack(columns, 1)


def values_of(model, tokenizer, facts, module):
    """A column per fact: the module's output at the subject's last token of the bare prompt."""
    rows = [fact.rows(tokenizer, ["{}"])[0] for fact in facts]
    return torch.stack([seen(model, module, r.ids)[1][r.s].double() for r in rows], 1)


def goals(model, tokenizer, facts, contexts, settings, keep):
    """Z and the searches' reports."""
    columns, runs = [], []
    for number, fact in enumerate(facts):
        start, delta, run = searched(model, tokenizer, fact, contexts, place(model, settings), settings)
        keep(number, delta)
        columns.append(start.double() + delta.double())
        runs.append(run)
    return torch.stack(columns, 1), runs


def write(model, tokenizer, facts, contexts, settings, goal, change):
    """Changes each layer by change(layer, K, R)^T, the lower ones first; reports distances to the goal."""
    layers = settings["layers"][-1:] if settings["space"] == "value" else settings["layers"]
    report = []
    for index, layer in enumerate(layers):
        module = down(model, layer)
        k = keys_of(model, tokenizer, facts, contexts, module)
        left = goal - values_of(model, tokenizer, facts, place(model, settings))
        delta = change(layer, k, left / (len(layers) - index))
        old = weight(module).double()
        set_weight(module, old + delta)
        report.append(
            {
                "layer": layer,
                "residual": left.norm(dim=0).tolist(),
                "key_norm": k.norm(dim=0).tolist(),
                "delta_norm": delta.norm().item(),
                "change": (delta.norm() / old.norm()).item(),
                "delta_row": delta[0],
            }
        )
    after = (goal - values_of(model, tokenizer, facts, place(model, settings))).norm(dim=0).tolist()
    return layers, report, after


def split_rows(report, put, tag):
    """Takes the first row of each change out of the report."""
    for entry in report:
        put(f"{tag}.{entry['layer']}.row", entry.pop("delta_row"))


def memit(model, tokenizer, facts, contexts, moments, settings, eps, put):
    goal, runs = goals(model, tokenizer, facts, contexts, settings, lambda i, d: put(f"f{i}.delta", d))
    before = [scores(model, tokenizer, fact) for fact in facts]

    def change(layer, k, residual):
        c = settings["lambda"] * with_ridge(moments[layer], eps)
        x = solve(c + k @ k.T, k)
        # The same from a solve as small as the number of facts.
        a = solve(c, k)
        other = a @ torch.linalg.inv(torch.eye(k.shape[1], dtype=k.dtype) + k.T @ a)
        assert (x - other).norm() < 1e-8 * x.norm()
        return residual @ x.T

    with restored([down(model, layer) for layer in settings["layers"]]):
        _, report, after = write(model, tokenizer, facts, contexts, settings, goal, change)
        split_rows(report, put, "layer")
        results = [scores(model, tokenizer, fact) for fact in facts]
    return {
        "settings": settings,
        "facts": [r | {"before": b, "after": a} for r, b, a in zip(runs, before, results)],
        "layers": report,
        "residual_after": after,
    }


def threshold_between(eigenvalues):
    """A threshold that no eigenvalue is near to, with a third to three quarters of them below it in every layer."""
    best = (0.0, None)
    for step in range(-120, 61):
        at = float(f"{10 ** (step / 30):.3g}")
        gap = 1.0
        for values in eigenvalues:
            share = (values < at).double().mean().item()
            gap = min(gap, (values / at - 1).abs().min().item()) if 0.33 < share < 0.75 else 0.0
        best = max(best, (gap, at), key=lambda pair: pair[0])
    return best[1]


def alphaedit(model, tokenizer, facts, contexts, moments, settings, eps, put):
    layers = settings["layers"][-1:] if settings["space"] == "value" else settings["layers"]
    parts = {layer: torch.linalg.eigh(moments[layer]) for layer in layers}
    at = settings.get("threshold") or threshold_between([values for values, _ in parts.values()])
    projections, about = {}, []
    for layer, (values, vectors) in parts.items():
        null = vectors[:, values < at]
        projections[layer] = null @ null.T
        near = (values / at - 1).abs().min().item()
        about.append({"layer": layer, "rank": null.shape[1], "width": len(values), "nearest": near})

    size = settings["batch"]
    past = {layer: torch.zeros_like(moments[layer]) for layer in layers}
    report = {"settings": settings | {"threshold": at}, "projections": about, "batches": []}

    def change(layer, k, residual):
        p = projections[layer]
        left = p @ (k @ k.T + past[layer]) + settings["l2"] * torch.eye(len(p), dtype=p.dtype)
        return torch.linalg.solve(left, p @ k @ residual.T).T

    report["before"] = [scores(model, tokenizer, fact) for fact in facts]
    with restored([down(model, layer) for layer in layers]):
        for first in range(0, len(facts), size):
            some = facts[first : first + size]
            goal, runs = goals(
                model, tokenizer, some, contexts, settings, lambda i, d, first=first: put(f"f{first + i}.delta", d)
            )
            _, written, after = write(model, tokenizer, some, contexts, settings, goal, change)
            split_rows(written, put, f"b{first // size}")
            for layer in layers:
                k = keys_of(model, tokenizer, some, contexts, down(model, layer))
                past[layer] = past[layer] + k @ k.T
            results = [scores(model, tokenizer, fact) for fact in facts[: first + size]]
            report["batches"].append({"facts": runs, "layers": written, "residual_after": after, "after": results})
    return report
