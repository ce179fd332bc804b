"""How long runs will take: from what finished runs of the sweep took, else from the size of their plans."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from testbed.sweep.points import SweepRun

SIMULATED_S, PER_FLOW_S = 0.2, 2e-4
"""A simulated run: reading, planning and writing, and a share for each flow; within a factor of a few."""
EMULATED_S, SLACK = 6.0, 1.2
"""An emulated run: bring-up and tear-down, and the replay as a multiple of the time no schedule can undercut."""
START_S = 3.0
"""Until the processes of a parallel sweep are up."""


@dataclass(frozen=True)
class Estimate:
    """Seconds until the end, and in words what that is taken from."""

    seconds: float
    basis: str


def estimate(left: Sequence[SweepRun], took_s: Mapping[str, float], runs: Sequence[SweepRun], workers: int) -> Estimate:
    """How long the runs in `left` will take. `took_s`: name -> seconds of finished ones among `runs`.

    Simulated runs share `workers` processes; emulated ones follow one another.
    """
    ratios = _ratios([run for run in runs if run.name in took_s], took_s)
    measured = sum(1 for run in left if _ratio(ratios, run) is not None)
    expected = {run.name: guess_s(run) * (_ratio(ratios, run) or 1.0) for run in left}
    simulated = [expected[run.name] for run in left if run.source == "simulation"]
    seconds = sum(expected[run.name] for run in left if run.source == "emulation")
    if simulated:
        seconds += START_S + max(sum(simulated) / workers, max(simulated))
    if measured == len(left):
        return Estimate(seconds, f"from {len(took_s)} finished runs" if left else "nothing is left")
    return Estimate(seconds, "a rough guess from the size of the plans")


def guess_s(run: SweepRun) -> float:
    """Seconds that a run takes, from its plan alone."""
    if run.source == "emulation":
        return EMULATED_S + SLACK * run.least_s
    return SIMULATED_S + PER_FLOW_S * run.flows


def _ratios(finished: Sequence[SweepRun], took_s: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """What finished runs took over what was guessed: median per source and scheduler, and per source under ''."""
    samples: dict[tuple[str, str], list[float]] = {}
    for run in finished:
        for scheduler in (run.scheduler.title, ""):
            samples.setdefault((run.source, scheduler), []).append(took_s[run.name] / guess_s(run))
    return {key: statistics.median(values) for key, values in samples.items()}


def _ratio(ratios: Mapping[tuple[str, str], float], run: SweepRun) -> float | None:
    return ratios.get((run.source, run.scheduler.title), ratios.get((run.source, "")))
