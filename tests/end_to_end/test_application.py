"""A real program in the containers, scheduled through the coflow API and recorded beside a computed figure."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.records.run_directory import read_run

pytestmark = pytest.mark.network

FOLDER = Path(__file__).parents[2] / "workloads/applications"
SPEC = f"""
topology: {{kind: fat-tree, k: 2, link: {{rate: 20 Mbit/s}}}}
workload:
  kind: explicit
  coflows: [{{id: 7, flows: [{{from: 0, to: 1, size: 4 MB}}]}}]
  applications:
    folder: {FOLDER}
    commands:
      - {{host: 1, command: python3 shuffle.py reduce 1}}
      - {{host: 0, command: python3 shuffle.py drive 1 1=1000000}}
schedulers: [sebf]
"""


def test_a_shuffle_program_is_scheduled_beside_the_plan(
    start: Callable[..., subprocess.Popen[str]], machine: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    process = start(SPEC)
    out, err = process.communicate(timeout=290)
    assert process.returncode in (0, 3), out + err  # 3: too slow a machine for a verdict of valid
    measured, computed = (read_run(tmp_path / "results" / name) for name in sorted(
        path.name for path in (tmp_path / "results").iterdir() if path.name != "reports"
    ))  # fmt: skip
    assert computed.source == "simulation"
    assert measured.coflows.coflow.tolist() == [7, 8]
    assert measured.flows.received_bytes.tolist() == [4_000_000, 1_000_000]
    assert measured.flows.reason.isna().all()
    assert measured.plan.flows.bytes.tolist() == computed.plan.flows.bytes.tolist()
    planned, application = measured.coflows.cct_s
    assert application < planned  # the small one goes first, as sebf has it
    assert 0.98 * measured.coflows.gamma_s[1] <= application <= 2 * computed.coflows.cct_s[1] + 0.2
    assert any("injected" in reason for reason in measured.decisions.reason)
    logs = measured.path / "logs"
    assert (logs / "application-0-h1.log").read_text() == "reduced 1000000 bytes from 1 mappers\n"
    assert (logs / "application-1-h0.log").read_text() == "sent 1000000 bytes in coflow 8 to 1 reducers\n"
