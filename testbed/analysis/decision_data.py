"""What the decisions of a run show over time: how long each took, and how many flows each priority class held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.records.run_directory import Run


@dataclass(frozen=True)
class Latencies:
    """How long the scheduler took for each decision of one run that was measured; arrays are alike in length."""

    at_s: Floats
    latency_s: Floats
    active_flows: Ints
    reason: tuple[str, ...]

    @property
    def busy_share(self) -> float:
        """Share of the time from the first to the last decision that went into deciding; NaN for fewer than two."""
        span = float(self.at_s[-1] - self.at_s[0])
        return float(self.latency_s.sum()) / span if span > 0 else float("nan")


@dataclass(frozen=True)
class ClassUse:
    """Active flows in each priority class, from one decision to the next."""

    at_s: Floats
    """Decision i holds from at_s[i] until the next."""
    flows: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    """[decision, place in `classes`]."""
    classes: tuple[int, ...]
    """Those that were used, the one served first at the front."""


def latencies(run: Run) -> Latencies | None:
    """The measured decisions; None where none was (simulated runs measure none)."""
    known = run.decisions[run.decisions["latency_s"].notna()]
    if len(known) == 0:
        return None
    return Latencies(
        at_s=known["at_s"].to_numpy(dtype=np.float64),
        latency_s=known["latency_s"].to_numpy(dtype=np.float64),
        active_flows=known["active_flows"].to_numpy(dtype=np.int64),
        reason=tuple(str(reason) for reason in known["reason"]),
    )


def class_use(run: Run) -> ClassUse | None:
    """Flows per class; None where the scheduler put all flows into one class."""
    decisions = run.decisions.drop_duplicates("at_s", keep="last")  # of one instant's decisions the last one holds
    queues = [np.asarray(queue, dtype=np.int64) for queue in decisions["queue"]]
    used = np.unique(np.concatenate(queues)) if queues else np.empty(0, dtype=np.int64)
    if len(used) < 2:
        return None
    flows = np.array([np.bincount(np.searchsorted(used, queue), minlength=len(used)) for queue in queues])
    return ClassUse(decisions["at_s"].to_numpy(dtype=np.float64), flows, tuple(int(place) for place in used))
