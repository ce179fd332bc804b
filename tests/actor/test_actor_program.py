"""The actor as a process: its commands, its events, its errors. Real sockets, real TCP on loopback."""

from __future__ import annotations

import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbed.actor.incoming import Receiver
from testbed.actor.loop import Loop
from testbed.actor.outbox import Outbox
from testbed.actor.protocol import HEADER, MAGIC

Start = Callable[..., Any]
MS = 1_000_000
SECOND = 10**9


def open_flow(sender: Any, receiver: Any, flow: int, size: int) -> None:
    sender.say("open", flows=[[flow, size, sender.address, 0, receiver.address, receiver.port]])
    [[opened, port]] = sender.wait_for("opened")
    assert opened == flow
    assert 1024 <= port < 65536
    assert receiver.wait_for("accepted") == [flow]


def run_flow(sender: Any, receiver: Any, flow: int, size: int, cap: float | None, changes: Any = ()) -> list[int]:
    """Run a flow from 20 ms on, with caps changed at (seconds after its start, cap): its `finished` row, in ns after
    its planned start.
    """
    open_flow(sender, receiver, flow, size)
    start = time.monotonic_ns() + 20 * MS
    sender.say("start", flows=[[flow, start, cap]])
    for after_s, new in changes:
        sender.say("cap", at_ns=start + int(after_s * SECOND), flows=[[flow, new]])
    [[number, first, last, count]] = receiver.wait_for("finished")
    [[done, sent, cut, *_]] = sender.wait_for("done")
    [[begun, written]] = sender.wait_for("started")
    assert (number, done, begun) == (flow, flow, flow)
    assert (count, sent, cut) == (size, size, False)
    assert start <= written <= first <= last
    return [written - start, first - start, last - start]


def test_bytes_are_exact_and_nothing_leaves_before_the_start(actor: Start) -> None:
    a, b = actor(), actor()
    for flow, size in enumerate((1, 255, 256, 257, 100_000, 12_345_678)):
        run_flow(a, b, flow, size, None)


@pytest.mark.parametrize(("size", "cap"), [(50_000, 125_000.0), (80_000, 125_000.0), (3_000_000, 4e6)])
def test_a_cap_holds_from_the_first_byte_to_the_last(actor: Start, size: int, cap: float) -> None:
    a, b = actor(), actor()
    _, _, last = run_flow(a, b, 1, size, cap)
    assert last / SECOND >= size / cap * 0.99
    assert last / SECOND <= size / cap * 1.05 + 0.2  # the second term is for a busy machine


def test_stop_resume_and_raise_while_a_flow_runs(actor: Start) -> None:
    a, b = actor(), actor()
    _, _, last = run_flow(a, b, 1, 1_000_000, 8_000.0, [(0.1, 0), (0.3, 500_000.0), (0.5, 0), (0.7, 5e6)])
    # 800 bytes, none, 100 KB, none, and the rest at 5 MB/s
    assert 0.99 <= last / SECOND / (0.7 + 0.899_200 / 5) <= 1.25


def test_a_flow_whose_cap_is_0_starts_when_it_is_raised(actor: Start) -> None:
    a, b = actor(), actor()
    written, _, _ = run_flow(a, b, 1, 10_000, 0, [(0.2, None)])
    assert 200 * MS <= written <= SECOND


def marks_seen(wire: socket.socket, source: str, target: str) -> list[int]:
    """DSCPs of the packets that a raw socket has caught between two addresses, repetitions left out."""
    marks: list[int] = []
    wire.setblocking(False)
    while True:
        try:
            packet = wire.recv(64)
        except BlockingIOError:
            return marks
        if packet[12:20] == socket.inet_aton(source) + socket.inet_aton(target) and marks[-1:] != [packet[1] >> 2]:
            marks.append(packet[1] >> 2)


@pytest.mark.network
def test_packets_bear_their_flows_mark_from_the_start_and_after_a_change(actor: Start) -> None:
    a, b = actor(), actor()
    open_flow(a, b, 1, 60_000)
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as data,  # needs root
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as acknowledgements,
    ):
        for wire in (data, acknowledgements):
            wire.bind(("lo", 0x0800))
        start = time.monotonic_ns() + 20 * MS
        a.say("start", flows=[[1, start, 200_000.0, 5]])
        a.say("mark", at_ns=start + 100 * MS, flows=[[1, 3], [2, 7]])
        b.wait_for("finished")
        assert marks_seen(data, a.address, b.address) == [5, 3]
        assert marks_seen(acknowledgements, b.address, a.address) == [0]


