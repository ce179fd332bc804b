"""Who looks on while a run goes: what is told to it, beside the totals of `Progress`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.faults import Fault
from testbed.plan import Plan
from testbed.replay.ledger import Ledger


@dataclass(frozen=True)
class Standing:
    """What is known of every flow at one instant. The arrays are the run's own: read them, and keep none."""

    at_s: float
    """Seconds since the start instant."""
    plan: Plan
    """With the flows that applications have added so far."""
    received: Floats
    """Per flow, bytes as last reported."""
    active: np.ndarray[Any, np.dtype[np.bool_]]
    """Per flow: has arrived, and is not over."""
    over: np.ndarray[Any, np.dtype[np.bool_]]
    """Per flow: has finished, or was cut or rejected."""
    finish_s: Floats
    """Per flow; NaN where it has not finished."""
    coflow_arrival_s: Floats
    """Per row of `plan.coflows`; NaN where it is not known yet."""
    faults: tuple[tuple[float, str], ...] = ()
    """Faults of the plan so far: planned instant in seconds, and what failed or came back."""

    @classmethod
    def of(cls, plan: Plan, ledger: Ledger, at_s: float, faults: Sequence[Fault] = ()) -> Standing:
        """What the ledger says; may be called from any thread."""
        outcome = ledger.outcome
        with ledger.growing:
            return cls(
                at_s,
                plan,
                ledger.received,
                ledger.active,
                ledger.over,
                outcome.finish_s,
                outcome.coflow_arrival_s,
                tuple((fault.at_s, fault.words) for fault in faults),
            )


class Onlooker(Protocol):
    """Is told of a run while it goes. Must return soon and raise nothing: a run is not there for its onlookers."""

    @property
    def pids(self) -> list[int]:
        """Processes of its own, whose processor time is the testbed's."""

    def phase(self, name: str) -> None:
        """The run enters bring-up, prepare, replay, drain or take-down."""

    def standing(self, standing: Standing) -> None:
        """How all flows stand: twice a second, and once more after the last finish."""

    def ports(self, at_s: float, sent: Ints) -> None:
        """Bytes (whole frames) that each link has sent since the bring-up, by `at_s` seconds after the start."""
