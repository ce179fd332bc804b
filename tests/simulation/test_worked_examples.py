"""The computed rows of the worked examples: exact CCTs, by hand, of small instances with unit capacities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.scheduling.base import Allocation, Scheduler, View
from testbed.scheduling.filling import greedy_rates, ordered
from testbed.simulation.engine import simulate
from testbed.simulation.instance import Job, big_switch_plan
from testbed.spec.reader import load_experiment

ROOT = Path(__file__).parent.parent.parent
A = [Job({(0, 0): 3}), Job({(0, 1): 2, (1, 2): 6})]
M = [Job({(1, 1): 4, (2, 1): 1, (2, 2): 4})]
B = [Job({(1, 1): 10, (2, 2): 10, (3, 3): 10}), Job({(1, 1): 11}), Job({(2, 2): 11}), Job({(3, 3): 11})]
W = [Job({(1, 1): 1, (2, 1): 1, (3, 1): 2, (3, 2): 2, (4, 2): 1, (5, 2): 1})]
D = [Job({(0, 0): 30}), Job({(0, 0): 5}, arrival_s=15.0)]


def shared_sender(n: int) -> list[Job]:
    """W(n): per receiver (1 and 2) n light senders of 1 byte, and one shared sender (0) with n bytes for each."""
    light = {(r * n + i + 1, r): 1 for r in range(2) for i in range(n)}
    return [Job({**light, (0, 0): n, (0, 1): n})]


def ccts(plan: Plan) -> list[float]:
    """CCT per coflow id, of a simulated plan."""
    outcome = simulate(plan)
    finish = [np.max(outcome.finish_s[plan.flows.coflow == id_]) for id_ in range(len(plan.coflows))]
    arrival = outcome.coflow_arrival_s[np.argsort(plan.coflows.coflow)]
    return (np.array(finish) - arrival).tolist()


class InOrder(Scheduler):
    """Greedy in an order of coflow ids that is given."""

    name = "in-order"

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    def allocate(self, view: View) -> Allocation:
        order = np.argsort([self.ids.index(id_) for id_ in view.coflow])
        return ordered(view, order, greedy_rates(view, order))


MAX_MIN = [("fair", {}), ("fair-paced", {})]


@pytest.mark.parametrize(("scheduler", "parameters"), MAX_MIN)
@pytest.mark.parametrize(
    ("jobs", "expected"),
    [(A, [5, 6]), (B, [20, 21, 21, 21]), (W, [5]), *((shared_sender(n), [3 * n - 1]) for n in (2, 5, 20))],
)
def test_per_flow_max_min(scheduler: str, parameters: dict[str, Any], jobs: list[Job], expected: list[float]) -> None:
    assert ccts(big_switch_plan(jobs, scheduler, parameters)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("order", ["dynamic", "static"])
@pytest.mark.parametrize(
    ("jobs", "backfill", "expected"),
    [(A, True, [3, 6]), (A, False, [3, 9]), (M, True, [5]), (M, False, [5]), (B, True, [10, 21, 21, 21])],
)
def test_sebf(jobs: list[Job], backfill: bool, order: str, expected: list[float]) -> None:
    plan = big_switch_plan(jobs, "sebf", {"backfill": backfill, "order": order})
    assert ccts(plan) == pytest.approx(expected, rel=1e-9)


def test_greedy_in_the_other_order_serves_c1_last() -> None:
    outcome = simulate(big_switch_plan(A), scheduler=InOrder([1, 0]))
    assert outcome.finish_s.tolist() == pytest.approx([5, 2, 6], rel=1e-9)


def test_the_optimum_of_b() -> None:
    outcome = simulate(big_switch_plan(B), scheduler=InOrder([1, 2, 3, 0]))
    assert outcome.finish_s.tolist() == pytest.approx([21, 21, 21, 11, 11, 11], rel=1e-9)


def test_bssi_orders_b_by_3_2_0_1() -> None:
    plan = big_switch_plan(B, "bssi")
    assert simulate(plan).decisions[0].coflows.tolist() == [3, 2, 0, 1]
    assert ccts(plan) == pytest.approx([21, 21, 11, 11], rel=1e-9)


@pytest.mark.parametrize("between", ["fifo", "priority", "weighted"])
@pytest.mark.parametrize(("jobs", "expected"), [(W, 4), *((shared_sender(n), 2 * n) for n in (2, 5, 20))])
def test_wss_of_a_lone_shuffle(jobs: list[Job], expected: float, between: str) -> None:
    assert ccts(big_switch_plan(jobs, "wss", {"between": between})) == pytest.approx([expected], rel=1e-9)


@pytest.mark.parametrize(
    ("scheduler", "parameters", "expected"),
    [
        ("dclas", {"first_limit": 10, "factor": 10, "sharing": "strict"}, [35, 5]),
        ("dclas", {"first_limit": 10, "factor": 10, "sharing": "weighted"}, [35, 9.5]),
        ("fifo", {}, [30, 20]),
    ],
)
def test_two_jobs_on_one_link(scheduler: str, parameters: dict[str, Any], expected: list[float]) -> None:
    assert ccts(big_switch_plan(D, scheduler, parameters)) == pytest.approx(expected, rel=1e-9)


def test_madd_rates_of_m() -> None:
    plan = big_switch_plan(M, "sebf", {"backfill": False})
    assert simulate(plan).decisions[0].cap_Bps.tolist() == pytest.approx([0.8, 0.2, 0.8], rel=1e-12)


def test_two_bottlenecks_in_a_row() -> None:
    """As computed in workloads/two-bottlenecks.yml: six of eleven flows that share the second cross the first."""
    for plan in make_plans(load_experiment(ROOT / "experiments/two-bottlenecks.yml")):
        capacity = float(plan.fabric.capacity_Bps[0])
        outcome = simulate(plan)
        alone = 0.3 + (3e6 - 0.3 * capacity) / (5 / 11 * capacity)
        wide = 0.3 + 11 * 1_664_418 / capacity
        assert outcome.finish_s.tolist() == pytest.approx([alone, *[wide] * 11], rel=1e-9)
