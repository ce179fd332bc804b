"""CoflowSim's approximate semantics, so that results compare with the coflow literature.

CoflowSim is the Java simulator behind most published coflow results. Coflows start up to an epoch of 10.24 s before
they arrive, time moves in quanta of 8 ms, sizes are rounded up to whole MiB per mapper, and rates change on coflow
events only; docs/coflowsim.md says what that does to the figures. The sums of CCT are CoflowSim's own, to the ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.errors import SchedulerError, SimulationError, unknown_name
from testbed.simulation.coflowsim_model import END_MS, Model, build
from testbed.workload.trace import Trace

SCHEDULERS = ("FAIR", "PFP", "FIFO", "SCF", "NCF", "LCF", "SEBF", "DARK")
"""CoflowSim's names. PFP is per-flow priority by size, DARK is Aalo's."""


@dataclass(frozen=True)
class CoflowSimResult:
    """Times in CoflowSim's milliseconds, of which a second has 1024; coflows in order of arrival."""

    scheduler: str
    coflow: Ints
    """Ids as in the trace."""
    start_ms: Floats
    """Beginning of the epoch that admitted the coflow: up to 10.24 s before it arrived."""
    finish_ms: Floats
    """End of the quantum in which its last reducer finished."""

    @property
    def cct_ms(self) -> Floats:
        """Finish minus start, as CoflowSim reports it."""
        return self.finish_ms - self.start_ms

    def figures(self) -> dict[str, float]:
        """Sum, mean, median and 95th percentile of CCT in ms."""
        cct = self.cct_ms
        return {
            "sum_ms": float(cct.sum()),
            "mean_ms": float(cct.mean()),
            "median_ms": float(np.median(cct)),
            "p95_ms": float(np.percentile(cct, 95)),
        }


def run(trace: Trace, scheduler: str) -> CoflowSimResult:
    """Simulate a trace under one of SCHEDULERS (in upper or lower case).

    SchedulerError for an unknown name; SimulationError where a coflow is not done after 24 h, CoflowSim's end.
    """
    name = known_scheduler(scheduler)
    ids = [coflow.id for coflow in sorted(trace.coflows, key=lambda coflow: coflow.arrival_s)]
    start, finish = _simulated(build(trace), name)
    late = np.flatnonzero(finish < 0)
    if len(late):
        raise SimulationError(
            f"coflowsim mode: {len(late)} of {len(ids)} coflows, the first of them coflow {ids[late[0]]}, have not "
            f"finished after {END_MS} ms, where CoflowSim stops; select fewer coflows or scale their sizes down"
        )
    return CoflowSimResult(name, np.array(ids, dtype=np.int64), start, finish)


def known_scheduler(name: str) -> str:
    """The name in upper case; SchedulerError, with the names there are, if it is none of SCHEDULERS."""
    if name.upper() not in SCHEDULERS:
        raise SchedulerError(f"coflowsim mode: {unknown_name('scheduler', name.upper(), SCHEDULERS)}")
    return name.upper()


def _simulated(model: Model, name: str) -> tuple[Floats, Floats]:
    """Start and finish in ms. The kernels are imported here: that is slow."""
    if name == "FAIR":
        from testbed.simulation.coflowsim_fair import simulate_fair

        return simulate_fair(model)
    if name == "PFP":
        from testbed.simulation.coflowsim_pfp import simulate_pfp

        return simulate_pfp(model)
    from testbed.simulation import coflowsim_coflows as coflows

    return coflows.simulate_coflows(model, getattr(coflows, name))
