"""A run that is valid in every check, for tests that break one thing of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from run_factory import F, departure_samples, finish_at, gammas_of, make_plan, port_samples

from testbed.fidelity import Check, Verdict, assess
from testbed.outcome import Outcome
from testbed.plan import Plan


def good_run() -> tuple[Plan, Outcome]:
    """A run whose every check but one has evidence and is valid; no link runs at more than 0.83 of its rate."""
    flows = [F(5, 0, 1, 1_000_000), F(9, 0, 2, 2_000_000), F(9, 1, 3, 2_500_000)]
    plan = make_plan(flows, {5: 0.0, 9: 2.0})
    outcome = finish_at(plan, {5: 1.25, 9: 3.25})
    outcome.samples["ports"] = port_samples(plan, outcome, acknowledged=True)
    outcome.samples["queues"] = outcome.samples["ports"][["at_s", "link"]].assign(backlog_bytes=0, drops=0)
    outcome.samples["drops"] = pd.DataFrame({"link": np.arange(len(plan.fabric.links)), "drops": 0, "full": 0})
    outcome.samples["departures"] = departure_samples(plan)
    outcome.samples["processors"] = pd.DataFrame(
        {"at_s": [0.0, 1.0], "idle": 0.4, "steal": 0.0, "foreign": [0.0, 0.04]}
    )
    outcome.samples["lateness"] = pd.DataFrame({"host": ["h0", "h1"], "late_s": [0.0002, 0.001], "timers": [900, 100]})
    outcome.samples["probe"] = pd.DataFrame({"rtt_s": [0.003, 0.004, 0.005]})
    outcome.facts["coordinator_stall_max_s"] = 0.004
    return plan, outcome


def assessed(plan: Plan, outcome: Outcome) -> Verdict:
    return assess(plan, outcome, gammas_of(plan))


def check(verdict: Verdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)


def of_link(outcome: Outcome, sample: str, link: str, column: str) -> np.ndarray:
    """The series of one link, to be changed and given back by `set_link`."""
    frame = outcome.samples[sample]
    values: np.ndarray = frame.loc[frame["link"] == link, column].to_numpy().copy()
    return values


def set_link(outcome: Outcome, sample: str, link: str, column: str, values: object) -> None:
    frame = outcome.samples[sample]
    frame.loc[frame["link"] == link, column] = values
