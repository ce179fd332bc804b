"""What sweep.json says: what is varied, and every run with its key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from testbed.spec.reader import Experiment
from testbed.sweep.points import SweepRun


def sweep_document(
    experiment: Experiment, runs: Sequence[SweepRun], seed: int | None, arguments: Sequence[str]
) -> dict[str, Any]:
    """The sweep as plain data, before anything has run. `arguments`: the command line."""
    values: dict[str, list[Any]] = {}
    for variant in experiment.variants:
        for name, value in variant.values.items():
            if value not in values.setdefault(name, []):
                values[name].append(value)
    return {
        "experiment": experiment.name,
        "file": str(experiment.path),
        "arguments": list(arguments),
        "started_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "seed": seed,
        "vary": values,
        "runs": [run.document() for run in runs],
        "failed": {},
    }
