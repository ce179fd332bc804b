"""A disk that is full in mid-run: an error that names the place, a clean machine, and what was written is readable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from victims import clean, victim, write_spec

from testbed.emulation import names
from testbed.emulation.state import create_state
from testbed.errors import EmulationError, RecordsError
from testbed.plan import read_plan
from testbed.records.finding import find_runs, read_runs

pytestmark = pytest.mark.network  # a disk of one's own needs root


def test_results_on_a_disk_that_fills_up(
    same_machine: None, tmp_path: Path, small_disk: Path, fill: Callable[[Path], Path]
) -> None:
    spec, results = write_spec(tmp_path, "router"), small_disk / "results"
    command = ("run", str(spec), "--out", str(results), "--set", "backends=[emulation]")
    with victim(tmp_path, *command) as struck:
        struck.wait_for("network up in ")
        ballast = fill(small_disk)
        status = struck.end()
    (run,) = find_runs([results])
    assert status == 1, struck.words
    last = struck.words.splitlines()[-1]
    assert last.startswith(f"error: {run}/flows.")
    assert last.endswith("No space left on device); expected room and permission there")
    assert "Traceback" not in struck.words
    assert clean(tmp_path)[0] == ["nothing to remove"]
    assert read_plan(run).experiment == "router"
    with pytest.raises(RecordsError) as stop:
        read_runs([results])
    incomplete = f"{run}: incomplete: the run was interrupted before its records were written"
    assert str(stop.value) == f"no complete run among the directories:\n{incomplete}"

    ballast.unlink()
    with victim(tmp_path, *command) as again:
        assert again.end() in (0, 3), again.words
    runs, left_out = read_runs([results])
    assert (len(runs), left_out) == (1, [incomplete])


def test_the_states_of_runs_on_a_full_disk(
    small_disk: Path, fill: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "RUNTIME", small_disk)
    monkeypatch.setattr(names, "RUNS", small_disk / "runs")
    names.RUNS.mkdir()
    fill(small_disk)
    with pytest.raises(EmulationError) as stop:
        create_state(names.Names("one", "cabc", 70_000))
    assert str(stop.value) == f"{names.RUNS}: the run's state cannot be kept there (No space left on device)"
    assert list(names.RUNS.iterdir()) == []
