"""What an edge switch does to single flows before it routes them: meters and marks, and changes of both.

Unlike routes these come and go while traffic flows. A `Change` is what one batch of OpenFlow messages carries out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from testbed.errors import EmulationError, unknown_name
from testbed.rules.flow_key import FlowKey, flow_key_of
from testbed.rules.marks import dscp_of
from testbed.rules.meters import Meter, meter_number, meter_of

Entry = TypeVar("Entry")


@dataclass
class EdgeState:
    """The meters and marks of one switch."""

    meters: dict[int, Meter] = field(default_factory=dict)
    """By number."""
    metered: dict[FlowKey, int | None] = field(default_factory=dict)
    """Flow -> the meter it passes; None drops it."""
    marks: dict[FlowKey, int] = field(default_factory=dict)
    """Flow -> DSCP."""

    def copy(self) -> EdgeState:
        """The same, to be changed on its own."""
        return EdgeState(dict(self.meters), dict(self.metered), dict(self.marks))

    def apply(self, change: Change) -> None:
        """Carry out a change; EmulationError, with nothing changed, where a flow would pass a meter that is none."""
        meters = {**self.meters, **change.set_meters}
        for number in change.remove_meters:
            meters.pop(number, None)
        metered = {**self.metered, **change.set_metered}
        for flow in change.remove_metered:
            metered.pop(flow, None)
        used = change.set_metered if not change.remove_meters else metered
        for flow, meter in used.items():
            if meter is not None and meter not in meters:
                raise EmulationError(f"flow {flow}: it shall pass meter {meter}, which this switch does not have")
        self.meters, self.metered = meters, metered
        self.marks.update(change.set_marks)
        for flow in change.remove_marks:
            self.marks.pop(flow, None)


@dataclass(frozen=True)
class Change:
    """What becomes different at one switch. What is set and there already is replaced."""

    set_meters: Mapping[int, Meter] = field(default_factory=dict)
    remove_meters: tuple[int, ...] = ()
    set_metered: Mapping[FlowKey, int | None] = field(default_factory=dict)
    remove_metered: tuple[FlowKey, ...] = ()
    set_marks: Mapping[FlowKey, int] = field(default_factory=dict)
    remove_marks: tuple[FlowKey, ...] = ()

    def __len__(self) -> int:
        return sum(len(part) for part in self.__dict__.values())

    def document(self) -> dict[str, Any]:
        """As JSON has it; parts without entries are left out."""
        parts = {
            "set_meters": [
                {"meter": number, "rate_bps": meter.rate_bps, "burst_bytes": meter.burst_bytes}
                for number, meter in self.set_meters.items()
            ],
            "remove_meters": list(self.remove_meters),
            "set_metered": [{"flow": list(flow), "meter": meter} for flow, meter in self.set_metered.items()],
            "remove_metered": [list(flow) for flow in self.remove_metered],
            "set_marks": [{"flow": list(flow), "dscp": dscp} for flow, dscp in self.set_marks.items()],
            "remove_marks": [list(flow) for flow in self.remove_marks],
        }
        return {name: part for name, part in parts.items() if part}


def difference(told: EdgeState, wanted: EdgeState) -> Change:
    """The change that makes one state of the other."""
    return Change(
        set_meters=_new(told.meters, wanted.meters),
        remove_meters=tuple(number for number in told.meters if number not in wanted.meters),
        set_metered=_new(told.metered, wanted.metered),
        remove_metered=tuple(flow for flow in told.metered if flow not in wanted.metered),
        set_marks=_new(told.marks, wanted.marks),
        remove_marks=tuple(flow for flow in told.marks if flow not in wanted.marks),
    )


def change_of(document: Any) -> Change:
    """The change of a JSON document of `Change.document`; EmulationError says what is not understood."""
    if not isinstance(document, dict):
        raise EmulationError(f"change {document!r}; expected an object with any of {', '.join(Change().__dict__)}")
    for name in document:
        if name not in Change().__dict__:
            raise EmulationError(unknown_name("part of a change", name, Change().__dict__))

    def part(name: str, read: Callable[[Any], Entry]) -> Iterable[Entry]:
        entries = document.get(name, [])
        if not isinstance(entries, list):
            raise EmulationError(f"{name} is {entries!r}; expected a list")
        return [read(entry) for entry in entries]

    return Change(
        set_meters=dict(part("set_meters", meter_of)),
        remove_meters=tuple(part("remove_meters", _number)),
        set_metered=dict(part("set_metered", lambda entry: (_flow(entry, "meter"), _meter_or_none(entry["meter"])))),
        remove_metered=tuple(part("remove_metered", flow_key_of)),
        set_marks=dict(part("set_marks", lambda entry: (_flow(entry, "dscp"), dscp_of(entry["dscp"])))),
        remove_marks=tuple(part("remove_marks", flow_key_of)),
    )


def _new(told: Mapping[Any, Entry], wanted: Mapping[Any, Entry]) -> dict[Any, Entry]:
    missing = object()
    return {key: value for key, value in wanted.items() if told.get(key, missing) != value}


def _flow(entry: Any, other: str) -> FlowKey:
    if not isinstance(entry, dict) or set(entry) != {"flow", other}:
        raise EmulationError(f"{entry!r}; expected an object with flow and {other}")
    return flow_key_of(entry["flow"])


def _number(value: Any) -> int:
    try:
        return meter_number(value)
    except ValueError as error:
        raise EmulationError(f"meter {error}; expected 1 to 65535") from None


def _meter_or_none(value: Any) -> int | None:
    return None if value is None else _number(value)
