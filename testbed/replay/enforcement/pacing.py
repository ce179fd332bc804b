"""Rate caps at the senders."""

from __future__ import annotations

from typing import ClassVar

from testbed.plan import Plan
from testbed.replay.enforcement.base import Enforcer
from testbed.scheduling.base import Allocation, View

_FIFO_SHARE = 0.98
"""Caps that fill a link exactly leave a queue that once arose (by the last segments of preempted flows, say) standing
for ever, and every flow that starts later crosses it. Where each flow has a queue to itself, it waits in no other's.
"""


def pacing_share(plan: Plan) -> float:
    """The share of a commanded rate that senders are given."""
    return _FIFO_SHARE if plan.queueing == "fifo" else 1.0


class Pacing(Enforcer):
    """Caps at the senders, by the actors' own gates. Flows without a label are left alone: nobody schedules them."""

    name: ClassVar[str] = "pacing"
    holds_starts: ClassVar[bool] = True

    def enforce(self, view: View, allocation: Allocation) -> None:
        """Tell the senders the caps that changed."""
        caps_Bps = allocation.cap_Bps[: view.labelled]
        self.reach.control.cap(view.flow[: view.labelled], pacing_share(self.reach.plan) * caps_Bps)