def test_a_stop_takes_effect_at_once(actor: Start) -> None:
    a, b = actor(), actor()
    open_flow(a, b, 1, 2**62)
    b.say("progress", every_ns=5 * MS)
    a.say("start", flows=[[1, 0, 20e6]])
    while b.wait_for("progress")[-1] < 500_000:
        pass
    a.say("cap", flows=[[1, 0]])
    a.say("stop")
    [[flow, _, sent]] = a.wait_for("stopped")["outgoing"]
    [[_, _, _, received]] = b.wait_for("ended")
    assert flow == 1
    assert received == sent  # what was written before the stop arrives, and is little more than was seen
    assert sent <= 3_000_000


def test_progress_tells_of_flows_that_changed_only(actor: Start) -> None:
    a, b = actor(), actor()
    for flow in (1, 2):
        open_flow(a, b, flow, 10**9)
    b.say("progress", every_ns=10 * MS)
    a.say("start", flows=[[1, 0, 1e6], [2, 0, 0]])
    reports = [b.wait_for("progress") for _ in range(5)]
    assert {report[0] for report in reports} == {1}
    counts = [report[1] for report in reports]
    assert counts == sorted(set(counts))


def test_where_progress_is_seldom_flows_are_attended_to_in_coarser_grains_and_still_exact(actor: Start) -> None:
    a, b = actor(), actor()
    a.say("progress", every_ns=40 * MS)
    b.say("progress", every_ns=40 * MS)
    for flow, size in enumerate((1, 257, 100_000, 12_345_678)):
        run_flow(a, b, flow, size, None)
    _, _, last = run_flow(a, b, 8, 200_000, 1e6)
    assert 0.2 * 0.99 <= last / SECOND <= 0.2 * 1.05 + 0.2
    _, _, last = run_flow(a, b, 9, 2_000_000, 20e6, ((0.05, 0.0), (0.2, 20e6)))
    assert last / SECOND >= 0.24
    open_flow(a, b, 10, 2**62)
    a.say("start", flows=[[10, 0, None]])
    b.wait_for("progress")
    a.say("cut", flows=[10])
    [[_, sent, cut, *_]] = a.wait_for("done")
    assert (cut, sent) == (True, b.wait_for("ended")[0][3])


def test_a_receiver_is_woken_by_grains_and_by_the_last_byte() -> None:
    loop, outbox = Loop(), Outbox(Loop())
    receiver = Receiver(loop, outbox)
    receiver.grain_ns = 20 * MS
    receiver.listen("127.0.0.1", 0)
    (listener,) = receiver._listeners
    said: list[dict[str, Any]] = []
    outbox.send = said.append
    with socket.create_connection(listener.getsockname()) as sender:
        sender.sendall(HEADER.pack(MAGIC, 3, 200_000))
        rounds = 0
        loop.after_each = loop.stop
        for size in [1000] * 150 + [50_000]:
            sender.sendall(bytes(size))
            while select.select([loop._epoll], [], [], 0.001)[0]:
                loop.run()
                rounds += 1
        while not outbox.count("finished"):
            loop.run()
    outbox.flush()
    assert [row[3] for message in said for row in message.get("finished", [])] == [200_000]
    assert rounds < 140
    receiver.close()
    loop.close()


def test_a_cut_flow_loses_nothing_that_was_sent(actor: Start) -> None:
    a, b = actor(), actor()
    open_flow(a, b, 7, 2**62)
    b.say("progress", every_ns=5 * MS)
    a.say("start", flows=[[7, 0, None]])
    b.wait_for("progress")
    a.say("cut", flows=[7])
    [[flow, sent, cut, *_]] = a.wait_for("done")
    [[_, first, last, received]] = b.wait_for("ended")
    assert (flow, cut, sent) == (7, True, received)
    assert first <= last


def test_many_flows_at_once_both_ways(actor: Start) -> None:
    a, b = actor(), actor()
    for sender, receiver, base in ((a, b, 0), (b, a, 1000)):
        rows = [[base + n, 10_000 + n, sender.address, 0, receiver.address, receiver.port] for n in range(200)]
        sender.say("open", flows=rows)
    for sender, receiver in ((a, b), (b, a)):
        opened, accepted = [], []
        while len(opened) < 200 or len(accepted) < 200:
            opened += sender.wait_for("opened") if len(opened) < 200 else []
            accepted += receiver.wait_for("accepted") if len(accepted) < 200 else []
    start = time.monotonic_ns() + 20 * MS
    for sender, base in ((a, 0), (b, 1000)):
        sender.say("start", flows=[[base + n, start, 1e5 + 1e3 * n] for n in range(200)])
    finished: dict[int, int] = {}
    for receiver in (a, b):
        got = 0
        while got < 200:
            rows = receiver.wait_for("finished")
            got += len(rows)
            finished.update({flow: count for flow, _, _, count in rows})
    assert finished == {base + n: 10_000 + n for base in (0, 1000) for n in range(200)}


