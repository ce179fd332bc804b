"""The table of a sweep: one row per finished run, with the varied fields as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.analysis.coflows import slowdown
from testbed.analysis.metrics import metrics
from testbed.analysis.tables import arrow_table
from testbed.errors import RecordsError
from testbed.records import files
from testbed.records.run_directory import Run, read_run
from testbed.records.sweep_folder import SweepFolder


@dataclass(frozen=True)
class SweepTable:
    """Rows in the order of sweep.json, whatever the order in which the runs ended.

    Columns: the varied fields, scheduler, source, repeat, seed, those of metrics.Metrics, verdict, run (the name of
    its directory). Nothing in it depends on when a run was made.
    """

    frame: pd.DataFrame
    experiment: str
    varied: tuple[str, ...]
    """Columns of the varied fields, but for scheduler and seed, which every run has."""
    missing: tuple[str, ...]
    """Runs of the sweep that have no records."""

    def write(self, folder: Path) -> list[Path]:
        """Write table.csv and table.parquet; returns them."""
        table = arrow_table(self.frame)
        paths = [folder / "table.csv", folder / "table.parquet"]
        files.write_csv(paths[0], table)
        files.write_parquet(paths[1], table)
        return paths


def sweep_table(path: Path) -> SweepTable:
    """The table of a sweep's folder; RecordsError where it is not one or none of its runs is finished."""
    folder = SweepFolder(path)
    document = folder.read()
    if document is None:
        raise RecordsError(f"{path}: not the folder of a sweep: it has no sweep.json")
    listed: Sequence[dict[str, Any]] = document["runs"]
    finished = [entry for entry in listed if folder.is_finished(entry["run"])]
    if not finished:
        raise RecordsError(f"{path}: no run of this sweep is finished")
    varied = tuple(name for name in finished[0]["values"] if name not in ("scheduler", "seed"))
    rows = [_row(entry, varied, read_run(folder.runs / entry["run"])) for entry in finished]
    done = {entry["run"] for entry in finished}
    return SweepTable(
        frame=pd.DataFrame(rows),
        experiment=str(document["experiment"]),
        varied=varied,
        missing=tuple(entry["run"] for entry in listed if entry["run"] not in done),
    )


def _row(entry: dict[str, Any], varied: Sequence[str], run: Run) -> dict[str, Any]:
    return {
        **{name: entry["values"][name] for name in varied},
        "scheduler": run.scheduler,
        "source": run.source,
        "repeat": run.repeat,
        "seed": run.seed,
        **metrics(run.coflows.assign(slowdown=slowdown(run.coflows))),
        "verdict": run.fidelity.verdict,
        "run": run.name,
    }
