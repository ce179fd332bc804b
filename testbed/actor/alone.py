"""One host's part of a plan, followed by the clock and by what this host sends, with nobody to ask."""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import Any

from testbed.actor import fields
from testbed.actor.loop import Loop, Timer
from testbed.actor.outbox import Outbox
from testbed.actor.outgoing import AnyOutgoing, Sender
from testbed.actor.protocol import ProtocolError

_TICK_NS = 10_000_000
"""How often the bytes sent are looked at."""


def check_part(message: dict[str, Any], sender: Sender) -> None:
    """ProtocolError, KeyError, TypeError or ValueError where a message to `Alone` is not as it says."""
    limits = [fields.number("limit", limit) for limit in message["limits"]]
    weights = [fields.number("weight", weight) for weight in message["weights"]]
    if weights and (len(weights) != len(limits) + 1 or not min(weights) > 0):
        raise ProtocolError(f"weights: expected one above 0 for each of {len(limits) + 1} queues, found {len(weights)}")
    fields.rate(message["uplink_Bps"])
    fields.whole("classes", message["classes"], 0, 64)
    fields.dscp(message["dscp"])
    for key in ("sends", "receives"):
        fields.whole(key, message[key])
    for flow, at_ns, coflow in message["flows"]:
        if flow not in sender.flows:
            raise ProtocolError(f"flow {flow!r:.40}: it was not opened here")
        fields.whole("instant", at_ns)
        fields.whole("coflow", coflow, -1)


class Alone:
    """Starts flows at their instants and ranks this host's coflows by the bytes it has sent of each.

    The message: `flows` rows [flow, instant, coflow], coflows numbered in the order of their arrival, -1 for a flow
    that is not ranked; `limits`, bytes at which a coflow sinks into the next queue; `weights` per queue, none for
    strict priority; `uplink_Bps`, the rate to hand out, null where none is enforced; `classes`, how many classes the
    network's ports have, 0 where flows are not marked; `dscp`, the mark of flows that are not ranked; `sends` and
    `receives`, how many flows with an end this host has.

    Strict: the first coflow (by queue, then arrival) has the uplink, its flows share it equally, the others wait.
    Weighted: each queue has its share, and the first coflow of a queue has all of it. A mark is the coflow's queue, or
    the last class.
    """

    def __init__(self, loop: Loop, sender: Sender, outbox: Outbox, message: dict[str, Any]) -> None:
        self._loop = loop
        self._sender = sender
        self._outbox = outbox
        self._limits: list[float] = message["limits"]
        self._weights: list[float] = message["weights"]
        self._uplink_Bps: float | None = message["uplink_Bps"]
        self._classes: int = message["classes"]
        self._sends: int = message["sends"]
        self._receives: int = message["receives"]
        self._running: dict[int, list[AnyOutgoing]] = {}  # by coflow
        self._sent_before: dict[int, int] = {}  # by coflow, of flows that are all written
        self._queue: dict[int, int] = {}
        self._rate: dict[int, float] = {}  # by flow
        self._tick: Timer | None = None
        self._soon: Timer | None = None
        sender.when_written = self._written
        for flow, at_ns, coflow in message["flows"]:
            if coflow < 0 or (self._uplink_Bps is None and not self._classes):
                sender.flows[flow].start(at_ns, None, message["dscp"])
            else:
                self._arrive_at(at_ns, sender.flows[flow], coflow)

    def is_over(self) -> bool:
        """Whether every flow with an end, sent and received, has come to it."""
        outbox = self._outbox
        return outbox.count("done") >= self._sends and outbox.count("finished") >= self._receives

    def close(self) -> None:
        """Change nothing any more."""
        self._sender.when_written = None
        self._running.clear()
        for timer in (self._tick, self._soon):
            if timer is not None:
                timer.cancel()

    def _arrive_at(self, at_ns: int, flow: AnyOutgoing, coflow: int) -> None:
        def arrive() -> None:
            self._running.setdefault(coflow, []).append(flow)
            self._share()
            rate = None if self._uplink_Bps is None else self._rate.get(flow.flow, 0.0)
            if rate != 0.0:
                self._outbox.put("allowed", (flow.flow, 0))
            flow.start(at_ns, rate, self._mark_of(coflow))
            if self._tick is None:
                self._look()

        self._loop.call_at(at_ns, arrive)

    def _written(self, flow: AnyOutgoing) -> None:
        """A flow has nothing left to write: its share goes to others."""
        for coflow, flows in self._running.items():
            if flow in flows:
                flows.remove(flow)
                self._sent_before[coflow] = self._sent_before.get(coflow, 0) + flow.sent
                if not flows:
                    del self._running[coflow]
                if self._soon is None:  # not at once: a share that is given may be the end of the flow that gets it
                    self._soon = self._loop.call_at(0, self._share)
                return

    def _look(self) -> None:
        """Every so often: see which coflows have passed a limit."""
        self._tick = self._loop.call_at(time.monotonic_ns() + _TICK_NS, self._look) if self._running else None
        if any(self._queue_of(coflow) != self._queue.get(coflow) for coflow in self._running):
            self._share()

    def _queue_of(self, coflow: int) -> int:
        sent = self._sent_before.get(coflow, 0) + sum(flow.sent for flow in self._running[coflow])
        return bisect_right(self._limits, sent)

    def _mark_of(self, coflow: int) -> int:
        return min(self._queue[coflow], self._classes - 1) if self._classes else 0

    def _share(self) -> None:
        """Rank the coflows that run, and change the marks and rates that come out otherwise."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        self._queue = {coflow: self._queue_of(coflow) for coflow in self._running}
        for coflow, flows in self._running.items():
            for flow in flows:
                flow.mark(self._mark_of(coflow))
        for rate, flow in self._rates() if self._uplink_Bps is not None else ():
            self._set(flow, rate)

    def _rates(self) -> list[tuple[float, AnyOutgoing]]:
        """What each flow that runs has of the uplink."""
        first: dict[int, int] = {}  # by queue
        for coflow in sorted(self._running):
            first.setdefault(self._queue[coflow], coflow)
        if not self._weights and first:
            first = {min(first): first[min(first)]}
        total = sum(self._weights[queue] for queue in first) if self._weights else 1.0
        share = {coflow: (self._weights[queue] if self._weights else 1.0) / total for queue, coflow in first.items()}
        uplink_Bps = self._uplink_Bps or 0.0
        return [
            (uplink_Bps * share.get(coflow, 0.0) / len(flows), flow)
            for coflow, flows in self._running.items()
            for flow in flows
        ]

    def _set(self, flow: AnyOutgoing, rate: float) -> None:
        old = self._rate.get(flow.flow)
        if rate == old:
            return
        self._rate[flow.flow] = rate
        if rate and old == 0.0:
            self._outbox.put("allowed", (flow.flow, time.monotonic_ns()))
        flow.set_rate(rate)
