"""WSS: weighted shuffle scheduling, with a controller between coflows (Orchestra)."""

from __future__ import annotations

from typing import ClassVar

from testbed.scheduling.composed import ARRIVAL, MADD, MADD_IN_SHARES, WEIGHT, Composed, Core
from testbed.scheduling.parameters import check_choice, check_switch


class Wss(Composed):
    """Rates in proportion to bytes inside a coflow, so that its flows end together (MADD).

    `between` coflows: `fifo`, `priority` (greatest weight first), or `weighted` (each coflow has its weight's share
    of every link it uses). `backfill`: hand out what that leaves, max-min, coflow by coflow in the same order.
    """

    name: ClassVar[str] = "wss"

    def __init__(self, between: str = "fifo", backfill: bool = True) -> None:
        check_choice(self.name, "between", between, ("fifo", "priority", "weighted"))
        check_switch(self.name, "backfill", backfill)
        order = WEIGHT if between == "priority" else ARRIVAL
        self.core = Core(order, MADD_IN_SHARES if between == "weighted" else MADD, backfill)
