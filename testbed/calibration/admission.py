"""Whether a machine can carry a plan: pure, from a prediction and the costs of a datapath."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from testbed.calibration.model import Cost, Prediction
from testbed.calibration.proposal import alternatives
from testbed.fabric import Fabric
from testbed.units import format_size

NEAR = 0.9
"""Share of what the datapath carries from which a run is warned of: the verdicts in docs/calibration.md turn there."""
FAR_ABOVE = 1.5
"""Share from which a run is refused: it could end in nothing but `invalid`."""

FITS, NEAR_THE_LIMIT, TOO_MUCH = "fits", "near the limit", "too much"


@dataclass(frozen=True)
class Figures:
    """What is known of the machine for one plan."""

    datapath: str
    cost: Cost | None
    """None where nothing is known of the datapath."""
    origin: str
    """'calibration of 2026-01-31', or 'built-in figures'."""
    measured: bool
    """Whether they are of this machine: nothing is refused for figures that are not."""
    host_memory_bytes: int
    memory_bytes: int
    """Available now."""


@dataclass(frozen=True)
class Admission:
    """What a plan asks of the machine, and whether that is there. Shares are None where no cost is known."""

    verdict: str
    """fits, near the limit, or too much."""
    datapath: str
    origin: str
    prediction: Prediction
    busiest: float | None
    average: float | None
    fullest: float | None
    containers: int
    needs_bytes: int
    memory_bytes: int
    reasons: tuple[str, ...]
    """Why the verdict is not `fits`, with what would fit."""

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def judge(fabric: Fabric, prediction: Prediction, figures: Figures) -> Admission:
    """Compare what a plan on a fabric needs with what the machine has."""
    cost = figures.cost
    busiest, average, most = (
        None if cost is None else cost.share(load)
        for load in (prediction.busiest, prediction.average, prediction.fullest)
    )
    containers = len(fabric.hosts)
    needs_bytes = containers * figures.host_memory_bytes
    verdict, reasons = FITS, []
    if cost is not None and busiest is not None and busiest > NEAR:
        verdict = TOO_MUCH if busiest > FAR_ABOVE and figures.measured and prediction.scheduled else NEAR_THE_LIMIT
        moment = "in its busiest second" if prediction.scheduled else "at worst"
        instead = alternatives(fabric, figures.datapath, cost)
        reasons.append(
            f"the plan needs {busiest:.0%} of what {figures.datapath} forwards here {moment} ({figures.origin})"
            + (f"; any workload fits with {_either(instead)}" if instead else "; use another datapath or fewer hosts")
        )
    if needs_bytes > figures.memory_bytes:
        verdict = TOO_MUCH if figures.measured else NEAR_THE_LIMIT
        reasons.append(
            f"{containers} containers need about {format_size(needs_bytes)} of memory, of which "
            f"{format_size(figures.memory_bytes)} are available; use fewer hosts"
        )
    return Admission(
        verdict, figures.datapath, figures.origin, prediction, busiest, average, most, containers, needs_bytes,
        figures.memory_bytes, tuple(reasons),
    )  # fmt: skip


def in_words(admission: Admission) -> list[tuple[str, str]]:
    """Lines of a table."""
    load = admission.prediction.busiest
    if admission.busiest is None:
        words = "not predicted"
    else:
        moment = "busiest second" if admission.prediction.scheduled else "at most"
        words = (
            f"{moment} {admission.busiest:.0%} of what {admission.datapath} carries ({_count(load.frames)} frames x "
            f"hops/s, {format_size(load.bytes)} x hops/s), average {admission.average:.0%}, all hosts at full rate "
            f"{admission.fullest:.0%}"
        )
    return [
        ("load", words),
        (
            "machine",
            f"{admission.containers} containers, about {format_size(admission.needs_bytes)} of "
            f"{format_size(admission.memory_bytes)} available",
        ),
        ("figures", admission.origin),
        *(("warning", reason) for reason in admission.reasons),
    ]


def _count(number: float) -> str:
    return f"{number:,.0f}" if number < 10_000 else f"{number / 1000:,.0f}k"


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
