"""The assessment of a run: every check that its outcome has the evidence for."""

from __future__ import annotations

from collections.abc import Callable

from testbed.coflow import Floats
from testbed.fidelity.evidence import Evidence, Unmeasured
from testbed.fidelity.flow_checks import conservation, every_flow_finished, start_skew
from testbed.fidelity.gamma_checks import lone_coflows, never_faster_than_gamma
from testbed.fidelity.machine_checks import coordinator_stall, foreign_load, probe_round_trip, steal
from testbed.fidelity.network_checks import delivered_of_offered, forwarded_by_switches, within_configured_rate
from testbed.fidelity.verdict import Check, Verdict
from testbed.outcome import Outcome
from testbed.plan import Plan

EVERY_RUN: tuple[Callable[[Evidence], Check], ...] = (conservation, every_flow_finished, never_faster_than_gamma)
EMULATED: tuple[Callable[[Evidence], Check], ...] = (
    start_skew,
    lone_coflows,
    within_configured_rate,
    delivered_of_offered,
    forwarded_by_switches,
    probe_round_trip,
    foreign_load,
    steal,
    coordinator_stall,
)
"""Checks of what only a real network and a real machine can get wrong."""


def assess(plan: Plan, outcome: Outcome, gammas: Floats) -> Verdict:
    """Judge a run. `gammas`: lone Gamma per coflow, seconds.

    A check without evidence (no samples, no probe, no coflow that ran alone) is not made: it is listed as unmeasured.
    """
    evidence = Evidence(plan, outcome, gammas)
    checks: list[Check] = []
    unmeasured: dict[str, str] = {}
    for check in EVERY_RUN + (EMULATED if outcome.source == "emulation" else ()):
        try:
            checks.append(check(evidence))
        except Unmeasured as reason:
            unmeasured[reason.name] = reason.why
    return Verdict(tuple(checks), unmeasured)
