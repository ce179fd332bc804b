"""Runs written to disk and read back, for the tests of the analysis."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from run_factory import F, departure_samples, finish_at, gammas_of, make_plan, port_samples

from testbed.records.run_directory import Run, create, read_run


class WriteRun(Protocol):
    def __call__(
        self,
        scheduler: str,
        cct_s: dict[int, float],
        source: str = "simulation",
        size: dict[int, int] | None = None,
        **settings: object,
    ) -> Run: ...


def writer(results: Path) -> WriteRun:
    """Writes runs of one-flow coflows: `cct_s` and `size` (1 MB unless given) by coflow id, settings of make_plan.

    Coflow c arrives at c seconds and sends from host c mod 4 to the next one; its Gamma is 1 s per MB.
    """

    def write(
        scheduler: str,
        cct_s: dict[int, float],
        source: str = "simulation",
        size: dict[int, int] | None = None,
        **settings: object,
    ) -> Run:
        flows = [F(c, c % 4, (c + 1) % 4, (size or {}).get(c, 1_000_000)) for c in cct_s]
        plan = make_plan(flows, {c: float(c) for c in cct_s}, scheduler=scheduler, **settings)  # type: ignore[arg-type]
        outcome = finish_at(plan, cct_s, source)
        if source == "emulation":
            outcome.samples["ports"] = port_samples(plan, outcome, acknowledged=True)
            outcome.samples["departures"] = departure_samples(plan)
        run = create(results, plan, source)
        run.write_outcome(outcome, gammas_of(plan))
        return read_run(run.path)

    return write
