"""Shuffle and broadcast as flows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.workload.patterns import broadcast, shuffle


def test_a_shuffle_by_hand() -> None:
    src, dst, size = shuffle(np.array([4, 7, 9]), np.array([1, 2]), np.array([9, 11]))
    assert src.tolist() == [4, 7, 9, 4, 7, 9]
    assert dst.tolist() == [1, 1, 1, 2, 2, 2]
    assert size.tolist() == [3, 3, 3, 4, 4, 3]


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.integers(1, 20), st.lists(st.integers(20, 10**12), min_size=1, max_size=8))
def test_no_byte_is_lost_and_shares_differ_by_one_at_most(mappers: int, totals: list[int]) -> None:
    _, dst, size = shuffle(np.arange(mappers), np.arange(len(totals)), np.array(totals))
    for reducer, total in enumerate(totals):
        shares = size[dst == reducer]
        assert shares.sum() == total
        assert shares.max() - shares.min() <= 1


def test_a_broadcast_by_hand() -> None:
    src, dst, size = broadcast(3, np.array([5, 6]), 10)
    assert (src.tolist(), dst.tolist(), size.tolist()) == ([3, 3], [5, 6], [10, 10])
