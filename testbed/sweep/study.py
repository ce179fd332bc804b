"""A study: the sweeps of a folder, in the order of their files' names."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.errors import SpecError
from testbed.records.study_folder import StudyFolder
from testbed.spec.document import Node, read_document
from testbed.spec.files import beside, missing_file
from testbed.spec.reader import Experiment, load_experiment
from testbed.sweep.execution import Agenda
from testbed.sweep.points import SweepRun, sweep_runs


@dataclass(frozen=True)
class StudySweep:
    """One sweep of a study, planned."""

    experiment: Experiment
    runs: tuple[SweepRun, ...]

    def agenda(self, folder: StudyFolder, sources: Sequence[str], again: Collection[str] = ()) -> Agenda:
        """What is done and what is left on these back ends; finished runs with a verdict in `again` are left."""
        return Agenda.of(self.runs, folder.sweep(self.experiment.name), sources, again)


@dataclass(frozen=True)
class Study:
    """All sweeps of a folder."""

    name: str
    """The folder's."""
    sweeps: tuple[StudySweep, ...]
    left_out: dict[str, str]
    """Sweep -> why it cannot be made here."""

    def document(self) -> dict[str, Any]:
        """study.json: names in order, and what was left out."""
        return {
            "study": self.name,
            "sweeps": [sweep.experiment.name for sweep in self.sweeps],
            "left_out": self.left_out,
        }


def read_study(folder: Path, trace: Path | None = None) -> Study:
    """Read and plan every experiment file (*.yml) of a folder; SpecError for what is wrong in any, or in none.

    `trace`: the file for the sweeps of a trace, in place of the one that they name. A sweep whose trace is not there is
    left out.
    """
    paths = sorted(folder.glob("*.yml")) if folder.is_dir() else []
    if not paths:
        raise SpecError(f"{folder}: no study; expected a folder with an experiment (NAME.yml) for each of its sweeps")
    if trace is not None and (missing := missing_file(trace, "a trace file")):
        raise SpecError(f"--trace {missing}")
    sweeps, left_out = [], {}
    for path in paths:
        named = _trace_file(path)
        if named is not None and trace is None and missing_file(named, "a trace file"):
            left_out[path.stem] = f"there is no trace file {named.name} ({named}); --trace FILE names one"
            continue
        overrides = [f"workload.file={os.path.abspath(trace)}"] if named is not None and trace is not None else []
        experiment = load_experiment(path, overrides)
        if not experiment.variants[0].values:
            raise SpecError(f"{path}: varies nothing; expected vary: {{FIELD: [VALUE, ...]}} in each file of a study")
        sweeps.append(StudySweep(experiment, tuple(sweep_runs(experiment))))
    if not sweeps:
        raise SpecError(f"{folder}: nothing can be run: {'; '.join(left_out.values())}")
    return Study(folder.resolve().name, tuple(sweeps), left_out)


def _trace_file(path: Path) -> Path | None:
    """The trace that an experiment's workload names; None where its workload is no trace."""
    workload = read_document(path).find(("workload",))
    if workload is not None and isinstance(workload.value, str):
        file = beside(workload.source.directory, workload.value)
        workload = None if missing_file(file, "a YAML file") else read_document(file)
    if workload is None or _word(workload, "kind") != "trace":
        return None
    name = workload.find(("file",))
    return beside(name.source.directory, str(name.value)) if name is not None else None


def _word(node: Node, key: str) -> object:
    found = node.find((key,)) if isinstance(node.value, dict) else None
    return None if found is None else found.value
