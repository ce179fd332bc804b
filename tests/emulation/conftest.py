"""Services of the emulation's tests: started once, stopped at the end; and a network namespace to try things in."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulated_plans import until

from testbed.emulation import names
from testbed.emulation.docker_service import docker_daemon


@pytest.fixture(scope="session")
def docker_socket() -> Iterator[str]:
    """A Docker daemon: the machine's own, or ours for the time of the tests."""
    with docker_daemon("tests") as socket:
        yield socket


@pytest.fixture
def namespace() -> Iterator[int]:
    """The process number of somebody in an otherwise empty network namespace."""
    resident = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    mine = os.readlink("/proc/self/ns/net")
    until(lambda: os.readlink(f"/proc/{resident.pid}/ns/net") != mine, "a network namespace")
    yield resident.pid
    resident.kill()
    resident.wait()


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of runs and shared things that no real run uses."""
    monkeypatch.setattr(names, "RUNTIME", tmp_path)
    monkeypatch.setattr(names, "RUNS", tmp_path / "runs")
    return tmp_path


@pytest.fixture
def interfaces_before() -> set[str]:
    """The interfaces of the root namespace before the test."""
    return {entry.name for entry in Path("/sys/class/net").iterdir()}
