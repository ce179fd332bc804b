"""The enforcers by name."""

from __future__ import annotations

from testbed.errors import ReplayError, unknown_name
from testbed.replay.enforcement.base import Enforcer, Reach
from testbed.replay.enforcement.meter import Metering
from testbed.replay.enforcement.pacing import Pacing
from testbed.replay.enforcement.queue import Queue
from testbed.replay.enforcement.unenforced import Unenforced

ENFORCERS: dict[str, type[Enforcer]] = {kind.name: kind for kind in (Metering, Pacing, Queue, Unenforced)}


def make_enforcers(reach: Reach) -> list[Enforcer]:
    """The enforcers of the plan, in its order; ReplayError lists the known ones where a name is not among them."""
    for name in reach.plan.enforcement:
        if name not in ENFORCERS:
            raise ReplayError(unknown_name("enforcement", name, ENFORCERS))
    return [ENFORCERS[name](reach) for name in reach.plan.enforcement]
