from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from good_runs import assessed, check, good_run, of_link, set_link
from run_factory import RATE_BPS

from testbed.outcome import Outcome

FRAME = 1514
LOSS, AGAIN, SATURATED = (
    "loss without a full queue",
    "sent again without a full queue",
    "share of the rate when saturated",
)


def drop(outcome: Outcome, link: int, drops: int, full: int) -> None:
    outcome.samples["drops"].loc[link, ["drops", "full"]] = drops, full


def switch_loses(outcome: Outcome, share: float) -> None:
    """What l0 sends to s1, and s1 to l1, is less than what l0 was given."""
    whole = of_link(outcome, "ports", "l0->s1", "sent_bytes")
    for link in ("l0->s1", "s1->l1"):
        for column in ("sent_bytes", "received_bytes"):
            set_link(outcome, "ports", link, column, (whole * (1 - share)).astype(np.int64))


@pytest.mark.parametrize(("drops", "expected"), [(3, "valid"), (12, "degraded"), (100, "invalid")])
def test_frames_that_a_port_drops_beside_its_queue_are_caught(drops: int, expected: str) -> None:
    plan, outcome = good_run()
    drop(outcome, 0, drops=drops, full=0)
    found = check(assessed(plan, outcome), LOSS)
    assert found.verdict == expected
    assert found.details["dropped beside queues"] == drops
    if expected != "valid":
        sent = of_link(outcome, "ports", "h0->l0", "sent_bytes")[-1]
        assert found.figure == pytest.approx(drops / (sent / FRAME))
        assert found.words == (
            f"h0 lost {drops} frames though no queue of its was full, {drops} of them at its ports: something else "
            "configures its interfaces; run `testbed clean` and repeat the run"
        )


def test_frames_that_found_their_queue_full_are_lost_by_design() -> None:
    plan, outcome = good_run()
    for link in range(len(plan.fabric.links)):
        drop(outcome, link, drops=500, full=500)
    verdict = assessed(plan, outcome)
    assert check(verdict, LOSS).verdict == "valid"
    assert check(verdict, LOSS).details == {"full queues": 16, "dropped beside queues": 0}
    assert verdict.unmeasured[AGAIN] == "every flow had a full queue on its path, or may have had one"


@pytest.mark.parametrize(("share", "expected"), [(0.004, "degraded"), (0.05, "invalid")])
def test_a_switch_that_loses_frames_without_a_full_queue_is_caught(share: float, expected: str) -> None:
    plan, outcome = good_run()
    switch_loses(outcome, share)
    found = check(assessed(plan, outcome), LOSS)
    assert found.verdict == expected
    lost = share * of_link(good_run()[1], "ports", "l0->s1", "sent_bytes")[-1] / FRAME
    assert found.words == (
        f"l0 lost {lost:.0f} frames though no queue of its was full, 0 of them at its ports: it forwards less than the "
        "plan needs, or this machine was busy; close other programs, lower link.rate, raise the MTU, or use the kernel "
        "datapath"
    )


def test_what_waits_in_a_queue_at_the_last_sample_is_not_lost() -> None:
    for waits, expected in ((True, "valid"), (False, "degraded")):
        plan, outcome = good_run()
        at_s = of_link(outcome, "ports", "h0->l0", "at_s")
        moving = (np.arange(len(at_s)) * 50_000).astype(np.int64)  # to the last sample
        outcome.samples["ports"][["sent_bytes", "received_bytes"]] = 0
        for column in ("sent_bytes", "received_bytes"):
            set_link(outcome, "ports", "h0->l0", column, moving)
            set_link(outcome, "ports", "l0->h1", column, np.maximum(moving - 20 * FRAME, 0))
        if waits:
            backlog = np.zeros(len(at_s), dtype=np.int64)
            backlog[-1] = 20 * FRAME
            set_link(outcome, "queues", "l0->h1", "backlog_bytes", backlog)
        assert check(assessed(plan, outcome), LOSS).verdict == expected


def test_segments_sent_again_without_a_full_queue_degrade() -> None:
    plan, outcome = good_run()
    outcome.retransmits[0] = 200
    found = check(assessed(plan, outcome), AGAIN)
    segments = sum(np.ceil(size / 1448) for size in (1_000_000, 2_000_000, 2_500_000))
    assert (found.verdict, found.figure) == ("degraded", pytest.approx(199 / segments))
    assert found.words == (
        "TCP sent 199 segments again on paths without a full queue: frames were lost in switches, or answers came "
        "later than TCP waits for them; lower link.rate, or raise the MTU or tcp.rto_min"
    )


