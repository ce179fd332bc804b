"""Model of the experiment file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from testbed.spec.quantities import Seed, shown, whole
from testbed.spec.topology import AnyTopology
from testbed.spec.validation import Spec
from testbed.spec.workload import AnyWorkload
from testbed.units import parse_size, parse_time_s

MAX_SCHEDULERS = 200
MAX_PARAMETER = 2**53
"""Largest number a scheduler's parameter may be: far beyond any size, time or count that makes sense."""

Enforcement = Literal["none", "pacing", "queue", "meter"]
Backend = Literal["emulation", "simulation"]


def in_base_units(value: Any) -> Any:
    """A scheduler's parameter as a plain number where it is text with a unit: '1 MB' is 1000000, '10 ms' is 0.01."""
    if not isinstance(value, str):
        return value
    for parse in (parse_size, parse_time_s):
        try:
            return parse(value)
        except ValueError:
            continue
    return value


def _as_mapping(value: Any) -> Any:
    """'sebf' is short for {name: sebf}; keys beside the name are the scheduler's parameters."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        parameters = {str(key): entry for key, entry in value.items() if key != "name"}
        return {"name": value["name"], "parameters": {key: _parameter(key, entry) for key, entry in parameters.items()}}
    raise ValueError(f"expected a scheduler's name or {{name: dclas, queues: 10}}, found {shown(value)}")


def _parameter(key: str, value: Any) -> Any:
    """A parameter in base units, which is no larger than a number in a file may be."""
    if isinstance(value, (dict, list)) or value is None:
        raise ValueError(f"parameter {key}: expected a number, a quantity or a word, found {shown(value)}")
    number = in_base_units(value)
    if isinstance(number, (int, float)) and not abs(number) <= MAX_PARAMETER:
        raise ValueError(f"parameter {key}: expected at most {MAX_PARAMETER:g}, found {shown(value)}")
    return number


class SchedulerSpec(Spec):
    """A scheduler's name and its parameters in base units."""

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": self.name, **handler(self)["parameters"]}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class ExperimentSpec(Spec):
    """One experiment: a topology, a workload, schedulers, and how they are run."""

    topology: AnyTopology = Field(description="a topology file or a topology")
    workload: AnyWorkload = Field(description="a workload file or a workload")
    schedulers: tuple[Annotated[SchedulerSpec, BeforeValidator(_as_mapping)], ...] = Field(
        description="a list of schedulers such as [fair, sebf]"
    )
    enforcement: Annotated[tuple[Enforcement, ...], BeforeValidator(_as_list)] = ("pacing",)
    metering: Literal["per-flow", "per-coflow"] = "per-flow"
    marking: Literal["actor", "edge"] = "actor"
    control: Literal["out-of-band", "in-band", "none"] = "out-of-band"
    backends: Annotated[tuple[Backend, ...], BeforeValidator(_as_list)] = ("emulation", "simulation")
    repeats: Annotated[int, whole("a number of repeats", 1, 10_000)] = 1
    seed: Seed = 1
    vary: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Field path -> the values it takes; every combination is run."""

    @field_validator("schedulers", "enforcement", "backends")
    @classmethod
    def _some_and_distinct(cls, entries: tuple[Any, ...]) -> tuple[Any, ...]:
        if not entries:
            raise ValueError("empty; expected at least one")
        if len(entries) > MAX_SCHEDULERS:
            raise ValueError(f"{len(entries)} entries; expected at most {MAX_SCHEDULERS}")
        for i, entry in enumerate(entries):
            if entry in entries[:i]:
                twice = entry.name if isinstance(entry, SchedulerSpec) else entry
                raise ValueError(f"{twice} is given twice; 'repeats' repeats a run")
        return entries

    @field_validator("enforcement")
    @classmethod
    def _none_alone(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        if "none" in entries and len(entries) > 1:
            raise ValueError("none excludes the others; expected one or the other")
        return entries

    @model_validator(mode="after")
    def _applications_emulated(self) -> ExperimentSpec:
        if self.workload.applications is not None and "emulation" not in self.backends:
            raise ValueError("its applications are real programs; expected emulation among the backends")
        return self

    @model_validator(mode="after")
    def _faults_survived(self) -> ExperimentSpec:
        faults = self.workload.faults
        if faults and self.control != "out-of-band":
            raise ValueError(
                f"control is {self.control}, and faults need a coordinator that no fault cuts off; expected out-of-band"
            )
        if self.workload.applications is not None and any(fault.host is not None for fault in faults):
            raise ValueError("a host that is paused or killed would take its applications along; expected one or other")
        return self

    @field_validator("vary")
    @classmethod
    def _values(cls, vary: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
        for path, values in vary.items():
            if not values:
                raise ValueError(f"{path} has no values; expected at least one")
        return vary
