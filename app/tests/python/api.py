#!/usr/bin/env python3
"""Checks of the module `engram_lab` with the real pandas and a real kernel: `python app/tests/python/api.py CHECK FOLDER`.

CHECK is a function below, FOLDER an empty one. The program is the one that the environment variable ENGRAM names.
"""

import ast
import contextlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import engram_lab
from engram_lab import EngramError, figure, page, study, table, trace

FACT = ("Miles Davis performed as a musician on the", "Miles Davis")


def numbers(folder):
    """Every number of the DataFrames is the record's, bit for bit."""
    import numpy

    record = folder / "kept" / "trace.engram.json"
    curves = trace(*FACT, target=" trumpet", out=record, positions=["last-token"])
    kept = json.loads(record.read_text(encoding="utf-8"))
    (fact,) = kept["facts"]
    wanted = numpy.float32(fact["patched"]["last-token"])
    assert (curves[curves.quantity == "patched"].p.to_numpy() == wanted).all()
    maps = table(curves[curves.layer < 3], "maps").query("site == 'residual'")
    assert (maps.p.to_numpy() == numpy.float32(fact["maps"]["residual"]).ravel()).all()
    assert "maps" not in json.loads(trace_without_maps(folder))["facts"][0]

    os.chdir(folder)
    facts = study(model=["engram-llama", "engram-phi"], n=3, stages=1, out="studies", device="cpu")
    os.chdir(Path(__file__).parent)
    paths = facts.attrs["engram_records"]
    assert [Path(path).parent for path in paths] == [folder / "studies"] * 2, paths
    kept = [fact for path in paths for fact in json.loads(Path(path).read_text(encoding="utf-8"))["facts"]]
    assert len(facts) == len(kept) >= 6
    for name in ["p_clean", "p_corrupt", "p_false"]:
        assert (facts[name].to_numpy() == numpy.float32([fact.get(name, numpy.nan) for fact in kept])).all(), name
    assert list(facts.prompt) == [fact["prompt"] for fact in kept]
    # Some of these facts again, from the DataFrame.
    some = facts[(facts.study == "engram-llama") & (facts.order < 2)]
    again = study(some, n=2, stages=1, device="cpu")
    assert sorted(again.prompt) == sorted(some.prompt) and len(again) == 2

    shown = figure(facts, "sufficiency", out=folder / "figure.svg")
    assert shown.path == folder / "figure.svg" and shown.svg.startswith("<svg ") and shown._repr_svg_() == shown.svg
    assert "engram-phi" in shown.svg and shown._repr_png_() is None
    shown = figure(facts, "sufficiency", out=folder / "figure.png")
    assert shown._repr_svg_() is None and shown._repr_png_().startswith(b"\x89PNG\r\n")
    shown = page(paths[0], height=300, out=folder / "page.html")
    assert shown.path.stat().st_size > 100_000 and ' height="300" ' in shown._repr_html_()
    # A page is a record, too.
    assert len(table(shown.path)) == 3


def trace_without_maps(folder):
    record = folder / "bare.engram.json"
    trace(*FACT, maps=False, out=record, quiet=True)
    return record.read_text(encoding="utf-8")


def errors(folder):
    """What goes wrong is told in the program's words, with its code."""
    facts = study(n=2, stages=1, device="cpu", out=folder / "studies")
    cases = [
        (lambda: trace("The capital of France is", "Spain"), ["the subject `Spain` is not in the prompt", "hint: "]),
        (lambda: trace("-x", "-x", model="no-such-model.gguf"), ["no-such-model.gguf", "hint: "]),
        (lambda: study(facts=folder / "none.json"), ["none.json", "there is no such file"]),
        (lambda: study(bogus_flag=True), ["there is no argument `--bogus-flag`"]),
        (lambda: study(n=0), ["-n cannot be `0`"]),
        (lambda: study(lambda_=3, edit_method="rome"), ["--lambda"]),
        (lambda: study(plan=folder / "plan"), ["--plan"]),
        (lambda: table(facts, "edits"), ["no table `edits`", "hint: it has curves, facts"]),
        (lambda: figure(facts, "none"), ["there is no such figure", "hint: they have: sufficiency"]),
        (lambda: table(facts.assign(x=1).from_dict({"x": [1]})), ["does not say which record", "hint: "]),
        (lambda: page(folder / "nothing"), ["nothing"]),
        (lambda: page(facts, out=folder / "page.txt"), ["a page's name ends in .html", "hint: "]),
    ]
    for at, (call, words) in enumerate(cases):
        shown = io.StringIO()
        try:
            with contextlib.redirect_stderr(shown):
                call()
        except EngramError as error:
            told = str(error)
            assert "error: " not in shown.getvalue(), (at, shown.getvalue())
            assert told.startswith("error: ") and error.code == 2, (at, error.code, told)
            assert all(word in told for word in words), (at, told)
            again = pickle.loads(pickle.dumps(error))
            assert (str(again), again.code) == (told, 2)
        else:
            raise AssertionError(f"case {at} is no error")


