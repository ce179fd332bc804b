"""The assessment of a run: every check that its outcome has the evidence for."""

from __future__ import annotations

from collections.abc import Callable

from testbed.coflow import Floats
from testbed.fidelity.actor_checks import actor_lateness, actor_stall
from testbed.fidelity.departure_checks import departures_from_the_ideal
from testbed.fidelity.evidence import Evidence, Unmeasured
from testbed.fidelity.flow_checks import conservation, every_flow_finished, start_skew
from testbed.fidelity.gamma_checks import lone_coflows, never_faster_than_gamma
from testbed.fidelity.machine_checks import (
    coordinator_stall,
    foreign_load,
    foreign_load_worst_second,
    probe_round_trip,
    saturated_processors,
    steal,
    steal_worst_second,
)
from testbed.fidelity.network_checks import (
    conservation_per_port,
    delivered_of_offered,
    forwarded_by_switches,
    within_configured_rate,
)
from testbed.fidelity.path_checks import balance_over_the_core
from testbed.fidelity.queue_checks import (
    loss_without_a_full_queue,
    reached_when_saturated,
    sent_again_without_a_full_queue,
)
from testbed.fidelity.verdict import Check, Verdict
from testbed.outcome import Outcome
from testbed.plan import Plan

EVERY_RUN: tuple[Callable[[Evidence], Check], ...] = (conservation, every_flow_finished, never_faster_than_gamma)
EMULATED: tuple[Callable[[Evidence], Check], ...] = (
    start_skew,
    lone_coflows,
    within_configured_rate,
    reached_when_saturated,
    departures_from_the_ideal,
    conservation_per_port,
    delivered_of_offered,
    forwarded_by_switches,
    loss_without_a_full_queue,
    sent_again_without_a_full_queue,
    balance_over_the_core,
    probe_round_trip,
    foreign_load,
    foreign_load_worst_second,
    steal,
    steal_worst_second,
    saturated_processors,
    coordinator_stall,
    actor_lateness,
    actor_stall,
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
