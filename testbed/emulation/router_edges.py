"""Changes of meters and marks at Linux routers, carried out from outside while traffic flows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

from testbed.emulation.command import batch, run
from testbed.emulation.live_tc import LiveTc
from testbed.emulation.netns import Netns
from testbed.emulation.parallel import in_parallel
from testbed.emulation.router_marks import chain_text, marks_text
from testbed.emulation.router_meters import RouterMeters
from testbed.errors import EmulationError, unknown_name
from testbed.fabric import ETHERNET_HEADER
from testbed.plan import Plan
from testbed.rules.edge import Change, EdgeState
from testbed.segments import frames_together


class RouterEdge:
    """The meters and marks of one router. For one thread at a time; close it in the end."""

    def __init__(self, switch: str, namespace: Netns, ports: Mapping[str, str], mtu: int, frames: int) -> None:
        """`ports`: source address -> the interface where its host's packets come in."""
        self._switch = switch
        self._namespace = namespace
        self._mtu = mtu
        self._state = EdgeState()
        self._meters = RouterMeters(switch, ports, frames * (mtu + ETHERNET_HEADER))
        self._tc = LiveTc(f"switch {switch}", namespace, "qdisc show dev lo")

    def prepare(self, meters: bool, marks: bool) -> None:
        """Make what meters, and what marks, need in the router."""
        if meters:
            batch("ip", self._meters.link_commands(self._mtu), netns_of=self._namespace)
            batch("tc", self._meters.tree_commands(), netns_of=self._namespace)
        if marks:
            self._restore(chain_text())

    def change(self, change: Change) -> float:
        """Carry out a change; the seconds that it took. EmulationError with the kernel's own words."""
        began = time.monotonic()
        lines = self._meters.change_commands(change)
        self._state.apply(change)
        if change.set_marks or change.remove_marks:
            self._restore(marks_text(self._state.marks))
        if lines:
            self._tc.tell(lines)
        return time.monotonic() - began

    def close(self) -> None:
        """End the process that waits for changes; what it has set goes with the router."""
        self._tc.close()

    def _restore(self, text: str) -> None:
        try:
            run(["iptables-restore", "--noflush", "--wait", "5"], stdin=text, netns_of=self._namespace)
        except EmulationError as error:
            raise EmulationError(f"switch {self._switch}: marks: {error}") from None


class RouterEdges:
    """Context manager: carries out changes at the edge routers of a network, for one thread at a time."""

    def __init__(self, plan: Plan, ports: Mapping[str, Mapping[str, str]], namespace: Callable[[str], Netns]) -> None:
        """`ports`: router -> source address -> interface, of those that have hosts; `namespace` by router."""
        self._plan = plan
        self._ports = ports
        self._namespace = namespace
        self._routers: dict[str, RouterEdge] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> RouterEdges:
        mtu, frames = self._plan.fabric.mtu, frames_together(self._plan.fabric)
        meters, marks = "meter" in self._plan.enforcement, marks_at_edge(self._plan)
        with contextlib.ExitStack() as stack:
            for name, ports in self._ports.items():
                self._routers[name] = RouterEdge(name, self._namespace(name), ports, mtu, frames)
                stack.callback(self._routers[name].close)
            in_parallel(lambda router: router.prepare(meters, marks), self._routers.values())
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def change(self, changes: Mapping[str, Change]) -> dict[str, float]:
        """Carry out a change at each router named; its seconds until it was in force."""
        for name in changes:
            if name not in self._routers:
                raise EmulationError(unknown_name("edge router", name, self._routers))
        took_s = in_parallel(lambda name: self._routers[name].change(changes[name]), changes)
        return dict(zip(changes, took_s, strict=True))


def marks_at_edge(plan: Plan) -> bool:
    """Whether flows are marked from outside."""
    return plan.marking == "edge" and "queue" in plan.enforcement
