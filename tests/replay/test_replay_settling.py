"""Which events a decision waits for."""

from __future__ import annotations

import time
from typing import Any

import pytest
from replay_rig import F, Script, build_plan

from testbed.actor.loop import Loop
from testbed.replay.decisions import Decisions
from testbed.replay.flow_control import FlowControl
from testbed.replay.ledger import Ledger
from testbed.scheduling.base import View

WAIT_NS = 3_000_000_000


def _asked_after_ns(*reasons: str, patience_ns: int) -> tuple[int, str]:
    """How long after the first event the scheduler was asked, and for what reasons."""
    plan = build_plan(2, [F(0, 0, 1, 10_000), F(0, 1, 0, 10_000)])
    loop, ledger = Loop(), Ledger(plan)
    ledger.start_ns = began = time.monotonic_ns()
    ledger.begun[:] = True
    ledger.outcome.coflow_arrival_s[:] = 0.0
    ledger.over[0] = True
    control = FlowControl([], plan.flows.src)

    def decide(_: View) -> dict[str, Any]:
        loop.stop()
        return {}

    decisions = Decisions(plan, Script(decide), ledger, control, (), loop, lambda *_: None, patience_ns=patience_ns)
    for reason in reasons:
        decisions.event(reason)
    loop.run()
    loop.close()
    [decision] = ledger.outcome.decisions
    return time.monotonic_ns() - began, decision.reason


def test_a_flow_that_has_finished_waits_for_more_of_its_kind() -> None:
    after_ns, reason = _asked_after_ns("flow-finished", "flow-finished", patience_ns=100_000_000)
    assert after_ns >= 100_000_000
    assert reason == "flow-finished"


@pytest.mark.parametrize("urgent", ["coflow-finished", "threshold", "fault"])
@pytest.mark.parametrize("order", [1, -1])
def test_what_is_urgent_takes_what_waits_along(urgent: str, order: int) -> None:
    after_ns, reason = _asked_after_ns(*("flow-finished", urgent)[::order], patience_ns=WAIT_NS)
    assert after_ns < WAIT_NS
    assert reason == "+".join(sorted(("flow-finished", urgent)))
