"""The faults of runs in words: what happened when, and how soon the network had found its way around."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from testbed.records.run_directory import Run
from testbed.units import format_time

_SHOWN = 6


def fault_notes(runs: Sequence[Run]) -> Iterator[str]:
    """One note for each experiment and source whose runs had faults."""
    told: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.plan.faults:
            told.setdefault((run.experiment, run.source), []).append(run)
    for (experiment, source), mine in told.items():
        faults = mine[0].plan.faults
        words = [f"{fault.words} at {format_time(fault.at_s)}" for fault in faults[:_SHOWN]]
        more = f" and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        yield f"{experiment}, {source}: faults: {'; '.join(words)}{more}{_measured(mine, source)}"


def _measured(runs: Sequence[Run], source: str) -> str:
    found = [run.facts["faults"] for run in runs if source == "emulation" and "faults" in run.facts]
    routed = [facts["routed_max_s"] for facts in found if facts.get("routed_max_s") is not None]
    if not routed:
        return ""
    late = max(facts["late_max_s"] for facts in found if facts.get("late_max_s") is not None)
    return f". Each was true at most {format_time(late)} late; routes had followed within {format_time(max(routed))}"