def test_a_last_segment_of_each_flow_may_be_sent_again() -> None:
    for each, expected in ((1, 0), (3, 3 * 2)):
        plan, outcome = good_run()
        outcome.retransmits[:] = each
        assert check(assessed(plan, outcome), AGAIN).details["segments"] == expected


def test_segments_that_came_twice_were_not_lost() -> None:
    plan, outcome = good_run()
    outcome.retransmits[0] = 200
    outcome.samples["tcp"] = pd.DataFrame({"flow": [0, 2], "came_twice": [198, 0]})
    found = check(assessed(plan, outcome), AGAIN)
    assert (found.verdict, found.figure, found.details["segments"]) == ("valid", 0, 1)


def test_segments_sent_again_over_a_full_or_lossy_queue_do_not_count() -> None:
    plan, outcome = good_run()
    outcome.retransmits[0] = 200
    on_its_path = plan.flows.path(0)[-1]
    drop(outcome, int(on_its_path), drops=1, full=1)
    assert check(assessed(plan, outcome), AGAIN).details == {"segments": 0, "flows": 2}
    drop(outcome, int(on_its_path), drops=0, full=0)
    lossy = tuple(replace(link, loss=0.01) if i == on_its_path else link for i, link in enumerate(plan.fabric.links))
    plan = replace(plan, fabric=replace(plan.fabric, links=lossy))
    assert check(assessed(plan, outcome), AGAIN).details == {"segments": 0, "flows": 2}


def test_by_hash_any_full_queue_may_be_on_any_path() -> None:
    plan, outcome = good_run()
    plan = replace(plan, ecmp="hash")
    assert check(assessed(plan, outcome), AGAIN).details["flows"] == 3
    drop(outcome, 15, drops=1, full=1)
    assert AGAIN in assessed(plan, outcome).unmeasured


def saturate(outcome: Outcome, share: float, samples: int) -> None:
    """Link l1->h3 has a queue for so many samples, of 0.1 s each, and sends at a share of its rate."""
    at_s = of_link(outcome, "ports", "l1->h3", "at_s")
    backlog = np.zeros(len(at_s), dtype=np.int64)
    backlog[5 : 5 + samples] = 3 * FRAME
    set_link(outcome, "queues", "l1->h3", "backlog_bytes", backlog)
    set_link(outcome, "ports", "l1->h3", "sent_bytes", (share * RATE_BPS / 8 * at_s).astype(np.int64))


@pytest.mark.parametrize(("share", "expected"), [(0.99, "valid"), (0.85, "invalid")])
def test_a_link_with_a_queue_that_does_not_reach_its_rate_is_caught(share: float, expected: str) -> None:
    plan, outcome = good_run()
    saturate(outcome, share, samples=30)
    found = check(assessed(plan, outcome), SATURATED)
    assert (found.verdict, found.figure) == (expected, pytest.approx(share, abs=1e-3))
    assert found.details == {"links": 1, "at": pytest.approx(0.5)}
    if expected == "invalid":
        assert found.words == (
            "link l1->h3 had a queue from 0.5 s on and did not send at its rate: the machine cannot carry it, or its "
            "shaper was changed; lower link.rate, or run `testbed clean` and repeat the run"
        )


def test_a_queue_that_is_seen_for_a_moment_says_nothing_about_the_rate() -> None:
    plan, outcome = good_run()
    saturate(outcome, 0.5, samples=15)
    assert assessed(plan, outcome).unmeasured[SATURATED] == "no link had a queue at every sample for 2 s"


def test_what_is_meant_to_be_lost_is_not_held_against_a_switch() -> None:
    plan, outcome = good_run()
    switch_loses(outcome, 0.05)
    assert check(assessed(plan, outcome), LOSS).verdict == "invalid"
    metered = assessed(replace(plan, enforcement=("meter",)), outcome)
    assert check(metered, LOSS).verdict == "valid"
    assert metered.unmeasured[AGAIN] == "meters drop frames of flows that go beyond their rates"
    links = tuple(replace(link, loss=0.05) if link.source == "l0" else link for link in plan.fabric.links)
    lossy = replace(plan, fabric=replace(plan.fabric, links=links))
    assert check(assessed(lossy, outcome), LOSS).verdict == "valid"
