"""The driver that turns meters into queues of a Linux router: lines for `tc -batch`.

No kernel action that drops beyond a rate is needed. What hosts send on a metered flow is taken off the port where it
comes in, put into a queue that is served at the meter's rate, and then goes on as if it had just come in:

PORT     ingress  u32 per flow: redirect to `meters`
meters   htb 1:   u32 per flow: to the class of its meter; what has none passes at once
1:N      class    meter N: rate = ceil
         bfifo    what waits for it; beyond the meter's burst, or three segments a flow, it is dropped
1:fffe   class    flows that shall be dropped altogether: a queue too short for any frame

So several hosts' flows may share a meter, and the queueing of no host and no port is touched.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from testbed.emulation.flow_filters import MOST_FLOWS, FlowNumbers, filter_place, flow_match
from testbed.errors import EmulationError
from testbed.rules.edge import Change, EdgeState
from testbed.rules.flow_key import FlowKey
from testbed.rules.meters import BURST_FRAMES, MAX_RATE_BPS, Meter

DEVICE = "meters"
_DROPPING = 0xFFFE
_MOST_METERS = _DROPPING - 1
_SERVED_S, _SERVED_SEGMENTS = 0.001, 2
"""What may leave the queue at once after idling, whichever is more: as at every other port."""
_PARENT = f"dev {DEVICE} parent 1:"


class RouterMeters:
    """The meters of one router and the flows through them, as commands. It remembers what it has said."""

    def __init__(self, switch: str, ports: Mapping[str, str], segment_bytes: int) -> None:
        """`ports`: source address -> the interface where its host's packets come in. `segment_bytes`: the largest."""
        self._switch = switch
        self._ports = ports
        self._segment = segment_bytes
        self._state = EdgeState()
        self._used: set[int] = set()  # meters whose class is there, be it as one that holds nothing back
        self._numbers = FlowNumbers(
            f"switch {switch}: more than {MOST_FLOWS} flows at a time to be metered; use 'enforcement: pacing', "
            "or an OpenFlow datapath"
        )

    def link_commands(self, mtu: int) -> list[str]:
        """Lines for `ip -batch`, before all others."""
        return [f"link add {DEVICE} mtu {mtu} type ifb", f"link set {DEVICE} up"]

    def tree_commands(self) -> list[str]:
        """Lines for `tc -batch`, before all changes."""
        dropping = f"class add {_PARENT} classid 1:{_DROPPING:x} {self._htb(MAX_RATE_BPS)}"
        return [
            *(f"qdisc add dev {interface} ingress" for interface in sorted(set(self._ports.values()))),
            f"qdisc add dev {DEVICE} root handle 1: htb default 0",
            dropping,
            f"qdisc add dev {DEVICE} parent 1:{_DROPPING:x} bfifo limit 1",
        ]

    def change_commands(self, change: Change) -> list[str]:
        """Lines that carry out a change; EmulationError, with nothing remembered, where it cannot be."""
        before, after = self._state, self._state.copy()
        after.apply(change)
        self._check(change)
        flows = Counter(after.metered.values())
        moved = {*change.set_metered, *change.remove_metered}
        other = {state.metered.get(flow) for state in (before, after) for flow in moved}
        lines = [
            line
            for number in sorted(after.meters.keys() & {*change.set_meters, *other})
            for line in self._meter(number, after.meters[number], flows[number])
        ]
        for flow in change.set_metered:
            if flow in after.metered:
                lines += self._send_through(flow, after.metered[flow])
        for flow in change.remove_metered:
            if flow in self._numbers:
                lines += self._let_by(flow)
        lines += [self._open(number) for number in before.meters if number not in after.meters]
        self._state = after
        return lines

    def _check(self, change: Change) -> None:
        for flow in change.set_metered:
            if flow.source not in self._ports:
                raise EmulationError(f"switch {self._switch}: flow {flow} does not enter the network here")
        for number in change.set_meters:
            if number > _MOST_METERS:
                raise EmulationError(f"switch {self._switch}: meter {number}; expected 1 to {_MOST_METERS} at a router")

    def _meter(self, number: int, meter: Meter, flows: int) -> Iterable[str]:
        """Have a meter's class, or change it; what waits there goes on waiting."""
        if (
            number not in self._state.meters and number in self._used
        ):  # another meter's, of whose debts it shall be free
            yield f"class del dev {DEVICE} classid 1:{number:x}"
        self._used.add(number)
        waiting = max(math.ceil(meter.burst_bytes), BURST_FRAMES * self._segment * max(1, flows))
        yield f"class replace {_PARENT} classid 1:{number:x} {self._htb(meter.rate_bps)}"
        yield f"qdisc replace dev {DEVICE} parent 1:{number:x} bfifo limit {waiting}"

    def _open(self, number: int) -> str:
        """Let go what waits for a meter that is no more."""
        return f"class replace {_PARENT} classid 1:{number:x} {self._htb(MAX_RATE_BPS)}"

    def _send_through(self, flow: FlowKey, meter: int | None) -> Iterable[str]:
        number = self._numbers.of(flow)
        flow_class, match = _DROPPING if meter is None else meter, flow_match(flow)
        yield f"filter replace {filter_place(_PARENT, number)} {match} flowid 1:{flow_class:x}"
        if flow not in self._state.metered:
            action = f"action mirred egress redirect dev {DEVICE}"
            yield f"filter replace {filter_place(self._ingress(flow), number)} {match} {action}"

    def _let_by(self, flow: FlowKey) -> Iterable[str]:
        number = self._numbers.give_back(flow)
        yield f"filter del {filter_place(self._ingress(flow), number)} u32"
        yield f"filter del {filter_place(_PARENT, number)} u32"

    def _ingress(self, flow: FlowKey) -> str:
        return f"dev {self._ports[flow.source]} parent ffff:"

    def _htb(self, rate_bps: float) -> str:
        rate, burst = round(rate_bps), math.ceil(max(_SERVED_SEGMENTS * self._segment, rate_bps / 8 * _SERVED_S))
        return f"htb rate {rate}bit ceil {rate}bit burst {burst} cburst {burst} quantum {self._segment}"
