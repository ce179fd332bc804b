"""Part e: when the flows of all emulated runs started, against when they were planned to."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from testbed.fidelity.flow_checks import SKEW_DEGRADED_S, let_go_at_once
from testbed.records.run_directory import Run

GOAL_S = SKEW_DEGRADED_S
"""What the 99th percentile should stay under."""


def starts(runs: Iterable[tuple[str, Run]]) -> pd.DataFrame:
    """One row per flow that was let go at once: sweep, run, coflow, planned_s, late_s (first write minus planned).

    `runs`: with the sweep that each is of; simulated ones are passed over. A flow that its scheduler held back starts
    when it may, which says nothing about timing; it is left out.
    """
    frames = []
    for sweep, run in runs:
        if run.source != "emulation":
            continue
        flows = run.flow_columns("coflow", "flow", "planned_start_s", "start_s")
        planned, start = (flows[name].to_numpy(dtype=np.float64) for name in ("planned_start_s", "start_s"))
        let_go = let_go_at_once(planned, start, run.samples.get("starts"))
        frame = pd.DataFrame({"coflow": flows["coflow"], "planned_s": planned, "late_s": start - planned})[let_go]
        frame.insert(0, "run", run.name)
        frame.insert(0, "sweep", sweep)
        frames.append(frame)
    columns = ["sweep", "run", "coflow", "planned_s", "late_s"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def spreads(starts: pd.DataFrame) -> pd.DataFrame:
    """Per sweep, and last for all: flows, p50_ms, p99_ms and max_ms of how late they started, and spread_p99_ms.

    The spread of a coflow is the latest of its flows minus the earliest, each against its planned instant.
    """
    rows = []
    parts = [(str(name), part) for name, part in starts.groupby("sweep", sort=False)]
    for name, part in [*parts, *([("all", starts)] if len(parts) > 1 else [])]:
        late = part["late_s"].to_numpy(dtype=np.float64) * 1e3
        of_coflow = part.groupby(["run", "coflow"])["late_s"]
        spread = (of_coflow.max() - of_coflow.min()).to_numpy(dtype=np.float64) * 1e3
        rows.append({
            "sweep": name,
            "flows": len(late),
            "p50_ms": np.percentile(late, 50),
            "p99_ms": np.percentile(late, 99),
            "max_ms": late.max(),
            "spread_p99_ms": np.percentile(spread, 99),
        })  # fmt: skip
    return pd.DataFrame(rows)
