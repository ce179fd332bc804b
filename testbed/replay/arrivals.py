"""When flows and coflows start: at planned instants, or some delay after others have finished."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from testbed.coflow import ENDLESS, NONE
from testbed.errors import ReplayError
from testbed.plan import Plan


@dataclass
class Arrival:
    """Coflows (rows of plan.coflows) that arrive and flows that start at one instant, in seconds since the start."""

    at_s: float
    coflows: list[int] = field(default_factory=list)
    flows: list[int] = field(default_factory=list)


@dataclass
class _Waiting:
    """What still has to finish before something starts, and the last finish so far."""

    missing: int
    delay_s: float
    latest_s: float = -np.inf

    def one_done(self, at_s: float) -> bool:
        """Note a finish; whether it was the last."""
        self.missing -= 1
        self.latest_s = max(self.latest_s, at_s)
        return self.missing == 0


class Arrivals:
    """The plan's starts. Coflows finish with the last flow of theirs that has an end; truth counts, not labels."""

    def __init__(self, plan: Plan) -> None:
        flows, coflows = plan.flows, plan.coflows
        self._coflow = flows.coflow.tolist()
        self._row = {int(coflow): row for row, coflow in enumerate(coflows.coflow)}
        self._unfinished: dict[int, _Waiting] = {}
        ends = flows.coflow[(flows.coflow != NONE) & (flows.bytes < ENDLESS)]
        for coflow, count in zip(*np.unique(ends, return_counts=True), strict=True):
            self._unfinished[int(coflow)] = _Waiting(int(count), 0.0)
        self._flows_waiting = {f: _Waiting(len(set(ids)), flows.delay_s.get(f, 0.0)) for f, ids in flows.after.items()}
        self._coflows_waiting = {
            c: _Waiting(len(set(ids)), coflows.delay_s.get(c, 0.0)) for c, ids in coflows.after.items()
        }
        self._flows_after = _inverted(flows.after)
        self._coflows_after = _inverted(coflows.after)
        self._start_with: dict[int, list[int]] = defaultdict(list)
        planned: dict[float, Arrival] = {}
        for row, at_s in enumerate(coflows.arrival_s.tolist()):
            if at_s == at_s:
                planned.setdefault(at_s, Arrival(at_s)).coflows.append(row)
            elif int(coflows.coflow[row]) not in self._coflows_waiting:
                raise ReplayError(f"coflow {coflows.coflow[row]}: it has no arrival; expected an instant, or 'after'")
        for flow, at_s in enumerate(flows.start_s.tolist()):
            if at_s == at_s:
                planned.setdefault(at_s, Arrival(at_s)).flows.append(flow)
            elif flow in self._flows_waiting:
                continue
            elif self._coflow[flow] in self._coflows_waiting:
                self._start_with[self._coflow[flow]].append(flow)
            else:
                raise ReplayError(f"flow {flow}: it has no start; expected an instant, or 'after', or its coflow's")
        self.planned = sorted(planned.values(), key=lambda arrival: arrival.at_s)
        """Arrivals known beforehand, in the order of time."""

    def flow_finished(self, flow: int, at_s: float) -> tuple[int | None, list[Arrival]]:
        """Note a flow's finish: the row of its coflow where that has finished with it, and what starts after it."""
        arrivals = [
            Arrival(waiting.latest_s + waiting.delay_s, flows=[later])
            for later in self._flows_after.get(flow, ())
            if (waiting := self._flows_waiting[later]).one_done(at_s)
        ]
        coflow = self._coflow[flow]
        if coflow not in self._unfinished or not self._unfinished[coflow].one_done(at_s):
            return None, arrivals
        end_s = self._unfinished[coflow].latest_s
        for later in self._coflows_after.get(coflow, ()):
            waiting = self._coflows_waiting[later]
            if waiting.one_done(end_s):
                starts = self._start_with.get(later, [])
                arrivals.append(Arrival(waiting.latest_s + waiting.delay_s, [self._row[later]], starts))
        return self._row[coflow], arrivals


def _inverted(after: dict[int, tuple[int, ...]]) -> dict[int, list[int]]:
    followers: dict[int, list[int]] = defaultdict(list)
    for later, earlier in after.items():
        for one in set(earlier):
            followers[one].append(later)
    return dict(followers)
