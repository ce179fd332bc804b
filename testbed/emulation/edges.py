"""The edge of an emulated network: its edge switches, of whatever kind they are, and its hosts' own interfaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from testbed.emulation.containers import HostHandle
from testbed.emulation.host_classes import HostClasses
from testbed.rules.edge import Change

ChangeSwitches = Callable[[Mapping[str, Change]], Mapping[str, float]]
"""Carries out a change at each switch named: the OpenFlow app's, or that of routers."""


class Edges:
    """Context manager: carries out changes of meters and marks, for one thread at a time."""

    def __init__(self, change_switches: ChangeSwitches, hosts: Sequence[HostHandle]) -> None:
        """`hosts` are those whose interfaces shall have their flows classed from outside; often none."""
        self._change_switches = change_switches
        self._handles = hosts
        self._hosts: dict[str, HostClasses] = {}

    def __enter__(self) -> Edges:
        self._hosts = {handle.name: HostClasses(handle) for handle in self._handles}
        return self

    def __exit__(self, *_: object) -> None:
        for host in self._hosts.values():
            host.close()

    def change(self, changes: Mapping[str, Change]) -> dict[str, float]:
        """Carry out a change at each switch and host named; its seconds until it was confirmed.

        Hosts come first: a packet must not be in a better class in the network than at its sender.
        """
        took_s = {name: self._hosts[name].change(change) for name, change in changes.items() if name in self._hosts}
        switches = {name: change for name, change in changes.items() if name not in self._hosts}
        return {**took_s, **(self._change_switches(switches) if switches else {})}
