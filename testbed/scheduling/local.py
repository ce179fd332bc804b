"""Schedulers that every sender can follow by itself, from what it sends and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.scheduling.base import Scheduler
from testbed.scheduling.dclas import Dclas
from testbed.scheduling.fair import Fair

FOLLOWED_LOCALLY = (Fair.name, Dclas.name)
"""Schedulers with a local rule."""


@dataclass(frozen=True)
class LocalRule:
    """How a sender ranks its own coflows: queue = number of limits that the bytes it sent of the coflow have passed.

    Inside a queue the first to arrive is served first.
    """

    limits: tuple[float, ...]
    """Bytes; empty for a scheduler that commands nothing."""
    weights: tuple[float, ...]
    """Per queue; empty for strict priority."""

    @property
    def commands(self) -> bool:
        """Whether there is anything to enforce."""
        return bool(self.limits)


def local_rule(scheduler: Scheduler) -> LocalRule | None:
    """The rule of a scheduler; None for one that must see more than one host."""
    if type(scheduler) is Fair:
        return LocalRule((), ())
    if type(scheduler) is Dclas:
        core = scheduler.core
        return LocalRule(tuple(core.thresholds.tolist()), tuple(core.queue_weight.tolist()))
    return None