def program(folder):
    """Where the program is looked for, and what is said where it is not."""
    from engram_lab import _program

    own = os.environ.pop("ENGRAM")
    path, os.environ["PATH"] = os.environ["PATH"], str(Path(own).parent)
    assert Path(_program.find()).samefile(own)
    os.environ["PATH"] = str(folder)
    for named, words in [(None, ["looked in ", "scripts" if os.name == "nt" else "bin", "ENGRAM"]), ("gone", ["gone"])]:
        if named:
            os.environ["ENGRAM"] = named
        try:
            trace(*FACT)
        except EngramError as error:
            assert error.code is None and all(word in str(error) for word in words + ["\nhint: "]), error
        else:
            raise AssertionError("the program is not there")
    os.environ.update(ENGRAM=own, PATH=path)
    # Without pandas it is said before anything is computed.
    code = "import sys; sys.modules['pandas'] = None; import engram_lab; engram_lab.study(out=sys.argv[1])"
    ended = subprocess.run([sys.executable, "-c", code, str(folder / "out")], stderr=subprocess.PIPE, encoding="utf-8")
    assert 'ImportError' in ended.stderr and 'hint: pip install "engram-lab[notebook]"' in ended.stderr, ended.stderr
    assert not (folder / "out").exists()


def interrupt(folder):
    """An interrupted kernel goes on living; the program has stopped, kept what it had, and goes on from there."""
    for name in ["IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"]:
        os.environ[name] = str(folder / name.lower())
    import signal

    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    journal = folder / "studies" / "engram-llama.engram.journal"
    call = f"import engram_lab; f = engram_lab.study(n=150, stages=1, device='cpu', out={str(journal.parent)!r})"
    # Jupyter interrupts the kernel's whole group, VS Code the kernel alone.
    alone = lambda: os.kill(manager.provisioner.process.pid, signal.SIGINT)  # noqa: E731
    lines = 0
    try:
        for stop in [manager.interrupt_kernel, alone]:
            said = []
            asked = client.execute(call)
            until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > lines + 3)
            stop()
            reply = answer(client, asked, said)
            assert reply.get("ename") == "KeyboardInterrupt", (reply, said)
            # It was interrupted once, and ended in its own time.
            told = "".join(said)
            assert told.count("once more to stop at once") == 1 and "error: cancelled" in told, told
            lines = journal.read_bytes().count(b"\n")
            assert not journal.with_suffix(".json").exists()
        said = []
        assert answer(client, client.execute(call), said)["status"] == "ok", said
        assert f"going on after {lines - 1} facts" in "".join(said), (lines, said)
        assert answer(client, client.execute("assert (f.outcome == 'validated').sum() == 150"), said)["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def answer(client, asked, said):
    """The reply to a request; what was said on stderr meanwhile is put into `said`."""

    def hear(message):
        if message["msg_type"] == "stream" and message["content"]["name"] == "stderr":
            said.append(message["content"]["text"])
        done = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
        return done and message["parent_header"].get("msg_id") == asked

    while not hear(client.get_iopub_msg(timeout=120)):
        pass
    while True:
        reply = client.get_shell_msg(timeout=120)
        if reply["parent_header"].get("msg_id") == asked:
            return reply["content"]


def until(true):
    start = time.monotonic()
    while not true():
        assert time.monotonic() - start < 120, "it takes too long"
        time.sleep(0.01)


def stubs(folder):
    """The typed stubs name the flags of the program, all and no others."""
    stub = Path(engram_lab.__file__).with_suffix(".pyi")
    assert stub.with_name("py.typed").is_file()
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    given = {one.name: {arg.arg for arg in one.args.kwonlyargs} for one in tree.body if isinstance(one, ast.FunctionDef)}
    # Not for a caller who wants a DataFrame: shards, scripts, and what the module itself says.
    other = {"help", "json", "color", "facts", "subject"}
    other |= {"plan", "wave", "shard", "notice", "wait", "status", "emit", "cell", "ablation", "map", "no_map"}
    for command, own in [("trace", {"maps", "out"}), ("study", {"n"})]:
        line = [os.environ["ENGRAM"], command, "--help"]
        told = subprocess.run(line, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout
        flags = re.findall(r"^ +(?:-\w, +)?--([a-z0-9-]+)", told, re.MULTILINE)
        words = {flag.replace("-", "_") for flag in flags} - other
        wanted = {"lambda_" if word == "lambda" else word for word in words} | own
        assert given[command] == wanted, given[command] ^ wanted


def types(folder):
    """A type checker takes what is right, refuses what is wrong, and finds the stubs true to the code."""
    settings = folder / "mypy.ini"
    settings.write_text("[mypy]\nstrict = True\n[mypy-pandas.*,pyarrow.*]\nignore_missing_imports = True\n")
    use = folder / "use.py"
    use.write_text(
        "from engram_lab import EngramError, figure, page, study, table, trace\n"
        'trace("a b", "b", site="head", positions=["last-token"]).attrs\n'
        'f = study(model=["a", "b"], n=3, stages=(1, 2), edit_layers="1-6,12", lambda_=0.5, some_day="new")\n'
        'page(table(f, "maps"), height=300).path.name + figure("x.engram.json").svg + str(EngramError("").code)\n'
        'study(device="tpu")  # type: ignore[arg-type]\n'
        'study(n="3")  # type: ignore[arg-type]\n'
        'trace("a b")  # type: ignore[call-arg]\n'
        "figure(f).png  # type: ignore[attr-defined]\n"
    )
    os.environ["MYPYPATH"] = str(Path(engram_lab.__file__).parents[1])
    os.environ["MYPY_CACHE_DIR"] = str(folder / "cache")
    for line in (["mypy", "--config-file", settings, use], ["mypy.stubtest", "engram_lab", "--mypy-config-file", settings]):
        command = [sys.executable, "-m", *map(str, line)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", cwd=folder)
        assert ended.returncode == 0, ended.stdout


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]).resolve())
    print("ok")
