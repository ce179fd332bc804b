"""The queue of a traffic class split into one per flow, as tc commands: a second HTB in place of the class's bfifo.

M:        htb       in place of the queue of class 1:M
M:1       class     acknowledgements (whatever comes from the data port), ahead of all others
M:2       class     what belongs to no planned flow
M:1000..  class     one per flow queue: M:1000 + its number
          bpf       finds a packet's class by the low bits of its sender's TCP port

Its classes are never held back: their rate is far above the link's, which the class 1:M keeps. So the flows take turns,
a frame each (deficit round robin), and share the class as max-min fairness has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from testbed.emulation import tc_text
from testbed.emulation.command import batch
from testbed.emulation.netns import Netns
from testbed.emulation.port_trees import FIRST_CLASS, PortTree, TrafficClass
from testbed.errors import EmulationError
from testbed.replay.setup import DATA_PORT
from testbed.rules.flow_queues import QUEUES

_ACKNOWLEDGEMENTS, _OTHERS, _FLOWS = 0x1, 0x2, 0x1000
_FASTER, _BURSTS = 10, 4
"""Times the link's: a class that is served at the link's rate then always has tokens left."""


def flow_queue_commands(tree: PortTree, minor: int, leaf: TrafficClass) -> Iterator[str]:
    """Lines for `tc -batch` that split the queue of the class 1:minor."""
    on, major = f"dev {tree.interface} parent", f"{minor:x}"
    rate, burst = round(_FASTER * tree.rate_bps), _BURSTS * tree.burst_bytes
    tokens = f"rate {rate}bit ceil {rate}bit burst {burst} cburst {burst} quantum {tree.frame_bytes}"
    yield f"qdisc add {on} 1:{major} handle {major}: htb default {_OTHERS:x}"
    for number in _numbers(tree):
        priority = 0 if number == _ACKNOWLEDGEMENTS else 1
        yield f"class add {on} {major}: classid {major}:{number:x} htb {tokens} prio {priority}"
        yield f"qdisc add {on} {major}:{number:x} bfifo limit {leaf.buffer_bytes}"
    yield f"filter add {on} {major}: protocol ip prio 1 bpf bytecode '{_program(minor)}'"


def compare_flow_queues(tree: PortTree, major: str, leaf: TrafficClass, text: str) -> None:
    """Hold what tc shows of an interface's qdiscs and classes against the flow queues of its class 1:major."""
    found = re.findall(rf"^qdisc bfifo \S+ parent {major}:(\w+) limit (\S+)", text, re.MULTILINE)
    classes = re.findall(rf"^class htb {major}:(\w+) ", text, re.MULTILINE)
    wanted = {f"{number:x}" for number in _numbers(tree)}
    if {number for number, _ in found} != wanted or set(classes) != wanted:
        raise EmulationError(
            f"interface {tree.interface}: class 1:{major} has {len(classes)} classes and {len(found)} queues of flows, "
            f"expected {len(wanted)} of each; something else configures this interface"
        )
    for number, limit in found:
        if abs(tc_text.size(limit) - leaf.buffer_bytes) > 16:
            raise EmulationError(
                f"interface {tree.interface}: flow queue {major}:{number}: buffer is {limit}, expected "
                f"{leaf.buffer_bytes} bytes; something else configures this interface"
            )


def verify_flow_filters(trees: Sequence[PortTree], netns_of: Netns | None) -> None:
    """Read back the filters that tell flows apart; EmulationError names the interface where one differs."""
    places = [(tree.interface, FIRST_CLASS + number) for tree in trees for number in range(len(tree.classes))]
    shows = (f"filter show dev {interface} parent {minor:x}:" for interface, minor in places)
    found = re.findall(r"bytecode '([^']*)'", batch("tc", shows, netns_of=netns_of))
    if found == [_program(minor) for _, minor in places]:
        return
    if len(trees) > 1:
        for tree in trees:
            verify_flow_filters([tree], netns_of)
    interface, minor = next((p for p, program in zip(places, [*found, ""], strict=False) if program != _program(p[1])))
    raise EmulationError(
        f"interface {interface}: class 1:{minor:x}: the filter that tells flows apart is not ours; "
        "something else configures this interface"
    )


def _numbers(tree: PortTree) -> list[int]:
    return [_ACKNOWLEDGEMENTS, _OTHERS, *(_FLOWS + queue for queue in tree.flow_queues)]


def _program(minor: int) -> str:
    """Classic BPF on an Ethernet frame: the class of a TCP segment, 0 (none, so M:2) for anything else."""
    major = minor << 16
    program = (
        (0x28, 0, 0, 12),  # ldh  the Ethernet type
        (0x15, 0, 8, 0x0800),  # jeq  IPv4, else to the last line
        (0x30, 0, 0, 23),  # ldb  the protocol
        (0x15, 0, 6, 6),  # jeq  TCP, else to the last line
        (0x28, 0, 0, 34),  # ldh  the sender's port (no IP options here)
        (0x15, 3, 0, DATA_PORT),  # jeq  from a receiver of data: two lines down
        (0x54, 0, 0, QUEUES - 1),  # and
        (0x04, 0, 0, major | _FLOWS),  # add
        (0x16, 0, 0, 0),  # ret  what was computed
        (0x06, 0, 0, major | _ACKNOWLEDGEMENTS),  # ret
        (0x06, 0, 0, 0),  # ret
    )
    return f"{len(program)}," + ",".join(" ".join(map(str, line)) for line in program)
