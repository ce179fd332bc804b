"""Finding run directories: by name, or in folders of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from testbed.errors import RecordsError
from testbed.records.run_directory import Run, read_run


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """Run directories among `paths` and in folders of them, at any depth; each once, by name (so by time).

    RecordsError for a path that does not exist or holds none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.is_dir():
            raise RecordsError(f"{path}: no such directory; expected a run directory or a folder of them")
        here = [Path(folder) for folder, _, names in _walk(path) if "manifest.json" in names and "plan.json" in names]
        if not here:
            raise RecordsError(f"{path}: neither a run directory nor a folder of them (no manifest.json in it)")
        found.update(dict.fromkeys(run.resolve() for run in here))
    return sorted(found, key=lambda run: (run.name, run))


def read_runs(paths: Iterable[Path]) -> tuple[list[Run], list[str]]:
    """The complete runs among `paths`, and in words which others were left out. RecordsError where none is left.

    A run directory that is named itself must be complete; one that is only found in a folder may be left out.
    """
    paths = list(paths)
    named = {path.resolve() for path in paths}
    runs: list[Run] = []
    left_out: list[str] = []
    for path in find_runs(paths):
        try:
            runs.append(read_run(path))
        except RecordsError as error:
            if path in named:
                raise
            left_out.append(str(error))
    if not runs:
        raise RecordsError("no complete run among the directories:\n" + "\n".join(left_out))
    return runs, left_out


def _walk(path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, inner, names in os.walk(path):
        if "manifest.json" in names:
            inner.clear()  # no run inside a run
        yield folder, inner, names
