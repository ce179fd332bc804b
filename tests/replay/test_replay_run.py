"""Whole replays: a coordinator, real actor processes, real TCP on loopback."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replay_rig import CAPACITY_BPS, PORT, Actors, F, Script, build_plan, check_complete

from testbed.coflow import ENDLESS, NONE
from testbed.errors import EmulationError, ReplayError
from testbed.replay.progress import Progress
from testbed.replay.replay import outcome_so_far, replay
from testbed.scheduling.base import View


def test_bytes_are_exact_under_the_networks_own_sharing(actors: Actors) -> None:
    random = np.random.default_rng(4)
    flows = [
        F(n // 10, int(a), int(b), int(size), n // 10 * 0.02)
        for n, (a, b, size) in enumerate(zip(*random.integers(0, 4, (2, 200)), random.integers(1, 200_000, 200)))  # noqa: B905
    ]
    plan = build_plan(4, flows, enforcement=["none"])
    outcome = replay(plan, actors(4).sockets, port=PORT)
    check_complete(plan, outcome)
    assert outcome.source == "emulation"
    assert outcome.samples["starts"].allowed_s.tolist() == outcome.planned_start_s.tolist()
    assert len(outcome.samples["tcp"]) == 200
    assert outcome.samples["tcp"]["came_twice"].between(0, outcome.samples["tcp"]["retransmits"]).all()
    assert set(outcome.samples["probe"].when) == {"before", "after"}
    assert outcome.facts["control_sent_bytes"] > 0
    assert outcome.facts["control_received_bytes"] > 0


def test_every_actor_tells_how_late_its_timers_were(actors: Actors) -> None:
    capped = Script(lambda view: {"cap_Bps": np.full(len(view.flow), 2e6)})
    outcome = replay(build_plan(2, [F(1, 0, 1, 400_000)]), actors(2).sockets, scheduler=capped, port=PORT)
    lateness = outcome.samples["lateness"]
    assert set(lateness["host"]) == {"h0", "h1"}  # paced writes at the one, reports of progress at the other
    assert (lateness["timers"] > 0).all()
    assert (lateness["late_s"] > 0).all()


def test_a_lone_shuffle_under_madd_ends_together_at_gamma(actors: Actors) -> None:
    sizes = [[1_500_000, 500_000], [200_000, 1_000_000], [800_000, 100_000]]
    flows = [F(1, src, 3 + dst, size) for src, row in enumerate(sizes) for dst, size in enumerate(row)]
    plan = build_plan(5, flows, "sebf", parameters={"backfill": False})
    outcome = replay(plan, actors(5).sockets, port=PORT)
    check_complete(plan, outcome)
    gamma_s = 2_500_000 / CAPACITY_BPS
    assert outcome.finish_s.min() >= 0.9 * gamma_s
    assert gamma_s * 0.99 <= outcome.finish_s.max() <= 1.25 * gamma_s
    assert "arrival" in outcome.decisions[0].reason
    assert outcome.decisions[0].at_s == 0.0
    assert outcome.decisions[0].cap_Bps.sum() == pytest.approx(4_100_000 / gamma_s)


def test_a_small_coflow_stops_a_large_one_which_then_goes_on(actors: Actors) -> None:
    plan = build_plan(3, [F(1, 0, 1, 4_000_000), F(2, 0, 2, 1_000_000, 0.2)], "sebf")
    outcome = replay(plan, actors(3).sockets, port=PORT)
    check_complete(plan, outcome)
    small_s, large_s = outcome.finish_s[1] - 0.2, outcome.finish_s[0]
    assert 0.99 * 0.2 <= small_s <= 1.25 * 0.2 + 0.05
    assert 0.99 <= large_s <= 1.25
    arrival = next(decision for decision in outcome.decisions if decision.at_s == 0.2)
    assert arrival.reason == "arrival"
    assert dict(zip(arrival.flows.tolist(), arrival.cap_Bps.tolist(), strict=True)) == {0: 0.0, 1: CAPACITY_BPS}


def test_a_flow_held_back_at_its_arrival_says_when_it_was_allowed(actors: Actors) -> None:
    plan = build_plan(3, [F(1, 0, 1, 1_000_000), F(2, 0, 2, 2_000_000, 0.05)], "sebf")
    outcome = replay(plan, actors(3).sockets, port=PORT)
    check_complete(plan, outcome)
    allowed_s = outcome.samples["starts"].set_index("flow").allowed_s
    assert allowed_s[0] == 0.0
    assert allowed_s[1] >= outcome.finish_s[0]
    assert outcome.start_s[1] >= allowed_s[1]
    assert outcome.planned_start_s[1] == 0.05


def test_flows_and_coflows_that_start_after_others(actors: Actors) -> None:
    flows = [
        F(1, 0, 1, 100_000),
        F(1, 1, 2, 100_000, after=(0,), delay_s=0.05),
        F(2, 2, 0, 50_000),
        F(2, 2, 1, 50_000),
        F(3, 0, 1, 50_000, after=(2, 3)),
    ]
    plan = build_plan(3, flows, "sebf", after={2: (1,)}, delay_s={2: 0.1}, arrivals={3: 0.0})
    outcome = replay(plan, actors(3).sockets, port=PORT)
    check_complete(plan, outcome)
    finish = outcome.finish_s
    assert outcome.planned_start_s[1] == pytest.approx(finish[0] + 0.05)
    assert outcome.planned_start_s[2:4] == pytest.approx([finish[1] + 0.1] * 2)
    assert outcome.planned_start_s[4] == pytest.approx(max(finish[2:4]))
    row = plan.coflows.coflow.tolist().index(2)
    assert outcome.coflow_arrival_s[row] == pytest.approx(finish[1] + 0.1)


def test_flows_without_a_label_run_uncapped_and_endless_ones_are_cut_at_the_end(actors: Actors) -> None:
    flows = [F(1, 0, 1, 300_000), F(1, 0, 1, 300_000, label=NONE), F(NONE, 2, 1, ENDLESS, 0.02, label=NONE)]
    plan = build_plan(3, flows)
    slow = Script(lambda view: {"cap_Bps": np.where(view.flow_coflow >= 0, 1e6, 0.0)})
    outcome = replay(plan, actors(3).sockets, scheduler=slow, port=PORT)
    assert outcome.reason == ["", "", "cut"]
    assert outcome.finish_s[0] >= 0.297
    assert outcome.finish_s[1] < outcome.finish_s[0] / 2
    assert np.isnan(outcome.finish_s[2])
    assert outcome.sent_bytes[2] == outcome.received_bytes[2] > 1_000_000
    assert np.isfinite(outcome.start_s[2])


def test_rejected_and_cut_coflows(actors: Actors) -> None:
    plan = build_plan(3, [F(1, 0, 1, 10**9), F(2, 0, 2, 10_000, 0.05), F(3, 1, 2, 10_000, 0.1)])

    def decide(view: View) -> dict[str, Any]:
        ids = view.coflow.tolist()
        none: list[int] = []
        reject, cut = [ids.index(2)] if 2 in ids else none, [ids.index(1)] if 3 in ids and 1 in ids else none
        caps = np.where(np.isin(view.flow_coflow, reject), 0.0, 1e6)
        return {"cap_Bps": caps, "reject": np.array(reject, dtype=np.int64), "cut": np.array(cut, dtype=np.int64)}

    outcome = replay(plan, actors(3).sockets, scheduler=Script(decide), port=PORT)
    assert outcome.reason == ["cut", "rejected", ""]
    assert outcome.coflow_admitted.tolist() == [True, False, True]
    assert outcome.received_bytes[1:].tolist() == [0, 10_000]
    assert 0 < outcome.received_bytes[0] == outcome.sent_bytes[0]
    assert np.isnan(outcome.start_s[1])


def test_thresholds_and_ticks_are_asked_for(actors: Actors) -> None:
    plan = build_plan(2, [F(1, 0, 1, 600_000)])

    def decide(view: View) -> dict[str, Any]:
        past = view.coflow_received >= 200_000
        return {
            "cap_Bps": np.full(1, 1e6),
            "ask_at_received": np.where(past, np.inf, 200_000.0),
            "ask_again_s": view.now_s + 0.15 if view.now_s == 0 else np.inf,
        }

    outcome = replay(plan, actors(2).sockets, scheduler=Script(decide), port=PORT)
    assert [decision.reason for decision in outcome.decisions] == ["arrival", "tick", "threshold"]
    assert outcome.decisions[1].at_s >= 0.15
    assert outcome.decisions[2].at_s >= 0.2


def test_only_changed_caps_are_sent(actors: Actors) -> None:
    plan = build_plan(2, [F(1, 0, 1, 300_000)])
    asked: list[float] = []

    def decide(view: View) -> dict[str, Any]:
        asked.append(view.now_s)
        return {"cap_Bps": np.full(1, 1e6 * (1 + 1e-5 * len(asked))), "ask_again_s": view.now_s + 0.005}

    sockets = actors(2).sockets
    often = replay(plan, sockets, scheduler=Script(decide), port=PORT, probe=False, delta_s=10.0)
    once = replay(
        plan, sockets, scheduler=Script(lambda _: {"cap_Bps": np.full(1, 1e6)}), port=PORT, probe=False, delta_s=10.0
    )
    assert len(asked) > 20
    # pings come by the clock; a command per decision would be 2 KB more
    assert often.facts["control_sent_bytes"] - once.facts["control_sent_bytes"] < 1000


def test_callbacks_are_called(actors: Actors) -> None:
    seen: list[Progress] = []
    sampled: list[float] = []
    alive: list[int] = []
    plan = build_plan(2, [F(1, 0, 1, 700_000)])
    slow = Script(lambda view: {"cap_Bps": np.full(len(view.flow), 1e6)})
    replay(
        plan, actors(2).sockets, scheduler=slow, port=PORT, on_progress=seen.append, sample=sampled.append,
        sample_s=0.05, check_alive=lambda: alive.append(threading.get_ident()),
    )  # fmt: skip
    assert sampled[0] == 0.0
    assert sampled == sorted(sampled)
    assert sampled[-1] >= 0.7
    assert len(sampled) > 3
    assert alive
    last = seen[-1]
    assert (last.coflows_done, last.coflows, last.flows_done, last.flows, last.active_flows) == (1, 1, 1, 1, 0)
    assert (last.bytes_done, last.bytes) == (700_000, 700_000)
    assert any(0 < progress.bytes_done < 700_000 for progress in seen)


def slow_plan() -> Any:
    """Coflow 1 ends soon; coflow 2 would take minutes."""
    return build_plan(3, [F(1, 0, 1, 20_000), F(2, 1, 2, 100_000_000)])


SLOW = Script(lambda view: {"cap_Bps": np.full(len(view.flow), 5e5)})


def check_kept(error: BaseException, reason: str) -> None:
    """What had happened before the error is in the outcome."""
    outcome = outcome_so_far(error)
    assert outcome is not None
    assert outcome.reason == ["", reason]
    assert outcome.finish_s[0] > 0
    assert np.isnan(outcome.finish_s[1])
    assert 0 < outcome.received_bytes[1] < 100_000_000
    assert outcome.start_s[1] >= 0
    assert outcome.decisions


def when_first_done(action: Callable[[], None]) -> Callable[[Progress], None]:
    """A display that acts once, when the first coflow is done."""
    acted: list[int] = []

    def on_progress(progress: Progress) -> None:
        if progress.coflows_done and not acted:
            acted.append(1)
            action()

    return on_progress


def test_a_killed_actor_ends_the_run_with_its_name_and_the_records(actors: Actors) -> None:
    cast = actors(3)
    with pytest.raises(ReplayError) as caught:
        replay(
            slow_plan(), cast.sockets, scheduler=SLOW, port=PORT, deadline_s=60,
            on_progress=when_first_done(cast.processes[0].kill),
        )  # fmt: skip
    assert str(caught.value) == "host h0: its actor is gone: the control connection was closed"
    check_kept(caught.value, str(caught.value))


def test_a_killed_receiver_is_named_rather_than_what_its_peers_saw(actors: Actors) -> None:
    cast = actors(3)
    with pytest.raises(ReplayError) as caught:
        replay(
            slow_plan(), cast.sockets, scheduler=SLOW, port=PORT, deadline_s=60,
            on_progress=when_first_done(cast.processes[2].kill),
        )  # fmt: skip
    assert str(caught.value) == "host h2: its actor is gone: the control connection was closed"


def test_a_wedged_actor_is_noticed(actors: Actors) -> None:
    cast = actors(3)
    with pytest.raises(ReplayError, match=r"^host h2: its actor has not answered for 1\.[0-9] s \(limit 1\.5 s\); "):
        replay(
            slow_plan(), cast.sockets, scheduler=SLOW, port=PORT, deadline_s=60,
            on_progress=when_first_done(lambda: cast.processes[2].send_signal(signal.SIGSTOP)),
        )  # fmt: skip


def test_an_interrupt_keeps_what_was_done(actors: Actors) -> None:
    interrupt = when_first_done(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught:
        replay(slow_plan(), actors(3).sockets, scheduler=SLOW, port=PORT, deadline_s=60, on_progress=interrupt)
    check_kept(caught.value, "interrupted")


def test_what_check_alive_raises_ends_the_run(actors: Actors) -> None:
    def check() -> None:
        raise EmulationError("switch daemon: gone")

    with pytest.raises(EmulationError, match=r"^switch daemon: gone$") as caught:
        replay(slow_plan(), actors(3).sockets, scheduler=SLOW, port=PORT, deadline_s=60, check_alive=check)
    check_kept(caught.value, "switch daemon: gone")


def test_a_scheduler_that_fails_ends_the_run(actors: Actors) -> None:
    def decide(view: View) -> dict[str, Any]:
        if view.now_s > 0:
            raise ZeroDivisionError("of its own")
        return {"cap_Bps": np.full(len(view.flow), 5e5)}

    with pytest.raises(ZeroDivisionError, match=r"^of its own$") as caught:
        replay(slow_plan(), actors(3).sockets, scheduler=Script(decide), port=PORT, deadline_s=60)
    check_kept(caught.value, "of its own")


def test_the_deadline(actors: Actors) -> None:
    plan = build_plan(2, [F(1, 0, 1, 1000), F(1, 1, 0, 10**9)])
    nothing = Script(lambda view: {"cap_Bps": np.zeros(len(view.flow))})
    with pytest.raises(ReplayError) as caught:
        replay(plan, actors(2).sockets, scheduler=nothing, port=PORT, deadline_s=0.2)
    first = "flow 0 of coflow 1 (h0 -> h1) has 0 of 1000 bytes"
    start = f"2 of 2 flows have not finished, the first of them {first}; waited for 0."
    assert str(caught.value).startswith(start)


def test_a_missing_actor_is_named(actors: Actors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.replay.crew._GREETING_S", 0.2)
    sockets = actors(1).sockets
    missing = sockets[0].with_name("nobody.sock")
    with pytest.raises(ReplayError) as caught:
        replay(build_plan(2, [F(1, 0, 1, 1000)]), [*sockets, missing], port=PORT)
    assert str(caught.value) == (
        f"host h1: no greeting from its actor at {missing} (no such file or directory); waited for 0.2 s"
    )


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"\x00garbage\n", "its actor is gone: expected one JSON object per line, found '\\x00garbage'"),
        (
            b'{"hello": "actor", "version": 7}\n',
            "its actor speaks version 7 of the control protocol, this coordinator 2; "
            "rebuild the actor image (or restart the actors)",
        ),
        (
            b'{"finished": [[0]]}\n',
            "its actor sent what is not understood: {'finished': [[0]]} "
            "(ValueError('finished: wrong rows, or a flow that there is not'))",
        ),
        (b'{"sing": 1}\n', "its actor sent what is not understood: {'sing': 1} (KeyError('sing'))"),
    ],
)
def test_what_an_actor_must_not_say(tmp_path: Path, line: bytes, what: str) -> None:
    where = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(where))
        door.listen()
        odd = threading.Thread(target=lambda: _say_once(door, line))
        odd.start()
        with pytest.raises(ReplayError) as caught:
            replay(build_plan(1, [F(1, 0, 0, 1000)]), [where], port=PORT)
        odd.join()
    assert str(caught.value) == f"host h0: {what}"


def _say_once(door: socket.socket, line: bytes) -> None:
    connection, _ = door.accept()
    with connection:
        connection.sendall(line)
        while connection.recv(4096):
            pass


def test_a_flow_that_cannot_be_connected_is_named(actors: Actors) -> None:
    with pytest.raises(ReplayError) as caught:
        replay(build_plan(2, [F(1, 0, 1, 1000)]), actors(2).sockets, port=PORT, congestion="nosuch")
    assert str(caught.value) == (
        "host h0, flow 0 of coflow 1 (h0 -> h1): connect 127.77.0.1 -> 127.77.0.2:5077: no such file or directory"
    )


def test_as_many_sockets_as_hosts() -> None:
    with pytest.raises(ReplayError, match=r"^0 control sockets for 2 hosts; expected one per host, in order$"):
        replay(build_plan(2, [F(1, 0, 1, 1000)]), [], port=PORT)


def test_an_unknown_enforcement() -> None:
    plan = build_plan(2, [F(1, 0, 1, 1000)], enforcement=["pasing"])
    with pytest.raises(ReplayError) as caught:
        replay(plan, ["/nowhere/0", "/nowhere/1"], port=PORT)
    assert str(caught.value) == "unknown enforcement 'pasing'; did you mean 'pacing'? known: meter, none, pacing, queue"


def test_actors_serve_one_replay_after_another(actors: Actors) -> None:
    sockets = actors(2).sockets
    plan = build_plan(2, [F(1, 0, 1, 50_000), F(2, 1, 0, 50_000)])
    for _ in range(3):
        check_complete(plan, replay(plan, sockets, port=PORT, probe=False))
