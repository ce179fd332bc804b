"""A binary heap over two arrays, for the compiled loops."""

from __future__ import annotations

from testbed.coflow import Floats, Ints
from testbed.scheduling.compiled import kernel


@kernel
def sift_down(keys: Floats, items: Ints, at: int, size: int) -> None:
    """Let the entry at `at`, which may be too big, sink to its place: least key first, then least item."""
    key, item = keys[at], items[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        right = child + 1
        if right < size and (keys[right] < keys[child] or (keys[right] == keys[child] and items[right] < items[child])):
            child = right
        if key < keys[child] or (key == keys[child] and item < items[child]):
            break
        keys[at], items[at] = keys[child], items[child]
        at = child
    keys[at], items[at] = key, item
