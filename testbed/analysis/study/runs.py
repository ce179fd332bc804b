"""The finished runs of a study's sweeps, and what became of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from testbed.fidelity.verdict import DEGRADED, INVALID, VALID
from testbed.records.run_directory import SOURCES, Run, read_run
from testbed.records.study_folder import StudyFolder
from testbed.records.sweep_folder import SweepFolder

_ADJECTIVES = {"emulation": "emulated", "simulation": "simulated"}


@dataclass(frozen=True)
class SweepRuns:
    """One sweep of a study, as its folder holds it."""

    name: str
    listed: tuple[dict[str, Any], ...]
    """Every run that the sweep has, as sweep.json names it."""
    entries: tuple[tuple[dict[str, Any], Run], ...]
    """Varied values and records of the finished ones, in that order."""
    failed: dict[str, str]
    """Name of a run that broke off at the last attempt -> why."""

    def counts(self) -> Iterator[dict[str, Any]]:
        """Per back end that it has runs on: how many there are, are finished, and have which verdict."""
        for source in SOURCES:
            wanted = [entry for entry in self.listed if entry["source"] == source]
            verdicts = [run.fidelity.verdict for _, run in self.entries if run.source == source]
            if wanted:
                yield {"sweep": self.name, "source": source, "runs": len(wanted), "finished": len(verdicts),
                       **{name: verdicts.count(name) for name in (VALID, DEGRADED, INVALID)},
                       "failed": sum(entry["run"] in self.failed for entry in wanted)}  # fmt: skip

    def missing(self) -> Iterator[str]:
        """What of it is not in the figures, in sentences."""
        for row in self.counts():
            adjective, absent = _ADJECTIVES[row["source"]], row["runs"] - row["finished"]
            if absent:
                failed = f", {row['failed']} of them failed" if row["failed"] else ""
                yield f"{absent} of {row['runs']} {adjective} runs were not made{failed}."
            if row[INVALID]:
                why = _why(self._with(INVALID, row["source"]))
                yield f"{row[INVALID]} {adjective} runs are invalid and left out of every figure: {why}."

    def troubles(self) -> Iterator[dict[str, Any]]:
        """Each run that failed, and each check of a run that is not valid."""
        for name, why in self.failed.items():
            yield {"run": name, "verdict": "failed", "what": why}
        for _, run in self.entries:
            for check in run.fidelity.failed:
                yield {"run": run.name, "verdict": check.verdict, "what": f"{check}; {check.words}"}

    def degraded(self) -> Iterator[str]:
        """A sentence where the machine was disturbed, by the checks that say so."""
        rows = [run for _, run in self.entries if run.fidelity.verdict == DEGRADED]
        if rows:
            of = sum(run.source == rows[0].source for _, run in self.entries)
            which = f"{len(rows)} of {of} {_ADJECTIVES[rows[0].source]} runs"
            yield f"{which} are degraded, their figures in with the others: {_why(rows)}."

    def _with(self, verdict: str, source: str) -> list[Run]:
        return [run for _, run in self.entries if (run.fidelity.verdict, run.source) == (verdict, source)]


def _why(runs: Iterable[Run]) -> str:
    """The checks that these runs failed, and in how many of them each."""
    names = Counter(check.name for run in runs for check in run.fidelity.failed)
    return "; ".join(f"{name} in {count}" for name, count in names.items())


def sweep_runs_of(study: StudyFolder, names: Sequence[str]) -> list[SweepRuns]:
    """The sweeps of a study that have a folder, in order."""
    return [found for name in names if (found := _read(name, study.sweep(name))) is not None]


def _read(name: str, folder: SweepFolder) -> SweepRuns | None:
    document = folder.read()
    if document is None:
        return None
    listed = tuple(document["runs"])
    done = [entry for entry in listed if folder.is_finished(entry["run"])]
    entries = tuple((entry["values"], read_run(folder.runs / entry["run"])) for entry in done)
    finished = {entry["run"] for entry in done}
    failed = {run: why for run, why in document.get("failed", {}).items() if run not in finished}
    return SweepRuns(name, listed, entries, failed)


def counted(sweeps: Sequence[SweepRuns]) -> pd.DataFrame:
    """The counts of all sweeps as one table."""
    return pd.DataFrame([row for sweep in sweeps for row in sweep.counts()])


def specs(sweeps: Sequence[SweepRuns]) -> list[tuple[str, dict[str, Any]]]:
    """Name and spec of each sweep that has a finished run: the spec of its first."""
    return [(sweep.name, sweep.entries[0][1].plan.spec) for sweep in sweeps if sweep.entries]
