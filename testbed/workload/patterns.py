"""Patterns of flows: a shuffle and a broadcast, as columns (source, destination, bytes)."""

from __future__ import annotations

import numpy as np

from testbed.coflow import Ints

Columns = tuple[Ints, Ints, Ints]


def shuffle(mappers: Ints, reducers: Ints, totals: Ints) -> Columns:
    """Every mapper to every reducer, reducer by reducer.

    `totals` has the bytes of each reducer, at least one for each mapper. They are split equally over the mappers in
    whole bytes: where that leaves a remainder, the first mappers send a byte more, so that no byte is lost.
    """
    n = len(mappers)
    share, left = np.divmod(totals, n)
    sizes = share[:, None] + (np.arange(n) < left[:, None])
    return np.tile(mappers, len(reducers)), np.repeat(reducers, n), sizes.ravel()


def broadcast(source: int, to: Ints, size: int) -> Columns:
    """One source to every receiver, the whole size to each."""
    return np.full(len(to), source, dtype=np.int64), to, np.full(len(to), size, dtype=np.int64)
