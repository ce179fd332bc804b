"""Bootstrap confidence intervals of mean CCT and of factors: over repeats, or over coflows where there is one repeat.

The interval over coflows says how much the figure depends on which coflows the workload happened to hold; the interval
over repeats how much it changes from run to run. Percentile method, seeded, so that it comes out the same every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats, Ints

LEVEL = 0.95
RESAMPLES = 2000
SEED = 20150817
_AT_ONCE = 4_000_000
"""Drawn numbers held in memory at a time."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval; `over` says what was resampled: repeats or coflows."""

    low: float
    high: float
    over: str


def ratio_interval(above: Floats, below: Floats, repeat: Ints, seed: int = SEED) -> Interval:
    """Interval of sum(above) / sum(below), pairs drawn together. `repeat`: which repeat each pair is from.

    With `below` all ones it is the interval of a mean. NaN for fewer than two things to draw from.
    """
    _, unit = np.unique(repeat, return_inverse=True)
    over = "repeats"
    if unit.max(initial=0) > 0:
        above = np.bincount(unit, above).astype(np.float64)
        below = np.bincount(unit, below).astype(np.float64)
    else:
        over = "coflows"
    if len(above) < 2:
        return Interval(float("nan"), float("nan"), over)
    random = np.random.default_rng(seed)
    ratios = []
    chunk = max(1, _AT_ONCE // len(above))
    for first in range(0, RESAMPLES, chunk):
        drawn = random.integers(0, len(above), size=(min(chunk, RESAMPLES - first), len(above)))
        ratios.append(above[drawn].sum(axis=1) / below[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(ratios), [50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)])
    return Interval(float(low), float(high), over)
