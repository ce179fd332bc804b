"""The field types of specs: quantities with units, bounded numbers, names.

Each says in its error what was found and what was expected. Each is written back (`model_dump(mode="json")`) in a form
that reads as the same value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainSerializer, PlainValidator

from testbed.units import parse_rate_bps, parse_share, parse_size, parse_time_s

MAX_BYTES = 2**53
"""Largest size: whole numbers up to here are exact as floating point."""
MAX_TIME_S = 1e9
MAX_RATE_BPS = 1e15
MAX_ID = 2**53
MAX_HOSTS = 65_536
"""Hosts of any topology; the addresses of an emulated one set a lower limit."""


def whole(what: str, low: int, high: int) -> BeforeValidator:
    """A whole number from `low` to `high`; `what` names it in the error."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"expected {what} from {low} to {high}, found {shown(value)}")
        return value

    return BeforeValidator(check)


def number(what: str, low: float, high: float, above: bool = False) -> BeforeValidator:
    """A number from `low` to `high` (`above`: more than `low`); `what` names it in the error."""

    def check(value: Any) -> float:
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not good or not (low < value if above else low <= value) or not value <= high:
            bounds = f"above {low:g} and at most {high:g}" if above else f"from {low:g} to {high:g}"
            raise ValueError(f"expected {what} {bounds}, found {shown(value)}")
        return float(value)

    return BeforeValidator(check)


def name(what: str, pattern: str) -> BeforeValidator:
    """Text that matches `pattern` as a whole; it may end up in a command's arguments, so it stays plain."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise ValueError(f"expected {what}, found {shown(value)}")
        return value

    return BeforeValidator(check)


def shown(value: object) -> str:
    """A value as an error quotes it, cut where it is long."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = "null" if value is None else repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _bounded(parse: Callable[[object], float], kind: str, low: float, high: float, form: str) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, str) and len(value) > 60:
            raise ValueError(f"not a {kind}: {shown(value)}, expected the form '{form}'")
        parsed = parse(value)
        if parsed < low:
            raise ValueError(f"{kind} is too small: {value!r}, expected at least {low:g}{_UNIT[kind]}")
        if parsed > high:
            raise ValueError(f"{kind} is too large: {value!r}, expected at most {high:g}{_UNIT[kind]}")
        return parsed

    return check


_UNIT = {"rate": " bit/s", "size": " B", "time": " s", "share": ""}


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {shown(value)}")
    return value


def _host_key(value: Any) -> Any:
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value


_rate = _bounded(parse_rate_bps, "rate", 1.0, MAX_RATE_BPS, "20 Mbit/s")


def _rate_or_auto(value: Any) -> Any:
    return value if value == "auto" else _rate(value)


_as_rate = PlainSerializer(lambda value: value if value == "auto" else f"{value!r} bit/s", return_type=str)
_as_size = PlainSerializer(lambda value: f"{value} B", return_type=str)
_as_time = PlainSerializer(lambda value: f"{value!r} s", return_type=str)

Rate = Annotated[float, BeforeValidator(_rate), _as_rate]
"""Bits per second, from text with a unit."""
RateOrAuto = Annotated[float | Literal["auto"], PlainValidator(_rate_or_auto), _as_rate]
"""Bits per second, or the word auto."""
Size = Annotated[int, BeforeValidator(_bounded(parse_size, "size", 1, MAX_BYTES, "256 KB")), _as_size]
"""Bytes, at least one, from text with a unit."""
Time = Annotated[float, BeforeValidator(_bounded(parse_time_s, "time", 0.0, MAX_TIME_S, "10 ms")), _as_time]
"""Seconds, from text with a unit; zero is a time."""
Duration = Annotated[float, BeforeValidator(_bounded(parse_time_s, "time", 1e-9, MAX_TIME_S, "10 ms")), _as_time]
"""Seconds, more than none, from text with a unit."""
Share = Annotated[float, BeforeValidator(parse_share)]
"""From 0 to 1."""
Flag = Annotated[bool, BeforeValidator(_flag)]
Seed = Annotated[int, whole("a seed (a whole number)", 0, 2**63 - 1)]
Host = Annotated[int, whole("a host number", 0, MAX_HOSTS - 1)]
HostKey = Annotated[int, whole("a host number", 0, MAX_HOSTS - 1), BeforeValidator(_host_key)]
"""A host number as a mapping's key (which JSON turns into text)."""
CoflowId = Annotated[int, whole("a coflow id (a whole number)", 0, MAX_ID)]
