"""Which classes of the ports an order takes, so that as few running flows as possible change theirs.

Under strict priority only the order of the classes counts. A flow that moves up overtakes its own packets in the old
class's queue, which TCP takes for losses; one that moves down leaves a queue standing before whoever takes its place
(100 ms on a full buffer). So flows stay where they are while that is in order, and newcomers go between them.
"""

from __future__ import annotations

import numpy as np

from testbed.coflow import Ints
from testbed.scheduling.classes import CLASSES

NOWHERE = -1
_NEVER = float("-inf")


def steady(wanted: Ints, current: Ints, pinned: int | None = None) -> Ints:
    """Classes in the order of the `wanted` ones, equal where those are equal, and of those that keep most flows.

    `wanted` and `current` (`NOWHERE` for a flow that has no class yet) are per flow. What is new is spread evenly over
    the classes that are free, to leave room for what may come between. `pinned`, the first or the last class, is for
    those who want that very one: flows that nobody moves are there.
    """
    groups, group_of = np.unique(wanted, return_inverse=True)
    count = len(groups)
    if count == 0:
        return wanted
    kept = np.zeros((count, CLASSES))
    known = current != NOWHERE
    np.add.at(kept, (group_of[known], current[known]), 1.0)
    evenly = (np.arange(count) + 0.5) * CLASSES / count - 0.5
    value = kept - 1e-3 / CLASSES**2 * np.square(np.arange(CLASSES) - evenly[:, np.newaxis])
    if pinned is not None:
        value[groups != pinned, pinned] = _NEVER
        value[groups == pinned, :] = np.where(np.arange(CLASSES) == pinned, 0.0, _NEVER)
    return _best_rising(value)[group_of]


def _best_rising(value: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Ints:
    """A class per row, strictly rising, with the greatest sum of values."""
    count = len(value)
    best = value.copy()
    before = np.zeros((count, CLASSES), dtype=np.int64)
    for row in range(1, count):
        for klass in range(CLASSES):
            reach = best[row - 1, :klass]
            before[row, klass] = int(np.argmax(reach)) if klass else 0
            best[row, klass] += reach.max() if klass else _NEVER
    chosen = np.empty(count, dtype=np.int64)
    chosen[-1] = int(np.argmax(best[-1]))
    for row in range(count - 1, 0, -1):
        chosen[row - 1] = before[row, chosen[row]]
    return chosen
