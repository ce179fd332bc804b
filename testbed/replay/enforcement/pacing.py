"""Rate caps at the senders."""

from __future__ import annotations

from typing import ClassVar

from testbed.replay.enforcement.base import Enforcer
from testbed.scheduling.base import Allocation, View

PACING_HEADROOM = 0.98
"""Share of a commanded rate that senders are given. Caps that fill a link exactly leave a queue that once arose (by the
last segments of preempted flows, say) standing for ever, and every flow that starts later crosses it.
"""


class Pacing(Enforcer):
    """Caps at the senders, by the actors' own gates. Flows without a label are left alone: nobody schedules them."""

    name: ClassVar[str] = "pacing"
    holds_starts: ClassVar[bool] = True

    def enforce(self, view: View, allocation: Allocation) -> None:
        """Tell the senders the caps that changed."""
        self.reach.control.cap(view.flow[: view.labelled], PACING_HEADROOM * allocation.cap_Bps[: view.labelled])
