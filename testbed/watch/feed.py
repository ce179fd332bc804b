"""A run as the live view tells it: plain data, made of the plan and of how its flows stand. No input, no output."""

from __future__ import annotations

from typing import Any

import numpy as np

from testbed.coflow import ENDLESS, NONE, Floats, Ints
from testbed.fidelity.verdict import Verdict
from testbed.plan import Plan
from testbed.replay.onlooker import Standing
from testbed.units import format_rate
from testbed.watch.layout import cables, places

Document = dict[str, Any]

MOST_COFLOWS = 24
"""Active coflows that one state tells of, those that arrived first; the others it counts."""
MOST_FAULTS = 12
"""Faults that one state tells of, the last ones."""
_DIGITS = 5


def description(plan: Plan, number: int, runs: int) -> Document:
    """What does not change while run `number` of `runs` (from 1) goes: names, and the network as a drawing."""
    place = places(plan.fabric)
    names = list(place)
    index = {name: i for i, name in enumerate(names)}
    rates = [format_rate(link.rate_bps) for link in plan.fabric.links]
    return {
        "number": number,
        "runs": runs,
        "experiment": plan.experiment,
        "topology": plan.topology,
        "workload": plan.workload,
        "scheduler": plan.scheduler.title,
        "repeat": plan.repeat,
        "enforcement": list(plan.enforcement),
        "control": plan.control,
        "nodes": [[name, round(place[name][0], _DIGITS), place[name][1]] for name in names],
        "cables": [[index[low], index[high], up, down, rates[up]] for low, high, up, down in cables(plan.fabric)],
    }


def ending(verdict: Verdict, directory: str) -> Document:
    """How a run ended that has records."""
    checks = [{"check": str(check), "words": check.words} for check in verdict.failed]
    return {"verdict": verdict.verdict, "checks": checks, "directory": directory, "error": ""}


def failure(error: BaseException) -> Document:
    """How a run ended that has no verdict."""
    words = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or type(error).__name__
    return {"verdict": "", "checks": [], "directory": "", "error": words}


