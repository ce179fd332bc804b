"""A folder with a small experiment that varies load and scheduler, and sweeps of it run as a user runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from small_sweep import EXPERIMENT, Start

from testbed.planning import make_plans
from testbed.scheduling.gammas import lone_gammas
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with load.yml in it."""
    (tmp_path / "load.yml").write_text(EXPERIMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The simulator's machine code is on disk, so that no process that is waited for must compile it first."""
    path = tmp_path_factory.mktemp("compiled") / "load.yml"
    path.write_text(EXPERIMENT)
    for plan in list(make_plans(load_experiment(path)))[:2]:
        simulate(plan)
        lone_gammas(plan)


@pytest.fixture
def start(folder: Path, compiled: None) -> Iterator[Start]:
    """Starts `testbed sweep` in a process group of its own, as a shell does, and ends what is left of it."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "testbed", "sweep", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
