"""Models of the workload file: a trace, coflows written out, or a generated mix."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from testbed.spec.applications import ApplicationsSpec
from testbed.spec.coflows import CoflowSpec
from testbed.spec.faults import MAX_FAULTS, FaultSpec
from testbed.spec.quantities import CoflowId, Duration, Host, Seed, Size, Time, number, whole
from testbed.spec.validation import Spec
from testbed.workload.synthetic import MAX_GENERATED, SyntheticParameters

MAX_COFLOWS = 1_000_000
MAX_EXPLICIT_FLOWS = 5_000_000
"""Aliases let a short file name very many."""
MAX_BACKGROUND_FLOWS = 1_000_000

Scale = Annotated[float, number("a factor", 0, 1e9, above=True)]
BinShare = Annotated[float, number("a share of the coflows", 0, 1)]
Count = Annotated[int, whole("a count", 1, MAX_COFLOWS)]


class UnlabelledSpec(Spec):
    """Flows whose label the scheduler is not told: some of one coflow, or a share of all at random."""

    coflow: CoflowId | None = None
    flows: Annotated[int, whole("a number of flows", 0, 10**9)] | None = None
    share: Annotated[float, number("a share of the flows", 0, 1)] | None = None
    seed: Seed | None = None
    """None: the run's own seed."""

    @model_validator(mode="after")
    def _one_form(self) -> UnlabelledSpec:
        given = {key for key in ("coflow", "flows", "share") if getattr(self, key) is not None}
        if given not in ({"coflow", "flows"}, {"share"}):
            raise ValueError(
                f"found {', '.join(sorted(given)) or 'nothing'}; expected {{coflow: ID, flows: N}} or "
                "{share: 0.3, seed: 1}"
            )
        if self.seed is not None and self.share is None:
            raise ValueError("seed belongs to share: which flows of one coflow lose their label is not random")
        return self


class LongFlowSpec(Spec):
    """A background flow that runs until the last coflow has finished."""

    src: Host = Field(alias="from", description="a host number")
    dst: Host = Field(alias="to", description="a host number")
    start: Time = 0.0

    @model_validator(mode="after")
    def _two_hosts(self) -> LongFlowSpec:
        if self.src == self.dst:
            raise ValueError(f"flow from host {self.src} to itself; expected two hosts")
        return self


class PoissonSpec(Spec):
    """Background flows between random pairs of hosts, at Poisson instants."""

    per_second: Annotated[float, number("a number of flows per second", 0, 1e6, above=True)] = Field(
        description="the mean number of flows per second"
    )
    size: Size = Field(description="the size of each flow, such as 100 KB")
    duration: Duration = Field(description="for how long flows start, such as 10 s")
    start: Time = 0.0
    seed: Seed | None = None
    """None: the run's own seed."""

    @model_validator(mode="after")
    def _bounded(self) -> PoissonSpec:
        flows = self.per_second * self.duration
        if flows > MAX_BACKGROUND_FLOWS:
            raise ValueError(f"{flows:.3g} flows expected; the most is {MAX_BACKGROUND_FLOWS}")
        return self


class BackgroundSpec(Spec):
    """Flows that belong to no coflow and carry no label."""

    long: tuple[LongFlowSpec, ...] = ()
    poisson: PoissonSpec | None = None

    @model_validator(mode="after")
    def _something(self) -> BackgroundSpec:
        if not self.long and self.poisson is None:
            raise ValueError("no flows; expected long, poisson or both")
        return self


class WorkloadSpec(Spec):
    """What every kind of workload may state."""

    unlabelled: UnlabelledSpec | None = None
    unlabelled_class: Literal["top", "bottom", "own"] = "top"
    background: BackgroundSpec | None = None
    applications: ApplicationsSpec | None = None
    faults: tuple[FaultSpec, ...] = ()

    @field_validator("faults")
    @classmethod
    def _bounded(cls, faults: tuple[FaultSpec, ...]) -> tuple[FaultSpec, ...]:
        if len(faults) > MAX_FAULTS:
            raise ValueError(f"{len(faults)} faults; expected at most {MAX_FAULTS}")
        return faults


