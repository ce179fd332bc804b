"""What the checks look at: the plan, the outcome, and a few things worked out from both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from testbed.coflow import ENDLESS, NONE, Floats, Ints
from testbed.completion import coflow_finish_s
from testbed.errors import RecordsError
from testbed.fidelity.faults import host_gammas, touched_links
from testbed.outcome import Outcome
from testbed.plan import Plan

Flags: TypeAlias = NDArray[np.bool_]

STOPPED_ON_PURPOSE = ("cut", "rejected", "fault")
"""First words of the reasons for which a scheduler or the plan ends a flow before its last byte."""
NOT_STARTED = "not started"
"""First words where a flow waited for one that did not finish: on purpose too, where the plan has faults."""


class Unmeasured(Exception):  # noqa: N818  (not an error: a check that has no evidence)
    """A check cannot be made; `why` says what is missing."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name = name
        self.why = why


@dataclass(frozen=True)
class PortSeries:
    """Byte counters of one link (whole frames) since its first sample."""

    link: int
    at_s: Floats
    sent: Floats
    received: Floats


@dataclass(frozen=True)
class QueueSeries:
    """What waited at the source of one link, at each sample."""

    link: int
    at_s: Floats
    backlog: Floats


@dataclass(frozen=True)
class Drops:
    """Frames that the port at the source of each link has dropped, in the order of the plan's links."""

    all: Ints
    full: Ints
    """Those that found their queue full."""

    @property
    def stray(self) -> Ints:
        """Those that did not: nothing of the testbed's drops these."""
        stray: Ints = np.maximum(self.all - self.full, 0)
        return stray


@dataclass(frozen=True)
class Evidence:
    """One run as the checks see it."""

    plan: Plan
    outcome: Outcome
    gammas: Floats

    @cached_property
    def finished(self) -> Flags:
        """Per flow, whether its last byte arrived."""
        return ~np.isnan(self.outcome.finish_s)

    @cached_property
    def stopped(self) -> Flags:
        """Per flow, whether it was ended on purpose: cut, rejected, or background when the last coflow was done."""
        on_purpose = (*STOPPED_ON_PURPOSE, NOT_STARTED) if self.plan.faults else STOPPED_ON_PURPOSE
        by_reason = np.array([reason.split(":")[0] in on_purpose for reason in self.outcome.reason], dtype=bool)
        stopped: Flags = ~self.finished & (by_reason | (self.plan.flows.bytes == ENDLESS))
        return stopped

    @cached_property
    def ports(self) -> list[PortSeries]:
        """The samples of each link that has two or more, and that no fault of the plan broke."""
        rows = self._by_link("ports", ("sent_bytes", "received_bytes"))
        broken = touched_links(self.plan)
        return [
            PortSeries(link, at_s, s - s[0], r - r[0])
            for link, at_s, (s, r) in rows
            if len(at_s) >= 2 and not broken[link]
        ]

    @cached_property
    def queues(self) -> list[QueueSeries]:
        """The samples of each link's queue."""
        rows = self._by_link("queues", ("backlog_bytes",))
        return [QueueSeries(link, at_s, backlog) for link, at_s, (backlog,) in rows]

    @cached_property
    def drops(self) -> Drops | None:
        """What ports dropped; None where it was not read."""
        frame = self.outcome.samples.get("drops")
        if frame is None or len(frame) == 0:
            return None
        columns = np.zeros((2, len(self.plan.fabric.links)), dtype=np.int64)
        columns[:, self.links_of("drops")] = frame[["drops", "full"]].to_numpy(dtype=np.int64).T
        return Drops(*columns)

    def _by_link(self, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, Floats, list[Floats]]]:
        """Per link of a sample: its number, the instants in order, and the values of some columns."""
        frame = self.outcome.samples.get(name)
        if frame is None or len(frame) == 0:
            return
        at_s, links = frame["at_s"].to_numpy(dtype=np.float64), self.links_of(name)
        values = [frame[column].to_numpy(dtype=np.float64) for column in columns]
        order = np.lexsort((at_s, links))
        starts = np.flatnonzero(np.diff(links[order], prepend=-1))
        for rows in np.split(order, starts[1:]):
            yield int(links[rows[0]]), at_s[rows], [value[rows] for value in values]

    def links_of(self, name: str) -> Ints:
        """The links of a sample as numbers; they may be given by name."""
        column = self.outcome.samples[name]["link"]
        if column.dtype.kind in "iu":
            return column.to_numpy(dtype=np.int64)
        number = {link.name: i for i, link in enumerate(self.plan.fabric.links)}
        unknown = sorted(set(column) - number.keys())
        if unknown:
            raise RecordsError(f"samples {name!r}: unknown link {unknown[0]!r}, expected the links of the plan")
        return np.array([number[name] for name in column], dtype=np.int64)

    def without_faults(self, name: str, why: str) -> None:
        """Unmeasured for a check that the plan's faults take the ground from; `why` says what they do."""
        if self.plan.faults:
            raise Unmeasured(name, why)

    @cached_property
    def least_gammas(self) -> Floats:
        """Per coflow, a time that it cannot beat on any way that faults may have sent it."""
        return host_gammas(self.plan) if self.plan.faults else self.gammas

    @cached_property
    def cct_s(self) -> Floats:
        """Per coflow of the plan; NaN unless each of its flows finished."""
        finish = coflow_finish_s(self.plan.coflows, self.plan.flows, self.outcome.finish_s)
        return finish - self.outcome.coflow_arrival_s

    @cached_property
    def alone(self) -> Flags:
        """Per coflow, whether it finished and nothing else (coflow or background flow) was there meanwhile."""
        background = self.plan.flows.coflow == NONE
        arrival = np.concatenate([self.outcome.coflow_arrival_s, self.outcome.planned_start_s[background]])
        finish = np.concatenate([self.outcome.coflow_arrival_s + self.cct_s, self.outcome.finish_s[background]])
        never_left = np.isnan(finish)
        finish = np.where(never_left, np.inf, finish)
        there = ~np.isnan(arrival)
        order = np.argsort(arrival, kind="stable")[: int(there.sum())]  # those that never came are sorted last
        a, f = arrival[order], finish[order]
        earlier_left = np.concatenate([[-np.inf], np.maximum.accumulate(f)[:-1]]) <= a
        next_came_later = np.concatenate([a[1:], [np.inf]]) >= f
        alone: Flags = np.zeros(len(arrival), dtype=np.bool_)
        alone[order] = earlier_left & next_came_later
        alone &= ~never_left
        return alone[: len(self.plan.coflows)]
