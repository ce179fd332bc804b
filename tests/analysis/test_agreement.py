from __future__ import annotations

import math

import pytest
from rich.console import Console
from run_writer import WriteRun

from testbed.analysis.agreement import agreement_rows, show_agreement
from testbed.analysis.coflows import coflow_frame

SIZE = {1: 1_000_000, 2: 2_000_000, 3: 4_000_000, 4: 100_000}
"""Gammas of 1, 2, 4 and 0.1 s: the last is too small to count."""


def test_rows_are_over_coflows_of_a_gamma_that_counts(write_run: WriteRun) -> None:
    runs = [write_run("sebf", {1: 1.0, 2: 2.0, 3: 5.0, 4: 0.1}, size=SIZE),
            write_run("sebf", {1: 1.1, 2: 2.4, 3: 5.0, 4: 0.4}, source="emulation", size=SIZE),
            write_run("fair", {1: 1.0, 2: 2.0, 3: 5.0, 4: 0.1}, size=SIZE)]  # fmt: skip
    (row,) = agreement_rows(coflow_frame(runs), "fair")
    assert (row["experiment"], row["scheduler"], row["coflows"], row["of"]) == ("tiny", "sebf", 3, 4)
    assert row["deviation_median"] == pytest.approx(0.1)
    assert row["deviation_p90"] == pytest.approx(0.1 + 0.8 * 0.1)  # of 0, 0.1, 0.2
    assert row["ratio_of_means"] == pytest.approx(8.5 / 8.0)


def test_the_table_in_the_terminal(write_run: WriteRun) -> None:
    runs = [write_run("sebf", {1: 1.0, 4: 0.1}, size=SIZE), write_run("sebf", {1: 1.1, 4: 0.2}, "emulation", size=SIZE),
            write_run("fair", {4: 0.1}, size=SIZE), write_run("fair", {4: 0.2}, "emulation", size=SIZE)]  # fmt: skip
    rows = agreement_rows(coflow_frame(runs), "fair")
    assert math.isnan(rows[0]["ratio_of_means"])
    console = Console(record=True, width=100)
    show_agreement(console, rows)
    assert [line.split() for line in console.export_text().splitlines()[1:]] == [
        ["scheduler", "coflows", "median", "|ratio-1|", "90", "%", "ratio", "of", "means"],
        ["fair", "0", "of", "1", "-", "-", "-"],
        ["sebf", "1", "of", "2", "10.0%", "10.0%", "1.100"],
    ]


def test_nothing_is_said_where_there_is_one_source(write_run: WriteRun) -> None:
    rows = agreement_rows(coflow_frame([write_run("fair", {1: 1.0})]), "fair")
    console = Console(record=True)
    show_agreement(console, rows)
    assert (rows, console.export_text()) == ([], "")
