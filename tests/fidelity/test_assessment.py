from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from good_runs import assessed, check, good_run
from run_factory import RATE_BPS, F, finish_at, gammas_of, make_plan, stop, tiny_plan

from testbed.coflow import ENDLESS, NONE
from testbed.errors import RecordsError
from testbed.fabric import ETHERNET_HEADER
from testbed.fidelity import Verdict, assess
from testbed.outcome import Outcome
from testbed.segments import burst_bytes


def test_a_good_run_is_valid_in_every_check() -> None:
    verdict = assessed(*good_run())
    assert [(check.name, check.verdict, check.words) for check in verdict.checks] == [
        ("conservation of bytes", "valid", ""),
        ("unfinished flows", "valid", ""),
        ("CCT / Gamma, least", "valid", ""),
        ("start skew p99", "valid", ""),
        ("CCT / Gamma, lone coflows", "valid", ""),
        ("ahead of the configured rate", "valid", ""),
        ("departures off the ideal, p99", "valid", ""),
        ("conservation per port", "valid", ""),
        ("delivered / offered, uncongested links", "valid", ""),
        ("forwarded / received, uncongested switches", "valid", ""),
        ("loss without a full queue", "valid", ""),
        ("sent again without a full queue", "valid", ""),
        ("balance over the core", "valid", ""),
        ("idle probe round trip, median", "valid", ""),
        ("foreign load", "valid", ""),
        ("foreign load, worst second", "valid", ""),
        ("steal", "valid", ""),
        ("steal, worst second", "valid", ""),
        ("processors saturated, seconds in a row", "valid", ""),
        ("coordinator stall, longest", "valid", ""),
        ("actor lateness p99", "valid", ""),
        ("actor stall, longest", "valid", ""),
    ]
    assert (verdict.verdict, verdict.exit_status, verdict.failed) == ("valid", 0, ())
    assert verdict.unmeasured == {"share of the rate when saturated": "no link had a queue at every sample for 2 s"}


def test_figures_are_those_worked_out_by_hand() -> None:
    verdict = assessed(*good_run())
    assert check(verdict, "CCT / Gamma, lone coflows").figure == pytest.approx((1.25 / 1 + 3.25 / 2.5) / 2)
    assert check(verdict, "CCT / Gamma, least").figure == pytest.approx((1.25 + 0.02) / 1)
    assert check(verdict, "start skew p99").figure == pytest.approx(1000 / 1024 * (0.2 - 0.02 * 0.12))
    assert check(verdict, "idle probe round trip, median").figure == pytest.approx(4.0)
    assert check(verdict, "foreign load").figure == pytest.approx(0.02)
    assert check(verdict, "foreign load").details == {"max": pytest.approx(0.04)}
    assert str(check(verdict, "idle probe round trip, median")) == (
        "idle probe round trip, median: 4 ms (at most 20 ms): valid"
    )


def test_without_evidence_a_check_is_unmeasured_and_not_passed() -> None:
    plan, outcome = good_run()
    outcome.samples.clear()
    outcome.facts.clear()
    outcome.start_s[:] = np.nan
    verdict = assess(plan, outcome, np.full(2, 0.01))
    assert verdict.unmeasured == {
        "start skew p99": "no flow was let go at once",
        "CCT / Gamma, lone coflows": "no coflow of Gamma >= 0.2 s ran alone",
        "ahead of the configured rate": "the port counters were not sampled",
        "share of the rate when saturated": "the queues were not sampled",
        "departures off the ideal, p99": "departures were not noted",
        "conservation per port": "the port counters were not sampled",
        "delivered / offered, uncongested links": "the port counters were not sampled",
        "forwarded / received, uncongested switches": "the port counters were not sampled",
        "loss without a full queue": "the queues' drops were not read",
        "sent again without a full queue": "the queues' drops were not read",
        "balance over the core": "the port counters were not sampled",
        "idle probe round trip, median": "no probe was sent",
        "foreign load": "the processors were not sampled",
        "foreign load, worst second": "the processors were not sampled",
        "steal": "the processors were not sampled",
        "steal, worst second": "the processors were not sampled",
        "processors saturated, seconds in a row": "the processors were not sampled",
        "coordinator stall, longest": "the coordinator did not time itself",
        "actor lateness p99": "the actors did not say how late their timers were",
        "actor stall, longest": "the actors did not say how late their timers were",
    }
    assert len(verdict.checks) == 3


