"""Meters and marks at a router, under TCP connections that run all the time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from emulated_plans import big_switch, until

from testbed.emulation.netns import inside
from testbed.emulation.network import EmulatedNetwork
from testbed.emulation.router_edges import RouterEdges
from testbed.rules.edge import Change
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import meter_for, stopping_meter

pytestmark = pytest.mark.network

MTU = 9000
PORT = 6000


@pytest.fixture(scope="module")
def network(docker_socket: str) -> Iterator[EmulatedNetwork]:
    plan = big_switch(3, datapath="router", enforcement=("meter", "queue"), marking="edge")
    with EmulatedNetwork(plan, "test-router-edges") as network:
        yield network


@pytest.fixture(scope="module")
def edges(network: EmulatedNetwork) -> Iterator[RouterEdges]:
    with network.router_edges() as edges:
        yield edges


class Stream:
    """A TCP connection to the last host that sends as much as it can."""

    def __init__(self, network: EmulatedNetwork, source: int) -> None:
        own, peer = (network.plan.addresses[host].primary for host in (source, 2))
        with inside(network.hosts[2].pid, lambda: socket.create_server((peer, PORT))) as door:
            self.sender = inside(
                network.hosts[source].pid, lambda: socket.create_connection((peer, PORT), 10, (own, 0))
            )
            self.receiver, _ = door.accept()
        self.key = FlowKey(own, self.sender.getsockname()[1], peer, PORT)
        self.received = 0
        self._end = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def rate_Bps(self, seconds: float = 1.0) -> float:
        """What arrives for so long."""
        before, began = self.received, time.monotonic()
        self._end.wait(seconds)
        return (self.received - before) / (time.monotonic() - began)

    def gets(self, wanted_Bps: float) -> None:
        """Wait until it gets 85 to 105 % of a rate, over one and a half seconds."""
        until(lambda: 0.85 * wanted_Bps < self.rate_Bps(1.5) < 1.05 * wanted_Bps, f"{wanted_Bps:g} bytes a second")

    def close(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        self.sender.close()
        self.receiver.close()

    def _send(self) -> None:
        self.sender.settimeout(0.1)
        block = bytes(1 << 16)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                self.sender.send(block)

    def _receive(self) -> None:
        self.receiver.settimeout(0.1)
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                self.received += len(self.receiver.recv(1 << 16))


@pytest.fixture
def stream(network: EmulatedNetwork) -> Iterator[Stream]:
    """From the first host, alone on the network."""
    made = Stream(network, 0)
    yield made
    made.close()


@pytest.fixture
def streams(network: EmulatedNetwork) -> Iterator[tuple[Stream, Stream]]:
    """From the first two hosts."""
    with contextlib.ExitStack() as stack:
        made = []
        for source in (0, 1):
            made.append(Stream(network, source))
            stack.callback(made[-1].close)
        yield made[0], made[1]


def test_a_meter_comes_changes_stops_and_goes_and_the_flow_lives(edges: RouterEdges, stream: Stream) -> None:
    edges.change({"s0": Change(set_meters={1: meter_for(8e5, MTU)}, set_metered={stream.key: 1})})
    stream.gets(8e5)
    edges.change({"s0": Change(set_meters={1: meter_for(3e5, MTU)})})
    stream.gets(3e5)
    edges.change({"s0": Change(set_meters={1: stopping_meter(1, MTU)})})
    until(lambda: stream.rate_Bps() < 1.5 * 4 * MTU, "a stop")
    edges.change({"s0": Change(set_meters={1: meter_for(8e5, MTU)})})
    stream.gets(8e5)
    edges.change({"s0": Change(set_meters={2: meter_for(4e5, MTU)}, set_metered={stream.key: 2}, remove_meters=(1,))})
    stream.gets(4e5)
    edges.change({"s0": Change(set_metered={stream.key: None})})
    until(lambda: stream.rate_Bps(0.3) == 0, "silence")
    edges.change({"s0": Change(remove_metered=(stream.key,), remove_meters=(2,))})
    until(lambda: stream.rate_Bps(0.5) > 8e5, "what the network carries")


def test_flows_of_two_hosts_share_a_meter(edges: RouterEdges, streams: tuple[Stream, Stream]) -> None:
    first, second = streams
    edges.change({"s0": Change(set_meters={3: meter_for(1e6, MTU)}, set_metered={first.key: 3, second.key: 3})})

    def together_Bps() -> float:
        before = second.received
        rate_Bps, began = first.rate_Bps(1.5), time.monotonic() - 1.5
        return rate_Bps + (second.received - before) / (time.monotonic() - began)

    until(lambda: 0.85e6 < together_Bps() < 1.05e6, "the meter's rate for both")
    edges.change({"s0": Change(remove_metered=(first.key, second.key), remove_meters=(3,))})


def marks_seen(network: EmulatedNetwork, key: FlowKey) -> set[int]:
    """The DSCPs of a flow's next twenty packets as they reach the receiver's interface."""

    def open_door() -> socket.socket:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))

    seen: list[int] = []
    with inside(network.hosts[2].pid, open_door) as door:
        door.settimeout(10)
        while len(seen) < 20:
            frame = door.recv(1 << 16)
            if frame[26:30] == socket.inet_aton(key.source):
                seen.append(frame[15] >> 2)
    return set(seen)


def test_the_receiver_sees_the_mark_of_the_edge(
    network: EmulatedNetwork, edges: RouterEdges, streams: tuple[Stream, Stream]
) -> None:
    stream, other = streams
    edges.change(
        {"s0": Change(set_meters={4: meter_for(8e5, MTU)}, set_metered={stream.key: 4}, set_marks={other.key: 7})}
    )
    for dscp in (5, 2):  # metered and marked at once
        edges.change({"s0": Change(set_marks={stream.key: dscp})})
        until(lambda wanted=dscp: marks_seen(network, stream.key) == {wanted}, f"mark {dscp}")
        stream.gets(8e5)  # ahead of the other flow at the receiver's port
    until(lambda: marks_seen(network, other.key) == {7}, "the other's mark")
    assert other.rate_Bps() > 1e6  # it has the rest of 20 Mbit/s
    edges.change({"s0": Change(remove_marks=(stream.key,))})
    until(lambda: marks_seen(network, stream.key) == {0}, "no mark")
    edges.change({"s0": Change(remove_marks=(other.key,), remove_metered=(stream.key,), remove_meters=(4,))})
