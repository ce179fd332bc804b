"""The folder of a sweep: its runs, the list of them, the table and the plots that are made of them.

results/sweeps/<experiment>
    sweep.json              what is varied, every run with its key; written before anything starts
    runs/<run>              run directories, named by what they are and their key, never by time
    table.csv, .parquet     one row per finished run
    plots/
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from testbed.errors import RecordsError
from testbed.records import files

FORMAT = 1


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder, there or not yet there."""

    path: Path

    @property
    def runs(self) -> Path:
        """Folder of the run directories."""
        return self.path / "runs"

    @property
    def plots(self) -> Path:
        """Folder of the plots."""
        return self.path / "plots"

    @property
    def index(self) -> Path:
        """The list of runs."""
        return self.path / "sweep.json"

    def read(self) -> dict[str, Any] | None:
        """What sweep.json says; None where there is none. RecordsError where another version wrote it."""
        if not self.index.exists():
            return None
        return files.read_index(self.index, FORMAT)

    def write(self, document: dict[str, Any]) -> None:
        """Write sweep.json."""
        files.write_json(self.index, {"format": FORMAT, **document})

    def is_finished(self, run: str) -> bool:
        """Whether the run of that name has all its records, and did not break off."""
        folder = self.runs / run
        if not (folder / "manifest.json").exists():
            return False
        if files.read_json(folder / "manifest.json").get("status") != "complete":
            return False
        return "error" not in files.read_json(folder / "facts.json")

    def took_s(self, run: str) -> float:
        """Seconds that a finished run took, its plan left out."""
        manifest = files.read_json(self.runs / run / "manifest.json")
        if "took_s" in manifest:
            return float(manifest["took_s"])
        began, ended = (datetime.fromisoformat(manifest[key]) for key in ("started_at", "finished_at"))
        return max((ended - began).total_seconds(), 0.0)  # the machine's clock may have been set meanwhile

    def verdict(self, run: str) -> str:
        """The verdict on a finished run."""
        return str(files.read_json(self.runs / run / "fidelity.json")["verdict"])

    def clear(self, run: str) -> None:
        """Remove what a run left, so that it can be made again."""
        folder = self.runs / run
        if folder.is_dir():
            shutil.rmtree(folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder and keep it for this process; RecordsError where another one is at work in it."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise RecordsError(f"{self.path}: no sweep can be kept there ({error.strerror})") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RecordsError(
                f"{self.path}: another sweep is at work in this folder; wait for it, or name another one with --out"
            ) from None
        try:
            yield
        finally:
            os.close(descriptor)