def test_a_probe_measures_the_round_trip(actor: Start) -> None:
    a, b = actor(), actor()
    a.say("probe", probe=3, bind=a.address, peer=b.address, port=b.port, count=5, every_ns=MS)
    number, times = a.wait_for("probed")
    assert number == 3
    assert len(times) == 5
    assert all(0 < time_ns < SECOND for time_ns in times)


def test_a_probe_without_answer_says_so(actor: Start) -> None:
    a = actor()
    a.say("probe", probe=1, bind=a.address, peer="127.78.9.9", port=a.port, count=2, every_ns=MS)
    assert a.wait_for("probed") == [1, []]


def test_a_flow_leaves_from_the_port_that_is_stated(actor: Start) -> None:
    a, b = actor(), actor()
    with socket.create_server((a.address, 0)) as free:
        port = free.getsockname()[1]
    a.say("open", flows=[[5, 100, a.address, port, b.address, b.port]])
    assert a.wait_for("opened") == [[5, port]]
    assert b.wait_for("accepted") == [5]


def test_a_refused_connection_is_an_error_in_words(actor: Start) -> None:
    a = actor()
    a.say("open", flows=[[5, 100, a.address, 0, "127.78.9.9", a.port]])
    assert a.wait_for("errors") == [[5, f"connect 127.78.0.1 -> 127.78.9.9:{a.port}: connection refused"]]


def test_many_refused_connections_are_as_many_errors(actor: Start) -> None:
    a = actor()
    a.say("open", flows=[[flow, 100, a.address, 0, "127.78.9.9", a.port] for flow in range(500)])
    seen: set[int] = set()
    while len(seen) < 500:
        seen |= {flow for flow, _ in a.wait_for("errors")}


def test_an_unknown_congestion_control_is_an_error_in_words(actor: Start) -> None:
    a, b = actor(), actor()
    a.say("open", flows=[[5, 100, a.address, 0, b.address, b.port]], congestion="nosuch")
    expected = f"connect 127.78.0.1 -> 127.78.0.2:{b.port}: no such file or directory"
    assert a.wait_for("errors") == [[5, expected]]


def test_a_receiver_that_dies_is_an_error_at_the_sender(actor: Start) -> None:
    a, b = actor(), actor()
    open_flow(a, b, 1, 2**62)
    b.say("progress", every_ns=MS)
    a.say("start", flows=[[1, 0, 1e6]])
    b.wait_for("progress")
    b.process.kill()
    [[flow, text]] = a.wait_for("errors")
    assert flow == 1
    assert text.startswith(f"send 127.78.0.1 -> 127.78.0.2:{b.port}: ")


def test_a_connection_without_a_header_is_an_error(actor: Start) -> None:
    a = actor()
    with socket.create_connection((a.address, a.port)) as stranger:
        host, port = stranger.getsockname()
        stranger.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        text = f"connection from {host}:{port}: no flow header, found b'GET / HTTP/1.1\\r\\n'"
        assert a.wait_for("errors") == [[-1, text]]


def test_a_header_that_comes_in_pieces_is_read(actor: Start) -> None:
    a = actor()
    header = HEADER.pack(MAGIC, 9, 3)
    with socket.create_connection((a.address, a.port)) as peer:
        peer.sendall(header[:5])
        a.say("ping", ping=1)
        a.wait_for("pong")
        peer.sendall(header[5:] + b"abc")
        assert a.wait_for("accepted") == [9]
        [[flow, _, _, count]] = a.wait_for("finished")
        assert (flow, count) == (9, 3)


