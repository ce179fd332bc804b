"""Figures as tc prints them."""

from __future__ import annotations

import re

from testbed.errors import EmulationError

_RATE_UNITS = {"bit": 1, "Kbit": 10**3, "Mbit": 10**6, "Gbit": 10**9, "Tbit": 10**12}
_SIZE_UNITS = {"b": 1, "Kb": 2**10, "Mb": 2**20}


def rate(text: str) -> float:
    """Bits per second; '20Mbit' is 2e7."""
    return _number(text, _RATE_UNITS)


def size(text: str) -> float:
    """Bytes; '64Kb' is 65536."""
    return _number(text, _SIZE_UNITS)


def _number(text: str, units: dict[str, int]) -> float:
    match = re.fullmatch(r"([\d.]+)([A-Za-z]+)", text)
    if match is None or match[2] not in units:
        raise EmulationError(f"tc shows '{text}'; expected a number with one of the units {', '.join(units)}")
    return float(match[1]) * units[match[2]]
