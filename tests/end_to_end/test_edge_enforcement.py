"""Meters and marks at the edge in whole runs on the emulated network, and what becomes of a run that loses them."""

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
from test_run import cmdline, only_run, replaying

from testbed.emulation.names import RUNS
from testbed.emulation.owner import processes_with_argument
from testbed.records.run_directory import read_run

pytestmark = pytest.mark.network

Start = Callable[..., "subprocess.Popen[str]"]
Look = Callable[[], dict[str, Any]]

PREEMPTED = """
topology: {kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}, datapath: DATAPATH}
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 3 MB}]}
    - {id: 2, arrival: 300 ms, flows: [{from: 0, to: 1, size: 1200 KB}]}
schedulers: [sebf]
backends: [emulation]
"""
LONG = """
topology: {kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}}
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 200 MB}]}
    - {id: 2, arrival: 3 s, flows: [{from: 0, to: 1, size: 200 KB}]}
    - {id: 3, arrival: 4 s, flows: [{from: 0, to: 1, size: 200 KB}]}
schedulers: [sebf]
enforcement: meter
backends: [emulation]
"""


@pytest.mark.parametrize("datapath", ["auto", "router"])
@pytest.mark.parametrize(
    "setting",
    ["enforcement: meter\n", "enforcement: meter\nmetering: per-coflow\n", "enforcement: queue\nmarking: edge\n"],
)
def test_a_small_coflow_overtakes_a_large_one(
    start: Start, machine: Look, tmp_path: Path, setting: str, datapath: str
) -> None:
    process = start(PREEMPTED.replace("DATAPATH", datapath) + setting)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    run = read_run(only_run(tmp_path / "results"))
    assert (run.flows["received_bytes"] == run.flows["bytes"]).all()
    cct_s, gamma_s = (run.coflows.set_index("coflow")[column] for column in ("cct_s", "gamma_s"))
    assert 0.9 * gamma_s[2] < cct_s[2] < 1.5 * gamma_s[2]
    assert gamma_s[1] + gamma_s[2] < cct_s[1] * 1.1
    edge = run.samples["edge"]
    assert len(edge) >= 3
    assert run.facts["edge"]["batches"] == len(edge)
    assert ("imitated" in run.facts.get("meter", {})) == (datapath == "router" and "meter" in setting)


def delete_meters() -> str:
    """Somebody else takes the meters away: the switch will refuse to change them."""
    (run,) = RUNS.iterdir()
    for management in run.rglob("*.mgmt"):
        subprocess.run(["ovs-ofctl", "-O", "OpenFlow13", "del-meters", f"unix:{management}"], check=True, timeout=20)
    return "OFPMMFC_UNKNOWN_METER"


def kill_controller() -> str:
    (run,) = RUNS.iterdir()
    (pid,) = [pid for pid in processes_with_argument(str(run)) if b"controller" in cmdline(pid)]
    os.kill(pid, signal.SIGKILL)
    return "was killed by signal 9"


@pytest.mark.parametrize("harm", [delete_meters, kill_controller])
def test_a_run_that_loses_its_meters_ends_with_a_clear_error_and_its_records(
    start: Start, machine: Look, tmp_path: Path, harm: Callable[[], str]
) -> None:
    process = start(LONG)
    replaying(process)
    reason = harm()
    began = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    last = err.rstrip().rpartition("error: ")[2]
    assert last.startswith("controller: "), err
    assert reason in last, err
    assert time.monotonic() - began < 30
    flows = pd.read_csv(only_run(tmp_path / "results") / "flows.csv")
    assert len(flows) == 3
    assert pd.isna(flows["finish_s"][0])
    assert reason in flows["reason"][0]
