# What an editor and a type checker know: every flag of `engram trace` and `engram study` by name and type. In the code
# these are `**options`, because the program alone judges them; a test holds this list against the program's help.

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Literal, Optional, TypeVar, Union

import pandas

__all__ = ["EngramError", "Figure", "Page", "figure", "page", "study", "table", "trace"]

_T = TypeVar("_T")
_File = Union[str, PathLike[str]]
_OneOrMore = Union[_T, Iterable[_T]]
_Record = Union[pandas.DataFrame, _File, Iterable[_File]]

class EngramError(Exception):
    code: Optional[int]
    def __init__(self, text: str, code: Optional[int] = None) -> None: ...

class Page:
    path: Path
    height: int
    def __init__(self, path: _File, height: int) -> None: ...
    def _repr_html_(self) -> str: ...

class Figure:
    name: str
    path: Path
    def __init__(self, name: str, path: _File) -> None: ...
    @property
    def svg(self) -> str: ...
    def _repr_svg_(self) -> Optional[str]: ...
    def _repr_png_(self) -> Optional[bytes]: ...

def table(record: _Record, name: str = "facts") -> pandas.DataFrame: ...
def page(record: _Record, height: int = 600, out: Optional[_File] = None) -> Page: ...
def figure(record: _Record, name: str = "sufficiency", out: Optional[_File] = None) -> Figure: ...
def trace(
    prompt: str,
    subject: str,
    *,
    model: _File = "engram-llama",
    target: Optional[str] = None,
    target_new: Optional[str] = None,
    maps: bool = True,
    out: Optional[_File] = None,
    tokenizer: _File = ...,
    device: Literal["auto", "gpu", "cpu"] = ...,
    precision: Literal["auto", "f32", "f16"] = ...,
    corruption: Literal["replace", "noise"] = ...,
    replace_with: str = ...,
    positions: _OneOrMore[str] = ...,
    window: int = ...,
    site: str = ...,
    quiet: bool = ...,
    verbose: bool = ...,
    **options: object,
) -> pandas.DataFrame: ...
def study(
    facts: Union[str, PathLike[str], pandas.DataFrame] = "bundled",
    *,
    model: _OneOrMore[_File] = "engram-llama",
    n: Optional[int] = None,
    out: Optional[_File] = None,
    tokenizer: _File = ...,
    device: Literal["auto", "gpu", "cpu"] = ...,
    precision: Literal["auto", "f32", "f16"] = ...,
    stages: _OneOrMore[int] = ...,
    seed: int = ...,
    corruption: Literal["replace", "noise"] = ...,
    replace_with: str = ...,
    positions: _OneOrMore[str] = ...,
    answer: Literal["first-token", "sequence"] = ...,
    maps: int = ...,
    window: int = ...,
    strict: bool = ...,
    edit_facts: int = ...,
    edit_sequence: int = ...,
    edit_position: str = ...,
    edit_layers: Union[_OneOrMore[int], str] = ...,
    edit_batch: int = ...,
    edit_method: _OneOrMore[str] = ...,
    min_p_false: float = ...,
    fluency: bool = ...,
    retrace: bool = ...,
    steps: int = ...,
    lr: float = ...,
    decay: float = ...,
    kl: float = ...,
    clamp: float = ...,
    stop: float = ...,
    layers: int = ...,
    lambda_: float = ...,
    batch: int = ...,
    threshold: float = ...,
    l2: float = ...,
    rank: int = ...,
    alpha: float = ...,
    epsilon: float = ...,
    eta: float = ...,
    contexts: _File = ...,
    start: _OneOrMore[str] = ...,
    c: _OneOrMore[str] = ...,
    stats_text: _File = ...,
    stats_keys: int = ...,
    stats_window: int = ...,
    stats_skip_first: bool = ...,
    ridge: float = ...,
    fresh: bool = ...,
    quiet: bool = ...,
    verbose: bool = ...,
    **options: object,
) -> pandas.DataFrame: ...
