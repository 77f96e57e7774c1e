"""The program: where it is, how it is called, and how its failures are told."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path

_NAME = "engram.exe" if sys.platform == "win32" else "engram"

# In a group of its own it hears an interrupt once, from here: Jupyter interrupts the kernel's whole group, others
# the kernel alone, and a second interrupt would stop the program without waiting for the fact at hand.
if sys.platform == "win32":
    _GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    _INTERRUPT = signal.CTRL_BREAK_EVENT
else:
    _GROUP = {"start_new_session": True}
    _INTERRUPT = signal.SIGINT

_folder = None


class EngramError(Exception):
    """The program refused or failed. The text is its own, with what to do about it.

    `code` is its exit code: 1 failed, 2 wrong usage or input; `None` where the program itself is not there.
    """

    # With a default, so that the error can be pickled: pickling knows of the text only.
    def __init__(self, text, code=None):
        super().__init__(text)
        self.code = code


def find():
    """The path of the program."""
    wanted = os.environ.get("ENGRAM")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise EngramError(f"error: ENGRAM names no program: {wanted}\nhint: correct it, or unset it")
        return found
    schemes = [None, "nt_user" if sys.platform == "win32" else "posix_user"]
    folders = [sysconfig.get_path("scripts", *([scheme] if scheme else [])) for scheme in schemes]
    for folder in folders:
        found = Path(folder) / _NAME
        if found.is_file():
            return str(found)
    found = shutil.which(_NAME)
    if found is None:
        looked = ", ".join(folders)
        raise EngramError(
            f"error: the program `engram` is not there; looked in {looked}, and on the path\n"
            "hint: `pip install --force-reinstall engram-lab` puts it there, or let the environment variable ENGRAM name it"
        )
    return found


def flags(options):
    """Keywords as flags: `edit_method="rome"` is `--edit-method=rome`. What they mean is for the program to judge."""
    out = []
    for name, value in options.items():
        # `lambda_`, because `lambda` is a word of Python.
        word = name.rstrip("_").replace("_", "-")
        # The only one that is short and nothing else.
        flag = "-n" if word == "n" else f"--{word}"
        if value is None or value is False:
            continue
        if value is True:
            out.append(flag)
            continue
        if isinstance(value, Iterable) and not isinstance(value, str):
            value = ",".join(str(one) for one in value)
        out.append(f"{flag}={value}")
    return out


def run(command, arguments, show=True):
    """Runs a command; returns what it prints. What it says meanwhile goes to stderr, so into the notebook."""
    line = [find(), command, "--color=never", *([] if show else ["--quiet"]), *map(str, arguments)]
    # A file holds any amount, so the program never waits for a reader of one stream while the other is read.
    with tempfile.TemporaryFile() as data:
        with subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=data,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            **_GROUP,
        ) as process:
            told = _listen(process)
        if process.returncode != 0:
            raise _failure(told, process.returncode)
        data.seek(0)
        return data.read().decode("utf-8")


def _listen(process):
    """Shows what the program says until it ends; returns it. An interrupt is handed on, and raised when it has ended.

    Its last error is not shown: the exception says it, and a notebook would show it twice.
    """
    told, held, interrupt = [], [], None

    def show(lines):
        sys.stderr.writelines(lines)
        sys.stderr.flush()

    try:
        while True:
            try:
                for line in process.stderr:
                    told.append(line)
                    begins = line.startswith("error: ")
                    if held and (begins or not line.startswith(("hint: ", " "))):
                        show(held)
                        held.clear()
                    if begins or held:
                        held.append(line)
                    else:
                        show([line])
                process.wait()
                if process.returncode == 0 or interrupt is not None:
                    show(held)
                break
            except KeyboardInterrupt as stop:
                interrupt = stop
                _interrupt(process)
    finally:
        # Only where this ends by an error of its own.
        if process.poll() is None:
            process.kill()
    if interrupt is not None:
        raise interrupt
    return told


def _interrupt(process):
    try:
        process.send_signal(_INTERRUPT)
    except OSError:
        # Windows, in a kernel without a console.
        process.terminate()


def _failure(told, code):
    """The program's last error, with its hint."""
    begins = [at for at, line in enumerate(told) if line.startswith("error: ")]
    text = "".join(told[begins[-1] :] if begins else told).strip()
    return EngramError(text or f"error: engram ended with code {code}", code)


def scratch(what):
    """A new folder that is gone when Python ends."""
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="engram-")
    return Path(tempfile.mkdtemp(prefix=f"{what}-", dir=_folder.name))
