"""The run directory: one folder for each (scheduler, repeat, source) that ran.

    <time>-<experiment>-<scheduler>-<repeat>        emulated
    <time>-<experiment>-<scheduler>-<repeat>-sim    simulated
        plan.json, manifest.json                    written before anything starts
        flows.{parquet,csv}, coflows.{parquet,csv}
        decisions.parquet, samples/<series>.parquet
        facts.json, fidelity.json
        logs/

An experiment on both back ends makes two directories, with one schema: the `source` column tells them apart.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from testbed.coflow import Floats
from testbed.errors import RecordsError
from testbed.fidelity.assessment import assess
from testbed.fidelity.verdict import Verdict
from testbed.outcome import Outcome
from testbed.plan import Plan, read_plan
from testbed.records import files, tables
from testbed.records.decision_log import decision_table
from testbed.records.manifest import FORMAT, manifest
from testbed.records.schema import COFLOWS, FLOWS, Column, to_frame

SOURCES = ("emulation", "simulation")
_LONGEST_NAME = 80


@dataclass(frozen=True)
class RunDirectory:
    """A run directory that is being written."""

    path: Path
    plan: Plan
    source: str
    began_s: float = field(default_factory=time.monotonic)
    """By a clock that nobody sets."""

    @property
    def logs(self) -> Path:
        """Folder for the logs of the run's processes, made when first asked for."""
        folder = self.path / "logs"
        with files.writing(folder):
            folder.mkdir(exist_ok=True)
        return folder

    def write_outcome(self, outcome: Outcome, gammas: Floats) -> Verdict:
        """Write all that happened, judge it, and return the verdict. `gammas`: lone Gamma per coflow, seconds.

        Each file is there whole or not at all, and the manifest says `complete` last of all: a run directory that
        does not say so was interrupted. RecordsError where the outcome does not fit the plan or the disk refuses.
        """
        if outcome.source != self.source:
            raise RecordsError(f"{self.path}: made for {self.source}, the outcome is from {outcome.source}")
        plan = self.plan if outcome.plan is None else outcome.plan
        tables.check_shapes(plan, outcome, gammas)
        if outcome.plan is not None:
            with files.writing(self.path / "plan.json"):
                plan.write(self.path)
        for name, table in (
            ("flows", tables.flow_table(plan, outcome)),
            ("coflows", tables.coflow_table(plan, outcome, gammas)),
        ):
            files.write_parquet(self.path / f"{name}.parquet", table)
            files.write_csv(self.path / f"{name}.csv", table)
        files.write_parquet(self.path / "decisions.parquet", decision_table(outcome.decisions))
        samples = self.path / "samples"
        with files.writing(samples):
            samples.mkdir(exist_ok=True)
        for name, frame in outcome.samples.items():
            files.write_parquet(samples / f"{name}.parquet", pa.Table.from_pandas(frame, preserve_index=False))
        files.write_json(self.path / "facts.json", outcome.facts)
        verdict = assess(plan, outcome, gammas)
        files.write_json(self.path / "fidelity.json", verdict.document())
        self._complete()
        return verdict

    def _complete(self) -> None:
        document = files.read_json(self.path / "manifest.json")
        document["status"] = "complete"
        document["finished_at"] = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        document["took_s"] = round(time.monotonic() - self.began_s, 3)
        files.write_json(self.path / "manifest.json", document)


