"""The short form: a few hundred inputs for every reader. `make fuzz` is the long one (docs/reliability.md)."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from control_targets import COMMANDS, FLOWS, REPORTS, REQUESTS, one_actor
from fuzzing import TARGETS, fuzz
from replay_rig import build_plan

from testbed.actor.program import Actor
from testbed.scheduling.registry import make


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_breaks_a_reader(target: str) -> None:
    tally = fuzz(target, inputs=300, number=7)
    assert tally.inputs == 300
    assert 0 < tally.good < tally.inputs


def test_every_command_report_and_request_is_fuzzed(tmp_path: Path) -> None:
    """One that is added to the protocol has to be added to the targets too."""
    actor = Actor(str(tmp_path / "actor"))
    try:
        assert {each["op"] for each in COMMANDS} == set(actor._commands) - {"shutdown"}
    finally:
        actor._door.close()
        actor._loop.close()
    ours, theirs = socket.socketpair()
    coordinator = one_actor(build_plan(3, FLOWS), make("fair", {}), ours)
    try:
        assert {kind for each in REPORTS for kind in each} >= set(coordinator._reports._handlers)
        assert {each["op"] for each in REQUESTS} == {*coordinator._injection._requests, "finish", "wrote"}
    finally:
        coordinator.close()
        theirs.close()
