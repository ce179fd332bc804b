"""What is known of each flow while a replay runs, and the outcome that comes of it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from testbed.coflow import ENDLESS, Floats, Ints
from testbed.growth import grow
from testbed.outcome import empty_outcome
from testbed.plan import Plan

Flags = NDArray[np.bool_]

_FEW = 8


class Ledger:
    """Flow states, by flow number. Instants come in ns of CLOCK_MONOTONIC and are kept in seconds since the start."""

    def __init__(self, plan: Plan) -> None:
        count = len(plan.flows)
        self.outcome = empty_outcome(plan, "emulation")
        self.start_ns = 0
        """The run's start instant."""
        self.size: Ints = plan.flows.bytes
        self.finite: Flags = plan.flows.bytes < ENDLESS
        self.received: Floats = np.zeros(count)
        """Bytes received, as last reported."""
        self.begun: Flags = np.zeros(count, dtype=np.bool_)
        """Has arrived: its start is due or past."""
        self.over: Flags = np.zeros(count, dtype=np.bool_)
        """Has finished, or was cut or rejected."""
        self.closed: Flags = np.zeros(count, dtype=np.bool_)
        """The receiver has seen its end, finished or cut short."""
        self.confirmed: Flags = np.zeros(count, dtype=np.bool_)
        """The sender has seen the receiver close."""
        self.standing: Flags = np.zeros(count, dtype=np.bool_)
        """A fault keeps it from moving: no path is left, or a host is paused."""
        self.allowed_s: Floats = np.full(count, np.nan)
        """When the scheduler let it send: its planned start, or the decision that first gave it a rate."""
        self.tcp: dict[int, tuple[int, ...]] = {}
        self.growing = threading.Lock()
        """Held while flows are added: another thread that looks at several columns holds it meanwhile."""

    def extend(self, plan: Plan) -> None:
        """Take in the flows that the plan has beyond those known so far."""
        added = len(plan.flows) - len(self.size)
        with self.growing:
            grow(self.outcome, plan)
            self.size = plan.flows.bytes
            self.finite = plan.flows.bytes < ENDLESS
            self.received = np.concatenate((self.received, np.zeros(added)))
            self.allowed_s = np.concatenate((self.allowed_s, np.full(added, np.nan)))
            for name in ("begun", "over", "closed", "confirmed", "standing"):
                setattr(self, name, np.concatenate((getattr(self, name), np.zeros(added, dtype=np.bool_))))

    def resize(self, flow: int, size: int) -> None:
        """A flow of unknown size has ended: its bytes, in the plan too."""
        self.size[flow] = size
        self.finite[flow] = True

    @property
    def active(self) -> Flags:
        """Has arrived and is not over."""
        return np.asarray(self.begun & ~self.over)

    def seconds(self, instant_ns: int) -> float:
        """Since the run's start."""
        return (instant_ns - self.start_ns) / 1e9

    def instant_ns(self, at_s: float) -> int:
        """Of CLOCK_MONOTONIC."""
        return self.start_ns + round(at_s * 1e9)

    def first_write(self, flow: int, instant_ns: int) -> None:
        """The sender has written a flow's first bytes."""
        self.outcome.start_s[flow] = self.seconds(instant_ns)

    def progress(self, pairs: list[int]) -> Ints:
        """Take flow, bytes, flow, bytes, ... as reported by receivers; the flows."""
        if len(pairs) <= 2 * _FEW:
            flows = pairs[::2]
            for flow, count in zip(flows, pairs[1::2], strict=True):
                self.received[flow] = max(self.received[flow], count)
            return np.array(flows, dtype=np.int64)
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        self.received[table[:, 0]] = np.maximum(self.received[table[:, 0]], table[:, 1])
        return np.asarray(table[:, 0])

    def last_byte(self, flow: int, first_ns: int, last_ns: int, count: int) -> float:
        """The receiver has a flow's last byte; when."""
        self.end_seen(flow, first_ns, count)
        at_s = self.seconds(last_ns)
        self.outcome.finish_s[flow] = at_s
        self.outcome.reason[flow] = ""
        self.over[flow] = True
        return at_s

    def end_seen(self, flow: int, first_ns: int, count: int) -> None:
        """The receiver has seen the end of a flow, with this many bytes."""
        self.closed[flow] = True
        self.partial_receipt(flow, first_ns, count)

    def partial_receipt(self, flow: int, first_ns: int, count: int) -> None:
        """Bytes of a flow that the receiver has, and when the first of them came."""
        self.received[flow] = count
        self.outcome.received_bytes[flow] = count
        if first_ns:
            self.outcome.first_byte_s[flow] = self.seconds(first_ns)

    def sender_done(self, flow: int, sent: int, tcp: tuple[int, ...]) -> None:
        """The sender of a flow is done; `tcp` as in testbed.actor.tcp_info."""
        self.confirmed[flow] = True
        self.outcome.sent_bytes[flow] = sent
        self.outcome.retransmits[flow] = tcp[0]
        self.outcome.rtt_s[flow] = tcp[1] / 1e6
        self.tcp[flow] = tcp

    def drop(self, flow: int, reason: str) -> None:
        """A flow ends before its last byte, or never starts; why."""
        self.over[flow] = True
        self.outcome.reason[flow] = reason

    def lose(self, flows: Ints) -> None:
        """Wait no more for what a host that is gone, or out of reach, would say of flows; what it sent is not known.

        It is at least what was received.
        """
        outcome = self.outcome
        self.closed[flows] = self.confirmed[flows] = True
        last = np.maximum(outcome.received_bytes[flows], self.received[flows].astype(np.int64))
        outcome.received_bytes[flows] = last
        outcome.sent_bytes[flows] = np.maximum(outcome.sent_bytes[flows], last)

    def tables(self) -> dict[str, pd.DataFrame]:
        """`starts` (flow, allowed_s) and `tcp`, one row per flow whose sender was done."""
        began = np.flatnonzero(~np.isnan(self.allowed_s))
        columns = (
            "retransmits",
            "rtt_s",
            "min_rtt_s",
            "delivery_rate_Bps",
            "busy_s",
            "window_limited_s",
            "buffer_limited_s",
            "came_twice",
        )
        scale: dict[str, Any] = {"flow": list(self.tcp)}
        for place, column in enumerate(columns):
            values = np.array([info[place] for info in self.tcp.values()], dtype=np.float64)
            scale[column] = values / 1e6 if column.endswith("_s") else values
        return {
            "starts": pd.DataFrame({"flow": began, "allowed_s": self.allowed_s[began]}),
            "tcp": pd.DataFrame(scale).sort_values("flow", ignore_index=True),
        }
