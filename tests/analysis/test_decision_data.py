from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from decided_run import decided_run
from run_writer import WriteRun

from testbed.analysis.decision_data import class_use, latencies


def test_latencies_are_of_measured_decisions(tmp_path: Path) -> None:
    found = latencies(decided_run(tmp_path, latency_s=[0.001, np.nan, 0.003]))
    assert found is not None
    assert found.latency_s.tolist() == [0.001, 0.003]
    assert found.active_flows.tolist() == [2, 1]
    assert found.busy_share == pytest.approx(0.004 / 2.0)


def test_classes_are_counted_and_one_class_is_no_news(tmp_path: Path, write_run: WriteRun) -> None:
    use = class_use(decided_run(tmp_path, latency_s=[0.001] * 3))
    assert use is not None
    assert use.classes == (0, 3)
    assert use.at_s.tolist() == [0.0, 2.0]  # of the two decisions at 0 s the later one holds
    assert use.flows.tolist() == [[1, 1], [0, 1]]
    assert class_use(write_run("fair", {1: 1.0})) is None
    assert latencies(write_run("fair", {1: 1.0})) is None
