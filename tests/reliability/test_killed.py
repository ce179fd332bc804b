"""What a killed testbed leaves to `testbed clean`: its settings' old values, and the programs that it had called."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from emulated_plans import until
from strikes import kill as kill_a_run
from strikes import undisturbed

from testbed.emulation import names, sysctls
from testbed.emulation.cleanup import clean
from testbed.emulation.command import run
from testbed.emulation.owner import MARK, processes_of_the_dead, start_time, this_process

pytestmark = pytest.mark.network

SETTING = """
import os, signal, sys
from pathlib import Path
from testbed.emulation import names, sysctls
from testbed.emulation.owner import this_process

names.RUNTIME = Path({runtime!r})

def strike(event, arguments):
    if event == "open" and str(arguments[0]).startswith("/proc/sys") and arguments[1] == "w":
        os.kill(os.getpid(), signal.SIGKILL)

if {before}:
    sys.addaudithook(strike)
sysctls.raise_sysctl(sysctls.WMEM_DEFAULT, sysctls.WMEM_BYTES, "test", this_process())
os.kill(os.getpid(), signal.SIGKILL)
"""
"""Raises the setting, and is killed in the instant before it is written, or after it."""
CALLER = """
from testbed.emulation.command import run
run(["sleep", "600"], timeout_s=600)
"""


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories of runs and shared things that no real run uses."""
    monkeypatch.setattr(names, "RUNTIME", tmp_path)
    monkeypatch.setattr(names, "RUNS", tmp_path / "runs")
    return tmp_path


@pytest.mark.parametrize("before", [True, False])
def test_the_old_value_of_a_setting_is_written_down_before_it_is_changed(runtime: Path, before: bool) -> None:
    old = sysctls.read(sysctls.WMEM_DEFAULT)
    assert int(old) < sysctls.WMEM_BYTES
    program = SETTING.format(runtime=str(runtime), before=before)
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    (entry,) = json.loads((runtime / "shared.json").read_text()).values()
    assert (entry["name"], entry["old"], entry["new"]) == (sysctls.WMEM_DEFAULT, old, str(sysctls.WMEM_BYTES))
    assert sysctls.read(sysctls.WMEM_DEFAULT) == (old if before else str(sysctls.WMEM_BYTES))
    assert [removal.name for removal in clean()] == [f"{sysctls.WMEM_DEFAULT} back to {old}"]
    assert sysctls.read(sysctls.WMEM_DEFAULT) == old
    assert clean() == []


@pytest.fixture
def orphan() -> Iterator[int]:
    """A program that a testbed process had called which was then killed."""
    caller = subprocess.Popen([sys.executable, "-c", CALLER])

    def called() -> list[int]:
        mark = f"{MARK}={caller.pid}.".encode()
        return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if mark in environment(pid)]

    (pid,) = until(called, "the program that is called")
    caller.kill()
    caller.wait()
    yield pid
    if start_time(pid) is not None:
        os.kill(pid, signal.SIGKILL)


def environment(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def test_programs_that_a_killed_run_had_called_are_ended_first(runtime: Path, orphan: int) -> None:
    assert processes_of_the_dead() == [orphan]
    assert [(removal.kind, removal.name) for removal in clean(dry_run=True)] == [("process", f"sleep ({orphan})")]
    assert [(removal.kind, removal.name) for removal in clean()] == [("process", f"sleep ({orphan})")]
    assert start_time(orphan) is None
    assert clean() == []


def test_programs_of_the_living_and_lasting_ones_are_left_alone() -> None:
    mine = run(["/usr/bin/env"])
    assert f"{MARK}={this_process()}\n" in mine
    assert MARK not in run(["/usr/bin/env"], lasting=True)
    assert processes_of_the_dead() == []


@pytest.mark.parametrize(("datapath", "share"), [("router", 0.4), ("ovs-user", 0.5)])
def test_a_run_that_is_killed_leaves_nothing_after_clean(tmp_path: Path, datapath: str, share: float) -> None:
    """At one moment of a run's life; `make faults` tries fifty."""
    assert kill_a_run(tmp_path, datapath, share * undisturbed(tmp_path, datapath)).faults == []
