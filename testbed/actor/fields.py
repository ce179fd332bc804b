"""Checks of single fields of a message, at the moment it comes: a wrong one must not be found out in mid-run."""

from __future__ import annotations

import math
import socket
from typing import Any

from testbed.actor.protocol import ProtocolError

MOST = 2**63 - 1
"""Largest whole number in a message; both ends and the records hold it exactly."""
_LONGEST_SHOWN = 40


def whole(what: str, value: Any, least: int = 0, most: int = MOST) -> int:
    """The value, a whole number from `least` to `most`; ProtocolError names `what` where it is something else."""
    if type(value) is not int or not least <= value <= most:  # a bool is none
        raise ProtocolError(f"{what}: expected a whole number from {least} to {most}, found {_shown(value)}")
    return value


def number(what: str, value: Any) -> float:
    """The value, a finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf or value > MOST:
        raise ProtocolError(f"{what}: expected a number of at least 0, found {_shown(value)}")
    return value


def rate(value: Any) -> float | None:
    """A cap in bytes per second: None for none, 0 to stop."""
    return None if value is None else number("rate", value)


def text(what: str, value: Any) -> str:
    """The value, text that the kernel can be given: Unicode, and without null characters."""
    if not isinstance(value, str) or "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ProtocolError(f"{what}: expected text, found {_shown(value)}")
    return value


def address(what: str, value: Any) -> str:
    """The value, an IPv4 address."""
    try:
        socket.inet_pton(socket.AF_INET, value)
    except (OSError, TypeError, ValueError):
        raise ProtocolError(f"{what}: expected an IPv4 address, found {_shown(value)}") from None
    return str(value)


def port(value: Any) -> int:
    """A TCP or UDP port."""
    return whole("port", value, 1, 65_535)


def dscp(value: Any) -> int:
    """A DSCP."""
    return whole("DSCP", value, 0, 63)


def scalars(message: dict[str, Any]) -> dict[str, Any]:
    """The message, where it holds text, finite numbers, true, false and null alone: what every JSON reader takes.

    ProtocolError names the field that is something else; ValueError for text that is no Unicode.
    """
    for key, value in message.items():
        key.encode()
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise ProtocolError(f"{key[:_LONGEST_SHOWN]!r}: expected a finite number, found {value}")
        elif isinstance(value, int):
            if abs(value) > MOST:
                raise ProtocolError(f"{key[:_LONGEST_SHOWN]!r}: a number of more than 64 bits")
        elif value is not None:
            kind = "a list" if isinstance(value, list) else "an object"
            raise ProtocolError(f"{key[:_LONGEST_SHOWN]!r}: expected text, a number, true, false or null, found {kind}")
    return message


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    if isinstance(value, int) and abs(value) > MOST:
        return "a number of more than 64 bits"
    return repr(value)[:_LONGEST_SHOWN]
