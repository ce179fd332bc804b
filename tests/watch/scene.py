"""A run to look at: how its flows stand at any instant, as the simulator has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from testbed.coflow import Floats, Ints
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.replay.onlooker import Standing
from testbed.scheduling.gammas import lone_gammas
from testbed.simulation.engine import simulate
from testbed.spec.reader import load_experiment
from testbed.watch.watch import RunWatch

ROOT = Path(__file__).parents[2]


def plans_of(experiment: str, *overrides: str) -> list[Plan]:
    return list(make_plans(load_experiment(ROOT / "experiments" / experiment, overrides)))


class Scene:
    """A plan, and what comes of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.gammas = lone_gammas(plan)
        self.outcome = simulate(plan)
        self.end_s = float(np.nanmax(self.outcome.finish_s))

    def received(self, at_s: float) -> Floats:
        """Bytes of each flow, as if it had one rate from start to finish."""
        start_s, finish_s = self.outcome.start_s, self.outcome.finish_s
        return self.plan.flows.bytes * np.clip((at_s - start_s) / (finish_s - start_s), 0, 1)

    def standing(self, at_s: float) -> Standing:
        over = self.outcome.finish_s <= at_s
        return Standing(
            at_s=at_s,
            plan=self.plan,
            received=np.floor(self.received(at_s)),
            active=(self.outcome.start_s <= at_s) & ~over,
            over=over,
            finish_s=np.where(over, self.outcome.finish_s, np.nan),
            coflow_arrival_s=self.outcome.coflow_arrival_s,
        )

    def sent(self, at_s: float) -> Ints:
        """Bytes that each link has sent."""
        flows = self.plan.flows
        carried = np.repeat(self.received(at_s), np.diff(flows.path_ptr))
        load = np.bincount(flows.path_links, carried, minlength=len(self.plan.fabric.links))
        return np.rint(load).astype(np.int64)

    def play(self, run: RunWatch, until_s: float, step_s: float = 0.5) -> None:
        """Tell an onlooker all up to an instant, as a replay does but without its pauses."""
        for phase in ("bring-up", "prepare", "replay"):
            run.phase(phase)
        for at_s in [*np.arange(0, until_s, step_s).tolist(), until_s]:
            run.ports(at_s, self.sent(at_s))
            run.standing(self.standing(at_s))
