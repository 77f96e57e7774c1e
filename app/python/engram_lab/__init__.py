"""Engram in a notebook: where does a language model store a fact?

>>> from engram_lab import figure, study, trace
>>> trace("Miles Davis performed as a musician on the", "Miles Davis")
>>> figure(study(n=20, stages=1), "sufficiency")

Everything here calls the program `engram` and reads what it has written. No number is computed in Python.
"""

import json as _json
import os as _os
from pathlib import Path as _Path

from ._program import EngramError, flags as _flags, run as _run, scratch as _scratch
from ._show import Figure, Page, figure, page
from ._tables import need_pandas as _need_pandas, table

__all__ = ["EngramError", "Figure", "Page", "figure", "page", "study", "table", "trace"]


def trace(prompt, subject, *, model="engram-llama", target=None, target_new=None, maps=True, out=None, **options):
    """Traces one fact, layer by layer; returns `curves` as a DataFrame (see `table` for the rest).

    Every other flag of `engram trace` is a keyword: `site="head"`, `positions=["last-token"]`, `device="cpu"`.
    `out` is where the record is kept, `NAME.engram.json`; without it, it is gone when Python ends.
    """
    _need_pandas()
    record = _Path(_os.path.abspath(out)) if out is not None else _scratch("trace") / "trace.engram.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    named = {"subject": subject, "model": model, "target": target, "target_new": target_new, "no_map": not maps}
    # Behind `--` a prompt may begin with a dash.
    told = _run("trace", [*_flags({**named, **options}), "--json", "--", prompt])
    record.write_text(told, encoding="utf-8")
    return table(record, "curves")


def study(facts="bundled", *, model="engram-llama", n=None, out=None, **options):
    """Runs the three stages on many facts; returns `facts` as a DataFrame (see `table` for the rest).

    `facts` is a file, `"bundled"`, or a DataFrame with the columns `prompt`, `subject` and `target_true`; `model` one model or
    several. Every other flag of `engram study` is a keyword: `stages=[1, 2]`, `edit_method="rome"`, `retrace=True`.
    `out` is the folder where records are kept. With it, the same call goes on where it was interrupted.
    """
    _need_pandas()
    folder = _os.path.abspath(out) if out is not None else _scratch("study")
    if hasattr(facts, "to_parquet"):
        frame, facts = facts, _scratch("facts") / "facts.parquet"
        frame.to_parquet(facts, index=False)
    models = [model] if isinstance(model, (str, _os.PathLike)) else model
    # A flag each: paths may have commas.
    asked = [flag for one in models for flag in _flags({"model": one})]
    told = _run("study", [*asked, *_flags({"facts": facts, "n": n, "out": folder, **options}), "--json"])
    return table([record["path"] for record in _json.loads(told)], "facts")
