"""Rules to OpenFlow 1.3 messages. Pure: a message is made, nothing is sent.

Four tables, one after the other:

    0 meters   a flow's packets pass its meter, or are dropped; all others go on
    1 marks    a flow's packets get their DSCP; all others go on as they are
    2 routes   where a packet leaves
    3 spread   which of several ports that is

A route with several ports writes its number into register 1 and the flow's hash, modulo the number of ports, into
register 0; table 3 then says which port that is. The hash is Nicira's `multipath` action, because a `select` group of
OpenFlow 1.3 hashes alike on every switch (so it polarises) and leaves the ports of UDP out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from os_ken.ofproto import nicira_ext

from testbed.rules.edge import Change, EdgeState
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import Meter
from testbed.rules.model import Route, SwitchRules
from testbed.rules.route_change import Key, RouteChange, key_of

METERS, MARKS, ROUTES, SPREAD = 0, 1, 2, 3
"""Table numbers."""
PER_FLOW = 100
"""Priority of what is said about one flow."""
IPV4 = 0x0800
TCP = 6
SYMMETRIC_L3L4_UDP = 3
"""Open vSwitch's NX_HASH_FIELDS_SYMMETRIC_L3L4_UDP: addresses and TCP, SCTP and UDP ports. os_ken lacks the name."""
REGISTER = 32
"""Bits of a register."""

Message = tuple[Any, str]
"""An OpenFlow message and what it is for, in words."""


def install_messages(datapath: Any, rules: SwitchRules, edge: EdgeState) -> list[Message]:
    """All that brings a switch from any state to exactly these rules, meters and marks; the last is a barrier.

    `datapath` is os_ken's, or anything else that has its `ofproto` and `ofproto_parser`. An unusable value in a rule
    (a MAC that is none, say) is found only when the message is serialised, as os_ken's own error.
    """
    messages = [
        (_delete_everything(datapath), "delete all flows"),
        (_delete_meter(datapath, datapath.ofproto.OFPM_ALL), "delete all meters"),
    ]
    for number, route in enumerate(rules.routes):
        if len(route.ports) > 1:
            messages += _spread(datapath, route, number, rules.hash_basis)
        else:
            messages.append((_flow(datapath, ROUTES, route.priority, _match(datapath, route), _out(datapath, route)),
                             describe(route)))  # fmt: skip
    every = datapath.ofproto_parser.OFPMatch()
    for table, following in ((METERS, MARKS), (MARKS, ROUTES)):
        messages.append((_flow(datapath, table, 0, every, [], following), f"table {table} is followed by {following}"))
    for table in (ROUTES, SPREAD):
        messages.append((_flow(datapath, table, 0, every, []), f"drop what table {table} does not know"))
    everything = Change(set_meters=edge.meters, set_metered=edge.metered, set_marks=edge.marks)
    return [*messages, *change_messages(datapath, everything, EdgeState())]


def change_messages(datapath: Any, change: Change, before: EdgeState) -> list[Message]:
    """What carries out a change on a switch that has `before`; the last message is a barrier.

    Meters come before the flows that pass them and go after them, so that no flow is without its meter for a moment.
    """
    ofproto, parser = datapath.ofproto, datapath.ofproto_parser
    messages: list[Message] = []
    for number, meter in change.set_meters.items():
        command = ofproto.OFPMC_MODIFY if number in before.meters else ofproto.OFPMC_ADD
        messages.append((_meter(datapath, command, number, meter), f"meter {number} of {meter.rate_kbps} kbit/s"))
    for flow, through in change.set_metered.items():
        purpose = f"flow {flow} is dropped" if through is None else f"flow {flow} passes meter {through}"
        messages.append((_metered(datapath, flow, through), purpose))
    for flow in change.remove_metered:
        messages.append((_remove(datapath, METERS, flow), f"flow {flow} passes no meter"))
    for flow, dscp in change.set_marks.items():
        action = parser.OFPActionSetField(ip_dscp=dscp)
        message = _flow(datapath, MARKS, PER_FLOW, _match_flow(datapath, flow), [action], ROUTES)
        messages.append((message, f"flow {flow} is marked {dscp}"))
    for flow in change.remove_marks:
        messages.append((_remove(datapath, MARKS, flow), f"flow {flow} is not marked"))
    for number in change.remove_meters:
        messages.append((_delete_meter(datapath, number), f"delete meter {number}"))
    messages.append((parser.OFPBarrierRequest(datapath), "barrier"))
    return messages


def route_messages(
    datapath: Any, change: RouteChange, numbers: Mapping[Key, int], gone: Sequence[int], basis: int
) -> list[Message]:
    """What changes routes on a switch; the last message is a barrier.

    `numbers` are those of the routes that spread over several ports, different from all in use; those of routes that
    spread no more have `gone`.
    """
    messages: list[Message] = []
    for route in change.set:
        if len(route.ports) > 1:
            messages += _spread(datapath, route, numbers[key_of(route)], basis)
        else:
            message = _flow(datapath, ROUTES, route.priority, _match(datapath, route), _out(datapath, route))
            messages.append((message, describe(route)))
    for route in change.remove:
        message = _delete(datapath, ROUTES, _match(datapath, route), route.priority)
        messages.append((message, f"no {describe(route)}"))
    for number in gone:
        match = datapath.ofproto_parser.OFPMatch(reg1=number)
        messages.append((_delete(datapath, SPREAD, match), f"no route of number {number}"))
    return [*messages, (datapath.ofproto_parser.OFPBarrierRequest(datapath), "barrier")]


