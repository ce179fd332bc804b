"""The userspace switch's forwarding thread and everybody else on different processors.

That thread polls and never sleeps. An actor that wakes on its processor waits for the rest of a time slice, some 3 ms,
even while another processor is idle: flows then start late. On their own processors actors start within a millisecond.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator


@contextlib.contextmanager
def kept_apart(forwarding: int | None, others: Iterable[int]) -> Iterator[int | None]:
    """For the block: the thread `forwarding` alone on the last processor, `others` and this thread on the rest.

    Yields that processor; None, and nothing is changed, without such a thread or with one processor. Processes that
    outlive the block keep their place, this thread gets its own back.
    """
    mine = os.sched_getaffinity(0)
    if forwarding is None or len(mine) < 2:
        yield None
        return
    last = max(mine)
    os.sched_setaffinity(forwarding, {last})
    for pid in others:
        os.sched_setaffinity(pid, mine - {last})
    os.sched_setaffinity(0, mine - {last})
    try:
        yield last
    finally:
        os.sched_setaffinity(0, mine)