def test_simulated_runs_get_the_checks_that_make_sense() -> None:
    plan = tiny_plan()
    verdict = assessed(plan, finish_at(plan, {5: 1.0, 9: 6.0}, "simulation"))
    assert [check.name for check in verdict.checks] == [
        "conservation of bytes", "unfinished flows", "CCT / Gamma, least"]  # fmt: skip
    assert (verdict.verdict, verdict.unmeasured) == ("valid", {})


def test_every_check_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fidelity.md").read_text()
    verdict = assessed(*good_run())
    for name in (*(each.name for each in verdict.checks), *verdict.unmeasured):
        assert f"| {name} |" in text


def test_lost_bytes_are_caught() -> None:
    plan, outcome = good_run()
    outcome.received_bytes[1] -= 1
    verdict = assessed(plan, outcome)
    assert (verdict.verdict, verdict.exit_status) == ("invalid", 3)
    assert verdict.failed[0].words == (
        "flow 1 of 2000000 bytes sent 2000000 and delivered 1999999; bytes were lost or counted twice: do not use "
        "this run, and report it with its logs"
    )


def test_a_cut_flow_may_deliver_less_than_it_sent_but_not_more() -> None:
    plan, outcome = good_run()
    del outcome.samples["ports"]  # they are of the whole flow
    stop(outcome, 2, "cut", 700_000)
    outcome.sent_bytes[2] = 800_000
    assert assessed(plan, outcome).verdict == "valid"
    outcome.sent_bytes[2] = 600_000
    assert [check.name for check in assessed(plan, outcome).failed] == ["conservation of bytes"]


def test_a_flow_that_did_not_finish_is_caught_unless_it_was_stopped_on_purpose() -> None:
    plan, outcome = good_run()
    del outcome.samples["ports"]  # they are of the whole flow
    stop(outcome, 2, "actor of h1 died", 700_000)
    verdict = assessed(plan, outcome)
    assert [check.name for check in verdict.failed] == ["unfinished flows"]
    assert verdict.failed[0].words == (
        "flow 2 did not finish (actor of h1 died); CCTs of its coflow are missing from every figure: see the logs, "
        "run again"
    )
    for reason in ("cut", "rejected", "cut: its deadline has passed"):
        outcome.reason[2] = reason
        assert check(assessed(plan, outcome), "unfinished flows").figure == 0


def test_endless_background_may_be_cut_without_a_word() -> None:
    plan = make_plan([F(5, 0, 1, 1_000_000), F(NONE, 2, 3, ENDLESS)], {5: 0.0})
    outcome = finish_at(plan, {5: 1.0, NONE: 1.0})
    stop(outcome, 1, "", 900_000)
    verdict = assessed(plan, outcome)
    assert verdict.verdict == "valid"
    assert "CCT / Gamma, lone coflows" in verdict.unmeasured  # the background was there all the time


@pytest.mark.parametrize(("skew_s", "expected"), [(0.014, "valid"), (0.02, "degraded"), (0.105, "invalid")])
def test_late_starts_are_caught(skew_s: float, expected: str) -> None:
    """The Gammas are 1 s and 2.5 s: a start may be as much later than in a coflow of 200 ms as these are longer."""
    plan, outcome = good_run()
    outcome.start_s[:] = outcome.planned_start_s + skew_s
    verdict = assessed(plan, outcome)
    assert check(verdict, "start skew p99").verdict == expected
    assert verdict.verdict == expected
    assert verdict.exit_status == (3 if expected == "invalid" else 0)


