"""Has flows start at their instants, with the decisions that are about them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from testbed.replay.arrivals import Arrival
from testbed.replay.crew import Crew
from testbed.replay.decisions import Decisions
from testbed.replay.flow_control import FlowControl
from testbed.replay.ledger import Ledger

_TOGETHER_NS = 2_000_000
"""Planned arrivals this close together are one decision."""
_MOST_ON_THE_WAY_NS = 50_000_000
"""Most that is allowed for a command on its way to an actor; what takes longer starts flows late."""


class Starting:
    """Arrivals, planned ones and those that follow a finish: each is decided about a little before its instant."""

    def __init__(
        self, planned: Sequence[Arrival], crew: Crew, ledger: Ledger, control: FlowControl, decisions: Decisions
    ) -> None:
        self._planned = deque(planned)
        self._due = 0  # arrivals whose instant is known only now
        self._crew = crew
        self._ledger = ledger
        self._control = control
        self._decisions = decisions
        self._held = decisions.registered & decisions.holds_starts

    @property
    def pending(self) -> bool:
        """Whether anything is still to arrive, as far as is known."""
        return bool(self._planned or self._due)

    def hand_out(self) -> None:
        """Tell actors of all planned starts that no decision holds back."""
        for arrival in self._planned:
            self._start_unheld(arrival)

    def begin(self) -> None:
        """Have the planned arrivals come, by the ledger's clock."""
        if self._planned:
            first_ns = self._ledger.instant_ns(self._planned[0].at_s)
            self._crew.loop.call_at(first_ns - self._lead_ns(), self._planned_come)

    def forget(self) -> None:
        """Have nothing arrive: the actors start everything by themselves."""
        self._planned.clear()

    def later(self, arrival: Arrival) -> None:
        """Something starts after something that has just finished."""
        self._due += 1
        self._ledger.outcome.coflow_arrival_s[arrival.coflows] = arrival.at_s
        self._ledger.outcome.planned_start_s[arrival.flows] = arrival.at_s

        def come() -> None:
            self._due -= 1
            self._start_unheld(arrival)
            self._arrive([arrival])

        self._crew.loop.call_at(self._ledger.instant_ns(arrival.at_s) - self._lead_ns(), come)

    def _lead_ns(self) -> int:
        """How long before a planned arrival its decision is begun, so that the actors know of it in time."""
        return self._decisions.lead_ns + min(self._crew.round_trip_ns(), _MOST_ON_THE_WAY_NS)

    def _planned_come(self) -> None:
        together = [self._planned.popleft()]
        while self._planned and self._planned[0].at_s - together[0].at_s <= _TOGETHER_NS / 1e9:
            together.append(self._planned.popleft())
        self._arrive(together)
        self.begin()

    def _arrive(self, arrivals: list[Arrival]) -> None:
        starts_ns = {
            flow: self._ledger.instant_ns(arrival.at_s)
            for arrival in arrivals
            for flow in arrival.flows
            if not self._ledger.over[flow]
        }
        self._ledger.begun[list(starts_ns)] = True
        if starts_ns:
            self._decisions.arrival(starts_ns)

    def _start_unheld(self, arrival: Arrival) -> None:
        """Flows that no decision holds back start by the actors' own clocks, whatever the coordinator does then."""
        unheld = [flow for flow in arrival.flows if not self._held[flow]]
        self._control.start(unheld, [self._ledger.instant_ns(arrival.at_s)] * len(unheld))
        self._ledger.allowed_s[unheld] = arrival.at_s
