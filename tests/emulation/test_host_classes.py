"""Flows put into classes from outside, in a real network namespace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.emulation.command import batch, run
from testbed.emulation.containers import HostHandle
from testbed.emulation.host_classes import HostClasses
from testbed.emulation.port_trees import port_tree
from testbed.emulation.shaping import shape
from testbed.errors import EmulationError
from testbed.fabric import Link
from testbed.plan import Address
from testbed.rules.edge import Change
from testbed.rules.flow_key import FlowKey
from testbed.scheduling.sharing import Sharing

pytestmark = pytest.mark.network

FLOW = FlowKey("10.0.0.1", 40_000, "10.0.1.1", 5000)
OTHER = FLOW._replace(source_port=40_001)


@pytest.fixture
def host(namespace: int) -> Iterator[HostClasses]:
    """A host whose interface has eight classes, read from the DSCP."""
    batch("ip", ["link add eth0 type veth peer name far", "link set eth0 up"], netns_of=namespace)
    shape([port_tree("eth0", Link("h0->s0", "h0", "s0", 0, 1, 20e6, 2.4e6, 256_000), 9000, Sharing(8))], namespace)
    made = HostClasses(HostHandle("h0", namespace, 0, Path(), "", Address("h0", "", "10.255.0.1", ())))
    yield made
    made.close()


def filters(pid: int) -> list[tuple[str, str]]:
    """(source and destination port in hexadecimal, class) of the filters on ports, in the order they are tried."""
    text = run(["tc", "filter", "show", "dev", "eth0", "parent", "1:"], netns_of=pid)
    found = re.findall(r"flowid 1:(\S+)[^\n]*\n((?:\s+match [^\n]*\n?)+)", text)
    by_port = [(re.search(r"match (\w{8})/ffffffff at 20", lines), flow_class) for flow_class, lines in found]
    assert [match is not None for match, _ in by_port] == sorted([m is not None for m, _ in by_port], reverse=True)
    return [(match[1], flow_class) for match, flow_class in by_port if match is not None]


def test_flows_are_classed_before_the_dscp_is_read_moved_and_let_go(host: HostClasses, namespace: int) -> None:
    assert host.change(Change(set_marks={FLOW: 1, OTHER: 7})) > 0
    assert filters(namespace) == [("9c401388", "11"), ("9c411388", "17")]
    host.change(Change(set_marks={FLOW: 6}))
    assert filters(namespace) == [("9c401388", "16"), ("9c411388", "17")]
    host.change(Change(set_marks={FLOW._replace(source_port=1): 2}, remove_marks=(FLOW,)))
    assert filters(namespace) == [("9c411388", "17"), ("00011388", "12")]
    host.change(Change(set_marks={FLOW: 3}))  # takes the number that is free
    assert filters(namespace) == [("9c401388", "13"), ("9c411388", "17"), ("00011388", "12")]


def test_what_tc_refuses_is_said(host: HostClasses, namespace: int) -> None:
    run(["tc", "qdisc", "del", "dev", "eth0", "root"], netns_of=namespace)
    with pytest.raises(EmulationError, match=r"^host h0: tc ended: .*Command failed -:1"):
        host.change(Change(set_marks={FLOW: 1}))


def test_a_host_has_a_most_of_flows(host: HostClasses) -> None:
    host.change(Change(set_marks={FLOW._replace(source_port=1 + n): 1 for n in range(0x7FF)}))
    message = "host h0: more than 2047 flows at a time to be classed from outside; use 'marking: actor'"
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        host.change(Change(set_marks={FLOW: 1}))
