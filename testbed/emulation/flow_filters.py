"""Filters of tc that pick single flows out: what they match, and the numbers that they have."""

from __future__ import annotations

from testbed.errors import EmulationError
from testbed.rules.flow_key import FlowKey

MOST_FLOWS = 0x7FF
"""Filters that are given a number come before those that tc numbers itself, from 0x800 on."""


def flow_match(flow: FlowKey) -> str:
    """The words of a u32 filter that matches a flow's packets."""
    return (
        f"u32 match ip src {flow.source}/32 match ip dst {flow.destination}/32 match ip protocol 6 0xff "
        f"match ip sport {flow.source_port} 0xffff match ip dport {flow.destination_port} 0xffff"
    )


def filter_place(parent: str, number: int) -> str:
    """Where the filter of a number is, under a qdisc of an interface ('dev eth0 parent 1:')."""
    return f"{parent} protocol ip prio 1 handle 800::{number:x}"


class FlowNumbers:
    """A small number for each flow, used again when the flow has gone."""

    def __init__(self, full: str) -> None:
        """`full` is the text of the EmulationError when there are no more."""
        self._full = full
        self._numbers: dict[FlowKey, int] = {}
        self._free: list[int] = []

    def __contains__(self, flow: object) -> bool:
        return flow in self._numbers

    def of(self, flow: FlowKey) -> int:
        """The flow's number, a new one where it has none."""
        if flow not in self._numbers:
            number = self._free.pop() if self._free else len(self._numbers) + 1
            if number > MOST_FLOWS:
                raise EmulationError(self._full)
            self._numbers[flow] = number
        return self._numbers[flow]

    def give_back(self, flow: FlowKey) -> int:
        """The number that the flow had; another may have it next."""
        number = self._numbers.pop(flow)
        self._free.append(number)
        return number
