"""One try: a run is struck at an instant, the machine is cleaned, and all must be as it was; what is not, in words."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path

from machine import Look, differences, look
from victims import clean, victim, write_spec

from testbed.errors import RecordsError
from testbed.records.finding import find_runs
from testbed.records.run_directory import read_run

INTERRUPTED = (130, -signal.SIGINT)
"""The same for a shell. Python ends by the signal itself where an interrupt struck inside `exec`, as at an import that
makes a dataclass."""
NOTHING = ["nothing to remove"]


@dataclass
class Try:
    """What became of one run."""

    what: str
    datapath: str
    at_s: float
    """Seconds after the start of the command."""
    phase: str = ""
    removed: int = 0
    """Things that `testbed clean` found to remove."""
    clean_s: float = 0.0
    records: str = ""
    """Complete and incomplete run directories, in words."""
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self))


def run_command(folder: Path, datapath: str, results: Path) -> list[str]:
    """`testbed run` on the short experiment; on the userspace switch with the live view, whose server is a process."""
    watch = ["--watch"] if datapath == "ovs-user" else []
    return ["run", str(write_spec(folder, datapath)), "--out", str(results), *watch]


def undisturbed(folder: Path, datapath: str) -> float:
    """Seconds that a victim takes which nobody strikes, until its records are written and only plots are left to make.

    It must end well.
    """
    with victim(folder, "simulate", str(write_spec(folder, datapath)), "--out", str(folder / "undisturbed")) as first:
        first.end()  # whatever is compiled once, is by now
    with victim(folder, *run_command(folder, datapath, folder / "undisturbed")) as whole:
        status = whole.end()
    assert status in (0, 3), whole.words  # 3: too slow a machine for a verdict of valid
    return max(at_s for line, at_s in whole.heard_s.items() if line.startswith("  verdict: "))


def kill(folder: Path, datapath: str, at_s: float, clean_at_s: float | None = None) -> Try:
    """SIGKILL, then `testbed clean`: exactly what was there before is there, a second clean finds nothing.

    `clean_at_s`: a first clean is killed as well, so long after its start.
    """
    found = Try("SIGKILL" if clean_at_s is None else "SIGKILL, and of clean", datapath, at_s)
    before, results = look(), folder / "results"
    with victim(folder, *run_command(folder, datapath, results)) as struck:
        found.phase = struck.strike(signal.SIGKILL, at_s)
        struck.end()
        if clean_at_s is not None:
            with victim(folder, "clean") as cleaner:
                cleaner.strike(signal.SIGKILL, clean_at_s)
        removed, found.clean_s = clean(folder)
        found.removed = len([line for line in removed if line.startswith("removed ")])
        _same(found, before, look(struck.token), folder)
    again, _ = clean(folder)
    if again != NOTHING:
        found.faults.append(f"a second clean finds: {again}")
    found.records = _records(found, results)
    return found


def interrupt(folder: Path, datapath: str, at_s: float, number: signal.Signals, times: int) -> Try:
    """A signal that asks for an end: the run takes all down by itself, and `testbed clean` finds nothing."""
    found = Try(f"{number.name}{' twice' if times == 2 else ''}", datapath, at_s)
    before, results = look(), folder / "results"
    with victim(folder, *run_command(folder, datapath, results)) as struck:
        found.phase = struck.strike(number, at_s, times)
        status = struck.end()
        _same(found, before, look(struck.token), folder)
    if "Traceback" in struck.words:
        found.faults.append(f"it printed a traceback: {struck.words[-2000:]}")
    early = found.phase == "start" and status == -number  # before the interpreter had come to it
    if status not in (0, 3) if found.phase == "ended" else not early and status not in (0, 3, *INTERRUPTED):
        found.faults.append(f"it ended with status {status}: {struck.words[-1000:]}")
    removed, found.clean_s = clean(folder)
    if removed != NOTHING:
        found.faults.append(f"clean finds: {removed}")
    found.records = _records(found, results)
    return found


def _same(found: Try, before: Look, after: Look, folder: Path) -> None:
    found.faults += differences(before, after)
    found.faults += [f"temporary file: {path}" for path in sorted((folder / "tmp").iterdir())]


def _records(found: Try, results: Path) -> str:
    """Reads every run directory: its records are whole, or an error says that the run was interrupted."""
    complete = incomplete = 0
    for path in _runs(results):
        try:
            run = read_run(path)
        except RecordsError as error:
            if str(error) == f"{path}: incomplete: the run was interrupted before its records were written":
                incomplete += 1
            else:
                found.faults.append(f"records: {error}")
            continue
        run.flows, run.decisions, run.samples, run.facts  # noqa: B018  (each is read when it is asked for)
        complete += 1
    return f"{complete} complete, {incomplete} incomplete"


def _runs(results: Path) -> list[Path]:
    try:
        return find_runs([results])
    except RecordsError:  # it had not come to its first
        return []