def describe(route: Route) -> str:
    """The route in words, for error messages and logs."""
    where = f"port {', '.join(map(str, route.ports))}" if route.ports else "nowhere"
    return f"route {route.network}/{route.mask} to {where}"


def _match(datapath: Any, route: Route) -> Any:
    return datapath.ofproto_parser.OFPMatch(eth_type=IPV4, ipv4_dst=(route.network, route.mask))


def _match_flow(datapath: Any, flow: FlowKey) -> Any:
    return datapath.ofproto_parser.OFPMatch(
        eth_type=IPV4,
        ip_proto=TCP,
        ipv4_src=flow.source,
        ipv4_dst=flow.destination,
        tcp_src=flow.source_port,
        tcp_dst=flow.destination_port,
    )


def _flow(datapath: Any, table: int, priority: int, match: Any, actions: list[Any], next_table: int = 0) -> Any:
    parser, ofproto = datapath.ofproto_parser, datapath.ofproto
    instructions = [parser.OFPInstructionActions(ofproto.OFPIT_APPLY_ACTIONS, actions)] if actions else []
    if next_table:
        instructions.append(parser.OFPInstructionGotoTable(next_table))
    return parser.OFPFlowMod(
        datapath, table_id=table, command=ofproto.OFPFC_ADD, priority=priority, match=match, instructions=instructions
    )


def _meter(datapath: Any, command: int, number: int, meter: Meter) -> Any:
    parser, ofproto = datapath.ofproto_parser, datapath.ofproto
    band = parser.OFPMeterBandDrop(rate=meter.rate_kbps, burst_size=meter.burst_kbit)
    return parser.OFPMeterMod(datapath, command, ofproto.OFPMF_KBPS | ofproto.OFPMF_BURST, number, [band])


def _metered(datapath: Any, flow: FlowKey, meter: int | None) -> Any:
    message = _flow(datapath, METERS, PER_FLOW, _match_flow(datapath, flow), [], 0 if meter is None else MARKS)
    if meter is not None:
        message.instructions.insert(0, datapath.ofproto_parser.OFPInstructionMeter(meter))
    return message


def _remove(datapath: Any, table: int, flow: FlowKey) -> Any:
    return _delete(datapath, table, _match_flow(datapath, flow), PER_FLOW)


def _delete(datapath: Any, table: int, match: Any, priority: int | None = None) -> Any:
    """Delete the entry of this priority, or all that match."""
    parser, ofproto = datapath.ofproto_parser, datapath.ofproto
    return parser.OFPFlowMod(
        datapath,
        table_id=table,
        command=ofproto.OFPFC_DELETE if priority is None else ofproto.OFPFC_DELETE_STRICT,
        priority=priority or 0,
        match=match,
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
    )


def _out(datapath: Any, route: Route) -> list[Any]:
    parser = datapath.ofproto_parser
    rewrite = [parser.OFPActionSetField(eth_dst=route.mac)] if route.mac else []
    return [*rewrite, *(parser.OFPActionOutput(port) for port in route.ports)]


def _spread(datapath: Any, route: Route, number: int, basis: int) -> Iterator[Message]:
    parser = datapath.ofproto_parser
    choose = parser.NXActionMultipath(
        fields=SYMMETRIC_L3L4_UDP,
        basis=basis,
        algorithm=nicira_ext.NX_MP_ALG_MODULO_N,
        max_link=len(route.ports) - 1,  # as it goes over the wire: the highest result
        arg=0,
        ofs_nbits=nicira_ext.ofs_nbits(0, REGISTER - 1),
        dst="reg0",
    )
    rewrite = [parser.OFPActionSetField(eth_dst=route.mac)] if route.mac else []
    actions = [*rewrite, parser.OFPActionSetField(reg1=number), choose]
    yield _flow(datapath, ROUTES, route.priority, _match(datapath, route), actions, SPREAD), describe(route)
    for result, port in enumerate(route.ports):
        match = parser.OFPMatch(reg0=result, reg1=number)
        yield _flow(datapath, SPREAD, 1, match, [parser.OFPActionOutput(port)]), f"{describe(route)}: number {result}"


def _delete_everything(datapath: Any) -> Any:
    parser, ofproto = datapath.ofproto_parser, datapath.ofproto
    return parser.OFPFlowMod(
        datapath,
        table_id=ofproto.OFPTT_ALL,
        command=ofproto.OFPFC_DELETE,
        out_port=ofproto.OFPP_ANY,
        out_group=ofproto.OFPG_ANY,
    )


def _delete_meter(datapath: Any, number: int) -> Any:
    return datapath.ofproto_parser.OFPMeterMod(datapath, datapath.ofproto.OFPMC_DELETE, 0, number, [])
