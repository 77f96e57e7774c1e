"""What every editing reference needs: prompts as tokens, C, the search for a vector, scores. Used by editing.py.

Layers count from 1 here. A prompt is a template whose only "{}" is the subject; a context is a template whose only "{}"
is that template. Rows run one at a time: no batch, no padding, no cache.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.pytorch_utils import Conv1D

from hooks import changed, first, parts


def load(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    return model.requires_grad_(False), tokenizer


@dataclass
class Row:
    """A prompt as tokens, and the index of the last token of its subject."""

    ids: list
    s: int


def compose(context, template, subject):
    """The text, and the characters [start, end) where the subject is in it."""
    assert context.count("{}") == 1 and template.count("{}") == 1
    start = context.index("{}") + template.index("{}")
    return context.replace("{}", template).replace("{}", subject), start, start + len(subject)


def row(tokenizer, context, template, subject):
    text, start, end = compose(context, template, subject)
    encoded = tokenizer(text, return_offsets_mapping=True)
    overlapping = [i for i, (b, e) in enumerate(encoded.offset_mapping) if b < end and e > start]
    return Row(encoded.input_ids, overlapping[-1])


def answer(tokenizer, text, target):
    """The tokens of the target after this text."""
    ids, both = tokenizer(text).input_ids, tokenizer(text + " " + target).input_ids
    assert both[: len(ids)] == ids, f"{text!r} has other tokens before {target!r}"
    return both[len(ids) :]


class Fact:
    """A record of CounterFact's form, and so many of its paraphrase and neighbourhood prompts (None: all)."""

    def __init__(self, record, most=None):
        ask = record["requested_rewrite"]
        self.template, self.subject = ask["prompt"], ask["subject"]
        self.true, self.new = ask["target_true"]["str"], ask["target_new"]["str"]
        self.text = self.template.replace("{}", self.subject)
        self.groups = {
            "rewrite": [self.text],
            "paraphrase": record.get("paraphrase_prompts", [])[:most],
            "neighborhood": record.get("neighborhood_prompts", [])[:most],
        }

    def rows(self, tokenizer, contexts):
        return [row(tokenizer, c, self.template, self.subject) for c in contexts]

    def answer(self, tokenizer):
        return answer(tokenizer, self.text, self.new)

    def kl_row(self, tokenizer):
        return row(tokenizer, "{}", "{} is a", self.subject)


def down(model, layer):
    return parts(model)[layer - 1][3]


def block(model, layer):
    return parts(model)[layer - 1][0]


def weight(module):
    """A copy of the weight as [out, in]."""
    return (module.weight.T if isinstance(module, Conv1D) else module.weight).detach().clone()


def set_weight(module, value):
    with torch.no_grad():
        module.weight.copy_(value.T if isinstance(module, Conv1D) else value)


@contextmanager
def restored(modules):
    """The weights of these modules are afterwards what they were before."""
    old = [weight(m) for m in modules]
    try:
        yield
    finally:
        for module, value in zip(modules, old):
            set_weight(module, value)


def logits(model, ids):
    return model(torch.tensor([ids]), use_cache=False).logits[0]


def seen(model, module, ids):
    """Input and output of the module [T, width] in a plain run."""
    got = []

    def keep(_module, args, named, out):
        entered = args[0] if args else named["hidden_states"]
        got.append((entered[0].clone(), first(out)[0].clone()))

    handle = module.register_forward_hook(keep, with_kwargs=True)
    with torch.no_grad():
        logits(model, ids)
    handle.remove()
    return got[0]


def nll(out, length, target):
    """-log p of each target token; `length` is that of the prompt that the target follows."""
    logp = out[length - 1 : length - 1 + len(target)].log_softmax(-1)
    return -logp[torch.arange(len(target)), torch.tensor(target)]


def target_nll(model, ids, target):
    return nll(logits(model, ids + target[:-1]), len(ids), target).mean()


def scores(model, tokenizer, fact):
    """For each group of prompts and either target: mean NLL, and whether every token is the most likely one."""
    report = {}
    for group, texts in fact.groups.items():
        entry = {f"{what}_{which}": [] for which in ("true", "new") for what in ("nll", "exact")}
        for text in texts:
            ids = tokenizer(text).input_ids
            for which in ("true", "new"):
                target = answer(tokenizer, text, getattr(fact, which))
                with torch.no_grad():
                    out = logits(model, ids + target[:-1])
                best = out[len(ids) - 1 : len(ids) - 1 + len(target)].argmax(-1).tolist()
                entry[f"nll_{which}"].append(nll(out, len(ids), target).mean().item())
                entry[f"exact_{which}"].append(best == target)
        report[group] = entry
    return report


