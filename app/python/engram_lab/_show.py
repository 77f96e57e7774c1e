"""Result pages and figures, as a notebook shows them."""

import html
import os
from pathlib import Path

from ._program import run, scratch
from ._tables import records


class Page:
    """A result page; a notebook shows it in a frame. `path` is the file, which opens in any browser."""

    def __init__(self, path, height):
        self.path = Path(path)
        self.height = height

    def __repr__(self):
        return f"Page({str(self.path)!r})"

    def _repr_html_(self):
        text = self.path.read_text(encoding="utf-8")
        # The whole page is within the frame, so it is shown wherever the notebook is, and stays in it. There, links to
        # its own sections would lead to the notebook's address: the base is the frame itself.
        text = text.replace("<head>", '<head><base href="about:srcdoc">', 1)
        # With scripts and without the notebook's origin: it can neither read the notebook nor ask its server.
        return (
            f'<iframe title="Engram: result page" width="100%" height="{int(self.height)}" frameborder="0" '
            f'sandbox="allow-scripts allow-popups allow-downloads" srcdoc="{html.escape(text)}"></iframe>'
        )


class Figure:
    """A figure; a notebook shows it. `path` is its file, `svg` its text where that is SVG."""

    def __init__(self, name, path):
        self.name = name
        self.path = Path(path)

    def __repr__(self):
        return f"Figure({self.name!r}, {str(self.path)!r})"

    @property
    def svg(self):
        return self.path.read_text(encoding="utf-8")

    # Of a file of the other kind IPython is told `None`, and asks for the next.
    def _repr_svg_(self):
        return self.svg if self.path.suffix.lower() == ".svg" else None

    def _repr_png_(self):
        return self.path.read_bytes() if self.path.suffix.lower() == ".png" else None


def page(record, height=600, out=None):
    """One page with everything about a record: figures, tables, every fact, every number (`engram report`).

    `record` is what `table` takes, `height` that of the frame in pixels, `out` the file to write, `NAME.html`.
    """
    path = os.path.abspath(out) if out is not None else scratch("page") / "page.html"
    run("report", [*records(record), f"--out={path}"], show=False)
    return Page(path, height)


def figure(record, name="sufficiency", out=None):
    """A figure of a record by its name, such as `ablations` or `maps`: an unknown one is answered by those there are.

    `record` is what `table` takes, `out` the file to write, SVG or PNG.
    """
    path = Path(os.path.abspath(out)) if out is not None else scratch("figure") / f"{name}.svg"
    run("figure", [*records(record), f"--name={name}", f"--out={path}"], show=False)
    return Figure(name, path)
