"""D-CLAS: discretized coflow-aware least attained service, without sizes known in advance (Aalo)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from testbed.coflow import Floats
from testbed.scheduling.composed import GREEDY, IN_SHARES, QUEUE, Composed, Core
from testbed.scheduling.parameters import check_choice, check_number, check_whole

MAX_QUEUES = 1000
_NO_LIMIT = 2.0**62


class Dclas(Composed):
    """Coflows sink through queues as they receive bytes, and are served in the order of arrival inside a queue.

    A coflow's queue is the number of thresholds `first_limit` * `factor`**k (k from 0 to `queues` - 2) that the
    bytes received so far, over all its labelled flows, have passed. Inside a coflow max-min. Between queues
    `sharing` is `weighted` (queue q has weight `queues` - q on each link, among the queues with flows there) or
    `strict`; then what is left goes to the queues in turn, max-min per flow. `sync`: seconds between exchanges;
    received bytes are known only as of the last one (0: at once). `minimum_size`: smaller flows are not registered.
    """

    name: ClassVar[str] = "dclas"
    clairvoyant: ClassVar[bool] = False
    units: ClassVar[Mapping[str, str]] = {"first_limit": "size", "sync": "time", "minimum_size": "size"}

    def __init__(
        self,
        first_limit: float = 10_000_000,
        factor: float = 10,
        queues: int = 10,
        sharing: str = "weighted",
        sync: float = 0.0,
        minimum_size: float = 0.0,
    ) -> None:
        check_number(self.name, "first_limit", first_limit, 0.0, above=True)
        check_number(self.name, "factor", factor, 1.0, above=True)
        check_whole(self.name, "queues", queues, 1, MAX_QUEUES)
        check_choice(self.name, "sharing", sharing, ("weighted", "strict"))
        check_number(self.name, "sync", sync, 0.0)
        check_number(self.name, "minimum_size", minimum_size, 0.0)
        self.sync_s = float(sync)
        self.minimum_size = float(minimum_size)
        weighted = sharing == "weighted"
        self.core = Core(
            QUEUE,
            IN_SHARES if weighted else GREEDY,
            sync_s=self.sync_s,
            thresholds=_thresholds(first_limit, factor, queues),
            queue_weight=np.arange(queues, 0, -1, dtype=np.float64) if weighted else np.empty(0),
        )


def _thresholds(first_limit: float, factor: float, queues: int) -> Floats:
    """Where each queue but the last ends, in bytes; none beyond what a coflow can have."""
    with np.errstate(over="ignore"):
        powers = np.power(float(factor), np.arange(queues - 1, dtype=np.float64))
        return np.asarray(np.minimum(float(first_limit) * powers, _NO_LIMIT), dtype=np.float64)
