from __future__ import annotations

import pytest

from testbed.emulation.command import batch
from testbed.emulation.port_trees import PortTree, TrafficClass
from testbed.emulation.shaping import shape, tree_commands, verify
from testbed.errors import EmulationError

ROOT_IN_NAMESPACE = pytest.mark.network
"""These need root for a network namespace of their own, nothing else."""


def tree(interface: str = "one", classes: int = 1, queues: tuple[int, ...] = (0, 7, 4095)) -> PortTree:
    leaves = tuple(TrafficClass(20e6 if classes == 1 else 8_000, 20e6, 64_000, number) for number in range(classes))
    return PortTree(interface, 20e6, 9014, leaves, flow_queues=queues)


@pytest.fixture
def ports(namespace: int) -> int:
    """A namespace with the interfaces one and two, joined."""
    batch("ip", ["link add name one up type veth peer name two", "link set dev two up"], netns_of=namespace)
    return namespace


def test_the_queue_of_a_class_becomes_one_per_flow_that_take_turns() -> None:
    tokens = "rate 200000000bit ceil 200000000bit burst 72112 cburst 72112 quantum 9014"
    program = (
        "11,40 0 0 12,21 0 8 2048,48 0 0 23,21 0 6 6,40 0 0 34,21 3 0 5000,84 0 0 4095,4 0 0 1052672,22 0 0 0,"
        "6 0 0 1048577,6 0 0 0"
    )
    assert tree_commands(tree(queues=(7,)))[3:] == [
        "qdisc add dev one parent 1:10 handle 10: htb default 2",
        f"class add dev one parent 10: classid 10:1 htb {tokens} prio 0",
        "qdisc add dev one parent 10:1 bfifo limit 64000",
        f"class add dev one parent 10: classid 10:2 htb {tokens} prio 1",
        "qdisc add dev one parent 10:2 bfifo limit 64000",
        f"class add dev one parent 10: classid 10:1007 htb {tokens} prio 1",
        "qdisc add dev one parent 10:1007 bfifo limit 64000",
        f"filter add dev one parent 10: protocol ip prio 1 bpf bytecode '{program}'",
    ]


@ROOT_IN_NAMESPACE
@pytest.mark.parametrize("classes", [1, 8])
def test_the_kernel_holds_them_in_every_class(ports: int, classes: int) -> None:
    shape([tree("one", classes), tree("two", classes, tuple(range(100)))], ports)


@ROOT_IN_NAMESPACE
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "class del dev one parent 10: classid 10:1007",
            "class 1:10 has 4 classes and 4 queues of flows, expected 5 of each",
        ),
        (
            "qdisc replace dev one parent 10:1007 bfifo limit 1000",
            "flow queue 10:1007: buffer is 1000b, expected 64000 bytes",
        ),
        ("filter del dev one parent 10:", "class 1:10: the filter that tells flows apart is not ours"),
    ],
)
def test_what_somebody_else_changed_is_an_error(ports: int, change: str, words: str) -> None:
    shape([tree()], ports)
    batch("tc", [change], netns_of=ports)
    with pytest.raises(EmulationError) as caught:
        verify([tree()], ports)
    assert str(caught.value) == f"interface one: {words}; something else configures this interface"
