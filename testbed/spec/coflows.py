"""Models of the coflows of an explicit workload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from testbed.spec.quantities import CoflowId, Duration, Flag, Host, HostKey, Size, Time, number, shown, whole
from testbed.spec.validation import Spec


def _flow_id(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "" or len(str(value)) > 60:
        raise ValueError(f"expected a flow id (a whole number or a word), found {shown(value)}")
    return value


def _flow_ids(value: Any) -> Any:
    return [value] if isinstance(value, (int, str)) and not isinstance(value, bool) else value


FlowId = Annotated[int | str, PlainValidator(_flow_id)]
FlowIds = Annotated[tuple[FlowId, ...], BeforeValidator(_flow_ids)]
CoflowIds = Annotated[tuple[CoflowId, ...], BeforeValidator(_flow_ids)]


class FlowSpec(Spec):
    """One flow. It starts with its coflow, at its own `arrival`, or `delay` after the flows in `after`."""

    src: Host = Field(alias="from", description="a host number")
    dst: Host = Field(alias="to", description="a host number")
    size: Size = Field(description="a size such as 2 MB")
    id: FlowId | None = None
    """A name for `after`, unique in the workload."""
    label: CoflowId | None = None
    """Coflow that the scheduler is told; left out, the true one; null, none."""
    labelled: Flag = True
    arrival: Time | None = None
    after: FlowIds = ()
    delay: Time | None = None
    via: Annotated[int, whole("the number of a core switch or spine", 0, 10**6)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> FlowSpec:
        if self.src == self.dst:
            raise ValueError(f"flow from host {self.src} to itself; expected two hosts")
        if "label" in self.model_fields_set and not self.labelled:
            raise ValueError("label and labelled: false exclude each other; expected one of them")
        _check_start(self.arrival, self.after, self.delay)
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_unset(self, handler(self))


class ShuffleSpec(Spec):
    """Every mapper sends to every reducer; a reducer's size is split equally over the mappers."""

    mappers: tuple[Host, ...] = Field(description="a list of host numbers")
    reducers: dict[HostKey, Size] = Field(description="a mapping of host number to size, {2: 10 MB}")

    @model_validator(mode="after")
    def _consistent(self) -> ShuffleSpec:
        if not self.mappers or not self.reducers:
            raise ValueError("no flows; expected at least one mapper and one reducer")
        _check_distinct("mappers", self.mappers)
        for host in self.mappers:
            if host in self.reducers:
                raise ValueError(f"host {host} maps and reduces: a flow to itself; expected two hosts")
        for host, size in self.reducers.items():
            if size < len(self.mappers):
                raise ValueError(f"reducers[{host}] of {size} B is less than a byte from each mapper")
        return self


class BroadcastSpec(Spec):
    """One host sends `size` to each of several."""

    src: Host = Field(alias="from", description="a host number")
    to: tuple[Host, ...] = Field(description="a list of host numbers")
    size: Size = Field(description="a size such as 8 MB")

    @model_validator(mode="after")
    def _consistent(self) -> BroadcastSpec:
        if not self.to:
            raise ValueError("no flows; expected at least one receiver in 'to'")
        _check_distinct("to", self.to)
        if self.src in self.to:
            raise ValueError(f"flow from host {self.src} to itself; expected two hosts")
        return self


class CoflowSpec(Spec):
    """One coflow: any of `flows`, `shuffle` and `broadcast`, at least one."""

    id: CoflowId = Field(description="a coflow id (a whole number)")
    arrival: Time | None = None
    """None where it starts after others; 0 s where neither is given."""
    after: CoflowIds = ()
    delay: Time | None = None
    flows: tuple[FlowSpec, ...] = ()
    shuffle: ShuffleSpec | None = None
    broadcast: BroadcastSpec | None = None
    deadline: Duration | None = None
    weight: Annotated[float, number("a weight", 0, 1e9, above=True)] = 1.0

    @model_validator(mode="after")
    def _consistent(self) -> CoflowSpec:
        if not self.flows and self.shuffle is None and self.broadcast is None:
            raise ValueError("empty coflow; expected flows, shuffle or broadcast")
        _check_start(self.arrival, self.after, self.delay)
        return self

    @property
    def width(self) -> int:
        """Number of its flows."""
        shuffled = len(self.shuffle.mappers) * len(self.shuffle.reducers) if self.shuffle is not None else 0
        return len(self.flows) + shuffled + (len(self.broadcast.to) if self.broadcast is not None else 0)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without_unset(self, handler(self))


def _check_start(arrival: float | None, after: Sequence[object], delay: float | None) -> None:
    if arrival is not None and after:
        raise ValueError("arrival and after exclude each other; expected one of them")
    if delay is not None and not after:
        raise ValueError("delay belongs to after; expected 'arrival' where nothing is waited for")


def _check_distinct(key: str, hosts: Sequence[int]) -> None:
    seen: set[int] = set()
    for host in hosts:
        if host in seen:
            raise ValueError(f"{key}: host {host} is given twice")
        seen.add(host)


def _without_unset(spec: Spec, written: dict[str, Any]) -> dict[str, Any]:
    """Keys that were not given stay away: `label: null` means something else than no label."""
    given = {info.alias or name for name, info in type(spec).model_fields.items() if name in spec.model_fields_set}
    given |= set(spec.model_fields_set)
    return {key: value for key, value in written.items() if key in given}
