"""How often ports and queues are read. The network is a stand-in that takes as long as it is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from emulated_plans import leaf_spine

from testbed.emulation.sampling import BUDGET, SAMPLE_S, Samples, most_loaded_first
from testbed.outcome import empty_outcome
from testbed.plan import Plan


class Expensive:
    """A network whose counters take some processor time to read."""

    def __init__(self, plan: Plan, cost_s: float) -> None:
        self.plan = plan
        self.queues: Any = self
        self.readings = 0
        self._cost_s = cost_s

    def port_counters(self) -> tuple[np.ndarray, np.ndarray]:
        self.readings += 1
        end = time.thread_time() + self._cost_s
        while time.thread_time() < end:
            pass
        return self.read()

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(self.plan.fabric.links), dtype=np.int64), self.full_drops()

    def full_drops(self) -> np.ndarray:
        return np.zeros(len(self.plan.fabric.links), dtype=np.int64)


def sampled(network: Expensive, seconds: float) -> Callable[[str], Any]:
    """The samples of a run of so many seconds, four calls in each."""
    samples = Samples(network, [], None)  # type: ignore[arg-type]
    for number in range(int(seconds / SAMPLE_S) + 1):
        samples.take(number * SAMPLE_S)
    samples.end(time.monotonic_ns() - int(seconds * 1e9))
    outcome = empty_outcome(network.plan, "emulation")
    samples.add_to(outcome)
    samples.close()
    return lambda name: outcome.samples[name] if name in outcome.samples else outcome.facts[name]


def test_cheap_ports_are_read_every_time() -> None:
    plan = leaf_spine(2, 2, 1)
    network = Expensive(plan, 0.0)
    of = sampled(network, 5.0)
    assert network.readings == 21
    assert of("ports")["at_s"].unique().tolist() == [SAMPLE_S * number for number in range(21)]
    assert len(of("queues")) == len(of("ports")) == 21 * len(plan.fabric.links)
    assert of("processors")["at_s"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert of("drops")["link"].tolist() == list(range(len(plan.fabric.links)))


def test_ports_that_take_long_to_read_are_read_less_often_and_still_at_the_end() -> None:
    network = Expensive(leaf_spine(2, 2, 1), 0.03)
    of = sampled(network, 10.0)
    assert network.readings < 14
    assert of("sampling_cpu_s") < BUDGET * 10.0 + 0.02 + 2 * 0.04
    at_s = of("ports")["at_s"].unique()
    assert at_s[0] == 0.0
    assert at_s[-1] >= 10.0 - SAMPLE_S
    assert len(of("processors")) == 10


def test_links_are_in_the_order_of_their_load() -> None:
    plan = leaf_spine(2, 2, 1)
    assert most_loaded_first(plan).tolist() == list(range(len(plan.fabric.links)))  # nothing planned: as they come
