"""What becomes of meters and marks at a router: the commands for tc and netfilter, and the kernel's word on them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from emulated_plans import big_switch

from testbed.emulation import command, router_needs
from testbed.emulation.command import batch, run
from testbed.emulation.router_edges import RouterEdge
from testbed.emulation.router_marks import chain_text, marks_text
from testbed.emulation.router_meters import RouterMeters
from testbed.emulation.router_needs import require_edge
from testbed.errors import CapabilityError, EmulationError
from testbed.rules.edge import Change
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import Meter

FLOW = FlowKey("10.0.0.1", 40_000, "10.0.1.1", 5000)
OTHER = FlowKey("10.0.0.2", 40_001, "10.0.1.1", 5000)
PORTS = {"10.0.0.1": "p1", "10.0.0.2": "p2"}
MATCH = "match ip src 10.0.0.1/32 match ip dst 10.0.1.1/32 match ip protocol 6 0xff"
OF_FLOW = f"u32 {MATCH} match ip sport 40000 0xffff match ip dport 5000 0xffff"
AT_METERS, AT_PORT = (
    f"dev {place} protocol ip prio 1 handle 800::1" for place in ("meters parent 1:", "p1 parent ffff:")
)


@pytest.fixture
def meters() -> RouterMeters:
    return RouterMeters("s0", PORTS, 9014)


def test_a_flow_is_taken_off_its_port_into_the_queue_of_its_meter(meters: RouterMeters) -> None:
    assert meters.change_commands(Change(set_meters={7: Meter(8e6, 50_000)}, set_metered={FLOW: 7})) == [
        "class replace dev meters parent 1: classid 1:7 htb rate 8000000bit ceil 8000000bit burst 18028 cburst 18028 "
        "quantum 9014",
        "qdisc replace dev meters parent 1:7 bfifo limit 50000",
        f"filter replace {AT_METERS} {OF_FLOW} flowid 1:7",
        f"filter replace {AT_PORT} {OF_FLOW} action mirred egress redirect dev meters",
    ]


def test_a_flow_that_is_metered_changes_its_meter_and_nothing_else(meters: RouterMeters) -> None:
    meters.change_commands(
        Change(set_meters={1: Meter(8e6, 50_000), 20: Meter(1e6, 30_000)}, set_metered={FLOW: 1, OTHER: 20})
    )
    lines = meters.change_commands(Change(set_metered={FLOW: 20}))
    assert [line for line in lines if line.startswith("filter")] == [
        f"filter replace {AT_METERS} {OF_FLOW} flowid 1:14"
    ]
    # Room for three segments of each of the two flows.
    assert [line for line in lines if line.startswith("qdisc")] == [
        "qdisc replace dev meters parent 1:1 bfifo limit 50000",
        "qdisc replace dev meters parent 1:14 bfifo limit 54084",
    ]


def test_a_meter_that_is_removed_lets_go_what_waits_and_its_number_may_be_used_again(meters: RouterMeters) -> None:
    meters.change_commands(Change(set_meters={1: Meter(8e6, 50_000)}, set_metered={FLOW: 1}))
    assert meters.change_commands(Change(remove_meters=(1,), remove_metered=(FLOW,))) == [
        f"filter del {AT_PORT} u32",
        f"filter del {AT_METERS} u32",
        "class replace dev meters parent 1: classid 1:1 htb rate 100000000000bit ceil 100000000000bit "
        "burst 12500000 cburst 12500000 quantum 9014",
    ]
    lines = meters.change_commands(Change(set_meters={1: Meter(1e6, 50_000)}))
    assert [line.split(" htb ")[0] for line in lines] == [
        "class del dev meters classid 1:1",
        "class replace dev meters parent 1: classid 1:1",
        "qdisc replace dev meters parent 1:1 bfifo limit 50000",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            Change(set_metered={FLOW: 4}),
            "flow 10.0.0.1:40000 -> 10.0.1.1:5000: it shall pass meter 4, which this switch does not have",
        ),
        (
            Change(set_metered={FLOW._replace(source="10.0.9.9"): None}),
            "switch s0: flow 10.0.9.9:40000 -> 10.0.1.1:5000 does not enter the network here",
        ),
        (Change(set_meters={0xFFFE: Meter(1e6, 1e5)}), "switch s0: meter 65534; expected 1 to 65533 at a router"),
        (
            Change(set_metered={FLOW._replace(source_port=1 + n): None for n in range(0x800)}),
            "switch s0: more than 2047 flows at a time to be metered; use 'enforcement: pacing', "
            "or an OpenFlow datapath",
        ),
    ],
)
def test_what_cannot_be_is_said(meters: RouterMeters, change: Change, message: str) -> None:
    with pytest.raises(EmulationError, match=f"^{re.escape(message)}$"):
        meters.change_commands(change)


def test_marks_are_one_chain_before_the_routing() -> None:
    assert chain_text() == "*mangle\n:COFLOW-MARKS - [0:0]\n-A PREROUTING -j COFLOW-MARKS\nCOMMIT\n"
    assert marks_text({FLOW: 5}) == (
        "*mangle\n:COFLOW-MARKS - [0:0]\n-A COFLOW-MARKS -p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 40000 --dport 5000 "
        "-j DSCP --set-dscp 5\nCOMMIT\n"
    )


def test_a_machine_without_what_it_takes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = big_switch(2, datapath="router", enforcement=("meter", "queue"), marking="edge")
    require_edge(replace(plan, enforcement=("pacing", "queue"), marking="actor"))  # needs nothing
    monkeypatch.setattr(router_needs.shutil, "which", lambda _: None)
    message = "program 'iptables-restore' not found on the path; install the package iptables (make setup does)"
    with pytest.raises(CapabilityError, match=f"^{re.escape(message)}$"):
        require_edge(replace(plan, enforcement=("queue",)))

    def refuse(argv: list[str], **_: object) -> str:
        raise EmulationError(f"'{command.shorten(argv)}' ended with status 2: Error: Unknown device type.")

    monkeypatch.setattr(router_needs, "run", refuse)
    monkeypatch.setattr(router_needs.platform, "release", lambda: "6.0")
    message = (
        "enforcement 'meter' with datapath 'router' needs interfaces of the type ifb, which kernel 6.0 does not take: "
        "'unshare --net ip link add trial type ifb' ended with status 2: Error: Unknown device type.; "
        "use pacing or queue, or another datapath"
    )
    with pytest.raises(CapabilityError, match=f"^{re.escape(message)}$"):
        require_edge(plan)


@pytest.mark.network
def test_the_kernel_takes_all_of_it(namespace: int) -> None:
    require_edge(big_switch(2, datapath="router", enforcement=("meter", "queue"), marking="edge"))
    cables = ["link add p1 type veth peer name h1", "link add p2 type veth peer name h2"]
    batch("ip", [*cables, *(f"link set {device} up" for device in ("lo", "p1", "p2"))], netns_of=namespace)
    router = RouterEdge("s0", namespace, PORTS, 9000, 1)
    try:
        router.prepare(meters=True, marks=True)
        router.change(
            Change(
                set_meters={1: Meter(8e6, 5e4)}, set_metered={FLOW: 1, OTHER: None}, set_marks={FLOW: 3, OTHER: 7}
            )
        )  # fmt: skip
        shown = run(["tc", "class", "show", "dev", "meters"], netns_of=namespace)
        assert "class htb 1:1 root leaf" in shown
        assert "rate 8Mbit ceil 8Mbit" in shown
        assert filters(namespace, "meters") == ["1:1", "1:fffe"]
        assert [len(filters(namespace, port, "ffff:")) for port in ("p1", "p2")] == [1, 1]
        assert marks(namespace) == {"40000": "0x03", "40001": "0x07"}
        router.change(Change(set_metered={OTHER: 1}, remove_marks=(FLOW,)))
        assert filters(namespace, "meters") == ["1:1", "1:1"]
        assert marks(namespace) == {"40001": "0x07"}
        router.change(Change(remove_meters=(1,), remove_metered=(FLOW, OTHER)))
        router.change(Change(set_meters={1: Meter(2e6, 5e4)}))
        assert "rate 2Mbit ceil 2Mbit" in run(["tc", "class", "show", "dev", "meters"], netns_of=namespace)
        assert filters(namespace, "meters") == []
        run(["tc", "qdisc", "del", "dev", "meters", "root"], netns_of=namespace)
        with pytest.raises(EmulationError, match=r"^switch s0: tc ended: .*Command failed -:\d+$"):
            router.change(Change(set_meters={1: Meter(1e6, 5e4)}))
    finally:
        router.close()


def filters(namespace: int, device: str, parent: str = "1:") -> list[str]:
    """Where the filters of a device send packets ('' where they redirect them)."""
    text = run(["tc", "filter", "show", "dev", device, "parent", parent], netns_of=namespace)
    return re.findall(r"key ht 800 bkt 0 .*flowid (?:(?=not_in)|(\S+))", text)


def marks(namespace: int) -> dict[str, str]:
    """Source port -> DSCP of the rules that write one."""
    text = run(["iptables", "-t", "mangle", "-S"], netns_of=namespace)
    return dict(re.findall(r"--sport (\d+) .*--set-dscp (\S+)", text))
