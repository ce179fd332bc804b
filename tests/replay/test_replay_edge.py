"""Replays whose enforcement is at the edge of the network: what the edge is told, and when flows start for it.

There are no switches on loopback: what would change them is recorded. What switches make of it:
tests/controller/test_meters_and_marks.py, tests/end_to_end/test_edge_enforcement.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from replay_rig import CAPACITY_BPS, PORT, Actors, F, Script, build_plan, check_complete

from testbed.coflow import NONE
from testbed.errors import EmulationError, ReplayError
from testbed.fabric import frame_share
from testbed.replay.replay import outcome_so_far, replay
from testbed.rules.edge import Change, EdgeState
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import meter_for, stopping_meter

MTU = 9000


class Edge:
    """Takes changes as an edge would, and keeps what they were and what they made."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.changes: list[tuple[int, Mapping[str, Change]]] = []
        self.states: dict[str, EdgeState] = {}

    def change(self, changes: Mapping[str, Change]) -> dict[str, float]:
        threading.Event().wait(self.takes_s)
        for name, change in changes.items():
            self.states.setdefault(name, EdgeState()).apply(change)
        self.changes.append((time.monotonic_ns(), changes))
        return dict.fromkeys(changes, self.takes_s)

    def all_meters(self) -> list[dict[int, float]]:
        """Number -> rate of the meters that each batch set at the switch."""
        return [
            {number: meter.rate_bps for number, meter in changes["s0"].set_meters.items()}
            for _, changes in self.changes
            if "s0" in changes
        ]


def frame_bps(goodput_Bps: float) -> float:
    return goodput_Bps * 8 / frame_share(MTU)


def test_a_meter_is_there_before_its_flow_starts_and_goes_after_it(actors: Actors) -> None:
    edge = Edge()
    plan = build_plan(3, [F(1, 0, 1, 400_000, 0.1), F(2, 2, 1, 400_000, 0.1)], "sebf", ["meter"])
    outcome = replay(plan, actors(3).sockets, port=PORT, probe=False, change_edges=edge.change)
    check_complete(plan, outcome)
    at_ns, first = edge.changes[0]
    start_ns = outcome.facts["start_monotonic_ns"]
    assert at_ns < start_ns + 1e9 * outcome.start_s.min() + 1e6
    change = first["s0"]
    rates = {key.source: change.set_meters[number] for key, number in change.set_metered.items()}
    assert rates == {"127.77.0.1": meter_for(CAPACITY_BPS, MTU), "127.77.0.3": stopping_meter(1, MTU)}
    assert {(key.destination, key.destination_port) for key in change.set_metered} == {("127.77.0.2", PORT)}
    assert outcome.start_s[1] > outcome.finish_s[0]  # a flow that was never let go does not start
    assert outcome.facts["meter"]["set"] == 3
    assert outcome.facts["edge"]["batches"] == len(edge.changes) == len(outcome.samples["edge"])
    assert (outcome.samples["edge"].total_s >= outcome.samples["edge"].switch_s).all()


def test_starts_wait_for_a_slow_edge_and_no_longer(actors: Actors) -> None:
    edge = Edge(takes_s=0.15)
    plan = build_plan(2, [F(1, 0, 1, 50_000, 0.05)], "sebf", ["meter"])
    outcome = replay(plan, actors(2).sockets, port=PORT, probe=False, change_edges=edge.change)
    check_complete(plan, outcome)
    in_force_s = (edge.changes[0][0] - outcome.facts["start_monotonic_ns"]) / 1e9
    assert in_force_s <= outcome.start_s[0] < in_force_s + 0.1


def test_what_changes_while_a_batch_is_under_way_goes_into_the_next_one(actors: Actors) -> None:
    edge = Edge(takes_s=0.1)
    flows = [F(n, n, 5, 20_000, 0.02 * n) for n in range(5)]
    plan = build_plan(6, flows, "fair-paced", ["meter"])
    outcome = replay(plan, actors(6).sockets, port=PORT, probe=False, change_edges=edge.change)
    check_complete(plan, outcome)
    assert len(edge.changes) < len(outcome.decisions)
    assert len(edge.states["s0"].metered) <= 5


