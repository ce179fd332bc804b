"""Checks on the actors: whether they had their turns on the processors when their clocks said so."""

from __future__ import annotations

import numpy as np
import pandas as pd

from testbed.fidelity.evidence import Evidence, Unmeasured
from testbed.fidelity.faults import halted_hosts
from testbed.fidelity.verdict import Check, at_most

LATE_DEGRADED_S = 0.005
"""Capped flows write about every 5 ms: later than that, a write falls into the time of the next."""
LATE_INVALID_S = 0.020
"""A pacing gate makes good what it was late by up to 20 ms; beyond, flows fall short of their caps."""
STALL_LIMIT_S = 0.2
"""As long as a small coflow takes."""


def actor_lateness(evidence: Evidence) -> Check:
    """How late the actors' timers (starts, paced writes, reports) ran, p99 over all of them."""
    name = "actor lateness p99"
    timers = _timers(evidence, name)
    per_host = {str(host): _late_s(part, 0.99) for host, part in timers.groupby("host")}
    worst = max(per_host, key=lambda host: per_host[host])
    return at_most(
        name, _late_s(timers, 0.99) * 1e3, "ms", degraded=LATE_DEGRADED_S * 1e3, invalid=LATE_INVALID_S * 1e3,
        words=f"the actors wrote late, that of {worst} most ({per_host[worst] * 1e3:.4g} ms at p99): they did not have "
        "their turns on the processors; close other programs, lower link.rate, or use fewer hosts",
        details={"p50": _late_s(timers, 0.5) * 1e3, "worst host": per_host[worst] * 1e3,
                 "timers": float(timers["timers"].sum())},
    )  # fmt: skip


def actor_stall(evidence: Evidence) -> Check:
    """How late a timer of any actor was at worst: an actor that was stopped shows there, however short of timers."""
    name = "actor stall, longest"
    timers = _timers(evidence, name)
    row = timers.iloc[int(timers["late_s"].to_numpy().argmax())]
    return at_most(
        name, float(row["late_s"]) * 1e3, "ms", degraded=STALL_LIMIT_S * 1e3,
        words=f"the actor of {row['host']} stood still for that long in mid-run, and its flows with it: the machine "
        "was paused or overloaded; run again when it is quiet",
    )  # fmt: skip


def _timers(evidence: Evidence, name: str) -> pd.DataFrame:
    timers = evidence.outcome.samples.get("lateness")  # host, late_s (an upper bound), timers
    if timers is not None:
        timers = timers[~timers["host"].isin(halted_hosts(evidence.plan))]
    if timers is None or len(timers) == 0:
        raise Unmeasured(name, "the actors did not say how late their timers were")
    return timers


def _late_s(timers: pd.DataFrame, share: float) -> float:
    """So late, or less, was this share of the timers."""
    ordered = timers.sort_values("late_s")
    passed = ordered["timers"].cumsum().to_numpy()
    return float(ordered["late_s"].to_numpy()[np.searchsorted(passed, share * passed[-1])])
