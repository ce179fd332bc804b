"""Meters and marks on real Open vSwitch, under a TCP connection that runs all the time."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from private_network import PrivateNetwork, inside, private_network, until
from small_plans import fat_tree

from testbed.errors import EmulationError
from testbed.rules.edge import Change
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import Meter, meter_for, stopping_meter

pytestmark = pytest.mark.network

MTU = 1500  # of the private network's cables
PORT = 5000


@pytest.fixture(scope="module")
def network() -> Iterator[PrivateNetwork]:
    with private_network(fat_tree(2)) as made:
        yield made


class Stream:
    """A TCP connection from the first host to the second that sends as much as it can, in blocks that are numbered."""

    def __init__(self, network: PrivateNetwork) -> None:
        source, destination = (address.via[0] for address in network.plan.addresses)
        listener = inside(network.host(1), lambda: socket.create_server((destination, PORT)))
        self.sender = inside(network.host(0), lambda: socket.create_connection((destination, PORT), 10, (source, 0)))
        self.receiver, _ = listener.accept()
        listener.close()
        self.key = FlowKey(source, self.sender.getsockname()[1], destination, PORT)
        self.received = 0
        self.errors: list[BaseException] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def rate_Bps(self, seconds: float) -> float:
        """What arrives for so long."""
        before, began = self.received, time.monotonic()
        self._end.wait(seconds)
        return (self.received - before) / (time.monotonic() - began)

    def close(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        self.sender.close()
        self.receiver.close()
        assert not self.errors

    def _run(self, work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:
            self.errors.append(error)

    def _send(self) -> None:
        self.sender.settimeout(0.1)
        number, block = 0, b""
        while not self._end.is_set():
            block = block or struct.pack("!Q", number) * 512
            with contextlib.suppress(TimeoutError):
                sent = self.sender.send(block)
                block = block[sent:]
                number += not block

    def _receive(self) -> None:
        self.receiver.settimeout(0.1)
        kept = b""
        while not self._end.is_set():
            with contextlib.suppress(TimeoutError):
                data = self.receiver.recv(1 << 16)
                self.received += len(data)
                kept += data
                whole = len(kept) - len(kept) % 4096
                first = (self.received - len(kept)) // 4096
                expected = b"".join(struct.pack("!Q", first + n) * 512 for n in range(whole // 4096))
                assert kept[:whole] == expected
                kept = kept[whole:]


@pytest.fixture
def stream(network: PrivateNetwork) -> Iterator[Stream]:
    made = Stream(network)
    yield made
    made.close()


def test_a_meter_comes_changes_stops_and_goes_and_the_flow_lives(network: PrivateNetwork, stream: Stream) -> None:
    change = network.controller.change
    took_s = change({"e0": Change(set_meters={1: meter_for(1e6, MTU)}, set_metered={stream.key: 1})})
    assert 0 < took_s["e0"] < 1
    until(lambda: 0.1 * 1e6 < stream.rate_Bps(0.5) < 1.2 * 1e6, "the meter's rate")
    change({"e0": Change(set_meters={1: meter_for(2.5e5, MTU)})})
    until(lambda: 0.1 * 2.5e5 < stream.rate_Bps(0.5) < 1.2 * 2.5e5, "the changed rate")
    change({"e0": Change(set_meters={1: stopping_meter(1, MTU)})})
    until(lambda: stream.rate_Bps(0.5) < 1.5 * 4 * MTU, "a stop")
    change({"e0": Change(set_meters={1: meter_for(1e6, MTU)})})
    until(lambda: 0.1 * 1e6 < stream.rate_Bps(0.5) < 1.2 * 1e6, "the old rate")

    def dropped() -> int:
        (metered,) = network.controller.ask("meters", switch="e0")["e0"]["meters"]
        assert metered["meter"] == 1
        return int(metered["dropped_packets"])

    until(dropped, "a packet that the meter drops")
    change({"e0": Change(remove_metered=(stream.key,), remove_meters=(1,))})
    until(lambda: stream.rate_Bps(0.3) > 2e6, "what the network carries")
    assert network.controller.ask("meters", switch="e0") == {"e0": {"meters": [], "metered": []}}
    network.controller.check_alive()


def test_a_flow_without_a_meter_may_be_dropped_altogether(network: PrivateNetwork, stream: Stream) -> None:
    network.controller.change({"e0": Change(set_metered={stream.key: None})})
    until(lambda: stream.rate_Bps(0.2) == 0, "silence")
    network.controller.change({"e0": Change(remove_metered=(stream.key,))})
    until(lambda: stream.rate_Bps(0.2) > 0, "the flow again")


def marks_seen(network: PrivateNetwork, key: FlowKey, packets: int = 20) -> set[int]:
    """The DSCPs of the next packets of a flow as they reach the receiver's interface."""
    sniffer = inside(network.host(1), lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)))
    seen = []
    with sniffer:
        sniffer.settimeout(10)
        while len(seen) < packets:
            frame = sniffer.recv(1 << 16)
            if frame[26:34] == socket.inet_aton(key.source) + socket.inet_aton(key.destination):
                seen.append(frame[15] >> 2)
    return set(seen)