class SelectSpec(Spec):
    """Which coflows of a trace: those within the bounds, then `count` of them from the `first` on; or by id."""

    first: Annotated[int, whole("a count of coflows", 0, 10**9)] = 0
    count: Count | None = None
    max_width: Annotated[int, whole("a number of flows", 1, 10**12)] | None = None
    max_bytes: Size | None = None
    ids: tuple[CoflowId, ...] | None = None

    @model_validator(mode="after")
    def _one_form(self) -> SelectSpec:
        if self.ids is None:
            return self
        if not self.ids:
            raise ValueError("ids is empty; expected the ids of coflows")
        twice = sorted(number for number, count in Counter(self.ids).items() if count > 1)
        if twice:
            raise ValueError(f"ids: {twice[0]} is given twice")
        if self.model_fields_set != {"ids"}:
            raise ValueError("ids excludes first, count, max_width and max_bytes; expected one or the other")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        return {"ids": written["ids"]} if self.ids is not None else written


class ScaleSpec(Spec):
    """Factors on the sizes and on the arrival times of a trace."""

    size: Scale = 1.0
    time: Scale = 1.0


class TraceSpec(WorkloadSpec):
    """Coflows from a file in the coflow-benchmark format."""

    kind: Literal["trace"]
    file: str = Field(description="a trace file, its name relative to this file")
    megabyte: Size = 1_000_000
    select: SelectSpec = SelectSpec()
    ports: Literal["modulo", "drop", "spread"] = "modulo"
    scale: ScaleSpec = ScaleSpec()
    merge: Literal["pair", "none"] | None = None
    """None: pair where several ports share a host, else none."""
    loopback: Literal["use", "drop"] = "use"


class ExplicitSpec(WorkloadSpec):
    """Coflows written out one by one."""

    kind: Literal["explicit"]
    coflows: tuple[CoflowSpec, ...] = Field(description="a list of coflows")

    @field_validator("coflows")
    @classmethod
    def _some(cls, coflows: tuple[CoflowSpec, ...]) -> tuple[CoflowSpec, ...]:
        if not coflows:
            raise ValueError("empty; expected at least one coflow")
        flows = sum(coflow.width for coflow in coflows)
        if flows > MAX_EXPLICIT_FLOWS:
            raise ValueError(f"{flows} flows; expected at most {MAX_EXPLICIT_FLOWS}")
        return coflows


class SyntheticSpec(WorkloadSpec):
    """A generated Facebook-like mix; `testbed.workload.synthetic` says what each parameter does."""

    kind: Literal["synthetic"]
    coflows: Annotated[int, whole("a count", 1, MAX_GENERATED)] = 100
    load: Annotated[float, number("a load (0.6 is 60 % of the ports' capacity)", 0, 1000, above=True)] = 0.6
    seed: Seed | None = None
    """None: the run's own seed."""
    arrivals: Literal["poisson", "bursty"] = "poisson"
    short_narrow: BinShare = SyntheticParameters.short_narrow
    long_narrow: BinShare = SyntheticParameters.long_narrow
    short_wide: BinShare = SyntheticParameters.short_wide
    long_wide: BinShare = SyntheticParameters.long_wide
    max_width: Annotated[int, whole("a number of flows", 1, 10**9)] | None = None
    size_scale: Scale = 1.0
    min_bytes: Size | None = None
    max_bytes: Size | None = None
    loopback: Literal["use", "drop"] = "use"

    @model_validator(mode="after")
    def _consistent(self) -> SyntheticSpec:
        total = self.short_narrow + self.long_narrow + self.short_wide + self.long_wide
        if abs(total - 1) > 0.01:
            raise ValueError(f"short_narrow + long_narrow + short_wide + long_wide is {total:g}; expected 1")
        if self.min_bytes is not None and self.max_bytes is not None and self.max_bytes < self.min_bytes:
            raise ValueError(f"max_bytes of {self.max_bytes} B is below min_bytes of {self.min_bytes} B")
        return self

    @property
    def parameters(self) -> SyntheticParameters:
        """What the generator takes."""
        names = SyntheticParameters.__dataclass_fields__
        return SyntheticParameters(**{name: getattr(self, name) for name in names})


class ApplicationSpec(WorkloadSpec):
    """No planned coflows: only what applications send."""

    kind: Literal["application"]
    applications: ApplicationsSpec = Field(description="the commands to run: {commands: [{host: 0, command: ...}]}")


AnyWorkload = TraceSpec | ExplicitSpec | SyntheticSpec | ApplicationSpec

WORKLOAD_KINDS: dict[str, type[AnyWorkload]] = {
    "trace": TraceSpec,
    "explicit": ExplicitSpec,
    "synthetic": SyntheticSpec,
    "application": ApplicationSpec,
}
