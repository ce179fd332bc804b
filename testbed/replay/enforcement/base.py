"""What an enforcer is, and what it may reach."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from testbed.coflow import Ints
from testbed.errors import ReplayError
from testbed.plan import Plan
from testbed.replay.edge_control import EdgeControl
from testbed.replay.flow_control import FlowControl
from testbed.scheduling.base import Allocation, View


@dataclass(frozen=True)
class Reach:
    """What of a run an enforcer may command, and what it needs to know of the flows."""

    plan: Plan
    control: FlowControl
    """Commands to the senders; they are sent together after every enforcer has been asked."""
    edges: EdgeControl | None = None
    """Meters and marks at the edge of the network; None where there are no switches to command."""

    def mark(self, flows: Ints, dscp: Ints) -> None:
        """Set the DSCP of flows' packets: at the senders, or from outside where the plan says so."""
        if self.plan.marking == "actor":
            self.control.mark(flows, dscp)
        elif self.edges is not None:
            self.edges.mark(flows, dscp)
        else:
            raise ReplayError("marking edge: there are no switches to mark at; expected an emulated network")


class Enforcer(ABC):
    """One way to enforce allocations. Several combine: each is handed every allocation, in the plan's order."""

    name: ClassVar[str]
    holds_starts: ClassVar[bool]
    """Whether a labelled flow must not send before the first allocation that includes it is in force."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    def extend(self, reach: Reach) -> None:
        """Take in flows that were injected: the plan has them behind those known so far."""
        self.reach = reach

    @abstractmethod
    def enforce(self, view: View, allocation: Allocation) -> None:
        """Carry out an allocation; commands to actors go into the flow control, those to the edge into its own."""

    def facts(self) -> dict[str, Any]:
        """What the records shall say of this enforcement at the end of the run."""
        return {}
