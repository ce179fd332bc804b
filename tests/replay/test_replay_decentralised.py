"""Replays without a coordinator: actors start by the clock, rank by what they send, and tell afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from replay_rig import CAPACITY_BPS, PORT, Actors, F, build_plan

from testbed.coflow import ENDLESS, NONE
from testbed.errors import ReplayError
from testbed.plan import Plan
from testbed.replay.progress import Progress
from testbed.replay.replay import outcome_so_far, replay

UPLINK_BPS = 0.98 * CAPACITY_BPS
STRICT = {"first_limit": 500_000.0, "factor": 2, "sharing": "strict"}


def alone(*arguments: Any, **options: Any) -> Plan:
    return replace(build_plan(*arguments, **options), control="none")


def test_fair_starts_by_the_clock_and_makes_no_decision(actors: Actors) -> None:
    flows = [F(n // 4, n % 3, (n + 1) % 3, 50_000 + n, n // 4 * 0.05) for n in range(24)]
    plan = alone(3, [*flows, F(NONE, 0, 2, ENDLESS, 0.01, label=NONE)])
    outcome = replay(plan, actors(3).sockets, port=PORT)
    assert outcome.reason == [""] * 24 + ["cut"]
    assert outcome.received_bytes[:24].tolist() == plan.flows.bytes[:24].tolist()
    assert outcome.sent_bytes[24] == outcome.received_bytes[24] > 0
    assert np.all(outcome.start_s >= plan.flows.start_s)
    assert outcome.samples["starts"].allowed_s.tolist() == plan.flows.start_s.tolist()
    assert outcome.decisions == []
    assert outcome.facts["control"] == "none"
    assert len(outcome.samples["tcp"]) == 25


def test_a_sender_ranks_its_coflows_by_what_it_has_sent(actors: Actors) -> None:
    """Strict: the first has the uplink until it has sent 0.5 MB, then the second until it has, then the first."""
    plan = alone(3, [F(1, 0, 1, 1_000_000), F(2, 0, 2, 500_000)], "dclas", parameters=STRICT)
    outcome = replay(plan, actors(3).sockets, port=PORT)
    assert outcome.reason == ["", ""]
    first_s, second_s = outcome.finish_s
    assert second_s == pytest.approx(1_000_000 / UPLINK_BPS, rel=0.25)
    assert first_s == pytest.approx(1_500_000 / UPLINK_BPS, rel=0.25)
    allowed_s = outcome.samples["starts"].set_index("flow").allowed_s
    assert allowed_s[0] == 0.0
    assert allowed_s[1] == pytest.approx(500_000 / UPLINK_BPS, rel=0.4)
    assert outcome.start_s[1] >= allowed_s[1]


def test_weighted_queues_share_the_uplink(actors: Actors) -> None:
    """The first has sunk to the second queue when the second comes: 2 to 1, so 0.6 MB take 0.9 MB's time."""
    weighted = {"first_limit": 700_000.0, "factor": 100, "queues": 2, "sharing": "weighted"}
    plan = alone(3, [F(1, 0, 1, 2_000_000), F(2, 0, 2, 600_000, 0.2)], "dclas", parameters=weighted)
    outcome = replay(plan, actors(3).sockets, port=PORT)
    assert outcome.finish_s[1] - 0.2 == pytest.approx(900_000 / UPLINK_BPS, rel=0.3)
    assert outcome.finish_s[0] == pytest.approx(2_600_000 / UPLINK_BPS, rel=0.2)


def test_a_sender_does_not_know_what_others_send(actors: Actors) -> None:
    """Two senders of one coflow: each ranks it by its own half, where a coordinator would add them up."""
    flows = [F(1, 0, 2, 400_000), F(1, 1, 2, 400_000), F(2, 0, 2, 200_000, 0.01), F(2, 1, 2, 200_000, 0.01)]
    plan = alone(3, flows, "dclas", parameters=STRICT)
    outcome = replay(plan, actors(3).sockets, port=PORT)
    assert outcome.finish_s[2:].min() > outcome.finish_s[:2].max() - 0.05