def test_in_small_coflows_the_same_lateness_weighs_more() -> None:
    plan, outcome = good_run()
    outcome.start_s[:] = outcome.planned_start_s + 0.014
    skew = check(assess(plan, outcome, np.array([0.1, 0.3])), "start skew p99")
    assert (skew.verdict, skew.figure) == ("degraded", pytest.approx(14 * (1 - 0.02 * (1 - 0.2 / 0.3))))
    assert skew.details["p99, all alike"] == pytest.approx(14)


def test_starts_that_waited_in_queues_of_the_links_are_a_part_of_in_band_control() -> None:
    plan, outcome = good_run()
    outcome.start_s[:] = outcome.planned_start_s + 0.5
    skew = check(assessed(replace(plan, control="in-band"), outcome), "start skew p99")
    assert skew.verdict == "degraded"
    assert skew.words == (
        "flows started late: their starts waited in the links' queues, which is a part of what in-band control costs, "
        "or the machine was busy"
    )


def test_a_flow_that_its_scheduler_held_back_has_no_skew() -> None:
    plan, outcome = good_run()
    outcome.start_s[1] += 5.0
    assert check(assessed(plan, outcome), "start skew p99").verdict == "invalid"
    allowed_s = outcome.planned_start_s[:2] + np.array([0.0, 5.0])
    outcome.samples["starts"] = pd.DataFrame({"flow": [0, 1], "allowed_s": allowed_s})
    skew = check(assessed(plan, outcome), "start skew p99")
    assert (skew.verdict, skew.details["flows"]) == ("valid", 2)


def test_a_coflow_faster_than_gamma_is_caught() -> None:
    plan, outcome = good_run()
    outcome.finish_s[0] = 0.9
    verdict = assessed(plan, outcome)
    assert [check.name for check in verdict.failed] == ["CCT / Gamma, least"]
    assert verdict.failed[0].words == (
        "coflow 5 took 0.9 s where Gamma is 1 s: a link exceeded its rate, or flows took other paths than planned; "
        "check the shapers (logs) before using any figure"
    )
    plan = tiny_plan()
    simulated = finish_at(plan, {5: 0.9999, 9: 6.0}, "simulation")
    assert [check.name for check in assessed(plan, simulated).failed] == ["CCT / Gamma, least"]


@pytest.mark.parametrize(("cct_s", "expected"), [(0.92, "valid"), (0.88, "invalid")])
def test_on_slow_links_what_their_shapers_let_out_at_once_is_allowed(cct_s: float, expected: str) -> None:
    plan, outcome = good_run()
    rate_bps = 3 * (plan.fabric.mtu + 14) * 8 / 0.05
    links = tuple(replace(link, rate_bps=rate_bps) for link in plan.fabric.links)
    outcome.finish_s[0] = cct_s
    verdict = assessed(replace(plan, fabric=replace(plan.fabric, links=links)), outcome)
    assert check(verdict, "CCT / Gamma, least").verdict == expected


@pytest.mark.parametrize(("factor", "expected"), [(1.4, "valid"), (2.0, "degraded"), (3.5, "invalid")])
def test_slow_lone_coflows_are_caught(factor: float, expected: str) -> None:
    plan, outcome = good_run()
    outcome.finish_s[:] = outcome.coflow_arrival_s[[0, 1, 1]] + factor * gammas_of(plan)[[0, 1, 1]]
    plan = replace(plan, coflows=replace(plan.coflows, arrival_s=np.array([0.0, 9.0])))
    outcome.coflow_arrival_s[1] = 9.0
    outcome.finish_s[1:] += 7.0
    verdict = check(assessed(plan, outcome), "CCT / Gamma, lone coflows")
    assert (verdict.figure, verdict.verdict) == (pytest.approx(factor), expected)


