from __future__ import annotations

import pytest
from os_ken.ofproto import ofproto_protocol, ofproto_v1_3, ofproto_v1_3_parser
from small_plans import fat_tree

from controller.openflow import MARKS, METERS, ROUTES, SPREAD, change_messages, describe, install_messages
from testbed.rules.edge import Change, EdgeState
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import Meter
from testbed.rules.model import Route, SwitchRules
from testbed.rules.routes import make_rules


@pytest.fixture
def datapath() -> ofproto_protocol.ProtocolDesc:
    return ofproto_protocol.ProtocolDesc(version=ofproto_v1_3.OFP_VERSION)


def through_the_wire(datapath: object, message: object) -> object:
    """What a switch reads of it; a meter's message as it was made, since os_ken cannot read one."""
    message.set_xid(1)
    message.serialize()
    if isinstance(message, ofproto_v1_3_parser.OFPMeterMod):
        return message
    version, kind, length, xid = ofproto_v1_3_parser.ofproto_parser.header(message.buf)
    return ofproto_v1_3_parser.ofproto_parser.msg(datapath, version, kind, length, xid, message.buf)


def switch(*routes: Route) -> SwitchRules:
    return SwitchRules("e0", 1, 4711, (), routes)


def install(datapath: object, rules: SwitchRules) -> list[tuple[object, str]]:
    return install_messages(datapath, rules, EdgeState())


def test_first_everything_goes_and_a_barrier_comes_last(datapath: object) -> None:
    messages = install(datapath, switch())
    assert [purpose for _, purpose in messages] == [
        "delete all flows",
        "delete all meters",
        "table 0 is followed by 1",
        "table 1 is followed by 2",
        "drop what table 2 does not know",
        "drop what table 3 does not know",
        "barrier",
    ]
    delete, no_meters, first, second, last = (through_the_wire(datapath, messages[i][0]) for i in (0, 1, 2, 3, 4))
    assert (delete.command, delete.table_id) == (ofproto_v1_3.OFPFC_DELETE, ofproto_v1_3.OFPTT_ALL)
    assert (no_meters.command, no_meters.meter_id) == (ofproto_v1_3.OFPMC_DELETE, ofproto_v1_3.OFPM_ALL)
    assert [(miss.priority, miss.table_id, miss.instructions[0].table_id) for miss in (first, second)] == [
        (0, METERS, MARKS),
        (0, MARKS, ROUTES),
    ]
    assert (last.priority, last.match.items(), last.instructions) == (0, [], [])
    assert isinstance(messages[-1][0], ofproto_v1_3_parser.OFPBarrierRequest)


def test_a_last_hop_writes_the_mac_and_leaves_by_its_port(datapath: object) -> None:
    route = Route(400, "10.0.3.1", "255.0.255.255", (7,), "02:00:00:00:00:06")
    flow = through_the_wire(datapath, install(datapath, switch(route))[2][0])
    assert (flow.table_id, flow.priority) == (ROUTES, 400)
    assert dict(flow.match.items()) == {"eth_type": 0x0800, "ipv4_dst": ("10.0.3.1", "255.0.255.255")}
    rewrite, output = flow.instructions[0].actions
    assert (rewrite.key, rewrite.value, output.port) == ("eth_dst", "02:00:00:00:00:06", 7)


def test_a_route_to_nowhere_has_no_instruction(datapath: object) -> None:
    flow = through_the_wire(datapath, install(datapath, switch(Route(300, "10.0.3.0", "255.0.255.0", ())))[2][0])
    assert (flow.priority, flow.instructions) == (300, [])


def test_a_spread_route_hashes_into_a_register_that_the_next_table_reads(datapath: object) -> None:
    spread = Route(100, "10.255.0.0", "255.255.0.0", (3, 5, 4))
    messages = install(datapath, switch(Route(300, "10.0.3.0", "255.0.255.0", ()), spread))
    choose, *ports = (through_the_wire(datapath, message) for message, _ in messages[3:7])
    apply, goto = choose.instructions
    number, multipath = apply.actions
    assert (number.key, number.value, goto.table_id) == ("reg1", 1, SPREAD)
    assert (multipath.fields, multipath.basis, multipath.max_link, multipath.dst) == (3, 4711, 2, "reg0")
    assert [(flow.table_id, flow.match["reg0"], flow.match["reg1"]) for flow in ports] == [
        (SPREAD, i, 1) for i in range(3)
    ]
    assert [flow.instructions[0].actions[0].port for flow in ports] == [3, 5, 4]


