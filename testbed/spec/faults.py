"""Model of a timed fault of a workload, and what the faults of one workload say about one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from testbed.errors import unknown_name
from testbed.faults import HOST_EVENTS, LINK_EVENTS, SWITCH_EVENTS, ends_of
from testbed.spec.document import Key
from testbed.spec.quantities import Host, Rate, Time, name, shown
from testbed.spec.validation import Spec

MAX_FAULTS = 1000

_EVENTS = {"link": LINK_EVENTS, "switch": SWITCH_EVENTS, "host": HOST_EVENTS}
_FOLLOWS = {
    "up": ("down", "slow"),
    "restart": ("crash",),
    "resume": ("pause",),
    "down": ("up", "slow"),
    "slow": ("up", "slow"),
    "crash": ("restart",),
    "pause": ("resume",),
    "kill": ("resume", "pause"),
}
"""After which events of the same thing one may come. Those that break something may also come first."""
_WHOLE = ("up", "restart", "resume")


def _link(value: Any) -> Any:
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(isinstance(end, str) for end in value):
        raise ValueError(f"expected the two nodes that a link joins, such as [a0, c0], found {shown(value)}")
    if len(set(value)) == 1:
        raise ValueError(f"link from {value[0]:.30} to itself; expected two nodes")
    if any(len(end) > 30 for end in value):
        raise ValueError("a name of more than 30 characters; expected nodes such as [a0, c0]")
    return tuple(value)


class FaultSpec(Spec):
    """One event of a link, a switch or a host."""

    at: Time = Field(description="an instant such as 2 s")
    link: Annotated[tuple[str, str], BeforeValidator(_link)] | None = None
    switch: Annotated[str, name("the name of a switch, such as a0", ".{1,30}")] | None = None
    host: Host | None = None
    event: str = Field(description=f"one of {', '.join(e for events in _EVENTS.values() for e in events)}")
    rate: Rate | None = None
    """Of a link that is slow."""

    @field_validator("event", mode="before")
    @classmethod
    def _text(cls, event: Any) -> Any:
        known = [name for events in _EVENTS.values() for name in events]
        if event not in known:
            raise ValueError(unknown_name("event", event if isinstance(event, str) else shown(event), known))
        return event

    @model_validator(mode="after")
    def _one_form(self) -> FaultSpec:
        given = [kind for kind in _EVENTS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"expected one of link: [a0, c0], switch: a0 and host: 3; found {found}")
        if self.event not in _EVENTS[given[0]]:
            raise ValueError(unknown_name(f"event of a {given[0]}", self.event, _EVENTS[given[0]]))
        if (self.event == "slow") != (self.rate is not None):
            raise ValueError("slow needs a rate, such as 5 Mbit/s" if self.rate is None else "rate belongs to slow")
        return self

    @property
    def place(self) -> tuple[str, ...]:
        """What it happens to, as a key."""
        return ends_of(self.link) if self.link is not None else (self.switch or f"host {self.host}",)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        return {key: value for key, value in written.items() if value is not None}


def in_order(faults: Sequence[FaultSpec]) -> list[tuple[int, FaultSpec]]:
    """Number in the file and fault, in the order in which they happen."""
    return sorted(enumerate(faults), key=lambda numbered: numbered[1].at)


def mistakes_among_faults(faults: Sequence[FaultSpec]) -> Iterator[tuple[tuple[Key, ...], str]]:
    """Events that cannot follow what happened to the same thing before."""
    state: dict[tuple[str, ...], str] = {}
    for number, fault in in_order(faults):
        here: tuple[Key, ...] = ("faults", number)
        before = state.get(fault.place)
        what = "-".join(fault.link) if fault.link is not None else fault.place[0]
        if before is None and fault.event in _WHOLE:
            yield here, f"{what} {fault.event}: nothing has happened to it before; {_expected(fault.event)}"
        elif before is not None and before not in _FOLLOWS[fault.event]:
            yield here, f"{what} {fault.event} after its {before}; {_expected(fault.event)}"
        state[fault.place] = fault.event


def _expected(event: str) -> str:
    return f"expected it after {' or '.join(_FOLLOWS[event])}"
