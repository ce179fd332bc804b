"""Marks: which class a flow belongs to, written into its packets where they enter the network.

The queues of every port read the class from the packet's DSCP, so a flow is marked once, at its ingress edge switch.
"""

from __future__ import annotations

from typing import Any

from testbed.errors import EmulationError

MAX_DSCP = 63


def dscp_of(value: Any) -> int:
    """A DSCP; EmulationError where it is none."""
    if type(value) is not int or not 0 <= value <= MAX_DSCP:
        raise EmulationError(f"dscp {value!r}; expected a number from 0 to {MAX_DSCP}")
    return value
