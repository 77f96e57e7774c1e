"""A record's raw values as DataFrames, from the Parquet that `engram export` writes."""

import os

from ._program import EngramError, run, scratch

# Where a DataFrame remembers its records; pandas hands `attrs` on through selections and queries.
_KEY = "engram_records"


def need_pandas():
    """pandas, or what to do about it: before anything is computed, not after."""
    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError as missing:
        text = f'{missing}: tables need pandas and pyarrow\nhint: pip install "engram-lab[notebook]"'
        raise ImportError(text, name=missing.name) from missing
    return pandas


def table(record, name="facts"):
    """A table of a record as a DataFrame: `facts`, `curves`, `maps`, `lens`, `units`, `edits` and others.

    `record` is a DataFrame of `trace` or `study`, or the path of a record, a result page or a folder of records, or
    several of them. docs/RECORD.md names every table and column.
    """
    pandas = need_pandas()
    paths = records(record)
    folder = scratch("tables")
    run("export", [*paths, "--only=parquet", f"--out={folder}"], show=False)
    file = folder / f"{name}.parquet"
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in folder.glob("*.parquet")))
        raise EngramError(f"error: the record has no table `{name}`\nhint: it has {there}", 2)
    frame = pandas.read_parquet(file, engine="pyarrow")
    frame.attrs[_KEY] = paths
    return frame


def records(record):
    """The paths of the records that a DataFrame came from, or that are named."""
    if hasattr(record, "attrs"):
        if _KEY not in record.attrs:
            raise EngramError(
                "error: this DataFrame does not say which record it is of\n"
                "hint: give it as `study`, `trace` or `table` has returned it, or the path of the record",
                2,
            )
        return list(record.attrs[_KEY])
    named = [record] if isinstance(record, (str, os.PathLike)) else record
    return [os.path.abspath(path) for path in named]
