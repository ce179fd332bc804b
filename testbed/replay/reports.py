"""What actors say while a replay runs: noted in the ledger, passed on to the scheduler's side, errors raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from testbed.errors import ReplayError
from testbed.plan import Plan
from testbed.replay.actor_link import ActorLink, not_understood
from testbed.replay.arrivals import Arrival, Arrivals
from testbed.replay.crew import Crew
from testbed.replay.decisions import Decisions
from testbed.replay.ledger import Ledger
from testbed.replay.said import check
from testbed.replay.setup import Connections, IdleProbe, flow_words

_CAUSE_NS = 200_000_000
"""A flow's error may be the effect of an actor's death: so long the latter has to show itself."""

Handler = Callable[[ActorLink, Any], None]


class Reports:
    """Takes in the actors' messages. `on_arrival` is told what starts because something else has finished.

    `further` takes in other kinds of message than those that are understood here.
    """

    def __init__(
        self,
        plan: Plan,
        crew: Crew,
        ledger: Ledger,
        arrivals: Arrivals,
        decisions: Decisions,
        connections: Connections,
        probe: IdleProbe,
        on_arrival: Callable[[Arrival], None],
        further: Mapping[str, Handler],
    ) -> None:
        self._plan = plan
        self._crew = crew
        self._ledger = ledger
        self._arrivals = arrivals
        self._decisions = decisions
        self._on_arrival = on_arrival
        self.coflows_done = 0
        self.stopped = 0
        """How many actors have told how far their flows came when they were stopped."""
        self._handlers: dict[str, Handler] = {
            "listening": connections.on_listening,
            "opened": connections.on_opened,
            "accepted": connections.on_accepted,
            "probed": probe.on_probed,
            "started": self._started,
            "progress": self._progress,
            "finished": self._finished,
            "ended": self._ended,
            "done": self._done,
            "errors": self._errors,
            "stopped": self._last_words,
            **further,
        }

    def extend(self, plan: Plan) -> None:
        """Take in flows that were injected."""
        self._plan = plan

    def hear(self, link: ActorLink, message: dict[str, Any]) -> None:
        """Take in a message; ReplayError names the host of one that is not understood."""
        try:
            for kind, events in message.items():
                handler = self._handlers[kind]
                check(kind, events, len(self._plan.flows))
                handler(link, events)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise not_understood(link.host, message, error) from None

    def _started(self, _link: ActorLink, rows: list[tuple[int, int]]) -> None:
        for flow, instant_ns in rows:
            self._ledger.first_write(flow, instant_ns)

    def _progress(self, _link: ActorLink, pairs: list[int]) -> None:
        self._decisions.received(self._ledger.progress(pairs))

    def _finished(self, link: ActorLink, rows: list[tuple[int, int, int, int]]) -> None:
        for flow, first_ns, last_ns, count in rows:
            at_s = self._ledger.last_byte(flow, first_ns, last_ns, count)
            if count != self._ledger.size[flow]:
                words, size = flow_words(self._plan, flow), self._ledger.size[flow]
                raise ReplayError(f"{words}: host {link.host} received {count} bytes of {size}")
            coflow_row, arrivals = self._arrivals.flow_finished(flow, at_s)
            self.coflows_done += coflow_row is not None
            self._decisions.event("flow-finished" if coflow_row is None else "coflow-finished")
            for arrival in arrivals:
                self._on_arrival(arrival)

    def _ended(self, link: ActorLink, rows: list[tuple[int, int, int, int]]) -> None:
        for flow, first_ns, _, count in rows:
            self._ledger.end_seen(flow, first_ns, count)
            if not self._ledger.over[flow]:
                size = self._ledger.size[flow]
                self._errors(link, [(flow, f"the sender closed it after {count} of {size} bytes")])

    def _done(self, _link: ActorLink, rows: list[list[int]]) -> None:
        for flow, sent, _cut, *tcp in rows:
            self._ledger.sender_done(flow, sent, tuple(tcp))

    def _errors(self, link: ActorLink, rows: list[tuple[int, str]]) -> None:
        rows = [row for row in rows if not self._caused_by_fault(*row)]
        if not rows:
            return
        flow, reason = rows[0]
        where = f"host {link.host}" if flow < 0 else f"host {link.host}, {flow_words(self._plan, flow)}"

        def fail() -> None:
            raise ReplayError(f"{where}: {reason}")

        if not self._crew.tolerant:
            self._crew.loop.call_at(time.monotonic_ns() + _CAUSE_NS, fail)

    def _caused_by_fault(self, flow: int, reason: str) -> bool:
        """Whether a fault of the plan explains a flow's error; the flow is over then."""
        ledger = self._ledger
        if flow < 0 or not (ledger.standing[flow] or ledger.outcome.reason[flow].startswith("fault")):
            return False
        if not ledger.over[flow]:
            ledger.drop(flow, f"fault: {reason}")
        ledger.lose(np.array([flow]))
        return True

    def _last_words(self, _link: ActorLink, said: dict[str, list[tuple[int, int, int]]]) -> None:
        self.stopped += 1
        for flow, first_ns, sent in said["outgoing"]:
            self._ledger.outcome.sent_bytes[flow] = sent
            if first_ns:
                self._ledger.first_write(flow, first_ns)
        for flow, first_ns, received in said["incoming"]:
            self._ledger.partial_receipt(flow, first_ns, received)
