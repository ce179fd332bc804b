"""The folder of a study: the folder of each of its sweeps, and the report that is made of them.

results/studies/<study>
    study.json          its sweeps in order, and which were left out and why; written before anything starts
    <sweep>/            the folder of each sweep (sweep_folder.py)
    report.html         all of it
    figures/            the figures as PNG and PDF
    tables/             what they show, as CSV
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.errors import RecordsError
from testbed.records import files
from testbed.records.sweep_folder import SweepFolder

FORMAT = 1


@dataclass(frozen=True)
class StudyFolder:
    """A study's folder, there or not yet there."""

    path: Path

    @property
    def index(self) -> Path:
        """What the study is."""
        return self.path / "study.json"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.path / "figures"

    @property
    def tables(self) -> Path:
        """Folder of the tables."""
        return self.path / "tables"

    def sweep(self, name: str) -> SweepFolder:
        """The folder of a sweep."""
        return SweepFolder(self.path / name)

    def read(self) -> dict[str, Any]:
        """What study.json says; RecordsError where there is none, or where another version wrote it."""
        if not self.index.exists():
            raise RecordsError(f"{self.path}: not the folder of a study: it has no study.json")
        return files.read_index(self.index, FORMAT)

    def write(self, document: dict[str, Any]) -> None:
        """Write study.json; RecordsError where it cannot be."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordsError(f"{self.path}: no study can be kept there ({error.strerror})") from error
        files.write_json(self.index, {"format": FORMAT, **document})
