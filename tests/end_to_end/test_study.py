"""`testbed study` on a real network: what is measured stands beside what is predicted, in one report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from testbed.cli import main

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.network


def test_residence_and_cct_are_measured_near_the_prediction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Part a as it is shipped, class top, m = 0 and 5, one repeat."""
    shipped = (ROOT / "experiments/unlabelled/a-two-coflows.yml").read_text()
    few = "repeats: 1\nvary: {workload.unlabelled.flows: [0, 5]}\n"
    (tmp_path / "small").mkdir()
    (tmp_path / "small/a.yml").write_text(shipped[: shipped.index("repeats:")] + few)
    out = tmp_path / "out"
    study = ["study", str(tmp_path / "small"), "--out", str(out), "--workers", "1"]
    for again in ([], *3 * [["--again", "invalid"]]):
        status, said = _exit_status([*study, *again]), capsys.readouterr().out
        if status != 3:
            break  # else a run is invalid: this machine was busy, and the remedy is to make that one again
    assert status == 0, said
    table = pd.read_csv(out / "tables/a.csv")
    measured = table[table["source"] == "emulation"].set_index(["quantity", "unlabelled"])
    assert len(measured) == 4
    ratio = measured["over_predicted"]
    assert ratio.between(0.85, 1.5).all(), measured  # latency, and more of it on a busy machine, only adds
    assert measured["times"]["residence", 5] > 1.3
    assert "not measured: a: " in said  # one run has no interval
    assert "e-starts, measured: of 20 flows 99% started within" in said  # the small coflow's are held back


def _exit_status(command: list[str]) -> object:
    with pytest.raises(SystemExit) as stop:
        main(command)
    return stop.value.code