@pytest.mark.parametrize("sharing", ["strict", "weighted"])
def test_many_small_flows_all_have_their_turn(actors: Actors, sharing: str) -> None:
    """A flow that is written whole as soon as it may hands its share on, and that to the next, inside one another."""
    flows = [F(1 + n % 20, n % 2, 2 + n % 3, 300 + 37 * n, n % 20 * 0.002) for n in range(400)]
    plan = alone(5, flows, "dclas", parameters={"first_limit": 20_000.0, "factor": 2, "sharing": sharing})
    outcome = replay(plan, actors(5).sockets, port=PORT, deadline_s=30)
    assert outcome.reason == [""] * 400
    assert np.all(outcome.samples["starts"].allowed_s >= plan.flows.start_s)
    assert len(outcome.samples["starts"]) == 400


def test_a_flow_without_a_label_is_left_alone(actors: Actors) -> None:
    plan = alone(3, [F(1, 0, 1, 1_000_000), F(1, 0, 2, 1_000_000, label=NONE)], "dclas", parameters=STRICT)
    outcome = replay(plan, actors(3).sockets, port=PORT)
    assert outcome.finish_s[0] >= 0.95 * 1_000_000 / UPLINK_BPS
    assert outcome.finish_s[1] < outcome.finish_s[0]


def test_marks_alone_hold_nothing_back(actors: Actors) -> None:
    flows = [F(1 + n % 5, n % 2, 2, 50_000, n % 5 * 0.01, label=NONE if n == 7 else None) for n in range(20)]
    plan = replace(alone(3, flows, "dclas", ["queue"], parameters=STRICT), unlabelled_class="bottom")
    outcome = replay(plan, actors(3).sockets, port=PORT)
    assert outcome.reason == [""] * 20
    assert outcome.samples["starts"].allowed_s.tolist() == plan.flows.start_s.tolist()


@pytest.mark.parametrize("victim", [0, 1])
def test_an_actor_that_dies_is_named(actors: Actors, victim: int) -> None:
    cast = actors(2)
    plan = alone(2, [F(1, 0, 1, 10**8)], "dclas", parameters=STRICT)

    def kill_in_mid_run(progress: Progress) -> None:
        if progress.elapsed_s > 0.3:
            cast.processes[victim].kill()

    with pytest.raises(ReplayError) as caught:
        replay(plan, cast.sockets, port=PORT, deadline_s=60, on_progress=kill_in_mid_run)
    assert str(caught.value) == f"host h{victim}: its actor is gone: the control connection was closed"
    outcome = outcome_so_far(caught.value)
    assert outcome is not None
    assert outcome.reason == [str(caught.value)]
    if victim == 0:  # the receiver still tells what it got; a sender forgets a flow that has failed
        assert outcome.received_bytes[0] > 0


def test_the_deadline_tells_how_far_flows_came(actors: Actors) -> None:
    plan = alone(2, [F(1, 0, 1, 10**8), F(2, 1, 0, 1000)], "dclas", parameters=STRICT)
    with pytest.raises(ReplayError, match=r"^2 of 2 flows have not finished, the first of them flow 0 of ") as caught:
        replay(plan, actors(2).sockets, port=PORT, deadline_s=0.5)
    outcome = outcome_so_far(caught.value)
    assert outcome is not None
    assert outcome.received_bytes[0] > 500_000
    assert outcome.reason[1] == ""
    assert outcome.received_bytes[1] == 1000


def test_a_scheduler_that_needs_a_coordinator() -> None:
    with pytest.raises(ReplayError, match=r"^control is none, and scheduler sebf needs a coordinator$"):
        replay(alone(2, [F(1, 0, 1, 1000)], "sebf"), ["/nowhere/0", "/nowhere/1"], port=PORT)


def test_a_start_that_depends_on_a_finish() -> None:
    plan = alone(2, [F(1, 0, 1, 1000), F(1, 1, 0, 1000, after=(0,))])
    with pytest.raises(ReplayError) as caught:
        replay(plan, ["/nowhere/0", "/nowhere/1"], port=PORT)
    assert str(caught.value) == (
        "control is none, and nobody tells a sender what has finished elsewhere: no 'after' then"
    )
