"""The faults that fidelity checks are there for, made on purpose in emulated runs: each is seen and named.

What cannot be made here (steal, a cable that loses, bytes counted twice) has its test on constructed records, in
tests/fidelity.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broken_runs import BOTTLENECK, SPEC, Broken, Meddle, port, port_number, run_broken

from testbed.emulation.command import batch
from testbed.emulation.network import EmulatedNetwork
from testbed.fidelity import DEGRADED, INVALID, VALID

pytestmark = pytest.mark.network

DROP_FIVE_IN_A_HUNDRED = "4,32 0 0 4294963256,37 0 1 214748365,6 0 0 4294967295,6 0 0 2"
"""Classic BPF with actions: a random number above 0.05 x 2^32 goes on to the next filter, else the frame is dropped."""
BURN = "while True: pass"

Run = Callable[..., Broken]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, docker_socket: str) -> Run:
    def start(act: Meddle, when: float | str = 0.9, **settings: object) -> Broken:
        return run_broken(tmp_path, monkeypatch, act, when, **settings)  # type: ignore[arg-type]

    return start


def set_rate(link: str, rate: str) -> Meddle:
    def act(network: EmulatedNetwork) -> None:
        words = f"rate {rate} ceil {rate} burst 18028 cburst 18028"
        device = port(network, link)
        batch("tc", [f"class change dev {device} parent 1: classid 1:1 htb {words}",
                     f"class change dev {device} parent 1:1 classid 1:10 htb {words}"])  # fmt: skip

    return act


def test_a_run_that_nobody_meddles_with_passes_what_the_others_fail(run: Run) -> None:
    broken = run(lambda _: None)
    for name in (
        "conservation of bytes", "unfinished flows", "CCT / Gamma, least", "ahead of the configured rate",
        "share of the rate when saturated", "departures off the ideal, p99", "conservation per port",
        "loss without a full queue", "balance over the core",
    ):  # fmt: skip
        check = broken.check(name)
        assert check.verdict == VALID, (check, check.details)
    assert broken.outcome.samples["departures"]["link"].nunique() == 1
    assert broken.check("departures off the ideal, p99").details["gaps"] >= 100
    assert broken.check("actor lateness p99").details["timers"] > 100


def test_a_rate_that_is_lowered_behind_the_testbeds_back(run: Run) -> None:
    alone = "".join(line for line in SPEC.splitlines(keepends=True) if "id: 2" not in line)
    broken = run(set_rate(BOTTLENECK, "8mbit"), spec=alone)
    saturated = broken.check("share of the rate when saturated")
    assert saturated.verdict == INVALID
    assert saturated.words.startswith(f"link {BOTTLENECK} had a queue from ")
    departures = broken.check("departures off the ideal, p99")
    assert departures.verdict == INVALID
    assert departures.figure == pytest.approx(20 / 8 - 1, rel=0.1)
    assert broken.check("CCT / Gamma, lone coflows").verdict == DEGRADED
    assert broken.verdict.exit_status == 3


def test_a_rate_that_is_raised_behind_the_testbeds_back(run: Run) -> None:
    broken = run(set_rate(BOTTLENECK, "60mbit"), when="replay")
    ahead = broken.check("ahead of the configured rate")
    assert ahead.verdict == INVALID
    assert ahead.words == (
        f"link {BOTTLENECK} sent more than its rate: its shaper is missing or wrong; run `testbed clean` and repeat "
        "the run"
    )
    assert broken.check("CCT / Gamma, least").verdict == INVALID


def test_a_filter_of_somebody_elses_that_drops_frames(run: Run) -> None:
    def act(network: EmulatedNetwork) -> None:
        device = port(network, "s0->l1")
        program = f"bpf da bytecode '{DROP_FIVE_IN_A_HUNDRED}'"
        batch("tc", [f"filter add dev {device} parent 1: protocol ip prio 5 {program}"])

    # To two receivers: then no queue on the way is ever full, and what TCP sends again is told apart, too.
    broken = run(act, when="replay", spec=SPEC.replace("{from: 1, to: 2, ", "{from: 1, to: 3, "))
    loss = broken.check("loss without a full queue")
    assert loss.verdict == INVALID
    assert loss.words.startswith("s0 lost ")
    assert loss.words.endswith(
        " of them at its ports: something else configures its interfaces; run `testbed clean` and repeat the run"
    )
    assert loss.details["dropped beside queues"] > 3
    assert broken.check("sent again without a full queue").verdict == DEGRADED
    assert broken.check("conservation of bytes").verdict == VALID  # TCP makes it good; CCT pays for it


def test_a_switch_that_loses_frames(run: Run) -> None:
    def act(network: EmulatedNetwork) -> None:
        bridge = network.bridges()["s0"]
        network.open_vswitch.ofctl("add-meter", bridge.name, "meter=1,kbps,band=type=drop,rate=4000")
        flow = f"priority=60000,ip,nw_dst=10.0.1.0/0.0.255.0,actions=meter:1,output:{port_number(network, 's0->l1')}"
        network.open_vswitch.ofctl("add-flow", bridge.name, flow)

    # From the start: a flow that has the link for itself for a moment would make the switch one that was congested.
    broken = run(act, when="replay")
    loss = broken.check("loss without a full queue")
    assert loss.verdict == INVALID
    assert loss.words.startswith("s0 lost ")
    assert loss.words.endswith(
        " frames though no queue of its was full, 0 of them at its ports: it forwards less than the plan needs, or "
        "this machine was busy; close other programs, lower link.rate, raise the MTU, or use the kernel datapath"
    )
    assert broken.check("forwarded / received, uncongested switches").verdict == INVALID


def test_a_wrong_route(run: Run) -> None:
    def act(network: EmulatedNetwork) -> None:
        bridge = network.bridges()["l0"]
        for core in (0, 1):
            flow = f"priority=60000,ip,nw_dst=10.{core}.1.0/24,actions=output:{port_number(network, 'l0->s0')}"
            network.open_vswitch.ofctl("add-flow", bridge.name, flow)

    broken = run(act)
    balance = broken.check("balance over the core")
    assert balance.verdict == INVALID
    assert balance.words.startswith("flows took other paths than planned, most of all on link ")
    assert broken.check("loss without a full queue").verdict == VALID


def test_an_actor_that_is_stopped_for_a_while(run: Run) -> None:
    """h1, from before its flow of 1.4 s is to start until after it."""

    def act(network: EmulatedNetwork) -> None:
        pid = network.hosts[1].pid
        os.kill(pid, signal.SIGSTOP)
        timer = threading.Timer(0.7, os.kill, (pid, signal.SIGCONT))
        timer.daemon = True
        timer.start()

    broken = run(act, when=1.0)
    stall = broken.check("actor stall, longest")
    assert stall.verdict == DEGRADED
    assert stall.words == (
        "the actor of h1 stood still for that long in mid-run, and its flows with it: the machine was paused or "
        "overloaded; run again when it is quiet"
    )
    assert broken.check("start skew p99").verdict == INVALID


@contextlib.contextmanager
def stuttering(pids: list[int], stopped_s: float, running_s: float) -> Iterator[None]:
    """Stop processes, and have them go on, by turns for so long each, for the block."""
    over = threading.Event()

    def stutter() -> None:
        while not over.is_set():
            for number, pause_s in ((signal.SIGSTOP, stopped_s), (signal.SIGCONT, running_s)):
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                over.wait(pause_s)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stutter)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_actors_that_do_not_get_their_turns(run: Run) -> None:
    with contextlib.ExitStack() as stack:

        def act(network: EmulatedNetwork) -> None:
            stack.enter_context(stuttering([host.pid for host in network.hosts], 0.04, 0.04))

        broken = run(act, when="replay", spec=SPEC.replace("5 MB", "2 MB"))
    late = broken.check("actor lateness p99")
    assert late.verdict == INVALID
    assert late.figure > 20


def test_switches_that_answer_late(run: Run) -> None:
    with contextlib.ExitStack() as stack:

        def act(network: EmulatedNetwork) -> None:
            stack.enter_context(stuttering(network.open_vswitch.pids(), 0.15, 0.02))

        broken = run(act, when="prepare", spec=SPEC.replace("5 MB", "200 KB").replace("1400 ms", "100 ms"))
    assert broken.check("idle probe round trip, median").verdict in (DEGRADED, INVALID)


def test_a_coordinator_that_is_stopped_for_a_while(run: Run) -> None:
    me = os.getpid()
    script = f"import os, signal, time\nos.kill({me}, signal.SIGSTOP)\ntime.sleep(0.6)\nos.kill({me}, signal.SIGCONT)"
    helpers = []
    broken = run(lambda _: helpers.append(subprocess.Popen([sys.executable, "-c", script])))
    assert helpers[0].wait() == 0
    stall = broken.check("coordinator stall, longest")
    assert stall.verdict == DEGRADED
    assert stall.figure > 200


@pytest.fixture
def burners() -> Iterator[list[int]]:
    """One program per processor that does nothing but compute, above the priority of the testbed's own."""
    processes = [subprocess.Popen(["nice", "-n", "-5", sys.executable, "-c", BURN]) for _ in range(os.cpu_count() or 1)]
    yield [process.pid for process in processes]
    for process in processes:
        process.kill()
        process.wait()


def test_programs_of_others(run: Run, burners: list[int]) -> None:
    broken = run(lambda _: None)
    assert broken.check("foreign load").verdict == DEGRADED
    assert broken.check("foreign load, worst second").verdict == DEGRADED
    assert broken.check("foreign load, worst second").words.startswith("in the second up to ")
    assert broken.check("processors saturated, seconds in a row").verdict == VALID


def test_a_machine_that_the_testbeds_own_programs_saturate(run: Run, burners: list[int]) -> None:
    broken = run(lambda _: None, pids=burners)
    saturated = broken.check("processors saturated, seconds in a row")
    assert saturated.verdict == INVALID
    assert saturated.words.startswith("from second ")
    assert broken.verdict.exit_status == 3


def test_by_hash_the_spread_is_reported(run: Run) -> None:
    hashed = SPEC.replace("hosts_per_leaf: 2,", "hosts_per_leaf: 2, routing: {ecmp: hash},")
    broken = run(lambda _: None, spec=hashed)
    balance = broken.check("balance over the core")
    assert balance.unit == "times the mean link"
    assert balance.figure >= 1
    assert balance.details["flows"] == 3
