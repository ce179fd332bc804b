"""A run as plain data: computed by hand for a small plan, then against the outcome of a whole run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest
from scene import Scene

from testbed.coflow import ENDLESS, NONE, CoflowTable, FlowTable
from testbed.fidelity.verdict import Verdict, at_most
from testbed.growth import with_coflows, with_flows
from testbed.plan import Plan, SchedulerSetting
from testbed.replay.onlooker import Standing
from testbed.topology.addressing import addresses
from testbed.topology.fat_tree import FatTree
from testbed.topology.shape import LinkSetting
from testbed.watch import feed
from testbed.watch.feed import MOST_FAULTS, Feed, description, ending, failure

LINK = LinkSetting(8e6, 0.98e6, 256_000)
FABRIC = FatTree(2).build(LINK, LINK, mtu=9000)
NO, YES = False, True


def flows(coflow: list[int], size: list[int]) -> FlowTable:
    """Flows from h0 to h1, on their own two links as far as this module cares."""
    ids, count = np.array(coflow), len(coflow)
    zeros = np.zeros(count, dtype=np.int64)
    path = np.tile([0, 3], count)
    return FlowTable(
        ids, ids, zeros, zeros + 1, np.array(size), np.zeros(count), zeros, np.arange(0, 2 * count + 1, 2), path
    )


def coflows(ids: list[int], arrival_s: list[float]) -> CoflowTable:
    ones = np.ones(len(ids))
    return CoflowTable(np.array(ids), np.array(arrival_s), ones, np.full(len(ids), np.nan))


@pytest.fixture
def plan() -> Plan:
    """Coflow 7 of two flows, coflow 3 of one, and a background flow without an end."""
    return Plan(
        experiment="by-hand", topology="fat-tree k=2", workload="explicit", scheduler=SchedulerSetting("sebf"), seed=1,
        repeat=0, fabric=FABRIC, addresses=addresses(FABRIC), coflows=coflows([7, 3], [0.0, 1.0]),
        flows=flows([7, 7, 3, NONE], [1000, 3000, 500, ENDLESS]),
    )  # fmt: skip


def standing(plan: Plan, at_s: float, received: list[float], finish_s: list[float], begun: list[bool]) -> Standing:
    finish = np.array(finish_s)
    over = ~np.isnan(finish)
    arrival_s = plan.coflows.arrival_s
    return Standing(at_s, plan, np.array(received), np.array(begun) & ~over, over, finish, arrival_s)


def test_a_state_by_hand(plan: Plan) -> None:
    told = Feed(plan, np.array([0.5, 0.25]))
    now = standing(plan, 2.0, [1000, 600, 0, 9999], [1.5, np.nan, np.nan, np.nan], [YES, YES, YES, YES])
    assert told.state(now) == {
        "at_s": 2.0, "coflows_done": 0, "coflows": 2, "flows_done": 1, "flows": 4, "active_flows": 3,
        "bytes_done": 1600, "bytes": 4500, "rate_Bps": 800, "load": [0] * len(FABRIC.links),
        "active": [[7, 1600, 4000, 2.0, 1, 2], [3, 0, 500, 1.0, 0, 1]], "more": 0, "faults": [],
    }  # fmt: skip
    assert told.finished(now) == []


def test_the_last_faults_are_told(plan: Plan) -> None:
    now = standing(plan, 2.0, [0.0] * 4, [np.nan] * 4, [YES] * 4)
    faults = tuple((float(n), f"link a{n}-c0 down") for n in range(MOST_FAULTS + 2))
    told = Feed(plan, np.ones(2)).state(replace(now, faults=faults))["faults"]
    assert told == [[float(n), f"link a{n}-c0 down"] for n in range(2, MOST_FAULTS + 2)]


def test_the_rate_is_that_since_the_state_before(plan: Plan) -> None:
    told = Feed(plan, np.ones(2))
    none = [np.nan] * 4
    told.state(standing(plan, 1.0, [400, 0, 0, 0], none, [YES] * 4))
    assert told.state(standing(plan, 1.5, [500, 400, 0, 0], none, [YES] * 4))["rate_Bps"] == 1000


def test_a_coflow_is_told_once_when_its_last_flow_has_finished(plan: Plan) -> None:
    told = Feed(plan, np.array([0.5, 0.0]))
    now = standing(plan, 3.0, [1000, 3000, 500, 0], [1.5, 2.5, 1.25, np.nan], [YES] * 4)
    assert told.finished(now) == [[7, 0.0, 2.5, 5.0, 4000], [3, 1.0, 0.25, None, 500]]
    assert told.finished(now) == []
    assert told.state(now)["coflows_done"] == 2
    assert told.state(now)["active"] == []


def test_loads_are_over_the_time_since_the_state_before(plan: Plan) -> None:
    told, links = Feed(plan, np.ones(2)), len(FABRIC.links)
    now = standing(plan, 1.0, [0, 0, 0, 0], [np.nan] * 4, [YES] * 4)
    sent = np.zeros(links, dtype=np.int64)
    told.ports(0.0, sent)
    told.ports(0.25, sent + 1)
    told.ports(0.5, np.array([100_000, 500_000, 900_000, *sent[3:]]))  # of 8 Mbit/s: 1 MB/s
    assert told.state(now)["load"] == [20, 100, 100, *[0] * (links - 3)]
    assert told.state(now)["load"][:2] == [20, 100]  # nothing new: as it was
    told.ports(1.5, np.array([600_000, 500_000, 900_000, *sent[3:]]))
    assert told.state(now)["load"][:3] == [50, 0, 0]


def test_who_has_not_arrived_is_not_active(plan: Plan) -> None:
    now = standing(plan, 0.5, [0, 0, 0, 0], [np.nan] * 4, [YES] * 4)  # without a coordinator all flows count as begun
    assert [row[0] for row in Feed(plan, np.ones(2)).state(now)["active"]] == [7]


def test_of_many_active_coflows_the_first_are_told(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "MOST_COFLOWS", 1)
    state = Feed(plan, np.ones(2)).state(standing(plan, 2.0, [0] * 4, [np.nan] * 4, [YES] * 4))
    assert ([row[0] for row in state["active"]], state["more"]) == ([7], 1)


def test_what_applications_add_is_followed_even_while_columns_differ_in_length(plan: Plan) -> None:
    told = Feed(plan, np.array([0.5, 0.25]))
    told.state(standing(plan, 0.1, [0] * 4, [np.nan] * 4, [YES] * 4))
    grown = with_flows(with_coflows(plan, coflows([9], [1.5])), flows([9], [ENDLESS]))
    halfway = replace(standing(grown, 2.0, [0] * 5, [np.nan] * 5, [YES] * 5), received=np.zeros(4))
    assert len(told.state(halfway)["active"]) == 2
    now = standing(grown, 2.0, [0, 0, 0, 0, 77], [np.nan] * 5, [YES] * 5)
    assert told.state(now)["active"][-1] == [9, 77, None, 0.5, 0, 1]  # of a size that is not known yet
    grown.flows.bytes[4] = 90
    now = standing(grown, 3.0, [0, 0, 0, 0, 90], [np.nan] * 4 + [2.75], [YES] * 5)
    assert told.finished(now) == [[9, 1.5, 1.25, None, 90]]


def test_a_later_finish_of_a_coflow_is_told_again(plan: Plan) -> None:
    told = Feed(plan, np.ones(2))
    assert told.finished(standing(plan, 2.0, [0, 0, 500, 0], [np.nan, np.nan, 1.5, np.nan], [YES] * 4))[0][:3] == [
        3, 1.0, 0.5,
    ]  # fmt: skip
    grown = with_flows(plan, flows([3], [50]))
    now = standing(grown, 3.0, [0, 0, 500, 0, 50], [np.nan, np.nan, 1.5, np.nan, 2.5], [YES] * 5)
    assert told.finished(now) == [[3, 1.0, 1.5, 1.5, 550]]


def test_a_description_names_nodes_and_cables(plan: Plan) -> None:
    told = description(plan, 2, 3)
    assert (told["number"], told["runs"], told["scheduler"]) == (2, 3, "sebf")
    names = [name for name, _, _ in told["nodes"]]
    low, high, up, down, rate = told["cables"][0]
    assert (names[low], names[high], rate) == ("h0", "e0", "8 Mbit/s")
    assert (FABRIC.links[up].name, FABRIC.links[down].name) == ("h0->e0", "e0->h0")


def test_how_runs_end() -> None:
    check = at_most("start skew p99", 4.2, "ms", degraded=3, words="close other programs")
    assert ending(Verdict((check,)), "results/a") == {
        "verdict": "degraded",
        "checks": [
            {"check": "start skew p99: 4.2 ms (at most 3 ms): degraded", "words": "close other programs"}
        ],
        "directory": "results/a",
        "error": "",
    }  # fmt: skip
    assert failure(KeyboardInterrupt())["error"] == "interrupted"
    assert failure(ValueError("host h1: gone"))["error"] == "host h1: gone"


def test_a_whole_run_is_told_as_it_was(scene: Scene) -> None:
    told = Feed(scene.plan, scene.gammas)
    rows = []
    for at_s in [*np.arange(0, scene.end_s, 0.5).tolist(), scene.end_s]:
        told.ports(at_s, scene.sent(at_s))
        now = scene.standing(at_s)
        rows += told.finished(now)
        state = told.state(now)
        assert len(orjson.dumps(state)) < 4000
        assert max(state["load"]) <= 100
    assert state["coflows_done"] == state["coflows"] == len({row[0] for row in rows}) == len(rows)
    assert state["bytes_done"] == state["bytes"]
    assert min(row[3] for row in rows) >= 0.999  # no coflow beats Gamma in the fluid model
