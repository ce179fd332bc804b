"""A sweep that is killed, cleaned up after, and gone on with: what was finished is not made again."""

from __future__ import annotations

import signal
from pathlib import Path

from machine import differences, look
from strikes import Try
from victims import clean, victim, write_spec

from testbed.records.sweep_folder import SweepFolder

VARY = "vary: {seed: [1, 2]}\n"
LONGEST_S = 12.0
"""The kill comes at a share of this: the sweep, two simulated and two emulated runs, takes about 16 s."""


def finished(folder: SweepFolder) -> dict[str, bytes]:
    """Run -> its manifest, of those that are finished."""
    names = [path.name for path in folder.runs.glob("*")] if folder.runs.is_dir() else []
    return {name: (folder.runs / name / "manifest.json").read_bytes() for name in names if folder.is_finished(name)}


def resume(folder: Path, share: float, datapath: str = "router") -> Try:
    """Kill a sweep at a share of its time, clean, and give the same command again: it must end with every run."""
    found = Try("SIGKILL of a sweep", datapath, share * LONGEST_S)
    spec, out = write_spec(folder, datapath, VARY), SweepFolder(folder / "sweep")
    command = ("sweep", str(spec), "--out", str(out.path), "--workers", "1")
    before = look()
    with victim(folder, *command) as struck:
        found.phase = struck.strike(signal.SIGKILL, found.at_s)
        struck.end()
        removed, found.clean_s = clean(folder)
        found.removed = len([line for line in removed if line.startswith("removed ")])
        found.faults += differences(before, look(struck.token))
    kept = finished(out)
    with victim(folder, *command) as again:
        status = again.end()
    if status not in (0, 3):
        found.faults.append(f"the same command ended with status {status}: {again.words[-1000:]}")
    last = finished(out)
    found.records = f"{len(kept)} finished when killed, {len(last)} in the end"
    if len(last) != 4:
        found.faults.append(f"{len(last)} of 4 runs are finished in the end")
    found.faults += [f"made again: {name}" for name, text in kept.items() if last.get(name) != text]
    found.faults += differences(before, look(again.token))
    return found
