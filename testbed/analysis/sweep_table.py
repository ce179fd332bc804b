"""The table of a sweep: one row per finished run, with the varied fields as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from testbed.analysis.coflows import slowdown
from testbed.analysis.metrics import metrics
from testbed.errors import RecordsError
from testbed.records import files
from testbed.records.run_directory import Run, read_run
from testbed.records.sweep_folder import SweepFolder

_WORD = pa.dictionary(pa.int32(), pa.string())


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
        table = self._arrow()
        paths = [folder / "table.csv", folder / "table.parquet"]
        files.write_csv(paths[0], table)
        files.write_parquet(paths[1], table)
        return paths

    def _arrow(self) -> pa.Table:
        columns = {}
        for name in self.frame:
            column = self.frame[name]
            is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
            words = [None if pd.isna(value) else str(value) for value in column]
            columns[str(name)] = pa.array(column.to_numpy()) if is_number else pa.array(words).cast(_WORD)
        return pa.table(columns)


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
