"""Strict priority classes on a real network, flows marked by their actors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from emulated_plans import install_routes
from queue_plans import HOSTS, ONE_RECEIVER, ONE_SENDER, Flow, Scripted, lone_s, plan_of, run

from testbed.emulation.network import EmulatedNetwork
from testbed.plan import SchedulerSetting

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def strict(docker_socket: str) -> Iterator[EmulatedNetwork]:
    with EmulatedNetwork(plan_of([Flow((0, 1), 1)]), "test-queue-strict") as network:
        install_routes(network)
        yield network


def test_the_paths_of_these_plans_are_the_switchs_links() -> None:
    links = plan_of([]).fabric.links
    assert [links[number].name for number in (0, HOSTS + 3)] == ["h0->s0", "s0->h3"]


@pytest.mark.parametrize("ends", [ONE_SENDER, ONE_RECEIVER], ids=["host interface", "switch port"])
def test_the_first_class_takes_the_link_from_the_last_and_gives_it_back(strict: EmulatedNetwork, ends: Any) -> None:
    plan = plan_of([Flow(ends[0], 2_500_000), Flow(ends[1], 1_500_000, start_s=0.3)])
    outcome = run(strict, plan, Scripted(lambda _, coflow: 0 if coflow else 7))
    low, high = outcome.finish_s
    assert high - 0.3 <= 1.25 * lone_s(plan, 1_500_000)
    assert low > high
    assert low <= 1.2 * lone_s(plan, 4_000_000)
    assert outcome.facts["queue"]["classes"] == "8 classes, strict"


@pytest.mark.parametrize("ends", [ONE_SENDER, ONE_RECEIVER], ids=["host interface", "switch port"])
def test_classes_are_changed_while_flows_run(strict: EmulatedNetwork, ends: Any) -> None:
    plan = plan_of([Flow(ends[0], 2_000_000), Flow(ends[1], 2_000_000)])
    swap_s = 0.35
    outcome = run(strict, plan, Scripted(lambda now_s, coflow: coflow if now_s < swap_s else 1 - coflow))
    first, second = outcome.finish_s
    assert second <= 1.2 * (swap_s + 0.1 + lone_s(plan, 2_000_000))
    assert second < first <= 1.2 * lone_s(plan, 4_000_000)


def test_acknowledgements_do_not_starve_behind_the_first_class(strict: EmulatedNetwork) -> None:
    plan = plan_of([Flow((0, 1), 4_000_000), Flow((1, 0), 2_000_000)])
    outcome = run(strict, plan, Scripted(lambda _, coflow: 7 * coflow))
    assert outcome.finish_s[1] <= 1.25 * lone_s(plan, 2_000_000)


@pytest.mark.parametrize("enforcement", [("queue",), ("pacing",), ("pacing", "queue")], ids="+".join)
def test_a_small_coflow_under_sebf_takes_its_gamma_while_a_large_one_waits(
    strict: EmulatedNetwork, enforcement: tuple[str, ...]
) -> None:
    flows = [Flow((0, 3), 4_000_000), Flow((0, 3), 1_500_000, start_s=0.4)]
    plan = plan_of(flows, enforcement, scheduler=SchedulerSetting("sebf"))
    best = np.inf
    for _ in range(3):  # a busy machine delays; nothing makes a coflow quicker than it should be
        large, small = run(strict, plan).finish_s
        assert small < large
        best = min(best, max((small - 0.4) / lone_s(plan, 1_500_000), large / lone_s(plan, 5_500_000)))
        if best <= 1.15:
            break
    assert best <= 1.25
