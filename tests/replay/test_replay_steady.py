"""Classes that move as few running flows as an order allows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.replay.enforcement.steady import NOWHERE, steady

N = NOWHERE


def moved(wanted: list[int], current: list[int], pinned: int | None = None) -> list[int]:
    return steady(np.array(wanted), np.array(current), pinned).tolist()


@pytest.mark.parametrize(
    ("wanted", "current", "expected"),
    [
        ([0], [N], [3]),  # alone: in the middle
        ([1, 0], [3, N], [3, 1]),  # a smaller one comes: it goes above, nobody moves
        ([0, 1], [3, N], [3, 5]),  # a larger one: below
        ([0], [5], [5]),  # the one above has finished
        ([0, 0, 1], [N, 5, 5], [1, 1, 5]),  # one of two leaves the class they shared
        ([0, 0], [2, 5], [2, 2]),  # two are to share one
        ([0, 1, 2], [0, N, 1], [0, 3, 6]),  # no room between: one moves
        (list(range(8)), [N] * 8, list(range(8))),
        ([7, 7, 0], [3, 3, N], [3, 3, 1]),  # only the order counts
    ],
)
def test_running_flows_stay_and_newcomers_go_between(
    wanted: list[int], current: list[int], expected: list[int]
) -> None:
    assert moved(wanted, current) == expected


def test_a_pinned_class_is_for_those_who_want_it() -> None:
    assert moved([0, 1], [N, N], pinned=0)[0] == 0
    assert moved([1, 2], [0, 1], pinned=0)[0] != 0
    assert moved([0, 1], [4, 5], pinned=0) == [0, 5]
    assert moved([3, 7], [N, N], pinned=7)[1] == 7
    assert 7 not in moved([3, 4], [7, N], pinned=7)


def test_no_flows() -> None:
    assert moved([], []) == []


FLOWS = st.lists(st.tuples(st.integers(0, 7), st.integers(-1, 7)), min_size=1, max_size=30)


@given(flows=FLOWS, pinned=st.sampled_from([None, 0, 7]))
def test_the_order_is_kept_whatever_there_was(flows: list[tuple[int, int]], pinned: int | None) -> None:
    wanted, current = [flow[0] for flow in flows], [flow[1] for flow in flows]
    found = moved(wanted, current, pinned)
    for a, b in zip(wanted, found, strict=True):
        assert 0 <= b <= 7
        assert pinned is None or (a == pinned) == (b == pinned)
        for c, d in zip(wanted, found, strict=True):
            assert (a < c) == (b < d)


@given(flows=FLOWS)
def test_what_is_in_order_stays(flows: list[tuple[int, int]]) -> None:
    wanted = [flow[0] for flow in flows]
    settled = moved(wanted, [flow[1] for flow in flows])
    assert moved(wanted, settled) == settled
