"""Real applications on loopback: their coflows are scheduled and recorded as planned ones are."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from application_rig import Stage, lasting, on_stage
from replay_rig import CAPACITY_BPS, Actors, F, build_plan

from testbed.client import Client, CoflowError
from testbed.coflow import NONE
from testbed.outcome import Outcome
from testbed.plan import Plan
from testbed.replay import injection
from testbed.simulation.engine import simulate

ROOT = Path(__file__).parent.parent.parent


def done(stage: Stage) -> tuple[Outcome, Plan]:
    """The outcome, and the plan with what was injected."""
    assert stage.outcome is not None
    assert stage.outcome.plan is not None
    return stage.outcome, stage.outcome.plan


def test_a_coflow_of_an_application_is_paced_and_recorded(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(3, [], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, actors(3), tmp_path) as stage, stage.client(0) as client:
        ports = [stage.receive(1), stage.receive(2)]
        with client.register(weight=2.0, deadline=5.0, width=2) as coflow:
            threads = [stage.send(coflow, 1, 500_000, ports[0]), stage.send(coflow, 2, 1_500_000, ports[1])]
            for thread in threads:
                thread.join()
    outcome, grown = done(stage)
    assert [stage.received[port] for port in ports] == [500_000, 1_500_000]
    assert grown.coflows.coflow.tolist() == [coflow.id]
    assert grown.coflows.weight.tolist() == [2.0]
    assert grown.coflows.deadline_s.tolist() == [5.0]
    assert sorted(grown.flows.bytes.tolist()) == [500_000, 1_500_000]
    assert grown.flows.label.tolist() == [coflow.id] * 2
    assert outcome.received_bytes.tolist() == outcome.sent_bytes.tolist() == grown.flows.bytes.tolist()
    assert outcome.reason == ["", ""]
    first = outcome.decisions[0]
    assert first.reason == "injected"
    assert first.cap_Bps.sum() == pytest.approx(CAPACITY_BPS)
    cct_s = outcome.finish_s.max() - outcome.coflow_arrival_s[0]
    assert 0.99 * 0.4 <= cct_s <= 1.25 * 0.4 + 0.1
    (computed,) = simulate(grown).finish_s.max() - grown.coflows.arrival_s
    assert computed == pytest.approx(0.4, rel=0.1)


def test_a_small_coflow_stops_a_large_one_which_then_goes_on(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(3, [F(1, 0, 1, 4_000_000)], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, actors(3), tmp_path) as stage, stage.client(0) as client:
        port = stage.receive(2)
        with client.register() as coflow:
            stage.send(coflow, 2, 1_000_000, port).join()
    outcome, grown = done(stage)
    assert grown.coflows.coflow.tolist() == [1, coflow.id]
    assert outcome.finish_s[1] < outcome.finish_s[0]
    assert outcome.finish_s[1] - outcome.coflow_arrival_s[1] <= 1.25 * 0.2 + 0.1
    both = next(decision for decision in outcome.decisions if "injected" in decision.reason)
    assert dict(zip(both.flows.tolist(), both.cap_Bps.tolist(), strict=True)) == {0: 0.0, 1: CAPACITY_BPS}


def test_flows_of_several_hosts_join_one_coflow_by_its_id(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(3, [], "dclas", applications=lasting(tmp_path))
    with on_stage(plan, actors(3), tmp_path) as stage, stage.client(0) as one, stage.client(1) as other:
        port = stage.receive(2)
        with one.register() as coflow:
            there = other.coflow(coflow.id)
            for thread in [stage.send(coflow, 2, 200_000, port), stage.send(there, 2, 300_000, port)]:
                thread.join()
        with pytest.raises(CoflowError, match=f"coflow {coflow.id}: it was unregistered"):
            other.coflow(coflow.id)
    _, grown = done(stage)
    assert sorted(grown.flows.src.tolist()) == [0, 1]
    assert set(grown.flows.coflow.tolist()) == {coflow.id}
    assert stage.received[port] == 500_000


def test_a_size_may_be_unknown_where_the_scheduler_does_not_need_it(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(2, [], "dclas", applications=lasting(tmp_path))
    with (
        on_stage(plan, actors(2), tmp_path) as stage,
        stage.client(0) as client,
        client.register() as coflow,
        coflow.flow(1, port=stage.receive(1)) as flow,
    ):
        flow.sendall(bytes(123_456))
    outcome, grown = done(stage)
    assert grown.flows.bytes.tolist() == outcome.received_bytes.tolist() == [123_456]
    assert outcome.reason == [""]


def test_a_flow_without_a_coflow_runs_and_is_measured_and_nobody_schedules_it(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(2, [], "sebf", applications=lasting(tmp_path))
    with (
        on_stage(plan, actors(2), tmp_path) as stage,
        stage.client(0) as client,
        client.flow("h1", port=stage.receive(1)) as flow,
    ):
        flow.sendall(bytes(300_000))
        assert flow.rate_Bps is None
    outcome, grown = done(stage)
    assert grown.flows.coflow.tolist() == grown.flows.label.tolist() == [NONE]
    assert outcome.received_bytes.tolist() == [300_000]
    assert all(np.isinf(decision.cap_Bps).all() for decision in outcome.decisions)


def test_a_connection_that_is_there_already_is_adopted_twice(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(2, [], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, actors(2), tmp_path) as stage, stage.client(0) as client, client.register() as coflow:
        port = stage.receive(1)
        with socket.create_connection(("127.77.0.2", port), source_address=("127.77.0.1", 0)) as connection:
            connection.sendall(bytes(1000))  # before it is a flow
            for size in (50_000, 70_000):
                with coflow.adopt(connection, size) as flow:
                    flow.sendall(bytes(size))
    outcome, grown = done(stage)
    assert grown.flows.bytes.tolist() == outcome.received_bytes.tolist() == [50_000, 70_000]


def test_a_program_that_dies_loses_its_coflow_and_nobody_else_anything(actors: Actors, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from testbed.client import Client\n"
        "coflow = Client(sys.argv[1]).register()\n"
        "flow = coflow.flow(1, size=50_000_000, port=int(sys.argv[2]))\n"
        "flow.sendall(bytes(100_000))\n"
        "print(coflow.id, flush=True)\n"
        "flow.sendall(bytes(40_000_000))\n"
    )
    plan = build_plan(3, [], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, actors(3), tmp_path) as stage, stage.client(2) as client:
        port = stage.receive(1)
        command = [sys.executable, "-c", code, str(stage.cast.doors[0]), str(port)]
        program = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        assert program.stdout is not None
        dead = int(program.stdout.readline())
        program.send_signal(signal.SIGKILL)
        program.communicate()
        while True:  # the news travels by way of the actor and the coordinator
            try:
                client.coflow(dead)
            except CoflowError as error:
                assert "or the program that had registered it has ended" in str(error)  # noqa: PT017
                break
        with client.register() as coflow:
            stage.send(coflow, 1, 100_000, port).join()
    outcome, grown = done(stage)
    assert grown.coflows.coflow.tolist() == [dead, coflow.id]
    assert outcome.reason == ["its application ended before the flow did", ""]
    assert 100_000 <= outcome.received_bytes[0] < 50_000_000
    assert outcome.received_bytes[1] == 100_000


def test_what_is_wrong_is_refused_in_words_and_the_run_goes_on(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(2, [], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, actors(2), tmp_path) as stage, stage.client(0) as client:
        port = stage.receive(1)
        coflow = client.register(width=3)

        def refused(words: str, *arguments: object, **more: object) -> None:
            with pytest.raises(CoflowError) as caught:
                coflow.flow(*arguments, port=port, **more)  # type: ignore[arg-type]
            assert words in str(caught.value)

        refused("scheduler sebf is clairvoyant: it needs to know how large each flow of a coflow is", 1)
        refused("destination 7: no such host; expected a number from 0 to 1, a name from 'h0' to 'h1'", 7, size=1)
        refused("flow from h0 to itself: it crosses no link", 0, size=1)
        refused("size: expected a whole number from 1 to", 1, size=0)
        refused("size: expected a whole number from 1 to", 1, size="1 MB")
        with pytest.raises(CoflowError, match="weight: expected a number above 0 and at most 1e"):
            client.register(weight=-1)
        with pytest.raises(CoflowError, match="coflow 99: no application has registered it in this run"):
            client.coflow(99)
        coflow.unregister()
        with pytest.raises(CoflowError, match=f"coflow {coflow.id}: it was unregistered"):
            coflow.unregister()
        lone = client.register()
        flow = lone.flow(1, size=10, port=port)
        with pytest.raises(CoflowError, match="11 bytes, but its size was stated as 10"):
            flow.sendall(bytes(11))
        flow.sendall(bytes(4))
        with pytest.raises(CoflowError, match="the application ended it after 4 of 10 bytes"):
            flow.close()
        with pytest.raises(RuntimeError, match="mine"), lone.flow(1, size=10, port=port):
            raise RuntimeError("mine")
        stage.send(lone, 1, 1000, port).join()
    outcome, _ = done(stage)
    assert outcome.reason == [
        "the application ended it after 4 of 10 bytes",
        "the application gave it up: RuntimeError",
        "",
    ]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"nonsense\n", "expected one JSON object per line, found 'nonsense'"),
        (b"x" * 70_000, "a message of more than 64000 bytes"),
        (b'{"op": "add", "request": 1}\n', "op 'add' without a connection; expected its descriptor along"),
        (b'{"op": "register"}\n', "op 'register': KeyError: 'request'"),
        (b'{"op": "finish", "request": 1, "flow": 0}\n', "flow 0 is not (or no longer) one of this program's"),
        (b'{"op": "fly", "request": 1}\n', "unknown op 'fly'; known: add, hello, join, register, route, unregister"),
        (
            b'{"op": "add", "request": [], "size": 1}\n',
            "'request': expected text, a number, true, false or null",
        ),
        (b'{"op": "route", "request": 1}\n', "op 'route': KeyError: 'coflow'"),
    ],
)
def test_garbage_is_answered(said: bytes, answer: str, actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(2, [], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, actors(2), tmp_path) as stage, stage.client(0) as client:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(stage.cast.doors[0]))
            raw.sendall(said)
            assert answer in json.loads(raw.makefile().readline())["error"]
        with client.register() as coflow:
            stage.send(coflow, 1, 1000, stage.receive(1)).join()
    assert done(stage)[0].reason == [""]


def test_a_program_that_asks_on_and_on_is_left(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(2, [], "sebf", applications=lasting(tmp_path))
    request = b'{"op": "route", "request": %d, "coflow": null, "to": 1, "size": 1}\n'
    with on_stage(plan, actors(2), tmp_path) as stage, stage.client(0) as client:
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(str(stage.cast.doors[0]))
            try:
                raw.sendall(b"".join(request % number for number in range(1_000_000)))
            except (BrokenPipeError, ConnectionResetError):
                pass
            else:
                pytest.fail("the actor took a million requests")
        client.register().unregister()


def test_there_is_a_most_of_flows(actors: Actors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(injection, "MOST_FLOWS", 2)
    plan = build_plan(2, [], "sebf", applications=lasting(tmp_path))
    with on_stage(plan, actors(2), tmp_path) as stage, stage.client(0) as client, client.register() as coflow:
        port = stage.receive(1)
        for _ in range(2):
            stage.send(coflow, 1, 1000, port).join()
        with pytest.raises(CoflowError, match="this run has 2 flows of applications already; that is the most"):
            coflow.flow(1, size=1000, port=port)
    assert done(stage)[0].reason == ["", ""]


def test_without_a_run_there_is_a_clear_error(actors: Actors, tmp_path: Path) -> None:
    cast = actors(1)
    while not cast.doors[0].exists():
        assert cast.processes[0].poll() is None
    with pytest.raises(CoflowError, match="no run is going on"):
        Client(str(cast.doors[0]))
    with pytest.raises(CoflowError, match="nobody: No such file or directory; the actor of an emulated host listens"):
        Client(str(tmp_path / "nobody"))


def test_flows_that_the_run_does_not_wait_for_are_cut_at_its_end(actors: Actors, tmp_path: Path) -> None:
    plan = build_plan(2, [], "dclas", applications=lasting(tmp_path))
    with on_stage(plan, actors(2), tmp_path) as stage:
        client = stage.client(0)
        flow = client.register().flow(1, port=stage.receive(1))
        flow.sendall(bytes(1000))
    with pytest.raises(CoflowError, match="cut"):
        flow.sendall(bytes(1000))
    with pytest.raises(CoflowError):
        client.register()
    flow.socket.close()
    client.close()
    outcome, _ = done(stage)
    assert outcome.reason == ["cut"]
    assert outcome.received_bytes.tolist() == [1000]
    assert os.path.exists(stage.cast.doors[0])
