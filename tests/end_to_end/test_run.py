"""`testbed run` as a user runs it: what it leaves in results, and that it leaves nothing else, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from testbed.emulation import cleanup
from testbed.emulation.docker_service import connect
from testbed.emulation.names import RUN_LABEL, RUNS
from testbed.emulation.owner import processes_with_argument
from testbed.records.run_directory import read_run

pytestmark = pytest.mark.network

Start = Callable[..., "subprocess.Popen[str]"]
Look = Callable[[], dict[str, Any]]

NOISE_S = 2.0
"""What a busy machine may add to the two seconds within which a failure is noticed."""
SMALL = """
topology: {kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}}
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 1 MB}, {from: 1, to: 0, size: 300 KB}]}
    - {id: 2, arrival: 200 ms, flows: [{from: 0, to: 1, size: 200 KB}]}
    - {id: 3, after: [1], delay: 50 ms, flows: [{from: 1, to: 0, size: 100 KB}]}
schedulers: [fair, sebf]
"""
LONG = """
topology: {kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}}
workload: {kind: explicit, coflows: [{id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 200 MB}]}]}
schedulers: [sebf]
backends: [emulation]
"""


def replaying(process: subprocess.Popen[str]) -> None:
    """Wait until flows run: the first progress line."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "flows active" in line:
            return
    raise AssertionError(f"it ended before it replayed: {''.join(lines)}")


def only_run(results: Path) -> Path:
    (run,) = runs_in(results)
    return run


def runs_in(results: Path) -> list[Path]:
    return [path for path in results.iterdir() if path.name != "reports"]


def test_a_run_leaves_records_plots_and_nothing_else(start: Start, machine: Look, tmp_path: Path) -> None:
    process = start(SMALL)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, out + err
    assert "fair       emulation" in out
    assert "sebf       simulation" in out
    runs = runs_in(tmp_path / "results")
    assert len(runs) == 4
    for path in runs:
        run = read_run(path)
        assert len(run.coflows) == 3
        assert run.coflows["finish_s"].notna().all()
        assert (run.flows["sent_bytes"] == run.flows["bytes"]).all()
        assert (run.flows["received_bytes"] == run.flows["bytes"]).all()
        assert (path / "flows.csv").exists()
        assert (path / "coflows.csv").exists()
    (report,) = (tmp_path / "results/reports").iterdir()
    assert {"cct-cdf.png", "cct-cdf.pdf", "gantt-emulation.png", "link-utilisation.png"} <= set(os.listdir(report))
    emulated = read_run(next(path for path in runs if "fair-0" in path.name and not path.name.endswith("-sim")))
    assert (emulated.facts["datapath"]) in ("ovs-user", "ovs-kernel")
    after = emulated.coflows.set_index("coflow")
    assert after.loc[3, "arrival_s"] == pytest.approx(after.loc[1, "finish_s"] + 0.05, abs=1e-6)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_in_order_and_keeps_the_records(
    start: Start, machine: Look, tmp_path: Path, number: signal.Signals
) -> None:
    process = start(LONG)
    replaying(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.rstrip().endswith("interrupted")
    flows = pd.read_csv(only_run(tmp_path / "results") / "flows.csv")
    assert flows["reason"].tolist() == ["interrupted"]
    assert flows["finish_s"].isna().all()


def signal_actor(docker_socket: str, number: signal.Signals) -> str:
    with connect(docker_socket) as client:
        containers = client.containers(filters={"label": RUN_LABEL})
        found = next(each for each in containers if each["Names"][0].endswith("h1"))
        os.kill(client.inspect_container(found["Id"])["State"]["Pid"], number)
    return "host h1: its "


def kill_actor(docker_socket: str) -> str:
    return signal_actor(docker_socket, signal.SIGKILL)


def stop_actor(docker_socket: str) -> str:
    return signal_actor(docker_socket, signal.SIGSTOP) + "actor has not answered for "


def kill_controller(_: str) -> str:
    (run,) = RUNS.iterdir()
    (pid,) = [pid for pid in processes_with_argument(str(run)) if b"controller" in cmdline(pid)]
    os.kill(pid, signal.SIGKILL)
    return "controller"


def kill_switch_daemon(_: str) -> str:
    (run,) = RUNS.iterdir()
    (pid,) = [pid for pid in processes_with_argument(str(run)) if cmdline(pid).startswith(b"ovs-vswitchd")]
    os.kill(pid, signal.SIGKILL)
    return "ovs-vswitchd"


def cmdline(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


@pytest.mark.parametrize("kill", [kill_actor, stop_actor, kill_controller, kill_switch_daemon])
def test_a_part_that_dies_ends_the_run_with_a_clear_error(
    start: Start, machine: Look, tmp_path: Path, docker_socket: str, kill: Callable[[str], str]
) -> None:
    process = start(LONG)
    replaying(process)
    struck_ns = time.monotonic_ns()
    victim = kill(docker_socket)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    last = err.rstrip().rpartition("error: ")[2]
    assert victim in last, err
    assert "Traceback" not in err
    run = read_run(only_run(tmp_path / "results"))
    assert len(run.flows) == 1
    assert run.flows["finish_s"].isna().all()
    assert run.facts["error"] == last
    noticed_s = run.facts["failed_s"] - (struck_ns - run.facts["start_monotonic_ns"]) / 1e9
    assert noticed_s < 2 + NOISE_S


def test_clean_after_kill_9_in_mid_run(start: Start, machine: Look, tmp_path: Path) -> None:
    process = start(LONG)
    replaying(process)
    process.kill()
    process.communicate()
    (run,) = RUNS.iterdir()
    end = time.monotonic() + 30
    while any(b"controller" in cmdline(pid) for pid in processes_with_argument(str(run))):
        assert time.monotonic() < end, "the controller outlives its parent"
        time.sleep(0.02)
    assert cleanup.clean()
    assert cleanup.clean() == []
