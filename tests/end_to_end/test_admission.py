"""A plan that the stored calibration calls too much: refused, or run with --force, on a real network."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from testbed.calibration import store
from testbed.calibration.model import Cost
from testbed.calibration.store import Calibration, Datapath
from testbed.cli import main
from testbed.records.run_directory import read_run

pytestmark = pytest.mark.network

SMALL = """
topology: {kind: fat-tree, k: 2, datapath: ovs-user, link: {rate: 20 Mbit/s}}
workload: {kind: explicit, coflows: [{id: 1, flows: [{from: 0, to: 1, size: 300 KB}]}]}
schedulers: [fair]
backends: [emulation]
"""
REFUSAL = (
    "fair: the plan needs 2073% of what ovs-user forwards here in its busiest second (calibration of 2026-01-31); any "
    "workload fits with link.rate 300 kbit/s"
)


@pytest.fixture(autouse=True)
def slow_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration of a machine that forwards a hundred frames a second."""
    found = Calibration(
        date="2026-01-31T12:00:00+00:00",
        versions={"testbed": "0"},
        machine=store.this_machine(),
        topology="fat-tree k=4",
        datapaths={"ovs-user": Datapath(Cost(0.01, 0.0), ())},
        timer_lag_s={"median": 6e-5, "p99": 2e-4},
        container_start_s=0.2,
        host_memory_bytes=1_000_000,
    )
    path = tmp_path / "calibration.json"
    path.write_bytes(orjson.dumps(found.document()))
    monkeypatch.setenv(store.VARIABLE, str(path))


def test_a_run_is_refused_unless_it_is_forced(
    start: Callable[..., subprocess.Popen[str]], machine: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    _, err = (refused := start(SMALL)).communicate(timeout=120)
    assert refused.returncode == 1
    assert err == f"error: experiment, {REFUSAL}. --force runs it all the same\n"
    assert not (tmp_path / "results").exists()
    _, err = (forced := start(SMALL, "--force")).communicate(timeout=120)
    assert forced.returncode in (0, 3), err
    assert err.splitlines()[0] == f"warning: {REFUSAL}"
    (directory,) = (path for path in (tmp_path / "results").iterdir() if path.name != "reports")
    run = read_run(directory)
    admission = run.manifest["calibration"]["admission"]
    assert (admission["verdict"], admission["origin"]) == ("too much", "calibration of 2026-01-31")
    assert run.plan.calibration == run.manifest["calibration"]


def test_in_a_sweep_a_refused_run_is_one_that_failed(
    docker_socket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = tmp_path / "e.yml"
    experiment.write_text(SMALL + "vary: {seed: [1]}\n")
    with pytest.raises(SystemExit) as exit_:
        main(["sweep", str(experiment), "--out", str(tmp_path / "sweep")])
    assert exit_.value.code == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {tmp_path}/sweep: every run failed; the first: e, {REFUSAL}. --force runs it all the same"
    )
    assert not list((tmp_path / "sweep").glob("runs/*"))