def create(
    results: Path,
    plan: Plan,
    source: str,
    *,
    arguments: Sequence[str] = (),
    capabilities: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> RunDirectory:
    """Make the directory of a run that is about to start, with its plan and its manifest in it.

    `source`: emulation or simulation; `arguments`: the command line; `capabilities`: what the caller found out about
    the machine; `name`: of the directory, which must not be there yet, in place of one that begins with the time and
    is unique even among runs of one second. RecordsError where it cannot be made.
    """
    if source not in SOURCES:
        raise RecordsError(f"unknown source {source!r} of a run; known: {', '.join(SOURCES)}")
    path = _make_unique(results, run_name(plan, source)) if name is None else _make(results / name)
    try:
        plan.write(path)
    except OSError as error:
        raise RecordsError(f"{path}: the plan cannot be written ({error.strerror or error})") from error
    files.write_json(path / "manifest.json", manifest(plan, source, arguments, capabilities))
    return RunDirectory(path, plan, source)


def run_name(plan: Plan, source: str) -> str:
    """'<experiment>-<scheduler>-<repeat>', with '-sim' if simulated, in characters that need no quoting."""
    plain = plain_name(f"{plan.experiment}-{plan.scheduler.title}")
    return f"{plain}-{plan.repeat}" + ("-sim" if source == "simulation" else "")


def plain_name(words: str) -> str:
    """Words as a name of a file or folder: no separator, no dot at its ends, in characters that need no quoting."""
    return re.sub(r"[^A-Za-z0-9._=]+", "-", words).strip("-.")[:_LONGEST_NAME].rstrip("-.") or "unnamed"


def _make(path: Path) -> Path:
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise RecordsError(f"{path}: the run directory cannot be made ({error.strerror})") from error
    return path


def _make_unique(results: Path, name: str) -> Path:
    moment = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    try:
        results.mkdir(parents=True, exist_ok=True)
        for attempt in count(1):
            path = results / (f"{moment}-{name}" if attempt == 1 else f"{moment}.{attempt}-{name}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise RecordsError(f"{results}: no run directory can be made there ({error.strerror})") from error
    raise AssertionError("count() ends never")


@dataclass(frozen=True)
class Run:
    """A complete run directory. Small things are read at once, large ones when they are first asked for."""

    path: Path
    manifest: dict[str, Any]
    coflows: pd.DataFrame
    """Columns of schema.COFLOWS."""
    fidelity: Verdict

    @property
    def source(self) -> str:
        """emulation or simulation."""
        return str(self.manifest["source"])

    @property
    def scheduler(self) -> str:
        """Title of the scheduler: its name with its parameters."""
        return str(self.manifest["scheduler"]["title"])

    @property
    def experiment(self) -> str:
        """Name of the experiment."""
        return str(self.manifest["experiment"])

    @property
    def repeat(self) -> int:
        """Number of the repeat."""
        return int(self.manifest["repeat"])

    @property
    def seed(self) -> int:
        """Seed from which the plan was made."""
        return int(self.manifest["seed"])

    @property
    def name(self) -> str:
        """Name of the directory."""
        return self.path.name

    @cached_property
    def plan(self) -> Plan:
        """The plan that was run."""
        return read_plan(self.path)

    @cached_property
    def flows(self) -> pd.DataFrame:
        """Columns of schema.FLOWS."""
        return _read_table(self.path / "flows.parquet", FLOWS)

    def flow_columns(self, *names: str) -> pd.DataFrame:
        """Some columns of schema.FLOWS: of a large run they are read much sooner than all."""
        return _read_table(self.path / "flows.parquet", tuple(column for column in FLOWS if column.name in names))

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """One row per decision, the allocation in list columns."""
        frame: pd.DataFrame = files.read_parquet(self.path / "decisions.parquet").to_pandas()
        return frame

    @cached_property
    def samples(self) -> dict[str, pd.DataFrame]:
        """Time series by name."""
        paths = sorted((self.path / "samples").glob("[!.]*.parquet"))
        return {path.stem: files.read_parquet(path).to_pandas() for path in paths}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Further figures that the back end left."""
        facts: dict[str, Any] = files.read_json(self.path / "facts.json")
        return facts


def read_run(path: Path) -> Run:
    """A complete run directory; RecordsError says what is missing where it is not one, or not complete."""
    if not path.is_dir():
        raise RecordsError(f"{path}: no such directory; expected a run directory, results/<time>-<experiment>-...")
    if not (path / "manifest.json").exists():
        raise RecordsError(f"{path}: not a run directory: it has no manifest.json")
    document = files.read_json(path / "manifest.json")
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise RecordsError(f"{path}/manifest.json: format {found}, expected {FORMAT}: written by another version")
    if document["status"] != "complete":
        raise RecordsError(f"{path}: incomplete: the run was interrupted before its records were written")
    for name in ("plan.json", "flows.parquet", "decisions.parquet", "facts.json"):
        if not (path / name).exists():
            raise RecordsError(f"{path}: incomplete: {name} is missing")
    return Run(
        path=path,
        manifest=document,
        coflows=_read_table(path / "coflows.parquet", COFLOWS),
        fidelity=Verdict.from_document(files.read_json(path / "fidelity.json")),
    )


def _read_table(path: Path, columns: tuple[Column, ...]) -> pd.DataFrame:
    names = [column.name for column in columns]
    table = files.read_parquet(path, names)
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise RecordsError(f"{path}: column {missing[0]!r} is missing; written by another version of the testbed")
    return to_frame(table, columns)
