"""Links and switches by their byte counters, on constructed records."""

from __future__ import annotations

import numpy as np
import pytest
from good_runs import assessed, check, good_run
from run_factory import RATE_BPS

from testbed.errors import RecordsError
from testbed.fabric import ETHERNET_HEADER
from testbed.outcome import Outcome
from testbed.segments import burst_bytes


def with_link(outcome: Outcome, link: str, column: str, values: np.ndarray) -> None:
    ports = outcome.samples["ports"]
    ports.loc[ports["link"] == link, column] = values


def column(outcome: Outcome, link: str, name: str) -> np.ndarray:
    ports = outcome.samples["ports"]
    return ports.loc[ports["link"] == link, name].to_numpy().copy()


def test_a_link_that_exceeds_its_rate_is_caught() -> None:
    plan, outcome = good_run()
    at_s = column(outcome, "h0->l0", "at_s")
    for name in ("sent_bytes", "received_bytes"):
        with_link(outcome, "h0->l0", name, (1.06 * RATE_BPS / 8 * at_s).astype(np.int64))
    verdict = assessed(plan, outcome)
    ahead = check(verdict, "ahead of the configured rate")
    assert ahead.verdict == "invalid"
    burst_s = burst_bytes(RATE_BPS, plan.fabric.mtu + ETHERNET_HEADER) * 8 / RATE_BPS
    assert ahead.figure == pytest.approx((0.04 * at_s[-1] - burst_s) * 1e3, rel=0.01)
    assert ahead.words == (
        "link h0->l0 sent more than its rate: its shaper is missing or wrong; run `testbed clean` and repeat the run"
    )


def test_a_short_excess_is_caught_too_and_a_burst_is_allowed() -> None:
    for ahead_s, expected in ((0.03, "valid"), (0.08, "invalid")):
        plan, outcome = good_run()
        for name in ("sent_bytes", "received_bytes"):
            sent = column(outcome, "h3->l1", name)
            sent[5:] += int((0.1 * 1.02 + ahead_s) * RATE_BPS / 8)  # within one sample of 0.1 s
            with_link(outcome, "h3->l1", name, sent)
        assert check(assessed(plan, outcome), "ahead of the configured rate").verdict == expected


def test_loss_on_an_uncongested_link_is_caught() -> None:
    plan, outcome = good_run()
    received = column(outcome, "l0->s1", "received_bytes")
    with_link(outcome, "l0->s1", "received_bytes", (received * 0.99).astype(np.int64))
    verdict = assessed(plan, outcome)
    assert [check.name for check in verdict.failed] == [
        "conservation per port", "delivered / offered, uncongested links"]  # fmt: skip
    assert verdict.failed[1].figure == pytest.approx(0.99, abs=1e-5)
    assert verdict.failed[1].words == (
        "link l0->s1 lost frames although its queue was not full: its far end cannot keep up; lower link.rate, raise "
        "the MTU, or use the kernel datapath"
    )


def test_loss_inside_a_switch_is_caught() -> None:
    plan, outcome = good_run()
    for name in ("sent_bytes", "received_bytes"):  # what l0 sends on is less than what its hosts gave it
        with_link(outcome, "l0->s1", name, (column(outcome, "l0->s1", name) * 0.95).astype(np.int64))
    with_link(outcome, "s1->l1", "sent_bytes", column(outcome, "l0->s1", "sent_bytes"))
    with_link(outcome, "s1->l1", "received_bytes", column(outcome, "l0->s1", "sent_bytes"))
    verdict = assessed(plan, outcome)
    assert [(check.name, check.verdict) for check in verdict.failed] == [
        ("forwarded / received, uncongested switches", "invalid"),
        ("loss without a full queue", "invalid"),
        ("balance over the core", "degraded"),
    ]
    assert verdict.failed[0].figure == pytest.approx(1 - 0.05 * 2 / 5.5, abs=1e-3)
    assert verdict.failed[0].words == (
        "switch l0 lost frames although no queue of it was full: it forwards less than the plan needs; lower "
        "link.rate, raise the MTU, or use the kernel datapath"
    )


