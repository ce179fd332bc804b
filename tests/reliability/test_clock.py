"""A machine's clock that is set in mid-run: nothing is timed by it, it only dates things."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from testbed.records.sweep_folder import SweepFolder

ROOT = Path(__file__).parents[2]
DATES = {
    "controller/ledger.py": 1,  # when an error was noted, for its reader
    "testbed/emulation/calibrate.py": 1,  # when it was measured
    "testbed/emulation/sampling.py": 1,  # the kernel stamps frames by it; gaps within one look count, no others
    "testbed/records/manifest.py": 1,  # started_at
    "testbed/records/run_directory.py": 2,  # finished_at, the name of a run directory
    "testbed/runner.py": 2,  # the names of a report and of a run
    "testbed/sweep/document.py": 1,  # started_at
}
"""File -> how many times it asks for the date."""
SET_BY_HAND = {
    ("time", "time"), ("time", "time_ns"), ("time", "localtime"), ("time", "gmtime"), ("time", "ctime"),
    ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"),
    ("time", "CLOCK_REALTIME"), ("time", "CLOCK_REALTIME_COARSE"), ("time", "CLOCK_TAI"),
}  # fmt: skip


def asks_for_the_date(path: Path) -> int:
    """How many times a module reads a clock that can be set."""
    tree = ast.parse(path.read_text())
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    imported = [
        (node.module, name.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if (node.module, name.name) in SET_BY_HAND
    ]
    return sum((node.value.id, node.attr) in SET_BY_HAND for node in uses) + len(imported)


def test_the_date_only_names_and_dates_things() -> None:
    found = {}
    for package in ("testbed", "controller"):
        for path in (ROOT / package).rglob("*.py"):
            if count := asks_for_the_date(path):
                found[str(path.relative_to(ROOT))] = count
    assert found == DATES


@pytest.mark.parametrize(("took", "expected"), [({"took_s": 8.25}, 8.25), ({}, 0.0)])
def test_a_run_during_which_the_clock_was_put_back(tmp_path: Path, took: dict[str, float], expected: float) -> None:
    """What it took is counted by a clock that nobody sets; records of earlier versions do not have that."""
    run = tmp_path / "runs/one"
    run.mkdir(parents=True)
    manifest = {
        "status": "complete",
        "started_at": "2026-11-30T12:00:00+00:00",
        "finished_at": "2026-11-30T11:00:08+00:00",
    }
    (run / "manifest.json").write_text(json.dumps({**manifest, **took}))
    assert SweepFolder(tmp_path).took_s("one") == expected
