"""Whole runs on the emulated network; one Docker daemon serves them all, and nothing may be left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.emulation.docker_service import connect, docker_daemon
from testbed.emulation.names import RUN_LABEL, RUNS
from testbed.emulation.owner import processes_with_argument

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def docker_socket() -> Iterator[str]:
    """A Docker daemon: the machine's own, or ours for the time of the tests."""
    with docker_daemon("end-to-end tests") as socket:
        yield socket


@pytest.fixture
def machine(docker_socket: str) -> Iterator[Callable[[], dict[str, Any]]]:
    """Tells what of the machine a run could have changed; afterwards it must be what it was before the test."""

    def look() -> dict[str, Any]:
        with connect(docker_socket) as client:
            containers = client.containers(all=True, filters={"label": RUN_LABEL})
        return {
            "interfaces": sorted(entry.name for entry in Path("/sys/class/net").iterdir()),
            "containers": sorted(container["Id"] for container in containers),
            "runs": sorted(str(path) for path in RUNS.glob("*")),
            "processes of runs": processes_with_argument(str(RUNS)),
            "queues": subprocess.run(["tc", "qdisc", "show"], capture_output=True, text=True, check=True).stdout,
            "wmem_default": Path("/proc/sys/net/core/wmem_default").read_text(),
        }

    before = look()
    yield look
    assert look() == before


@pytest.fixture
def start(tmp_path: Path, docker_socket: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `testbed run` on a spec, with results in tmp_path/results; ended at the end of the test in any case."""
    running: list[subprocess.Popen[str]] = []

    def run(spec: str, *arguments: str) -> subprocess.Popen[str]:
        experiment = tmp_path / "experiment.yml"
        experiment.write_text(spec)
        command = [sys.executable, "-m", "testbed", "run", str(experiment), "--out", str(tmp_path / "results")]
        process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=60)
