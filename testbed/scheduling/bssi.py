"""BSSI: the bottleneck-select-scale-iterate order (Sincronia), with greedy rates."""

from __future__ import annotations

from typing import ClassVar

from testbed.scheduling.composed import BSSI, GREEDY, Composed, Core


class Bssi(Composed):
    """An order whose sum of weighted CCTs is within 4 of the optimum; rates are greedy in that order.

    The order is found anew from the remaining bytes at every decision; see testbed.scheduling.orders.bssi.
    """

    name: ClassVar[str] = "bssi"
    core = Core(BSSI, GREEDY)