@pytest.mark.parametrize(
    ("line", "fatal"),
    [
        (b"nonsense\n", None),
        (b"[1, 2]\n", None),
        (
            b'{"op": "fly"}\n',
            "unknown op 'fly'; known: alone, cap, cut, lateness, listen, mark, open, ping, probe, progress, reply, "
            "run, shutdown, start, stop",
        ),
        (b'{"op": "open"}\n', "op 'open': KeyError: 'flows'"),
        (
            b'{"op": "start", "flows": [[1]]}\n',
            "op 'start': ValueError: not enough values to unpack (expected at least 3, got 1)",
        ),
        (
            b'{"op": "listen", "addresses": ["192.0.2.1"], "port": 1}\n',
            "listen on 192.0.2.1:1: cannot assign requested address",
        ),
    ],
)
def test_a_message_not_understood_ends_the_connection_and_the_actor_serves_the_next(
    actor: Start, line: bytes, fatal: str | None
) -> None:
    a = actor()
    a.connection.sendall(line)
    assert a.hear() == ({"fatal": fatal} if fatal else {})
    if fatal:
        assert a.hear() == {}
    a.close()
    a.reach()
    a.greet()


def test_another_version_is_refused(actor: Start) -> None:
    a = actor(greeted=False)
    a.wait_for("hello")
    a.say("hello", version=99)
    expected = "expected the op 'hello' of version 2, found {'op': 'hello', 'version': 99}"
    assert a.wait_for("fatal") == expected


def test_one_coordinator_at_a_time(actor: Start) -> None:
    a = actor()
    with socket.socket(socket.AF_UNIX) as second:
        second.connect(a.where)
        assert second.makefile().readline() == '{"fatal":"busy: this actor has a coordinator"}\n'


def test_when_the_coordinator_goes_its_flows_go_and_the_next_finds_a_clean_actor(actor: Start) -> None:
    a, b = actor(), actor()
    open_flow(a, b, 1, 2**62)
    a.say("start", flows=[[1, 0, None]])
    a.close()
    [[flow, _, _, _]] = b.wait_for("ended")
    assert flow == 1
    a.reach()
    a.greet()
    a.say("stop")
    assert a.wait_for("stopped") == {"outgoing": [], "incoming": []}


def test_control_over_tcp(actor: Start, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    a = actor(where=f"127.0.0.1:{port}")
    a.say("ping", ping=5)
    assert a.wait_for("pong") == 5


def test_sigterm_ends_it_at_once(actor: Start) -> None:
    a = actor()
    a.process.send_signal(signal.SIGTERM)
    assert a.process.wait(5) == 0


def test_shutdown_ends_it_and_removes_its_socket(actor: Start) -> None:
    a = actor()
    a.say("shutdown")
    assert a.process.wait(5) == 0
    assert not Path(a.where).exists()


def test_a_socket_left_by_a_killed_actor_is_replaced(actor: Start, tmp_path: Path) -> None:
    a = actor()
    a.process.kill()
    a.process.wait()
    b = actor(where=a.where)
    b.say("ping", ping=1)
    assert b.wait_for("pong") == 1


def test_not_a_word_passes_while_an_actor_follows_its_part_alone(actor: Start) -> None:
    """What it has to tell comes in one piece, when all flows that it sends and receives have ended."""
    sender, receiver = actor(), actor()
    for flow in (0, 1):
        open_flow(sender, receiver, flow, 150_000)
    part = {
        "limits": [1e5],
        "weights": [],
        "uplink_Bps": 1e6,
        "classes": 0,
        "dscp": 0,
        "flows": [],
        "sends": 0,
        "receives": 0,
    }
    receiver.say("alone", **{**part, "receives": 2})
    now = time.monotonic_ns()
    sender.say("alone", **{**part, "flows": [[0, now, 0], [1, now, 1]], "sends": 2})
    for client, kinds in ((sender, {"allowed", "started", "done"}), (receiver, {"finished"})):
        told, over = client.hear(), client.hear()
        assert set(told) == kinds
        assert [len(rows) for kind, rows in told.items() if kind != "allowed"] == [2] * (len(kinds - {"allowed"}))
        assert over == {"alone": "over"}
    sender.say("ping", ping=1)
    assert sender.wait_for("pong") == 1


def test_an_error_ends_the_silence(actor: Start) -> None:
    sender, receiver = actor(), actor()
    open_flow(sender, receiver, 0, 10**15)  # more than can arrive before the receiver dies
    part = {"limits": [], "weights": [], "uplink_Bps": None, "classes": 0, "dscp": 0, "receives": 0}
    sender.say("alone", **part, flows=[[0, 0, -1]], sends=1)
    receiver.process.kill()
    [[flow, words]] = sender.wait_for("errors")
    assert flow == 0
    assert words.startswith("send 127.78.0.1 -> 127.78.0.2:5078: ")
