"""Which class of its host's own interface a flow is in, set from outside: for applications that mark nothing.

A filter per flow, before those that read the DSCP.
"""

from __future__ import annotations

from testbed.emulation.containers import HostHandle
from testbed.emulation.flow_filters import MOST_FLOWS, FlowNumbers, filter_place, flow_match
from testbed.emulation.live_tc import LiveTc
from testbed.emulation.port_trees import FIRST_CLASS
from testbed.emulation.wiring import HOST_INTERFACE
from testbed.rules.edge import Change
from testbed.rules.flow_key import FlowKey

_PARENT = f"dev {HOST_INTERFACE} parent 1:"


class HostClasses:
    """The filters of one host's interface. For one thread at a time; close it in the end."""

    def __init__(self, host: HostHandle) -> None:
        self._numbers = FlowNumbers(
            f"host {host.name}: more than {MOST_FLOWS} flows at a time to be classed from outside; use 'marking: actor'"
        )
        self._tc = LiveTc(f"host {host.name}", host.pid, f"qdisc show dev {HOST_INTERFACE}")

    def change(self, change: Change) -> float:
        """Put flows into classes, or take them out; the seconds that it took. EmulationError with tc's own words."""
        lines = [self._set(flow, dscp) for flow, dscp in change.set_marks.items()]
        lines += [self._remove(flow) for flow in change.remove_marks if flow in self._numbers]
        return self._tc.tell(lines)

    def close(self) -> None:
        """End the process; the filters stay as they are."""
        self._tc.close()

    def _set(self, flow: FlowKey, dscp: int) -> str:
        place = filter_place(_PARENT, self._numbers.of(flow))
        return f"filter replace {place} {flow_match(flow)} flowid 1:{FIRST_CLASS + dscp:x}"

    def _remove(self, flow: FlowKey) -> str:
        return f"filter del {filter_place(_PARENT, self._numbers.give_back(flow))} u32"