def test_coflows_that_overlap_or_never_end_are_not_lone() -> None:
    flows = [F(i, 0, 1, 1_000_000) for i in range(5)]
    plan = make_plan(flows, {0: 0.0, 1: 1.0, 2: 3.0, 3: 7.0, 4: 20.0})
    outcome = finish_at(plan, {0: 1.0, 1: 2.5, 2: 2.0, 3: 3.0, 4: 2.0})
    lone = check(assessed(plan, outcome), "CCT / Gamma, lone coflows")
    assert lone.details == {"max": 3.0, "coflows": 3}  # 1 and 2 overlap
    stop(outcome, 3, "interrupted", 0)
    lone = check(assessed(plan, outcome), "CCT / Gamma, lone coflows")
    assert lone.details == {"max": 1.0, "coflows": 1}  # 3 never left


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


@pytest.mark.parametrize(
    ("rtt_s", "expected"),
    [
        ([0.019] * 9, "valid"),
        ([0.03] * 9, "degraded"),
        ([0.06, 0.07], "invalid"),
        ([np.nan] * 3, "invalid"),
        ([0.004] * 9 + [np.nan] * 4, "valid"),
    ],
)
def test_a_slow_or_silent_probe_is_caught(rtt_s: list[float], expected: str) -> None:
    plan, outcome = good_run()
    answered = [rtt for rtt in rtt_s if not np.isnan(rtt)]
    outcome.samples["probe"] = pd.DataFrame({"rtt_s": answered}, dtype=float)
    outcome.facts["probe_lost"] = len(rtt_s) - len(answered)
    assert assessed(plan, outcome).verdict == expected


def test_the_probe_is_allowed_the_delay_of_the_links() -> None:
    plan, outcome = good_run()
    links = tuple(replace(link, delay_s=0.01) for link in plan.fabric.links)
    plan = replace(plan, fabric=replace(plan.fabric, links=links))
    outcome.samples["probe"] = pd.DataFrame({"rtt_s": [0.09]})
    probe = check(assessed(plan, outcome), "idle probe round trip, median")
    assert (probe.limit, probe.verdict) == (pytest.approx(20 + 2 * 4 * 10), "valid")


@pytest.mark.parametrize(("column_name", "share"), [("foreign", 0.2), ("steal", 0.05)])
def test_a_disturbed_machine_degrades_and_does_not_invalidate(column_name: str, share: float) -> None:
    plan, outcome = good_run()
    outcome.samples["processors"][column_name] = share
    verdict = assessed(plan, outcome)
    assert (verdict.verdict, verdict.exit_status, len(verdict.failed)) == ("degraded", 0, 1)


def test_a_machine_that_was_paused_degrades_the_run_and_says_for_how_long() -> None:
    plan, outcome = good_run()
    outcome.facts["coordinator_stall_max_s"] = 70.2
    verdict = assessed(plan, outcome)
    assert (verdict.verdict, verdict.exit_status) == ("degraded", 0)
    assert str(verdict.failed[0]) == "coordinator stall, longest: 70200 ms (at most 200 ms): degraded"
    assert verdict.failed[0].words == (
        "the machine was paused or overloaded for that long in mid-run, and CCTs are not the network's alone: "
        "run again when it is quiet"
    )


def test_the_verdict_is_the_worst_and_lists_the_worst_first() -> None:
    plan, outcome = good_run()
    outcome.samples["processors"]["steal"] = 0.5
    outcome.received_bytes[0] = 0
    verdict = assessed(plan, outcome)
    assert verdict.verdict == "invalid"
    assert [check.name for check in verdict.failed] == [
        "conservation of bytes", "steal", "steal, worst second"]  # fmt: skip


def test_the_verdict_survives_its_json_form() -> None:
    verdict = assessed(*good_run())
    assert Verdict.from_document(verdict.document()) == verdict


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


def test_records_of_before_these_checks_are_unmeasured_and_not_an_error() -> None:
    plan, outcome = good_run()
    for name in ("queues", "drops", "departures", "lateness"):
        del outcome.samples[name]
    verdict = assessed(plan, outcome)
    assert verdict.verdict == "valid"
    assert sorted(verdict.unmeasured) == [
        "actor lateness p99", "actor stall, longest", "departures off the ideal, p99", "loss without a full queue",
        "sent again without a full queue", "share of the rate when saturated",
    ]  # fmt: skip
