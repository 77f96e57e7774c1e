#!/usr/bin/env python3
"""Executes docs/notebook.ipynb in a real kernel and says in one line what it showed. Anything else is an error.

    python app/tests/python/notebook.py FOLDER              # the installed module; the first line installs it
    python app/tests/python/notebook.py FOLDER --installed  # without that line

FOLDER is an empty one, for what Jupyter and IPython keep. The kernel is this Python.
"""

import html
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

NOTEBOOK = Path(__file__).parents[3] / "docs" / "notebook.ipynb"
FACTS = 6
LAYERS = 8


def main(folder, installed):
    # Nothing of the user's own: neither settings nor kernels.
    for name in ["IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"]:
        os.environ[name] = str(Path(folder) / name.lower())
    import nbclient
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in code), "the notebook is kept without outputs"
    assert code[0].source.startswith("%pip install"), code[0].source
    upto = [line for cell in code[: named(code, "figure") + 1] for line in cell.source.splitlines()]
    assert len(upto) == 5, upto
    assert "\n".join(upto) in (NOTEBOOK.parent / "PYTHON.md").read_text(encoding="utf-8"), "PYTHON.md has other lines"
    if installed:
        notebook.cells.remove(code.pop(0))
    place = {"metadata": {"path": folder}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()

    shown = {cell.id: cell.outputs for cell in code}
    # Progress is seen while it runs.
    talk = "".join(out.text for out in shown["study"] if out.output_type == "stream" and out.name == "stderr")
    assert "record: " in talk, talk
    # States put back at two positions, each with and without the dominant block; without block, attention or MLP.
    assert rows(shown["trace"]) == (2 * 2 + 3) * LAYERS, rows(shown["trace"])
    assert rows(shown["facts"]) == FACTS
    assert rows(shown["curves"]) == LAYERS
    svg = ElementTree.fromstring(data(shown["figure"], "image/svg+xml"))
    assert svg.tag == "{http://www.w3.org/2000/svg}svg", svg.tag
    bars = svg.findall(".//{http://www.w3.org/2000/svg}rect")
    assert len(bars) > LAYERS, len(bars)
    frame = data(shown["page"], "text/html")
    assert frame.startswith("<iframe ") and "allow-same-origin" not in frame, frame[:300]
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', frame).group(1))
    assert 'id="engram-viewer"' in page and page.count('<base href="about:srcdoc">') == 1
    print(f"{FACTS} facts, {LAYERS} layers, a figure of {len(bars)} shapes, a page of {len(page)} characters")


def named(cells, name):
    return [cell.id for cell in cells].index(name)


def data(outputs, kind):
    """The only output of this kind."""
    (found,) = [out.data[kind] for out in outputs if kind in out.get("data", {})]
    return found


def rows(outputs):
    """Rows in the body of the only table."""
    body = data(outputs, "text/html").split("<tbody>")[1]
    return body.count("<tr>")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:] == ["--installed"])
