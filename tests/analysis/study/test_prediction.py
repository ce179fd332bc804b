"""The law and the fluid calculation against figures worked out by hand."""

from __future__ import annotations

import math

import pytest

from testbed.analysis.study.prediction import Coflow, Discipline, Prediction, law, predict

MB = 1e6


def two(m: int, kind: str, minimum_size: float = 0.0) -> Prediction:
    """A sender of 5 MB/s, first limit 1 MB; 10 ms after a large coflow a small one of ten flows, 0.5 MB in all."""
    rules = Discipline(first_limit=MB, factor=1000, minimum_size=minimum_size, unlabelled_class=kind)
    return predict([Coflow(10, 10 * MB, unlabelled=m), Coflow(10, 0.05 * MB, 0.010)], 5 * MB, rules)


@pytest.mark.parametrize(("m", "times"), [(0, 1), (1, 10 / 9), (5, 2), (9, 10), (10, math.inf)])
def test_the_law(m: int, times: float) -> None:
    assert law(10, m) == times


@pytest.mark.parametrize(
    ("kind", "five", "nine"),
    [("top", 0.54 / 0.29, 2.18 / 0.29), ("own", 0.49 / 0.29, 2.09 / 0.29), ("bottom", 1.0, 1.0)],
)
def test_what_the_small_coflow_pays(kind: str, five: float, nine: float) -> None:
    """All labelled: 200 ms less 10 ms of waiting, 100 ms of its own; shared with m flows 100 ms x (10 + m) / 10."""
    base = two(0, kind).cct_s[1]
    assert base == pytest.approx(0.29)
    ratios = [two(m, kind).cct_s[1] / base for m in (5, 9)]
    assert ratios == pytest.approx([five, nine])
    published = {"top": (1.86, 7.52), "own": (1.69, 7.21), "bottom": (1.00, 1.00)}
    assert tuple(round(ratio, 2) for ratio in ratios) == published[kind]


@pytest.mark.parametrize("m", range(10))
def test_residence_follows_the_law_where_the_queue_is_shared(m: int) -> None:
    for kind in ("top", "own"):
        assert two(m, kind).residence_s[0] == pytest.approx(0.2 * law(10, m))
    assert two(m, "bottom").residence_s[0] == pytest.approx(0.2)


def test_nothing_left_labelled_never_leaves_the_first_queue() -> None:
    """The small coflow then shares the link with ten flows from the start: 0.5 MB at half of 5 MB/s."""
    found = two(10, "top")
    assert math.isnan(found.residence_s[0])
    assert found.cct_s == pytest.approx((20.1, 0.2))


def test_a_small_coflow_that_is_not_registered_never_waits() -> None:
    """It has half of the link for 200 ms; the large one, m = 5, has meanwhile 2.5 MB/s, half of it known."""
    found = two(5, "top", minimum_size=0.1 * MB)
    assert found.cct_s[1] == pytest.approx(0.2)
    known_at_210_ms = 0.010 * 2.5 * MB + 0.2 * 1.25 * MB
    assert found.residence_s[0] == pytest.approx(0.21 + (MB - known_at_210_ms) / (2.5 * MB))


def test_above_the_size_of_all_flows_labels_mean_nothing() -> None:
    for m in (0, 5, 9):
        found = two(m, "top", minimum_size=100 * MB)
        assert math.isnan(found.residence_s[0])
        assert found.cct_s[1] == pytest.approx(0.2)


def test_small_coflows_follow_one_another_in_the_order_of_arrival() -> None:
    """Own class, m = 5: 400 ms in the first queue, then 100 and 20 ms."""
    rules = Discipline(first_limit=MB, factor=1000, unlabelled_class="own")
    coflows = [Coflow(10, 10 * MB, unlabelled=5), Coflow(10, 0.05 * MB, 0.010), Coflow(10, 0.01 * MB, 0.020)]
    found = predict(coflows, 5 * MB, rules)
    assert found.cct_s[1:] == pytest.approx((0.49, 0.50))


def test_a_lone_coflow_takes_its_bytes_over_the_rate() -> None:
    found = predict([Coflow(4, MB, 2.0)], 2 * MB, Discipline(first_limit=MB))
    assert found == Prediction((pytest.approx(0.5),), (pytest.approx(2.0),))
