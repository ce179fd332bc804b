"""Weighted classes on a real network; in a file of its own, as only one network runs at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from emulated_plans import install_routes
from queue_plans import ONE_RECEIVER, Flow, Scripted, lone_s, plan_of, run

from testbed.emulation.network import EmulatedNetwork
from testbed.plan import SchedulerSetting

pytestmark = pytest.mark.network

WEIGHTED = SchedulerSetting("dclas", {"sharing": "weighted"})
WEIGHT = np.arange(10.0, 0.0, -1.0)


@pytest.fixture(scope="module")
def weighted(docker_socket: str) -> Iterator[EmulatedNetwork]:
    with EmulatedNetwork(plan_of([Flow((0, 1), 1)], scheduler=WEIGHTED), "test-queue-weighted") as network:
        install_routes(network)
        yield network


def test_classes_share_a_switch_port_by_weight(weighted: EmulatedNetwork) -> None:
    """10:3 between class 0 and class 7: sizes in that ratio end together; under equal shares the light one would end
    at 0.46 of that time."""
    plan = plan_of([Flow(ONE_RECEIVER[0], 3_000_000), Flow(ONE_RECEIVER[1], 900_000)], scheduler=WEIGHTED)
    outcome = run(weighted, plan, Scripted(lambda _, coflow: 7 * coflow, WEIGHT))
    heavy, light = outcome.finish_s
    assert light / heavy == pytest.approx(1, rel=0.2)
    assert heavy <= 1.3 * lone_s(plan, 3_900_000)
    assert outcome.facts["queue"]["classes"] == "8 classes, weighted 10:9:8:7:6:5:4:3"
