"""SEBF with MADD: smallest effective bottleneck first (Varys)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from testbed.errors import SchedulerError
from testbed.scheduling.composed import GAMMA, MADD, WHOLE_GAMMA, Composed, Core
from testbed.scheduling.parameters import check_choice, check_number, check_switch


class Sebf(Composed):
    """Coflows by Gamma, ascending; MADD in that order on what is left; then the backfill in the same order.

    `order`: `dynamic` takes Gamma of the remaining bytes at each decision, `static` that of the whole coflow.
    Starvation guard: in the first `guard_time` seconds of every `guard_period` seconds (but the first), all active
    coflows are treated as one, so that none waits for ever; 0 for no guard.
    """

    name: ClassVar[str] = "sebf"
    units: ClassVar[Mapping[str, str]] = {"guard_period": "time", "guard_time": "time"}

    def __init__(
        self, order: str = "dynamic", backfill: bool = True, guard_period: float = 0.0, guard_time: float = 0.0
    ) -> None:
        check_choice(self.name, "order", order, ("dynamic", "static"))
        check_switch(self.name, "backfill", backfill)
        check_number(self.name, "guard_period", guard_period, 0.0)
        check_number(self.name, "guard_time", guard_time, 0.0)
        if (guard_period > 0) != (guard_time > 0) or guard_time >= guard_period > 0:
            raise SchedulerError(
                f"scheduler sebf: parameters guard_period and guard_time are {guard_period!r} and {guard_time!r}; "
                "expected 0 < guard_time < guard_period, or 0 for both"
            )
        rule = GAMMA if order == "dynamic" else WHOLE_GAMMA
        self.core = Core(rule, MADD, backfill, float(guard_period), float(guard_time))
