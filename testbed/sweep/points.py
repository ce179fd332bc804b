"""The runs of a sweep: every combination of the varied fields, every repeat, scheduler and back end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from testbed.errors import SpecError
from testbed.plan import Plan, SchedulerSetting
from testbed.planning import plan_variant, planned_variants
from testbed.records.run_directory import run_name
from testbed.spec.reader import Experiment, Variant
from testbed.spec.variation import scalar
from testbed.sweep.key import plan_digest, run_key


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep. Its plan is made where it runs: the plans of all runs would not fit into memory."""

    key: str
    """Of its plan, scheduler and back end: see sweep/key.py."""
    name: str
    """Of its run directory: experiment, point, scheduler, repeat and key; the same whenever it runs."""
    experiment: str
    values: dict[str, Any]
    """Varied field -> value here, as cells of a table."""
    scheduler: SchedulerSetting
    repeat: int
    seed: int
    source: str
    """emulation or simulation."""
    flows: int
    least_s: float
    """Emulated or simulated time that no schedule can undercut: last arrival, or the most loaded link."""
    variant: Variant = field(repr=False)

    def document(self) -> dict[str, Any]:
        """As plain data: what names it, and where it stands in the sweep."""
        return {
            "run": self.name,
            "key": self.key,
            "values": self.values,
            "scheduler": self.scheduler.title,
            "source": self.source,
            "repeat": self.repeat,
            "seed": self.seed,
        }

    def plan(self) -> Plan:
        """Its plan; SpecError where it is no longer the one that the sweep was planned with."""
        plan = plan_variant(self.experiment, self.variant, self.seed, self.repeat, self.scheduler)
        if run_key(plan_digest(plan), self.scheduler, self.source) != self.key:
            raise SpecError(
                f"{self.name}: the plan made here is not the one of the sweep; expected the same version of the "
                "testbed and an unchanged trace file wherever runs are made"
            )
        return plan


def sweep_runs(experiment: Experiment, *, seed: int | None = None) -> list[SweepRun]:
    """All runs of an experiment, in the order of its tables: by point, repeat, scheduler, back end.

    SpecError where a plan cannot be made, or where two points are the same.
    """
    runs = list(_runs(experiment, seed))
    if not runs:
        raise SpecError(
            f"{experiment.path}: a sweep emulates applications and does not simulate them; expected the "
            "back end emulation"
        )
    seen: set[str] = set()
    for run in runs:
        if run.key in seen:
            place = ", ".join(f"{name}={value}" for name, value in run.values.items())
            raise run.variant.error(
                ("vary",), f"two runs are the same ({place}); expected each value of a field once ('repeats' repeats)"
            )
        seen.add(run.key)
    return runs


def _runs(experiment: Experiment, seed: int | None) -> Iterator[SweepRun]:
    flows: object = None
    digest, least_s = b"", 0.0
    for variant, plan in planned_variants(experiment, seed=seed):
        if plan.flows is not flows:  # plans that differ in the scheduler alone share their tables
            flows, digest, least_s = plan.flows, plan_digest(plan), _least_s(plan)
        values = {name: scalar(value) for name, value in variant.values.items()}
        for source in _sources(plan):
            key = run_key(digest, plan.scheduler, source)
            yield SweepRun(
                key=key,
                name=f"{run_name(plan, source)}-{key}",
                experiment=experiment.name,
                values=values,
                scheduler=plan.scheduler,
                repeat=plan.repeat,
                seed=plan.seed,
                source=source,
                flows=len(plan.flows),
                least_s=least_s,
                variant=variant,
            )


def _sources(plan: Plan) -> list[str]:
    """The back ends of a plan, in order; what applications will send is known only once they were emulated."""
    return [source for source in sorted(plan.backends) if source == "emulation" or not plan.applications.programs]


def _least_s(plan: Plan) -> float:
    load = plan.flows.bytes_by_link(len(plan.fabric.links))
    arrival = plan.coflows.arrival_s[~np.isnan(plan.coflows.arrival_s)]
    return max(float((load / plan.fabric.capacity_Bps).max()), float(arrival.max(initial=0.0)))
