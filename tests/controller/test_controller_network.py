"""The controller on real Open vSwitch: userspace datapath, veth cables, hosts in namespaces, real packets."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from private_network import PrivateNetwork, private_network, run, until
from small_plans import fat_tree
from traffic import knock_tcp, send_astray, send_udp, transfer_tcp

from testbed.errors import EmulationError
from testbed.plan import Plan
from testbed.rules.routes import make_rules
from testbed.rules.walk import walk

pytestmark = pytest.mark.network

FLOWS = range(20_000, 20_400)


@pytest.fixture(scope="module")
def hashing() -> Iterator[PrivateNetwork]:
    with private_network(fat_tree(4, ecmp="hash")) as network:
        yield network


@pytest.fixture
def small() -> Iterator[PrivateNetwork]:
    with private_network(fat_tree(2)) as network:
        yield network


def since(network: PrivateNetwork, before: dict[str, int]) -> dict[str, int]:
    """Link name -> packets since then, links that carried none left out."""
    return {link: sent - before[link] for link, sent in network.crossed().items() if sent != before[link]}


def by_core(network: PrivateNetwork, before: dict[str, int], pod: int) -> list[int]:
    """Packets since then from each core switch down to a pod."""
    links = {f"{c}->a": [name for name in before if name.startswith(f"c{c}->")][pod] for c in range(4)}
    crossed = since(network, before)
    return [crossed.get(link, 0) for link in links.values()]


@pytest.mark.parametrize("core", range(4))
def test_a_connection_bound_to_the_address_of_a_core_crosses_it_alone_both_ways(
    hashing: PrivateNetwork, core: int
) -> None:
    plan = hashing.plan
    source, destination = (plan.addresses[host].via[core] for host in (0, 15))
    before = hashing.crossed()
    transfer_tcp(hashing, 0, source, 15, destination, 200_000)
    rules = make_rules(plan)
    there = walk(rules, plan.fabric, 0, destination).links
    back = walk(rules, plan.fabric, 15, source).links
    planned = {plan.fabric.links[number].name for number in (*there[1:], *back[1:])}
    crossed = since(hashing, before)
    assert set(crossed) == planned
    assert all(f"c{core}" in link for link in planned if "c" in link)
    assert min(crossed[plan.fabric.links[number].name] for number in there[1:]) >= 200_000 // 9000


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
@pytest.mark.parametrize(("sender", "receiver"), [(0, 15), (6, 1)])
def test_the_hash_gives_every_core_a_fair_part_of_400_flows_between_two_hosts(
    hashing: PrivateNetwork, protocol: str, sender: int, receiver: int
) -> None:
    before = hashing.crossed()
    destination = hashing.plan.addresses[receiver].primary
    if protocol == "udp":
        send_udp(hashing, sender, destination, FLOWS, receiver)
    else:
        knock_tcp(hashing, sender, destination, FLOWS)
    parts = by_core(hashing, before, pod=receiver // 4)
    assert sum(parts) == len(FLOWS)
    assert all(50 <= part <= 150 for part in parts), parts


def test_the_hash_basis_is_seeded() -> None:
    """Other seeds spread as well, and otherwise."""
    spreads = set()
    for seed in (2, 3):
        with private_network(fat_tree(4, ecmp="hash", seed=seed)) as network:
            before = network.crossed()
            knock_tcp(network, 0, network.plan.addresses[15].primary, FLOWS)
            parts = by_core(network, before, pod=3)
            assert all(50 <= part <= 150 for part in parts), parts
            spreads.add(tuple(parts))
    assert len(spreads) == 2


def test_default_select_groups_polarise() -> None:
    """Why `multipath` with a basis per switch: the edge's choice decides the aggregation switch's."""
    with private_network(fat_tree(4, ecmp="hash")) as network:
        for switch in ("e0", "a0", "a1"):
            network.ofctl("add-group", switch, "group_id=1,type=select,bucket=output:3,bucket=output:4")
            network.ofctl("add-flow", switch, "table=2,priority=150,ip,nw_dst=10.255.0.0/16,actions=group:1")
        before = network.crossed()
        knock_tcp(network, 0, network.plan.addresses[15].primary, FLOWS)
        parts = by_core(network, before, pod=3)
    assert sum(parts) == len(FLOWS)
    assert sum(part == 0 for part in parts) == 2, parts


def test_unknown_destinations_go_no_further_than_the_rules_say(hashing: PrivateNetwork) -> None:
    plan, rules = hashing.plan, make_rules(hashing.plan)
    astray = ["10.0.0.200", "10.3.7.200", "10.2.99.1", "10.4.7.1", "192.168.0.1", "224.0.0.1"]
    expected: dict[str, int] = {}
    for address in astray:
        for number in walk(rules, plan.fabric, 0, address).links[1:]:
            expected[plan.fabric.links[number].name] = expected.get(plan.fabric.links[number].name, 0) + 1
    before = hashing.crossed()
    send_astray(hashing, 0, astray)
    # The datapath takes packets of one port in order: when this one is there, it has dealt with the others.
    send_udp(hashing, 0, plan.addresses[15].via[3], range(30_000, 30_001), 15)
    for number in walk(rules, plan.fabric, 0, plan.addresses[15].via[3]).links[1:]:
        expected[plan.fabric.links[number].name] = expected.get(plan.fabric.links[number].name, 0) + 1
    assert until(lambda: (now := since(hashing, before)) == expected and now, f"exactly {expected}")


def test_single_path_uses_one_core() -> None:
    with private_network(fat_tree(4, ecmp="single-path")) as network:
        before = network.crossed()
        knock_tcp(network, 0, network.plan.addresses[15].primary, range(20_000, 20_040))
        knock_tcp(network, 6, network.plan.addresses[15].primary, range(20_000, 20_040))
        assert by_core(network, before, pod=3) == [80, 0, 0, 0]


def test_a_switch_that_reconnects_gets_its_rules_again(small: PrivateNetwork) -> None:
    rules = {switch: small.ofctl("dump-flows", switch).count("priority=") for switch in ("c0", "e0")}
    small.ofctl("del-flows", "c0")
    assert small.ofctl("dump-flows", "c0").count("priority=") == 0
    small.vsctl("del-controller", small.bridge("c0"))
    until(lambda: not state(small, "c0")["connected"], "c0 has left")
    with pytest.raises(EmulationError, match=r"^controller: lost c0: the connection closed or echo requests went "):
        small.controller.check_alive()
    small.vsctl("set-controller", small.bridge("c0"), small.controller_target)
    until(lambda: state(small, "c0")["installs"] == 2, "c0 has its rules again")
    small.controller.check_alive()
    assert rules == {switch: small.ofctl("dump-flows", switch).count("priority=") for switch in rules}
    send_udp(small, 0, small.plan.addresses[1].primary, range(20_000, 20_001), 1)


def state(network: PrivateNetwork, switch: str) -> dict[str, object]:
    found: dict[str, object] = network.controller.ask("status")["switches"][switch]
    return found


def test_a_switch_daemon_that_hangs_is_noticed_and_comes_back(small: PrivateNetwork) -> None:
    os.kill(small.daemons["ovs-vswitchd"], signal.SIGSTOP)
    until(lambda: not any(s["connected"] for s in small.controller.ask("status")["switches"].values()), "all gone")
    os.kill(small.daemons["ovs-vswitchd"], signal.SIGCONT)
    until(lambda: small.controller.ask("status")["ready"], "all back", deadline_s=40.0)
    small.controller.check_alive()


def test_a_switch_daemon_that_dies_is_noticed(small: PrivateNetwork) -> None:
    os.kill(small.daemons["ovs-vswitchd"], signal.SIGKILL)
    until(lambda: not any(s["connected"] for s in small.controller.ask("status")["switches"].values()), "all gone")
    message = r"^controller: lost e0, e1, a0, a1, c0: the connection closed or echo "
    with pytest.raises(EmulationError, match=message):
        small.controller.check_alive()


def test_a_killed_controller_is_noticed_and_the_rules_stay(small: PrivateNetwork) -> None:
    pid = small.controller.pid
    os.kill(pid, signal.SIGKILL)
    message = (
        f"controller: pid {pid} was killed by signal 9; expected it to live as long as the network: "
        "the switches keep their rules but nobody watches them, run again\n"
        f"  the end of {small.log}:\n"
    )
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}"):
        until(lambda: small.controller.check_alive(), "the death of the controller")
    send_udp(small, 0, small.plan.addresses[1].primary, range(20_000, 20_001), 1)


def test_an_unknown_switch_is_refused(small: PrivateNetwork) -> None:
    small.vsctl("add-br", "stray", "--", "set", "bridge", "stray", "datapath_type=netdev", "protocols=OpenFlow13",
                "other-config:datapath-id=00000000000000ff", "--", "set-controller", "stray",
                small.controller_target)  # fmt: skip
    line = "refused a switch with unknown dpid 00000000000000ff from 127.0.0.1: the plan's are 1 to 5"
    until(lambda: line in small.log.read_text(), "the line in the log")
    small.controller.check_alive()


def broken(plan: Plan, port: int = 0, mac: str = "") -> Plan:
    """A plan whose first host has an unusable switch port or MAC."""
    fabric, addresses = plan.fabric, plan.addresses
    if port:
        wrong = [replace(link, source_port=port) if link.target == "h0" else link for link in fabric.links]
        fabric = replace(fabric, links=tuple(wrong))
    if mac:
        addresses = (replace(addresses[0], mac=mac), *addresses[1:])
    return replace(plan, fabric=fabric, addresses=addresses)


@pytest.mark.parametrize(
    ("plan", "reported"),
    [
        (
            broken(fat_tree(2), mac="nonsense"),
            "handler switch_connected failed on EventOFPStateChange: "
            "AddrFormatError: address 'nonsense' is not an EUIv48",
        ),
        (
            broken(fat_tree(2), port=0xFFFFFE00),
            "e0 refused 'route 10.0.0.1/255.0.255.255 to port 4294966784': OFPET_BAD_ACTION(2), OFPBAC_BAD_OUT_PORT(4)",
        ),
    ],
)
def test_what_goes_wrong_in_a_handler_or_on_a_switch_is_reported(plan: Plan, reported: str) -> None:
    """A rule that cannot be written as a message; a rule that the switch refuses."""
    message = f"controller: 1 error: {reported}. Expected none: a switch may lack rules of the plan\n"
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}"), private_network(fat_tree(2), rules_of=plan):
        pass


def test_a_barrier_reply_does_not_mean_that_cached_flows_changed(small: PrivateNetwork) -> None:
    """Open vSwitch revalidates cached datapath flows after it has answered; here that is held up."""
    destination = small.plan.addresses[1].primary
    send_udp(small, 0, destination, range(20_000, 20_001), 1)
    run("ovs-appctl", "-t", str(small.vswitchd_control), "revalidator/pause")
    small.ofctl("del-flows", "c0")  # ovs-ofctl waits for the barrier reply
    assert small.ofctl("dump-flows", "c0").count("priority=") == 0
    send_udp(small, 0, destination, range(20_000, 20_001), 1)  # arrives: the old flow is still cached
    run("ovs-appctl", "-t", str(small.vswitchd_control), "revalidator/resume")


def test_the_northbound_interface_counts_packets_per_rule(small: PrivateNetwork) -> None:
    send_udp(small, 0, small.plan.addresses[1].via[0], range(20_000, 20_001), 1)

    def last_hop() -> int:
        flows = small.controller.ask("flows", switch="e1")["e1"]
        return next(flow["packets"] for flow in flows if flow["priority"] == 400)

    assert until(last_hop, "the counter of the last hop") == 1
    assert [entry["name"] for entry in small.controller.ask("topology")] == [
        "e0", "e1", "a0", "a1", "c0",
    ]  # fmt: skip
    message = "controller: 'flows': unknown switch 'ee0'; did you mean 'e0'? known: a0, a1, "
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}"):
        small.controller.ask("flows", switch="ee0")