class Feed:
    """Follows one run. `gammas`: per row of the plan's coflows, seconds."""

    def __init__(self, plan: Plan, gammas: Floats) -> None:
        self._gammas = gammas
        self._rate_Bps = np.array([link.rate_bps / 8 for link in plan.fabric.links])
        self._load: Floats = np.zeros(len(self._rate_Bps))
        self._ports: tuple[float, Ints] | None = None
        self._before: tuple[float, Ints] | None = None
        self._goodput: tuple[float, float] = (0.0, 0.0)
        self._told: dict[int, float] = {}
        """Row of a coflow -> the CCT that was told."""
        self._plan, self._row = plan, np.empty(0, dtype=np.int64)
        self._follow(plan)

    def ports(self, at_s: float, sent: Ints) -> None:
        """Take in the port counters."""
        self._ports = (at_s, sent)
        if self._before is None:
            self._before = self._ports

    def state(self, standing: Standing) -> Document:
        """How the run stands; each state is whole, so that one may be left out."""
        self._follow(standing.plan)
        flows, coflows = self._count(standing), len(standing.coflow_arrival_s)
        received, over = standing.received[:flows], standing.over[:flows]
        total = float(received[self._finite[:flows]].sum())
        before_s, before = self._goodput
        self._goodput = (standing.at_s, total)
        finished = self._sum((~np.isnan(standing.finish_s[:flows])).astype(np.float64))
        done = (finished == self._width) & (finished > 0)
        active = np.flatnonzero(self._is_active(standing))
        shown = active[np.argsort(standing.coflow_arrival_s[active], kind="stable")[:MOST_COFLOWS]]
        return {
            "at_s": round(standing.at_s, 3),
            "coflows_done": int(np.count_nonzero(done)),
            "coflows": coflows,
            "flows_done": int(np.count_nonzero(over)),
            "flows": flows,
            "active_flows": int(np.count_nonzero(standing.active[:flows])),
            "bytes_done": int(total),
            "bytes": int(standing.plan.flows.bytes[self._finite].sum()),
            "rate_Bps": round((total - before) / max(standing.at_s - before_s, 1e-3)),
            "load": self._percent(),
            "active": self._rows(standing, shown),
            "more": len(active) - len(shown),
            "faults": [[at_s, words] for at_s, words in standing.faults[-MOST_FAULTS:]],
        }

    def finished(self, standing: Standing) -> list[list[Any]]:
        """[id, arrival, CCT, slowdown against Gamma (None: unknown), bytes] of coflows not told before.

        A coflow is told again where flows that an application added later have given it a later finish.
        """
        self._follow(standing.plan)
        flows = self._count(standing)
        row, finish_s = self._row[:flows], standing.finish_s[:flows]
        finish_s = np.where(np.isnan(finish_s), np.inf, finish_s)
        last_s = np.full(len(self._width), -np.inf)
        mine = row >= 0
        np.maximum.at(last_s, row[mine], finish_s[mine])
        cct_s = last_s - standing.coflow_arrival_s[: len(self._width)]
        found = []
        for coflow in np.flatnonzero(np.isfinite(cct_s)).tolist():
            cct = float(cct_s[coflow])
            if self._told.get(coflow) != cct:
                self._told[coflow] = cct
                arrival_s = float(standing.coflow_arrival_s[coflow])
                found.append(
                    [
                        int(standing.plan.coflows.coflow[coflow]),
                        round(arrival_s, 6),
                        round(cct, 6),
                        self._slowdown(coflow, cct),
                        int(self._size[coflow]),
                    ]
                )
        return found

    def _follow(self, plan: Plan) -> None:
        """Applications may have added flows: what is derived from the plan is derived again."""
        if self._plan is not plan or not len(self._row):
            self._plan = plan
            rows = {int(coflow): row for row, coflow in enumerate(plan.coflows.coflow)}
            self._row = np.array([rows.get(coflow, NONE) for coflow in plan.flows.coflow.tolist()], dtype=np.int64)
            self._width = self._sum(np.ones(len(plan.flows)))
        self._finite = plan.flows.bytes < ENDLESS  # a flow of unknown size has one when it has ended
        self._size = self._sum(np.where(self._finite, plan.flows.bytes, 0).astype(np.float64))
        self._sized = self._sum((~self._finite).astype(np.float64)) == 0

    def _sum(self, values: Floats) -> Floats:
        """Of the first flows' values, per row of the coflows."""
        row = self._row[: len(values)]
        mine = row >= 0
        coflows = len(self._plan.coflows)
        return np.bincount(row[mine], values[mine], minlength=coflows).astype(np.float64, copy=False)

    def _count(self, standing: Standing) -> int:
        """Flows that all columns have: they grow one after the other."""
        columns = (self._row, standing.received, standing.active, standing.over, standing.finish_s)
        return min(map(len, columns))

    def _flows_over(self, standing: Standing) -> Floats:
        return self._sum(standing.over[: self._count(standing)].astype(np.float64))

    def _is_active(self, standing: Standing) -> np.ndarray[Any, np.dtype[np.bool_]]:
        running = self._sum(standing.active[: self._count(standing)].astype(np.float64)) > 0
        return np.asarray(running & (standing.coflow_arrival_s[: len(running)] <= standing.at_s))

    def _rows(self, standing: Standing, coflows: Ints) -> list[list[Any]]:
        """[id, bytes received, bytes (None: unknown), seconds since its arrival, flows over, flows]."""
        received, over = self._sum(standing.received[: self._count(standing)]), self._flows_over(standing)
        return [
            [
                int(self._plan.coflows.coflow[coflow]),
                int(received[coflow]),
                int(self._size[coflow]) if self._sized[coflow] else None,
                round(standing.at_s - float(standing.coflow_arrival_s[coflow]), 3),
                int(over[coflow]),
                int(self._width[coflow]),
            ]
            for coflow in coflows.tolist()
        ]

    def _percent(self) -> list[int]:
        """Per link, what it sent since the last state, in percent of its rate."""
        if self._ports is not None and self._before is not None and self._ports[0] > self._before[0]:
            (before_s, before), (at_s, sent) = self._before, self._ports
            self._load = np.clip((sent - before) / (at_s - before_s) / self._rate_Bps, 0, 1)
            self._before = self._ports
        percent: list[int] = np.rint(100 * self._load).astype(int).tolist()
        return percent

    def _slowdown(self, coflow: int, cct_s: float) -> float | None:
        gamma_s = float(self._gammas[coflow]) if coflow < len(self._gammas) else 0.0
        return round(cct_s / gamma_s, 4) if 0 < gamma_s < np.inf else None