def test_every_message_of_a_fabric_can_be_serialised(datapath: object) -> None:
    for rules in make_rules(fat_tree(4)).switches:
        *flows, (barrier, _) = install(datapath, rules)
        assert all(type(through_the_wire(datapath, flow)) is type(flow) for flow, _ in flows)
        barrier.serialize()


def test_routes_in_words() -> None:
    assert describe(Route(1, "10.0.3.0", "255.0.255.0", ())) == "route 10.0.3.0/255.0.255.0 to nowhere"
    assert describe(Route(1, "10.0.0.0", "255.255.0.0", (3,))) == "route 10.0.0.0/255.255.0.0 to port 3"
    assert describe(Route(1, "10.255.0.0", "255.255.0.0", (3, 4))) == "route 10.255.0.0/255.255.0.0 to port 3, 4"


FLOW = FlowKey("10.0.0.1", 40000, "10.0.3.1", 5000)


def test_a_meter_is_there_before_its_flows_and_goes_after_them(datapath: object) -> None:
    before = EdgeState(meters={1: Meter(1e6, 27_042), 2: Meter(1e6, 27_042)})
    change = Change(
        set_meters={1: Meter(2e6, 30_000), 3: Meter(5_000_400, 31_250)},
        remove_meters=(2,),
        set_metered={FLOW: 3},
        remove_metered=(FLOW._replace(source_port=40001),),
        set_marks={FLOW: 8},
    )
    messages = change_messages(datapath, change, before)
    assert [purpose for _, purpose in messages] == [
        "meter 1 of 2000 kbit/s",
        "meter 3 of 5000 kbit/s",
        "flow 10.0.0.1:40000 -> 10.0.3.1:5000 passes meter 3",
        "flow 10.0.0.1:40001 -> 10.0.3.1:5000 passes no meter",
        "flow 10.0.0.1:40000 -> 10.0.3.1:5000 is marked 8",
        "delete meter 2",
        "barrier",
    ]
    modify, add, metered, unmetered, marked, deleted = (through_the_wire(datapath, m) for m, _ in messages[:-1])
    assert (modify.command, add.command, deleted.command) == (
        ofproto_v1_3.OFPMC_MODIFY,
        ofproto_v1_3.OFPMC_ADD,
        ofproto_v1_3.OFPMC_DELETE,
    )
    assert (add.bands[0].rate, add.bands[0].burst_size) == (5000, 250)
    assert [type(i).__name__ for i in metered.instructions] == ["OFPInstructionMeter", "OFPInstructionGotoTable"]
    assert dict(metered.match.items()) == {
        "eth_type": 0x0800, "ip_proto": 6, "ipv4_src": "10.0.0.1", "ipv4_dst": "10.0.3.1",
        "tcp_src": 40000, "tcp_dst": 5000,
    }  # fmt: skip
    assert (unmetered.command, unmetered.table_id) == (ofproto_v1_3.OFPFC_DELETE_STRICT, METERS)
    (write,) = marked.instructions[0].actions
    assert (marked.table_id, write.key, write.value) == (MARKS, "ip_dscp", 8)


def test_a_stopped_flow_is_dropped(datapath: object) -> None:
    message, purpose = change_messages(datapath, Change(set_metered={FLOW: None}), EdgeState())[0]
    assert through_the_wire(datapath, message).instructions == []
    assert purpose == "flow 10.0.0.1:40000 -> 10.0.3.1:5000 is dropped"


def test_a_switch_that_comes_back_gets_meters_and_marks_again(datapath: object) -> None:
    edge = EdgeState(meters={7: Meter(1e6, 27_042)}, metered={FLOW: 7}, marks={FLOW: 16})
    purposes = [purpose for _, purpose in install_messages(datapath, switch(), edge)]
    assert purposes[-4:] == [
        "meter 7 of 1000 kbit/s",
        f"flow {FLOW} passes meter 7",
        f"flow {FLOW} is marked 16",
        "barrier",
    ]
