"""Queues read by rtnetlink and departures by a tap, on one shaped cable in a network namespace of its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from emulated_plans import big_switch, until

from testbed.emulation.command import batch
from testbed.emulation.departures import Tap
from testbed.emulation.netns import inside
from testbed.emulation.port_trees import PortTree, port_tree
from testbed.emulation.queue_stats import QueueStats
from testbed.emulation.shaping import shape
from testbed.errors import EmulationError

pytestmark = pytest.mark.network

RATE_BPS, PAYLOAD, FRAME = 1e6, 1000, 1042


@pytest.fixture
def cable(namespace: int) -> int:
    """The namespace, with a cable from `left`, shaped to 1 Mbit/s with a queue of 10 frames, to `right`."""
    batch("ip", [
        "link add name left type veth peer name right", "link set dev left addrgenmode none",
        "link set dev right addrgenmode none", "addr add 10.1.1.1/24 dev left", "link set dev left up",
        "link set dev right up", "neigh add 10.1.1.2 lladdr 02:00:00:00:00:02 dev left nud permanent",
    ], netns_of=namespace)  # fmt: skip
    link = big_switch(2, rate_bps=RATE_BPS, mtu=1500, buffer_bytes=10 * FRAME).fabric.links[2]
    tree: PortTree = port_tree("left", link, 1500)
    shape([tree], namespace)
    return namespace


@pytest.fixture
def stats(cable: int) -> Iterator[QueueStats]:
    stats = QueueStats(cable, ["left"])
    yield stats
    stats.close()


def send(namespace: int, count: int) -> None:
    def act() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(count):
                sender.sendto(bytes(PAYLOAD), ("10.1.1.2", 9))

    inside(namespace, act)


def test_what_waits_and_what_found_its_queue_full_is_counted(cable: int, stats: QueueStats) -> None:
    (quiet,) = stats.links()
    assert (quiet.kind, quiet.backlog_bytes, quiet.drops) == ("htb", 0, 0)
    send(cable, 30)
    (busy,) = stats.links()
    assert 0 < busy.backlog_bytes <= 10 * FRAME
    assert busy.backlog_bytes % FRAME == 0
    assert 10 <= busy.drops <= 20  # 30 less the queue's 10, and those that a burst and the first milliseconds let pass
    until(lambda: stats.links()[0].backlog_bytes == 0, "an empty queue")
    assert {figures.kind: figures.drops for figures in stats.queues()["left"]} == {
        "htb": busy.drops,
        "bfifo": busy.drops,
    }


def test_a_filter_that_drops_shows_beside_the_queue(cable: int, stats: QueueStats) -> None:
    batch("tc", ["filter add dev left parent 1: protocol ip prio 9 bpf da bytecode '1,6 0 0 2'"], netns_of=cable)
    send(cable, 3)
    assert {figures.kind: figures.drops for figures in stats.queues()["left"]} == {"htb": 3, "bfifo": 0}


def test_a_queueing_that_is_gone_has_no_figures(cable: int) -> None:
    stats = QueueStats(cable, ["right", "left"])
    gone, there = stats.links()
    assert (gone.kind, gone.drops, there.kind) == ("", 0, "htb")
    batch("tc", ["qdisc del dev left root"], netns_of=cable)
    assert [figures.kind for figures in stats.links()] == ["", ""]
    batch("ip", ["link del dev left"], netns_of=cable)
    assert [figures.kind for figures in stats.links()] == ["", ""]
    stats.close()


def test_an_interface_that_is_not_there_is_an_error(namespace: int) -> None:
    with pytest.raises(EmulationError) as caught:
        QueueStats(namespace, ["left", "right"])
    assert str(caught.value) == "queues of left and 1 more: no interface with this name"
    with pytest.raises(EmulationError) as caught:
        Tap(namespace, "left")
    assert str(caught.value) == "interface left: frames cannot be noted (No such device)"


def test_a_tap_notes_frames_as_they_leave_the_shaper(cable: int, stats: QueueStats) -> None:
    tap = Tap(cable, "left")
    send(cable, 12)
    until(lambda: stats.links()[0].backlog_bytes == 0, "an empty queue")
    now_ns = time.time_ns()
    frames = tap.take()
    assert [size for _, size in frames] == [FRAME] * len(frames)
    assert 10 <= len(frames) <= 12
    at_ns = [ns for ns, _ in frames]
    assert at_ns == sorted(at_ns)
    assert now_ns - 10 * 10**9 < at_ns[0] < at_ns[-1] <= now_ns + 10**9
    slow = [after - before for before, after in pairwise(at_ns)][-6:]
    assert min(slow) > 0.5 * FRAME * 8 / RATE_BPS * 1e9  # shaped, not as they were handed in


def test_a_tap_does_not_note_what_arrives(cable: int) -> None:
    tap = Tap(cable, "right")
    send(cable, 2)
    stats = QueueStats(cable, ["left"])
    until(lambda: stats.links()[0].backlog_bytes == 0, "an empty queue")
    stats.close()
    assert tap.take() == []
