"""What a message of an actor may hold, checked before anything is made of it: numbers of flows that there are, whole
numbers that the records can hold, rows of the right length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MOST = 2**62

_ROWS = {
    "opened": "fp",
    "started": "fn",
    "allowed": "fn",
    "finished": "fnnn",
    "ended": "fnnn",
    "done": "fnbnnnnnnnn",
    "errors": "Ft",
    "applications": "no",
    "output": "nt",
    "exited": "nz",
}
"""Kind of message -> its rows: f a flow, F a flow or -1, n a whole number of at least 0, z one that may be negative,
p a port, b true or false, t text, o an object."""


def check(kind: str, events: Any, flows: int) -> None:
    """ValueError where the events of a kind of message are not what docs/replay.md has; `flows`: how many there are."""
    if kind in _ROWS:
        good = _are_rows(_ROWS[kind], events, flows) and (kind != "errors" or bool(events))
    elif kind == "accepted":
        good = isinstance(events, list) and all(_is_flow(flow, flows) for flow in events)
    elif kind == "progress":
        good = isinstance(events, list) and len(events) % 2 == 0 and _are_progress(events, flows)
    elif kind == "probed":
        good = _fits("nl", events, flows) and all(_is_count(time_ns, flows) for time_ns in events[1])
    elif kind == "lateness":
        good = isinstance(events, list) and all(_is_count(count, flows) for count in events)
    elif kind == "stopped":
        good = isinstance(events, dict) and all(
            _are_rows("fnn", events[end], flows) for end in ("outgoing", "incoming")
        )
    else:
        good = True
    if not good:
        raise ValueError(f"{kind}: wrong rows, or a flow that there is not")


def _are_progress(pairs: list[Any], flows: int) -> bool:
    return all(type(value) is int for value in pairs) and (
        not pairs or (min(pairs) >= 0 and max(pairs[::2]) < flows and max(pairs) <= _MOST)
    )


def _are_rows(types: str, rows: Any, flows: int) -> bool:
    return isinstance(rows, list) and all(_fits(types, row, flows) for row in rows)


def _fits(types: str, row: Any, flows: int) -> bool:
    return (
        isinstance(row, list)
        and len(row) == len(types)
        and all(_IS[sign](value, flows) for sign, value in zip(types, row, strict=True))
    )


def _is_flow(value: Any, flows: int) -> bool:
    return type(value) is int and 0 <= value < flows


def _is_count(value: Any, _: int) -> bool:
    return type(value) is int and 0 <= value <= _MOST


_IS: dict[str, Callable[[Any, int], bool]] = {
    "f": _is_flow,
    "F": lambda value, flows: type(value) is int and -1 <= value < flows,
    "n": _is_count,
    "z": lambda value, _: type(value) is int and abs(value) <= _MOST,
    "p": lambda value, _: type(value) is int and 1 <= value <= 65_535,
    "b": lambda value, _: isinstance(value, bool),
    "t": lambda value, _: isinstance(value, str),
    "o": lambda value, _: isinstance(value, dict),
    "l": lambda value, _: isinstance(value, list),
}
