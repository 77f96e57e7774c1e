#!/usr/bin/env python3
"""Knowledge edits of transformers models, naively: one row at a time, f32, eager; linear algebra in f64.

    python tests/reference/editing.py                              # the bundled models, a quarter of an hour
    python tests/reference/editing.py --only rome                  # one section anew, the others as they are
    python tests/reference/editing.py MODEL_FOLDER CASES.json OUT.json

The first writes tests/fixtures/editing.json and editing.safetensors, the last OUT.json and OUT.safetensors. CASES.json
has `text` (for C), `c`, one object of settings for each section wanted, and by section `facts` (records of
CounterFact's form) and `contexts` (the first is "{}"): what `cases` below builds for the bundled models.
Layers count from 1.

Every section runs again in f64. Its `rounding` has how far the numbers of that name are from those at most (tensors:
norm of the difference by the norm), which is what a tolerance must allow for. Norm layers and softmax are f32 in both.
"""

import argparse
import copy
import hashlib
import json
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from editing_common import Fact, load, second_moments
from editing_memit import alphaedit, memit
from editing_rome import rome
from editing_tuning import ft, lora, ultraedit

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "core" / "bundled"
FIXTURE = ROOT / "tests" / "fixtures" / "editing.json"
SECTIONS = ("rome", "rome_early", "memit", "ultraedit", "ft", "alphaedit", "lora")
ROMES, MEMITS = ("rome", "rome_early"), ("memit", "alphaedit")

SHORT = """The big dog|A cold wind|We saw it|In the morning|He felt ashamed|After the rain|The old door|She was tired
The water was clear|Nobody knew why""".replace("\n", "|").split("|")
LONG = """The rain began just after we had washed the car|He put the book back on the shelf without reading it
Thick clouds covered the hills but the valley stayed dry|She took a picture of her lunch before eating it
The dog barked at the stranger and then went home|We counted thirty steps from the gate to the door
The old man told the same joke every evening|The doctor told him to rest and drink plenty of water
Someone knocked on the door three times and then left|The house at the corner has been empty for years
""".strip().replace("\n", "|").split("|")
FIVE = """The big dog barked at the stranger|Therefore we had to wait at the station
Because it was cold nobody went out|I counted thirty steps from the gate|You put the book back on the shelf
""".strip().replace("\n", "|").split("|")
FIVE = [p + ". {}" for p in FIVE]

# Places in facts.json. The second fact's new target has two tokens, the third's has several.
ROME_FACTS = (120, 1019, 1981)
# The search for the second one's vector ends before the last step in some models.
EARLY_FACTS = (1019, 1500)
MANY_FACTS = (60, 300, 500, 800, 1019, 1500, 1600, 1843, 1981, 2200)
FACTS = {"rome": ROME_FACTS, "rome_early": EARLY_FACTS, "ft": ROME_FACTS, "lora": ROME_FACTS}
FACTS |= {name: MANY_FACTS for name in ("memit", "ultraedit", "alphaedit")}


def facts_text(records):
    """The text of C: every fact of the file as a sentence, one a line."""
    asks = [r["requested_rewrite"] for r in records]
    return "\n".join(f"{a['prompt'].replace('{}', a['subject'])} {a['target_true']['str']}." for a in asks)


def cases(config, records):
    """What is asked of a bundled model with this config."""
    third = round(config.num_hidden_layers / 3)
    search = {"lr": 0.5, "steps": 20, "wd": 0.5, "kl": 0.0625, "stop": 0.05}
    edits = [{"fact": f, "keys": k, "c": "c"} for f in range(3) for k in ("published", "averaged", "prompt")]
    edits += [{"fact": 0, "keys": k, "c": None} for k in ("published", "averaged")]
    edits += [{"fact": 0, "keys": "published", "c": "c_without_first"}]
    early = [{"fact": f, "keys": k, "c": "c"} for f in range(2) for k in ("published", "averaged")]
    prefixes = ["{}", *(p + ". {}" for p in SHORT + LONG)]
    many = search | {"clamp": 0.75, "layers": [2, 3, 4], "prompts": 2}
    many["space"] = "value" if config.model_type.startswith("gemma") else "stream"
    runs = [{"positions": p, "std": s, "lr": 1e-3} for p, s in (("all", "code"), ("all", "population"))]
    runs += [{"positions": "answer", "std": "population", "lr": 1e-3}]
    return {
        "facts": {name: [records[i] for i in places] for name, places in FACTS.items()},
        "text": facts_text(records),
        "contexts": {name: prefixes for name in ROMES} | {name: ["{}", *FIVE] for name in MEMITS},
        "c": {"keys": 2000, "window": 64, "eps": 1e-4},
        "rome": search | {"clamp": 4, "layer": third, "edits": edits},
        "rome_early": search | {"clamp": 4, "wd": 1e-3, "layer": 1, "edits": early},
        "memit": many | {"lambda": 1000},
        "ultraedit": {"layer": third, "runs": runs, "prompts": 2},
        "ft": {"layer": third, "lr": 5e-4, "steps": 25, "stop": 1e-2},
        "alphaedit": many | {"batch": 5, "l2": 1},
        "lora": {"layer": third, "rank": 8, "alpha": 32, "lr": 5e-3, "steps": 70, "stop": 0},
    }


