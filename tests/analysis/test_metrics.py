from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from testbed.analysis.bins import BinLimits, bin_limits
from testbed.analysis.bootstrap import ratio_interval
from testbed.analysis.metrics import metrics


def table(cct_s: list[float], gamma_s: float = 2.0) -> pd.DataFrame:
    return pd.DataFrame({"cct_s": cct_s, "slowdown": np.array(cct_s) / gamma_s})


def test_metrics_are_those_worked_out_by_hand() -> None:
    found = metrics(table([4.0, 2.0, 6.0, 8.0, 10.0]))
    assert found == {
        "coflows": 5, "unfinished": 0, "mean_s": 6.0, "median_s": 6.0,
        "p95_s": pytest.approx(9.6), "p99_s": pytest.approx(9.92),
        "slowdown_mean": 3.0, "slowdown_median": 3.0, "slowdown_p95": pytest.approx(4.8),
    }  # fmt: skip


def test_coflows_that_did_not_finish_are_counted_and_have_no_cct() -> None:
    found = metrics(table([4.0, np.nan, 2.0]))
    assert (found["coflows"], found["unfinished"], found["mean_s"], found["slowdown_mean"]) == (2, 1, 3.0, 1.5)
    nothing = metrics(table([np.nan]))
    assert (nothing["coflows"], nothing["unfinished"]) == (0, 1)
    assert np.isnan(nothing["p99_s"])


def sizes(longest: list[float], flows: list[int]) -> pd.DataFrame:
    return pd.DataFrame({"longest_bytes": longest, "flows": flows})


def test_bins_of_the_literature() -> None:
    coflows = sizes([4_999_999, 5_000_000, 4_999_999, 5_000_000], [50, 50, 51, 51])
    limits = bin_limits(coflows)
    assert limits == BinLimits(5e6, 50, "")
    assert limits.assign(coflows).tolist() == ["SN", "LN", "SW", "LW"]
    assert str(limits) == "S/L: longest flow under / from 5 MB; N/W: up to / over 50 flows"


def test_limits_follow_the_scale_of_the_workload() -> None:
    limits = bin_limits(sizes([1000, 9000], [1, 100]), scale=0.001)
    assert limits == BinLimits(5000, 50, "5 MB x 0.001, as the workload")


def test_an_axis_that_separates_nothing_is_split_at_its_median_and_says_so() -> None:
    coflows = sizes([10, 20, 30, 40], [1, 2, 3, 4])
    limits = bin_limits(coflows)
    assert limits == BinLimits(25, 2, "length split at the median; width split at the median")
    assert limits.assign(coflows).tolist() == ["SN", "SN", "LW", "LW"]


def test_a_lone_coflow_on_one_side_is_not_a_bin() -> None:
    limits = bin_limits(sizes([1e6] * 25 + [2e6] * 24 + [9e6], [60] * 20 + [10] * 30))
    assert limits == BinLimits(1.5e6, 50, "length split at the median")


def test_the_bootstrap_comes_out_the_same_every_time_and_holds_the_figure() -> None:
    random = np.random.default_rng(3)
    above, below = random.exponential(2.0, 200), random.exponential(1.0, 200)
    one_repeat = np.zeros(200, dtype=np.int64)
    interval = ratio_interval(above, below, one_repeat)
    assert interval == ratio_interval(above, below, one_repeat)
    assert interval.over == "coflows"
    assert interval.low < above.sum() / below.sum() < interval.high
    assert interval != ratio_interval(above, below, one_repeat, seed=1)


def test_with_repeats_the_bootstrap_draws_whole_repeats() -> None:
    above, below = np.array([1.0, 3.0, 2.0, 2.0]), np.ones(4)
    interval = ratio_interval(above, below, np.array([0, 0, 1, 1]))  # both repeats have mean 2
    assert (interval.low, interval.high, interval.over) == (2.0, 2.0, "repeats")
    interval = ratio_interval(np.array([1.0, 3.0]), np.ones(2), np.array([0, 1]))
    assert (interval.low, interval.high) == (1.0, 3.0)


def test_a_single_coflow_has_no_interval() -> None:
    interval = ratio_interval(np.array([1.0]), np.array([2.0]), np.array([0]))
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_the_bootstrap_of_a_mean_agrees_with_the_normal_one() -> None:
    values = np.random.default_rng(5).normal(10, 2, 400)
    interval = ratio_interval(values, np.ones(400), np.zeros(400, dtype=np.int64))
    half = 1.96 * values.std() / np.sqrt(400)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.03)
