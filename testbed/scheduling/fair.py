"""Per-flow fairness, the baseline: left to the network, paced, or as CoflowSim has it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from testbed.scheduling.base import Allocation, View
from testbed.scheduling.composed import ARRIVAL, EQUALLY, TOGETHER, Composed, Core


class Fair(Composed):
    """No caps and one class: the network's own per-flow sharing (TCP live, max-min in simulation)."""

    name: ClassVar[str] = "fair"
    clairvoyant: ClassVar[bool] = False
    capped: ClassVar[bool] = False
    core = Core(ARRIVAL, TOGETHER)

    def allocate(self, view: View) -> Allocation:
        """Command nothing."""
        return Allocation(
            cap_Bps=np.full(len(view.flow), np.inf),
            queue=np.zeros(len(view.flow), dtype=np.int64),
            order=np.arange(len(view.coflow)),
        )


class FairPaced(Composed):
    """Per-flow max-min fair rates, given as caps. Flows without a label count in the sharing, uncapped."""

    name: ClassVar[str] = "fair-paced"
    clairvoyant: ClassVar[bool] = False
    core = Core(ARRIVAL, TOGETHER)


class FairCoflowSim(Composed):
    """Each flow gets the least of capacity / flows over its links, and what that leaves is not handed out.

    This is what CoflowSim calls FAIR. It wastes capacity, so it flatters whatever is compared with it.
    """

    name: ClassVar[str] = "fair-coflowsim"
    clairvoyant: ClassVar[bool] = False
    core = Core(ARRIVAL, EQUALLY)
