"""Control on the emulated links, and none at all: whole runs on a small real network, and what ends them."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from testbed.emulation import docker_service, session
from testbed.emulation.cleanup import remove_directory, remove_interfaces
from testbed.emulation.command import run
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.session import emulate
from testbed.emulation.state import read_states
from testbed.errors import EmulationError, ReplayError
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.planning import make_plans
from testbed.replay.progress import Progress
from testbed.replay.replay import outcome_so_far
from testbed.replay.setup import CONTROL_PORT
from testbed.spec.reader import load_experiment

pytestmark = pytest.mark.network

NOISE_S = 2.0
DOCKERLESS = "test-dockerless"
SPEC = """
topology: {kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}}
workload:
  kind: explicit
  coflows:
    - {id: 1, arrival: 0 s, flows: [{from: 0, to: 1, size: SIZE}]}
    - {id: 2, arrival: 300 ms, flows: [{from: 0, to: 1, size: 500 KB}, {from: 1, to: 0, size: 500 KB}]}
schedulers: [SCHEDULER]
enforcement: ENFORCEMENT
control: CONTROL
backends: [emulation]
"""
STRICT = "{name: dclas, first_limit: 800 KB, sharing: strict}"


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., Plan]:
    """Plans of two hosts and five switches."""

    def make(control: str, scheduler: str, size: str = "2 MB", enforcement: str = "pacing") -> Plan:
        spec = tmp_path / "experiment.yml"
        text = SPEC.replace("SIZE", size).replace("SCHEDULER", scheduler).replace("CONTROL", control)
        spec.write_text(text.replace("ENFORCEMENT", enforcement))
        return next(make_plans(load_experiment(spec)))

    return make


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[EmulatedNetwork]:
    """The networks that sessions of this test bring up."""
    seen: list[EmulatedNetwork] = []

    class Seen(EmulatedNetwork):
        def __enter__(self) -> EmulatedNetwork:
            seen.append(self)
            return super().__enter__()

    monkeypatch.setattr(session, "EmulatedNetwork", Seen)
    return seen


def once(action: Callable[[], None], after_s: float = 0.5) -> Callable[[Progress], None]:
    """A display that acts once, in mid-run."""
    acted: list[int] = []

    def on_progress(progress: Progress) -> None:
        if progress.elapsed_s > after_s and not acted:
            acted.append(1)
            action()

    return on_progress


def check_complete(plan: Plan, outcome: Outcome) -> None:
    assert outcome.reason == [""] * len(plan.flows)
    assert outcome.received_bytes.tolist() == outcome.sent_bytes.tolist() == plan.flows.bytes.tolist()


def test_in_band_control_crosses_the_emulated_links(
    plan_of: Callable[..., Plan], network: list[EmulatedNetwork], docker_socket: str, tmp_path: Path
) -> None:
    plan, connections = plan_of("in-band", "sebf"), []

    def look() -> None:
        connections.append(run(["ss", "--tcp", "--numeric", "--no-header"], netns_of=network[0].hosts[0].pid))

    outcome = emulate(plan, "test-in-band", tmp_path, say=print, on_progress=once(look))
    check_complete(plan, outcome)
    own, peer = (address.primary for address in plan.addresses)
    assert any(own in line and f"{peer}:{CONTROL_PORT}" in line for line in connections[0].splitlines())
    assert outcome.facts["control"] == "in-band"
    assert min(outcome.facts["control_sent_bytes"], outcome.facts["control_received_bytes"]) > 0
    assert any(decision.reason == "arrival" for decision in outcome.decisions)
    small_s = float(np.max(outcome.finish_s[1:])) - 0.3
    assert small_s < 1.6 * 500_000 / plan.fabric.capacity_Bps.min()  # it goes first
    assert len(outcome.samples["ports"]) > 0


@pytest.mark.parametrize("enforcement", ["pacing", "queue"])
def test_without_a_coordinator_a_host_serves_what_it_has_sent_less_of(
    plan_of: Callable[..., Plan], docker_socket: str, tmp_path: Path, enforcement: str
) -> None:
    plan = plan_of("none", STRICT, enforcement=enforcement)
    outcome = emulate(plan, "test-alone", tmp_path, say=print)
    check_complete(plan, outcome)
    assert outcome.decisions == []
    assert outcome.facts["control"] == "none"
    first_s, second_s, other_s = outcome.finish_s
    assert second_s < first_s  # the first sank to the second queue after 800 KB, 0.3 s or so in
    assert other_s < second_s  # nothing else leaves the other host
    assert len(outcome.samples["starts"]) == 3


def test_an_actor_that_stops_is_noticed_in_band(
    plan_of: Callable[..., Plan], network: list[EmulatedNetwork], docker_socket: str, tmp_path: Path
) -> None:
    struck_ns: list[int] = []

    def strike() -> None:
        struck_ns.append(time.monotonic_ns())
        os.kill(network[0].hosts[1].pid, signal.SIGSTOP)

    plan = plan_of("in-band", "sebf", "200 MB")
    with pytest.raises(ReplayError, match=r"^host h1: its actor has not answered for ") as caught:
        emulate(plan, "test-stopped", tmp_path, say=print, on_progress=once(strike))
    check_noticed(caught.value, struck_ns[0])


def check_noticed(error: BaseException, struck_ns: int) -> None:
    outcome = outcome_so_far(error)
    assert outcome is not None
    assert outcome.facts["failed_s"] - (struck_ns - outcome.facts["start_monotonic_ns"]) / 1e9 < 2 + NOISE_S
    assert outcome.reason[0] == str(error)
    assert outcome.decisions


@pytest.fixture
def private_docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Docker daemon of this test alone, to be killed."""
    if docker_service.answers(docker_service.SYSTEM_SOCKET):
        pytest.skip("the machine's own Docker daemon is not ours to kill")
    with tempfile.TemporaryDirectory(prefix="td-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setattr(docker_service, "own_directory", lambda: Path(folder) / "run")
        monkeypatch.setattr(docker_service, "DATA_ROOT", Path(folder) / "data")
        monkeypatch.setattr(docker_service, "KIND", "docker-of-a-test")
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        yield
        docker_service.stop_own_daemon()
        for state in read_states():  # a run keeps its directory where its containers could not be removed
            if state.run_id == DOCKERLESS:
                remove_interfaces(state)
                remove_directory(state.directory)
        with warnings.catch_warnings():  # docker's client leaves connections to a dead daemon to the garbage collector
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def test_a_docker_daemon_that_dies_ends_the_run(
    plan_of: Callable[..., Plan], private_docker: None, tmp_path: Path
) -> None:
    struck_ns: list[int] = []

    def strike() -> None:
        pid = docker_service.daemon_pid()
        assert pid is not None
        struck_ns.append(time.monotonic_ns())
        os.kill(pid, signal.SIGKILL)

    plan = plan_of("out-of-band", "sebf", "200 MB")
    with pytest.raises(EmulationError) as caught:
        emulate(plan, DOCKERLESS, tmp_path, say=print, on_progress=once(strike))
    assert str(caught.value) == ("docker: our own daemon died while the network was up; its containers go with the run")
    check_noticed(caught.value, struck_ns[0])
