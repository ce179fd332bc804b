"""Hosts that pause and die in a replay with real actors: a planned silence ends no run, and the others go on."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from replay_rig import PORT, Actors, Cast, F, build_plan

from testbed.errors import ReplayError
from testbed.faults import Fault
from testbed.fidelity import INVALID, assess
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay.replay import replay
from testbed.scheduling.gammas import lone_gammas


class ActorFaults:
    """Carries out faults of hosts on their actors' processes; links cannot fail here, there is no network."""

    SIGNALS = {"pause": signal.SIGSTOP, "resume": signal.SIGCONT, "kill": signal.SIGKILL}  # noqa: RUF012

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self.rerouted = 0

    def inject(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            if fault.event in self.SIGNALS:
                self._cast.processes[int(fault.nodes[0][1:])].send_signal(self.SIGNALS[fault.event])

    def reroute(self) -> None:
        self.rerouted += 1


def run(actors: Actors, plan: Plan) -> Outcome:
    cast = actors(len(plan.addresses))
    injector = ActorFaults(cast)
    outcome = replay(plan, cast.sockets, injector=injector, port=PORT, deadline_s=60)
    assert injector.rerouted == len({fault.at_s for fault in plan.faults})
    failed = [check for check in assess(plan, outcome, lone_gammas(plan)).failed if check.verdict == INVALID]
    assert failed == []
    return outcome


@pytest.mark.parametrize("scheduler", ["sebf", "srpt"])
def test_a_host_that_dies_takes_its_flows_along_and_nothing_else(actors: Actors, scheduler: str) -> None:
    flows = [
        F(1, 0, 1, 4_000_000),
        F(2, 2, 1, 3_000_000),
        F(3, 1, 2, 3_000_000),
        F(4, 1, 0, 100_000, start_s=1.0),
        F(5, 2, 0, 100_000, after=(0,)),
        F(6, 2, 0, 100_000, start_s=1.0),
    ]
    plan = replace(build_plan(3, flows, scheduler), faults=(Fault(0.3, "kill", ("h1",)),))
    outcome = run(actors, plan)
    gone = "fault: host h1 was killed"
    assert outcome.reason == [gone, gone, gone, gone, "not started: what it waits for did not finish", ""]
    assert np.isnan(outcome.finish_s).tolist() == [True] * 5 + [False]
    assert (outcome.sent_bytes >= outcome.received_bytes).all()
    faults = outcome.samples["faults"]
    assert faults["fault"].tolist() == ["host h1 kill"]
    assert faults["planned_s"].tolist() == [0.3]
    assert (faults["at_s"] >= 0.3).all()
    assert outcome.facts["faults"]["happened"] == 1
    assert outcome.samples["probe"]["when"].unique().tolist() == ["before"]


@pytest.mark.parametrize("scheduler", ["sebf", "srpt"])
def test_a_host_that_pauses_goes_on(actors: Actors, scheduler: str) -> None:
    """Longer than an actor may be silent, and shorter than the run."""
    flows = [F(1, 0, 1, 6_000_000), F(2, 2, 1, 1_000_000), F(3, 1, 0, 500_000, start_s=1.0)]
    faults = (Fault(0.4, "pause", ("h1",)), Fault(2.4, "resume", ("h1",)))
    outcome = run(actors, replace(build_plan(3, flows, scheduler), faults=faults))
    assert outcome.reason == ["", "", ""]
    assert outcome.received_bytes.tolist() == [6_000_000, 1_000_000, 500_000]
    assert outcome.finish_s[0] > 2.4
    assert outcome.finish_s[2] > 2.4
    paused, resumed = ([d for d in outcome.decisions if "fault" in d.reason and d.faults == count] for count in (1, 2))
    assert paused == []  # nothing was left to decide about
    assert resumed[0].flows.tolist()[-1] == 2
    assert outcome.samples["starts"].set_index("flow")["allowed_s"][2] > 2.4


def test_a_run_ends_with_hosts_that_never_come_back(actors: Actors) -> None:
    plan = build_plan(3, [F(1, 0, 1, 6_000_000), F(2, 0, 2, 500_000)], "sebf")
    outcome = run(actors, replace(plan, faults=(Fault(0.2, "pause", ("h1",)),)))
    assert outcome.reason == ["fault: host h1 is paused", ""]
    assert 0 < outcome.received_bytes[0] < 6_000_000


def test_faults_after_the_last_finish_do_not_happen(actors: Actors) -> None:
    cast = actors(2)
    plan = replace(build_plan(2, [F(1, 0, 1, 100_000)], "sebf"), faults=(Fault(50.0, "kill", ("h1",)),))
    outcome = replay(plan, cast.sockets, injector=ActorFaults(cast), port=PORT)
    assert outcome.reason == [""]
    assert outcome.facts["faults"] == {"happened": 0, "planned": 1}
    assert all(process.poll() is None for process in cast.processes)


def test_an_error_of_the_injector_ends_the_run(actors: Actors) -> None:
    class Broken(ActorFaults):
        def inject(self, faults: Sequence[Fault]) -> None:
            raise ReplayError(f"no tool for: {faults[0].words}")

    cast = actors(2)
    plan = replace(build_plan(2, [F(1, 0, 1, 50_000_000)], "sebf"), faults=(Fault(0.1, "kill", ("h1",)),))
    with pytest.raises(ReplayError) as caught:
        replay(plan, cast.sockets, injector=Broken(cast), port=PORT)
    assert str(caught.value) == "no tool for: host h1 kill"


def test_a_plan_with_faults_needs_somebody_who_carries_them_out(actors: Actors) -> None:
    plan = replace(build_plan(2, [F(1, 0, 1, 100_000)], "sebf"), faults=(Fault(0.1, "kill", ("h1",)),))
    with pytest.raises(ReplayError) as caught:
        replay(plan, actors(2).sockets, port=PORT)
    assert str(caught.value) == "the plan has 1 faults, and nobody carries them out in this network"
