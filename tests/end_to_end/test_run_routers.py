"""`testbed run` with Linux routers as switches: the same records as over OpenFlow switches, and no controller."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.emulation.netns import NAMED
from testbed.records.run_directory import read_run

pytestmark = pytest.mark.network

ROUTED = """
topology: {kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}, datapath: router}
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: 1 MB}, {from: 1, to: 0, size: 300 KB}]}
    - {id: 2, arrival: 200 ms, flows: [{from: 0, to: 1, size: 200 KB}]}
schedulers: [sebf]
enforcement: [pacing, queue]
backends: [emulation]
"""


def test_a_run_on_routers(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    before = set(NAMED.iterdir()) if NAMED.exists() else set()
    process = start(ROUTED)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, out + err
    (path,) = (path for path in (tmp_path / "results").iterdir() if path.name != "reports")
    run = read_run(path)
    assert run.coflows["finish_s"].notna().all()
    assert (run.flows["received_bytes"] == run.flows["bytes"]).all()
    assert (run.facts["datapath"], run.facts["frames_per_segment"]) == ("router", 1)
    assert run.facts["forwarding_processor"] is None
    assert "routes" in run.facts["network_phases_s"]
    assert "controller" not in run.facts["network_phases_s"]
    mine = {path for path in set(NAMED.iterdir()) - before if run.facts["run_id"] in path.name}
    assert mine == set()
    assert not (path / "logs" / "controller.log").exists()
