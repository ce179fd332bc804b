"""The queue at the source of every link: what waits there, what it dropped, and which queues were full."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from testbed.coflow import Ints
from testbed.emulation.netns import Netns
from testbed.emulation.queue_stats import QueueStats
from testbed.emulation.wiring import Cable, End
from testbed.errors import EmulationError

_LEAF = "bfifo"
"""Where frames wait; it drops one that finds its queue full, and none else."""


class PortQueues:
    """Reads the queues of all ports; for one thread at a time. Close it in the end."""

    def __init__(
        self, cables: Iterable[Cable], links: int, pids: list[int], namespace: Callable[[int], Path | None]
    ) -> None:
        """`pids` is by host number; `namespace` tells that of a switch's ports, None for the root one."""
        self._links = links
        places: dict[Netns | None, list[End]] = {}
        for cable in cables:
            for end in cable.ends:
                places.setdefault(_namespace(end, pids, namespace), []).append(end)
        self._stats: list[tuple[QueueStats, list[End]]] = []
        self.where = {end.link: (place, end.interface) for place, ends in places.items() for end in ends}
        """Per link, the namespace (None for the root one) and the interface that it leaves from."""
        try:
            for place, ends in places.items():
                self._stats.append((QueueStats(place, [end.interface for end in ends]), ends))
        except EmulationError:
            self.close()
            raise

    def read(self) -> tuple[Ints, Ints]:
        """Per link, bytes that wait at its source now, and frames that its whole queueing dropped since bring-up."""
        backlog, drops = (np.zeros(self._links, dtype=np.int64) for _ in range(2))
        for stats, ends in self._stats:
            for end, figures in zip(ends, stats.links(), strict=True):
                backlog[end.link], drops[end.link] = figures.backlog_bytes, figures.drops
        return backlog, drops

    def full_drops(self) -> Ints:
        """Per link, frames dropped since bring-up because the queue they belong to was full."""
        drops = np.zeros(self._links, dtype=np.int64)
        for stats, ends in self._stats:
            queues = stats.queues()
            for end in ends:
                drops[end.link] = sum(queue.drops for queue in queues[end.interface] if queue.kind == _LEAF)
        return drops

    def close(self) -> None:
        """Let go of the sockets."""
        for stats, _ in self._stats:
            stats.close()


def _namespace(end: End, pids: list[int], namespace: Callable[[int], Path | None]) -> Netns | None:
    if end.host is not None:
        return pids[end.host]
    assert end.switch is not None
    return namespace(end.switch)