def rounded(value):
    """Floats with nine digits, so that the file is small."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value


def section_of(model, tokenizer, section, given, moments, put):
    """`moments`: C of each layer (without ridge) over all positions, and without the first of each window."""
    settings, eps = given[section], given["c"]["eps"]
    facts = [Fact(r, settings.get("prompts")) for r in given["facts"][section]]
    contexts = given["contexts"].get(section)
    if section in ROMES:
        named = {name: of[settings["layer"]] for name, of in zip(("c", "c_without_first"), moments)}
        return rome(model, tokenizer, facts, contexts, named, settings, eps, put)
    if section in MEMITS:
        method = {"memit": memit, "alphaedit": alphaedit}[section]
        return method(model, tokenizer, facts, contexts, moments[0], settings, eps, put)
    return {"ultraedit": ultraedit, "ft": ft, "lora": lora}[section](model, tokenizer, facts, settings, put)


def differences(one, other, name="", found=None):
    """The largest distance of numbers, by the name of the field that they are in; how many booleans differ."""
    found = {} if found is None else found
    if isinstance(one, dict):
        for key in one:
            differences(one[key], other[key], key, found)
    elif isinstance(one, list):
        if len(one) != len(other):
            found["steps"] = max(found.get("steps", 0), abs(len(one) - len(other)))
        for a, b in zip(one, other):
            differences(a, b, name, found)
    elif isinstance(one, bool):
        found[name] = found.get(name, 0) + (one != other)
    elif isinstance(one, (int, float)):
        found[name] = max(found.get(name, 0), abs(one - other))
    return found


def tensor_differences(one, other):
    found = {}
    for name, value in one.items():
        last = name.split(".")[-1]
        found[last] = max(found.get(last, 0), ((value - other[name]).norm() / other[name].norm()).item())
    return found


def about_c(moments, exact, without, eps, put):
    about = []
    for layer, c in moments.items():
        ridge = eps * c.trace() / len(c)
        values = torch.linalg.eigvalsh(c)
        about.append(
            {
                "layer": layer,
                "trace": c.trace().item(),
                "norm": c.norm().item(),
                "trace_without_first": without[layer].trace().item(),
                "smallest": values[0].item(),
                "largest": values[-1].item(),
                "condition": ((values[-1] + ridge) / (values[0] + ridge)).item(),
                "rounding": ((c - exact[layer]).norm() / exact[layer].norm()).item(),
            }
        )
        put(f"c.{layer}.diagonal", c.diagonal())
        put(f"c.{layer}.row", c[0])
    return about


def run(model, tokenizer, given, sections, put):
    """The report of each section; tensors go to `put(name, tensor)`."""
    asked = [given[s] for s in SECTIONS if s in given]
    layers = sorted({layer for a in asked for layer in a.get("layers", [a.get("layer")]) if layer})
    exact = copy.deepcopy(model).double()
    report, c, moments = {}, given["c"], []
    for m in (model, exact):
        found = [second_moments(m, tokenizer, given["text"], layers, c | {"bos": bos}) for bos in (True, False)]
        moments.append([of for of, _ in found])
    report["c"] = c | {"count": found[0][1], "count_without_first": found[1][1]}
    report["c"]["layers"] = about_c(moments[0][0], moments[1][0], moments[0][1], c["eps"], put)

    for section in sections:
        started, kept, kept_exact = time.time(), {}, {}
        one = section_of(model, tokenizer, section, given, moments[0], keeper(kept))
        fixed = given | {section: one["settings"]}
        other = section_of(exact, tokenizer, section, fixed, moments[1], keeper(kept_exact))
        for name, tensor in kept.items():
            put(f"{section}.{name}", tensor)
        far = {k: v for k, v in differences(one, other).items() if v}
        report[section] = one | {"rounding": far | {"tensors": tensor_differences(kept, kept_exact)}}
        print(f"  {section} {time.time() - started:.1f} s", flush=True)
    return report


def bundled(sections):
    records = json.loads((BUNDLED / "facts.json").read_text(encoding="utf-8"))
    out, tensors = {"models": {}}, {}
    if FIXTURE.exists() and sections != SECTIONS:
        out = json.loads(FIXTURE.read_text(encoding="utf-8"))
        tensors = load_file(FIXTURE.with_suffix(".safetensors"))
    for folder in sorted((BUNDLED / "models").iterdir()):
        print(folder.name, flush=True)
        model, tokenizer = load(folder)
        given = cases(model.config, records)
        put = keeper(tensors, folder.name + ".")
        out["models"].setdefault(folder.name, {}).update(run(model, tokenizer, given, sections, put))
    out["contexts"] = given["contexts"]
    out["facts"] = {name: list(places) for name, places in FACTS.items()}
    out["text_sha256"] = hashlib.sha256(given["text"].encode()).hexdigest()
    write(out, tensors, FIXTURE)


def keeper(tensors, prefix=""):
    def put(name, tensor):
        tensors[prefix + name] = tensor.detach().float().clone().contiguous()

    return put


def write(out, tensors, path):
    path.write_text(json.dumps(rounded(out), ensure_ascii=False) + "\n", encoding="utf-8")
    save_file(tensors, path.with_suffix(".safetensors"))
    print(path, path.stat().st_size, "+", path.with_suffix(".safetensors").stat().st_size, "bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", nargs="*", help="MODEL_FOLDER CASES.json OUT.json")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="these sections only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if not args.given:
        return bundled(tuple(args.only or SECTIONS))
    folder, path, target = args.given
    given = json.loads(Path(path).read_text(encoding="utf-8"))
    model, tokenizer = load(folder)
    tensors = {}
    wanted = tuple(s for s in args.only or SECTIONS if s in given)
    write(run(model, tokenizer, given, wanted, keeper(tensors)), tensors, Path(target))


if __name__ == "__main__":
    main()