def test_a_running_flow_that_is_stopped_may_send_a_frame_now_and_then(actors: Actors) -> None:
    def decide(view: object) -> dict[str, np.ndarray]:
        return {"cap_Bps": np.where(view.coflow[view.flow_coflow] == view.coflow.max(), 1e6, 0.0)}  # the last one

    edge = Edge()
    plan = build_plan(3, [F(1, 0, 1, 800_000), F(2, 2, 1, 300_000, 0.1)], enforcement=["pacing", "meter"])
    outcome = replay(
        plan, actors(3).sockets, port=PORT, probe=False, change_edges=edge.change, scheduler=Script(decide)
    )
    check_complete(plan, outcome)
    rates = [rate for batch in edge.all_meters() for rate in batch.values()]
    expected = [frame_bps(1e6), stopping_meter(1, MTU).rate_bps, frame_bps(1e6), frame_bps(1e6)]
    assert rates == pytest.approx(expected)


def test_per_coflow_a_meter_has_the_sum_of_the_rates_that_enter_there(actors: Actors) -> None:
    def decide(view: object) -> dict[str, np.ndarray]:
        return {"cap_Bps": np.where(view.src == 0, 3e5, 2e5)}

    edge = Edge()
    flows = [F(1, 0, 2, 100_000), F(1, 0, 3, 100_000), F(1, 1, 2, 100_000), F(4, 1, 3, 100_000)]
    plan = replace(build_plan(4, flows, enforcement=["meter"]), metering="per-coflow")
    outcome = replay(
        plan, actors(4).sockets, port=PORT, probe=False, change_edges=edge.change, scheduler=Script(decide)
    )
    check_complete(plan, outcome)
    first = edge.changes[0][1]["s0"]
    assert sorted(meter.rate_bps for meter in first.set_meters.values()) == pytest.approx(
        [frame_bps(2e5), frame_bps(8e5)]
    )
    by_meter = sorted(list(first.set_metered.values()).count(number) for number in first.set_meters)
    assert by_meter == [1, 3]


def test_flows_without_a_label_pass_no_meter(actors: Actors) -> None:
    edge = Edge()
    plan = build_plan(3, [F(1, 0, 1, 100_000), F(1, 2, 1, 100_000, label=NONE)], "sebf", ["meter"])
    check_complete(plan, replay(plan, actors(3).sockets, port=PORT, probe=False, change_edges=edge.change))
    assert {key.source for _, changes in edge.changes for key in changes["s0"].set_metered} == {"127.77.0.1"}


def test_marks_from_outside_are_set_at_the_host_and_at_the_edge_and_go_with_their_flows(actors: Actors) -> None:
    edge = Edge()
    flows = [F(1, 0, 1, 400_000), F(2, 0, 1, 100_000, 0.02), F(3, 2, 1, 50_000, 0.3)]
    plan = replace(build_plan(3, flows, "sebf", ["queue"]), marking="edge")
    check_complete(plan, replay(plan, actors(3).sockets, port=PORT, probe=False, change_edges=edge.change))
    seen: dict[str, set[FlowKey]] = {}
    for _, changes in edge.changes:
        assert not any(change.set_meters or change.set_metered for change in changes.values())
        for name, change in changes.items():
            seen.setdefault(name, set()).update(change.set_marks)
    assert {name: len(keys) for name, keys in seen.items()} == {"h0": 2, "h2": 1, "s0": 3}
    assert seen["s0"] == seen["h0"] | seen["h2"]
    assert len(edge.states["h0"].marks) == 0  # gone at the third one's arrival at the latest


def test_an_edge_that_refuses_ends_the_run_at_once_and_says_why(actors: Actors) -> None:
    def refuse(_: Mapping[str, Change]) -> dict[str, float]:
        raise EmulationError("controller: e0 refused 'meter 1 of 20 kbit/s'")

    plan = build_plan(2, [F(1, 0, 1, 100_000, 0.1)], "sebf", ["meter"])
    began = time.monotonic()
    with pytest.raises(EmulationError, match=r"^controller: e0 refused 'meter 1 of 20 kbit/s'$") as caught:
        replay(plan, actors(2).sockets, port=PORT, probe=False, change_edges=refuse)
    assert time.monotonic() - began < 10
    outcome = outcome_so_far(caught.value)
    assert outcome is not None
    assert outcome.reason == ["controller: e0 refused 'meter 1 of 20 kbit/s'"]


@pytest.mark.parametrize(("enforcement", "what"), [("meter", "enforcement meter"), ("queue", "marking edge")])
def test_without_switches_there_is_no_edge(actors: Actors, enforcement: str, what: str) -> None:
    plan = replace(build_plan(2, [F(1, 0, 1, 1000)], "sebf", [enforcement]), marking="edge")
    with pytest.raises(ReplayError, match=rf"^{what}: there are no switches to m.* at; expected an emulated "):
        replay(plan, actors(2).sockets, port=PORT, probe=False)