# C


def bos(tokenizer):
    """What the tokenizer puts before a text."""
    plain, whole = tokenizer("a", add_special_tokens=False).input_ids, tokenizer("a").input_ids
    count = len(whole) - len(plain)
    assert whole[count:] == plain
    return whole[:count]


def second_moments(model, tokenizer, text, layers, settings):
    """For each layer the mean of k k^T in f64, over the windows of the text. Also how many keys there were."""
    start = bos(tokenizer)
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    step, skip = settings["window"] - len(start), 0 if settings["bos"] else 1
    sums, count = {layer: 0 for layer in layers}, 0
    for at in range(0, len(ids), step):
        window = start + ids[at : at + step]
        window = window[: settings["keys"] - count + skip]
        for layer in layers:
            keys = seen(model, down(model, layer), window)[0][skip:].double()
            sums[layer] = sums[layer] + keys.T @ keys
        count += len(window) - skip
        if count == settings["keys"]:
            break
    return {layer: s / count for layer, s in sums.items()}, count


def with_ridge(c, eps):
    return c + eps * c.trace() / len(c) * torch.eye(len(c), dtype=c.dtype)


def solve(c, right):
    """C^-1 of a vector or of columns, by Cholesky."""
    columns = right if right.dim() == 2 else right[:, None]
    return torch.cholesky_solve(columns, torch.linalg.cholesky(c)).reshape(right.shape)


# The search for what is added


def search(model, rows, kl_row, target, module, settings):
    """The vector that makes the target likely when added to the module's output at the subject's last token.

    The norm of the vector is not squared, that of the start is. At a vector of zeros the norm's gradient is zero. The
    last step has a loss but no update.
    """
    start = seen(model, module, rows[0].ids)[1][rows[0].s]
    delta = torch.zeros_like(start, requires_grad=True)
    adam = torch.optim.Adam([delta], lr=settings["lr"], betas=(0.9, 0.999), eps=1e-8)
    with torch.no_grad():
        before = logits(model, kl_row.ids)[kl_row.s].log_softmax(-1)
    report = {"loss": [], "nll": [], "kl": [], "decay": [], "clamped": []}
    most = settings["clamp"] * start.norm()
    for step in range(settings["steps"]):
        adam.zero_grad()
        losses = []
        for r in rows:
            with changed(module, lambda x, s=r.s: x[s].add_(delta)):
                losses.append(target_nll(model, r.ids, target))
        with changed(module, lambda x: x[kl_row.s].add_(delta)):
            after = logits(model, kl_row.ids)[kl_row.s].log_softmax(-1)
        mean = torch.stack(losses).mean()
        kl = settings["kl"] * (after.exp() * (after - before)).sum()
        decay = settings["wd"] * delta.norm() / start.norm() ** 2
        loss = mean + kl + decay
        for name, value in (("loss", loss), ("nll", mean), ("kl", kl), ("decay", decay)):
            report[name].append(value.item())
        if loss.item() < settings["stop"] or step == settings["steps"] - 1:
            break
        loss.backward()
        adam.step()
        with torch.no_grad():
            clamped = bool(delta.norm() > most)
            if clamped:
                delta.mul_(most / delta.norm())
        report["clamped"].append(clamped)
    with torch.no_grad():
        plain = torch.stack([target_nll(model, r.ids, target) for r in rows]).mean()
    worst = abs(report["nll"][0] - plain.item())
    assert worst < 1e-5 and abs(report["kl"][0]) < 1e-6, f"the first loss is not that of the plain model: {worst}"
    return start, delta.detach(), report


def searched(model, tokenizer, fact, contexts, module, settings):
    """`search` of a fact, with what was searched in the report."""
    rows, kl_row, target = fact.rows(tokenizer, contexts), fact.kl_row(tokenizer), fact.answer(tokenizer)
    start, delta, report = search(model, rows, kl_row, target, module, settings)
    report |= {
        "s": [r.s for r in rows],
        "kl_s": kl_row.s,
        "lengths": [len(r.ids) for r in rows],
        "target": target,
        "start_norm": start.norm().item(),
        "delta_norm": delta.norm().item(),
    }
    return start, delta, report