def test_loss_on_a_congested_link_is_reported_not_judged() -> None:
    plan, outcome = good_run()
    sent = column(outcome, "l0->s1", "sent_bytes")
    sent = np.minimum(np.arange(len(sent)) * 0.1 * RATE_BPS / 8, sent.max()).astype(np.int64)
    with_link(outcome, "l0->s1", "sent_bytes", sent)
    with_link(outcome, "l0->s1", "received_bytes", (sent * 0.98).astype(np.int64))
    delivered = check(assessed(plan, outcome), "delivered / offered, uncongested links")
    assert (delivered.verdict, delivered.details["congested links"]) == ("valid", 1)
    assert delivered.details["least on congested links"] == pytest.approx(0.98, abs=1e-5)


def test_loss_in_a_congested_switch_is_reported_not_judged() -> None:
    plan, outcome = good_run()
    ports = outcome.samples["ports"]
    ports["sent_bytes"] = (ports["at_s"] * RATE_BPS / 8).astype(np.int64)  # every link at its full rate to the end
    ports["received_bytes"] = ports["sent_bytes"]
    ports.loc[ports["link"] == "h0->l0", "received_bytes"] *= 2
    sent = ports["sent_bytes"].max()
    on_the_way = 4 * (64_000 + 1514)
    ratio = 1 - (sent - on_the_way) / (5 * sent)
    assert assessed(plan, outcome).unmeasured["forwarded / received, uncongested switches"] == (
        f"no switches were used and uncongested; the least of the 4 congested ones is {ratio:.4f}"
    )


def test_frames_in_flight_at_the_last_sample_are_not_lost() -> None:
    plan, outcome = good_run()
    for still_sending, expected in ((True, "valid"), (False, "invalid")):
        sent = np.linspace(0, 1_000_000, len(column(outcome, "l0->s1", "sent_bytes"))).astype(np.int64)
        if not still_sending:
            sent[-1] = sent[-2]
        received = sent - 60_000  # less than the buffer of 64 KB
        received[0] = 0
        with_link(outcome, "l0->s1", "sent_bytes", sent)
        with_link(outcome, "l0->s1", "received_bytes", received)
        assert check(assessed(plan, outcome), "delivered / offered, uncongested links").verdict == expected


def test_links_may_be_given_by_number_and_unknown_ones_are_an_error() -> None:
    plan, outcome = good_run()
    by_name = assessed(plan, outcome)
    number = {link.name: i for i, link in enumerate(plan.fabric.links)}
    ports = outcome.samples["ports"]
    outcome.samples["ports"] = ports.assign(link=[number[name] for name in ports["link"]])
    assert assessed(plan, outcome) == by_name
    outcome.samples["ports"] = ports.assign(link="h9->l9")
    with pytest.raises(RecordsError) as error:
        assessed(plan, outcome)
    assert str(error.value) == "samples 'ports': unknown link 'h9->l9', expected the links of the plan"


@pytest.mark.parametrize(("apart", "still_sending", "expected"),
                         [(3 * 1514, False, "valid"), (4 * 1514, False, "invalid"), (-4 * 1514, False, "invalid"),
                          (4 * 1514, True, "valid"), (60_000, True, "invalid")])  # fmt: skip
def test_bytes_that_differ_between_the_ends_of_a_cable_are_caught(
    apart: int, still_sending: bool, expected: str
) -> None:
    plan, outcome = good_run()
    sent = column(outcome, "l0->s1", "sent_bytes")
    if still_sending:
        sent[-1] += 1
    with_link(outcome, "l0->s1", "sent_bytes", sent)
    with_link(outcome, "l0->s1", "received_bytes", sent - np.where(sent > 0, apart, 0))
    found = check(assessed(plan, outcome), "conservation per port")
    assert found.verdict == expected
    if expected == "invalid" and not still_sending:
        assert found.figure == 4
        assert found.words == (
            f"link l0->s1 sent {sent[-1] - sent[0]} bytes and {sent[-1] - apart - sent[0]} came out: its cable lost "
            "frames, or frames came into it from elsewhere; look for other programs there, run `testbed clean` and "
            "repeat the run"
        )
