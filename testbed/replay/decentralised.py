"""A run without a coordinator: every actor gets its part of the plan beforehand, and tells what came of it afterwards.

The control connections stay open, so that the end of an actor is noticed and the results can be told; between the
start and the end of an actor's part no message passes in either direction, unless a flow fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from testbed.coflow import ENDLESS
from testbed.errors import ReplayError
from testbed.plan import Plan
from testbed.replay.actor_link import ActorLink
from testbed.replay.crew import Crew
from testbed.replay.enforcement.pacing import pacing_share
from testbed.replay.ledger import Ledger
from testbed.scheduling.base import Scheduler
from testbed.scheduling.classes import CLASSES
from testbed.scheduling.local import local_rule
from testbed.scheduling.view import ViewBuilder


class Decentralised:
    """Hands the plan out and waits until every actor has told that its part is over.

    ReplayError where the scheduler cannot be followed by each sender alone, or where a start depends on a finish.
    """

    def __init__(self, plan: Plan, scheduler: Scheduler, crew: Crew, ledger: Ledger) -> None:
        rule = local_rule(scheduler)
        if rule is None:
            raise ReplayError(f"control is none, and scheduler {scheduler.name} needs a coordinator")
        if plan.flows.after or plan.coflows.after:
            raise ReplayError("control is none, and nobody tells a sender what has finished elsewhere: no 'after' then")
        self._plan = plan
        self._crew = crew
        self._ledger = ledger
        self._rule = rule
        self._paces = rule.commands and "pacing" in plan.enforcement
        self._marks = rule.commands and "queue" in plan.enforcement
        self._rank = _ranks(plan, scheduler)
        self._told: set[int] = set()
        self.handlers: dict[str, Callable[[ActorLink, Any], None]] = {"alone": self._over, "allowed": self._allowed}
        """Of the kinds of message that only such a run has."""

    @property
    def over(self) -> bool:
        """Whether every actor has told."""
        return len(self._told) == len(self._crew.links)

    def hand_out(self) -> None:
        """Tell every actor its part; the run's start instant is chosen."""
        plan, ledger = self._plan, self._ledger
        finite = plan.flows.bytes < ENDLESS
        held = self._paces & (self._rank >= 0)
        ledger.begun[:] = True
        ledger.allowed_s[~held] = plan.flows.start_s[~held]
        start_ns = [ledger.instant_ns(at_s) for at_s in plan.flows.start_s.tolist()]
        capacity_Bps = plan.fabric.capacity_Bps[plan.fabric.uplink]
        for host, link in enumerate(self._crew.links):
            mine = np.flatnonzero(plan.flows.src == host)
            link.tell(
                {
                    "op": "alone",
                    "flows": [(flow, start_ns[flow], int(self._rank[flow])) for flow in mine.tolist()],
                    "limits": self._rule.limits,
                    "weights": self._rule.weights,
                    "uplink_Bps": pacing_share(plan) * float(capacity_Bps[host]) if self._paces else None,
                    "classes": CLASSES if self._marks else 0,
                    "dscp": CLASSES - 1 if self._marks and plan.unlabelled_class == "bottom" else 0,
                    "sends": int(np.count_nonzero(finite[mine])),
                    "receives": int(np.count_nonzero(finite & (plan.flows.dst == host))),
                }
            )
        self._crew.silent = True

    def _over(self, link: ActorLink, _word: str) -> None:
        self._told.add(link.number)
        if self.over:
            self._crew.silent = False

    def _allowed(self, _link: ActorLink, rows: list[tuple[int, int]]) -> None:
        """Flows that their own host has let go: at once (instant 0), or when others had made room."""
        for flow, instant_ns in rows:
            if np.isnan(self._ledger.allowed_s[flow]):
                at_s = self._ledger.seconds(instant_ns) if instant_ns else float(self._plan.flows.start_s[flow])
                self._ledger.allowed_s[flow] = at_s


def _ranks(plan: Plan, scheduler: Scheduler) -> Any:
    """Per flow, the place of the coflow that it is labelled with in the order of (arrival, id); -1 for none."""
    row = ViewBuilder(plan, scheduler).label_row
    place = np.empty(len(plan.coflows) + 1, dtype=np.int64)
    place[np.lexsort((plan.coflows.coflow, plan.coflows.arrival_s))] = np.arange(len(plan.coflows))
    place[-1] = -1
    return place[row]
