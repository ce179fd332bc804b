"""Whole testbed commands as processes that can be struck at any instant, and what they had come to by then."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import TOKEN

ROOT = Path(__file__).parents[2]
END_S = 120.0
"""Within which a victim that nobody strikes, or that is asked to end, must have ended."""

SPECS = {
    "router": "{kind: fat-tree, k: 4, link: {rate: 20 Mbit/s}, datapath: router}",
    "ovs-user": "{kind: fat-tree, k: 2, link: {rate: 20 Mbit/s}, datapath: ovs-user}",
}
"""Datapath -> topology of the victims."""
SHORT = """
topology: {topology}
workload:
  kind: explicit
  coflows:
    - {{id: 1, arrival: 0 s, flows: [{{from: 0, to: 1, size: 1500 KB}}, {{from: 1, to: 0, size: 1 MB}}]}}
    - {{id: 2, arrival: 300 ms, flows: [{{from: 0, to: 1, size: 600 KB}}]}}
schedulers: [sebf]
backends: [emulation, simulation]
"""
"""An experiment that takes about two seconds beside its bring-up and tear-down."""

PHASES = {
    "simulating ": "simulation",
    "emulating ": "bring-up",
    "network up in ": "run",
    "flows active": "run",
    "network: taking it down": "tear-down",
    "network down in ": "records",
    "verdict: ": "report",
    "report: ": "ended",
}
"""What a victim has said last -> where it is."""


class Victim:
    """A command of the testbed that runs, with all that it starts marked by a token."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.token = secrets.token_hex(8)
        self.began_s = time.monotonic()
        scratch = folder / "tmp"
        scratch.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "testbed", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={**os.environ, TOKEN: self.token, "TMPDIR": str(scratch), "COFLOW_CALIBRATION": ""},
        )
        self.said: list[str] = []
        self.heard_s: dict[str, float] = {}
        """Line -> seconds after the start at which it said that last."""
        self._over = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in iter(self.process.stdout.readline, ""):
            with self._news:
                self.said.append(line)
                self.heard_s[line] = time.monotonic() - self.began_s
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def wait_for(self, words: str) -> None:
        """Until it has said that."""
        with self._news:
            self._news.wait_for(lambda: words in self.words or self._over, END_S)
        assert words in self.words, f"not said: {words}; it said: {self.words}"

    @property
    def words(self) -> str:
        """All that it has printed."""
        return "".join(self.said)

    @property
    def phase(self) -> str:
        """Where it is, or was when it was struck."""
        found = [name for line in self.said for sign, name in PHASES.items() if sign in line]
        return found[-1] if found else "start"

    def strike(self, number: signal.Signals, at_s: float, times: int = 1) -> str:
        """Signal it so long after it was started, unless it has ended by then; the phase it was in."""
        try:
            self.process.wait(max(at_s - (time.monotonic() - self.began_s), 0.0))
        except subprocess.TimeoutExpired:
            phase = self.phase
            for _ in range(times):
                self.process.send_signal(number)
            return phase
        return "ended"

    def end(self) -> int:
        """Wait until it has ended; its status."""
        status = self.process.wait(END_S)
        self._reader.join(END_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@contextmanager
def victim(folder: Path, *arguments: str) -> Iterator[Victim]:
    """A victim for the block, which ends in any case."""
    started = Victim(folder, *arguments)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.end()


def write_spec(folder: Path, datapath: str, more: str = "") -> Path:
    """The short experiment on a datapath, as a file."""
    path = folder / f"{datapath}.yml"
    path.write_text(SHORT.format(topology=SPECS[datapath]) + more)
    return path


def clean(folder: Path) -> tuple[list[str], float]:
    """`testbed clean` as a user runs it: what it says, and how many seconds it took. It must end with 0."""
    began = time.monotonic()
    with victim(folder, "clean") as cleaner:
        status = cleaner.end()
    assert status == 0, cleaner.words
    return cleaner.words.splitlines(), time.monotonic() - began
