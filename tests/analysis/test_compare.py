from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from run_writer import WriteRun

from testbed.analysis.bins import BinLimits
from testbed.analysis.coflows import coflow_frame, find_baseline, pair
from testbed.analysis.compare import Comparison, compare
from testbed.errors import SpecError


def row(comparison: Comparison, scheduler: str, source: str = "simulation", bin_name: str = "all") -> dict:
    table = comparison.table
    found = table[(table["scheduler"] == scheduler) & (table["source"] == source) & (table["bin"] == bin_name)]
    assert len(found) == 1
    return found.iloc[0].to_dict()


def test_factors_are_those_worked_out_by_hand(write_run: WriteRun) -> None:
    comparison = compare([write_run("fair", {1: 2.0, 2: 6.0, 3: 4.0}), write_run("sebf", {1: 1.0, 2: 4.0, 3: 1.0})])
    sebf = row(comparison, "sebf")
    assert (sebf["mean_s"], sebf["median_s"], sebf["coflows"], sebf["pairs"]) == (2.0, 1.0, 3, 3)
    assert sebf["factor"] == pytest.approx(12 / 6)
    assert sebf["factor_median"] == pytest.approx(2.0)  # of 2, 1.5, 4
    assert sebf["factor_low"] <= sebf["factor"] <= sebf["factor_high"]
    assert sebf["slowdown_mean"] == pytest.approx(2.0)  # Gamma is 1 s
    fair = row(comparison, "fair")
    assert (fair["factor"], fair["factor_low"], fair["factor_high"]) == (1.0, 1.0, 1.0)
    assert (comparison.baseline, comparison.notes) == ("fair", ())


def test_each_bin_is_compared_on_its_own(write_run: WriteRun) -> None:
    size = {1: 1_000_000, 2: 9_000_000}
    runs = [write_run("fair", {1: 2.0, 2: 20.0}, size=size), write_run("sebf", {1: 1.0, 2: 40.0}, size=size)]
    comparison = compare(runs, limits=BinLimits())
    assert list(comparison.table["bin"]) == ["all", "SN", "LN", "all", "SN", "LN"]
    assert row(comparison, "sebf", bin_name="SN")["factor"] == pytest.approx(2.0)
    assert row(comparison, "sebf", bin_name="LN")["factor"] == pytest.approx(0.5)


def test_coflows_are_matched_within_source_and_repeat(write_run: WriteRun) -> None:
    runs = [
        write_run("fair", {1: 2.0}, seed=1, repeat=0),
        write_run("fair", {1: 8.0}, seed=2, repeat=1),
        write_run("sebf", {1: 4.0}, seed=2, repeat=1),
        write_run("sebf", {1: 1.0}, seed=1, repeat=0),
        write_run("fair", {1: 100.0}, source="emulation"),
        write_run("sebf", {1: 10.0}, source="emulation"),
    ]
    comparison = compare(runs)
    simulated = row(comparison, "sebf")
    assert (simulated["factor"], simulated["factor_median"], simulated["runs"]) == (2.0, 2.0, 2)
    assert simulated["interval"] == "repeats"
    assert row(comparison, "sebf", "emulation")["factor"] == pytest.approx(10.0)


def test_runs_alike_in_everything_are_repeats_in_the_order_of_time(write_run: WriteRun) -> None:
    runs = [write_run("fair", {1: 2.0}), write_run("fair", {1: 6.0}), write_run("sebf", {1: 1.0}),
            write_run("sebf", {1: 3.0})]  # fmt: skip
    assert sorted(coflow_frame(runs)["occurrence"]) == [0, 0, 1, 1]
    assert row(compare(runs), "sebf")["factor_median"] == pytest.approx(2.0)


def test_it_says_when_the_coflows_differ(write_run: WriteRun) -> None:
    fair = write_run("fair", {1: 2.0, 2: 6.0, 3: 4.0}, size={3: 2_000_000})
    sebf = write_run("sebf", {1: 1.0, 2: np.nan, 3: 4.0, 4: 1.0})
    comparison = compare([fair, sebf])
    assert row(comparison, "sebf")["factor"] == pytest.approx(2.0)  # coflow 1 only
    assert row(comparison, "sebf")["unfinished"] == 1
    assert comparison.notes == (
        "tiny, simulation: 3 coflows are not the same, or not finished, under both 'sebf' and 'fair'; the factor is "
        "over the other 1",
    )
    pairs = pair(coflow_frame([fair]), coflow_frame([sebf]))
    assert (pairs.left_out, pairs.factor) == (3, 2.0)


def test_without_the_baseline_there_are_no_factors_and_it_says_so(write_run: WriteRun) -> None:
    comparison = compare([write_run("sebf", {1: 1.0})])
    assert np.isnan(row(comparison, "sebf")["factor"])
    assert comparison.notes == ("no run of 'fair' to compare with: no factors (--baseline names another scheduler)",)
    runs = [write_run("fair", {1: 1.0}), write_run("sebf", {1: 1.0}, source="emulation")]
    assert compare(runs).notes == ("tiny, emulation: no run of 'fair', so 'sebf' has no factor",)


def test_the_baseline_may_be_named_by_title_or_by_name(write_run: WriteRun) -> None:
    plain = write_run("sebf", {1: 1.0})
    titled = replace(plain, manifest={**plain.manifest, "scheduler": {"name": "dclas", "title": "dclas(queues=4)"}})
    runs = [plain, titled]
    assert find_baseline(runs, "dclas") == "dclas(queues=4)"
    assert find_baseline(runs, "dclas(queues=4)") == "dclas(queues=4)"
    assert find_baseline(runs, None) is None
    with pytest.raises(SpecError) as error:
        find_baseline(runs, "sbef")
    assert str(error.value) == (
        "--baseline: unknown scheduler 'sbef'; did you mean 'sebf'? known: dclas(queues=4), sebf"
    )


def test_it_says_when_repeats_were_made_under_different_settings(write_run: WriteRun) -> None:
    fair, other = write_run("fair", {1: 2.0}), write_run("fair", {1: 3.0})
    other = replace(other, manifest={**other.manifest, "enforcement": ["queue"]})
    assert compare([fair, other]).notes == (
        "tiny, simulation, fair: runs of different enforcement are put together (['pacing'], ['queue'])",
    )


def test_experiments_are_kept_apart(write_run: WriteRun) -> None:
    runs = [write_run("fair", {1: 2.0}, experiment="a"), write_run("sebf", {1: 1.0}, experiment="a"),
            write_run("fair", {1: 9.0}, experiment="b")]  # fmt: skip
    comparison = compare(runs)
    assert list(comparison.overall["experiment"]) == ["a", "a", "b"]
    assert list(comparison.overall["factor"]) == [1.0, 2.0, 1.0]
    assert set(comparison.limits) == {"a", "b"}