def test_the_receiver_sees_the_mark_of_the_edge(network: PrivateNetwork, stream: Stream) -> None:
    assert marks_seen(network, stream.key) == {0}
    for dscp in (5, 63):
        network.controller.change({"e0": Change(set_marks={stream.key: dscp})})
        until(lambda wanted=dscp: marks_seen(network, stream.key) == {wanted}, f"mark {dscp}")
    assert network.controller.ask("marks")["e0"] == [{"flow": list(stream.key), "dscp": 63}]
    other = stream.key._replace(source_port=1)
    network.controller.change({"e0": Change(remove_marks=(stream.key,), set_marks={other: 9})})
    until(lambda: marks_seen(network, stream.key) == {0}, "no mark")
    network.controller.change({"e0": Change(remove_marks=(other,))})


def test_a_switch_that_comes_back_has_its_meters_and_marks_again(network: PrivateNetwork, stream: Stream) -> None:
    controller = network.controller
    controller.change(
        {"e0": Change(set_meters={3: meter_for(1e6, MTU)}, set_metered={stream.key: 3}, set_marks={stream.key: 7})}
    )
    installs = controller.ask("status")["switches"]["e0"]["installs"]
    network.vsctl("del-controller", network.bridge("e0"))
    until(lambda: not controller.ask("status")["switches"]["e0"]["connected"], "e0 is gone")
    message = r"controller: e0 not connected; expected a barrier reply: did ovs-vswitchd end, or is this machine over"
    with pytest.raises(EmulationError, match=f"^{message}"):  # but it is kept for when it is back
        controller.change({"e0": Change(set_marks={stream.key: 8})})
    for table in range(4):
        network.ofctl("del-flows", "e0", f"table={table}")
    network.ofctl("del-meters", "e0")
    network.vsctl("set-controller", network.bridge("e0"), network.controller_target)
    until(lambda: controller.ask("status")["switches"]["e0"]["installs"] == installs + 1, "e0 is back")
    assert "rate=8" in network.ofctl("dump-meters", "e0")
    until(lambda: marks_seen(network, stream.key) == {8}, "the mark")
    until(lambda: 0.1 * 1e6 < stream.rate_Bps(0.5) < 1.2 * 1e6, "the meter's rate")
    controller.check_alive()
    controller.change({"e0": Change(remove_metered=(stream.key,), remove_meters=(3,), remove_marks=(stream.key,))})


def test_a_change_that_cannot_be_is_refused_and_changes_nothing(network: PrivateNetwork) -> None:
    flow = FlowKey("10.0.0.1", 40_000, "10.0.1.1", 5000)
    good = Change(set_marks={flow: 3})
    message = (
        "controller: 'changes': switch e1: flow 10.0.0.1:40000 -> 10.0.1.1:5000: it shall pass meter 4, "
        "which this switch does not have"
    )
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        network.controller.change({"e0": good, "e1": Change(set_metered={flow: 4})})
    assert network.controller.ask("marks", switch="e0") == {"e0": []}
    message = "controller: 'changes': changes: switch e7: unknown switch 'e7'; known: a0, a1, c0, e0, e1"
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}"):
        network.controller.change({"e7": good})


def test_what_a_switch_refuses_is_said_with_what_it_was_for() -> None:
    """A meter that somebody else has deleted cannot be changed."""
    with private_network(fat_tree(2)) as network:
        network.controller.change({"e0": Change(set_meters={9: Meter(1e6, 30_000)})})
        network.ofctl("del-meters", "e0")
        message = (
            "controller: e0 refused 'meter 9 of 2000 kbit/s': OFPET_METER_MOD_FAILED(12), OFPMMFC_UNKNOWN_METER(3). "
            "Expected the switch to take it: meters or marks of the decision are not in force\n"
        )
        with pytest.raises(EmulationError, match=f"^{re.escape(message)}"):
            network.controller.change({"e0": Change(set_meters={9: Meter(2e6, 30_000)})})
        with pytest.raises(EmulationError, match=r"^controller: 1 error: e0 refused 'meter 9 of 2000 kbit/s'"):
            network.controller.check_alive()
