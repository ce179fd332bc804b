from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from good_runs import assessed, check, good_run
from run_factory import F, finish_at, make_plan, stop, tiny_plan

from testbed.coflow import ENDLESS, NONE
from testbed.fidelity import Verdict, assess


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
