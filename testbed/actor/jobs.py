"""Programs that the actor starts at an instant, as an experiment states them: their output and their end are told."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from testbed.actor.loop import Loop, Timer
from testbed.actor.outbox import Outbox

MOST_OUTPUT = 1_000_000
"""Bytes that are kept of what one program prints."""
_READ = 1 << 16


class Job:
    """One program, its standard output and error in one pipe."""

    def __init__(self, number: int, command: Sequence[str], environment: dict[str, str], jobs: Jobs) -> None:
        self.number = number
        self._command = list(command)
        self._environment = environment
        self._jobs = jobs
        self._process: subprocess.Popen[bytes] | None = None
        self._descriptor = -1
        self._output = 0
        self.timer: Timer | None = None

    def start(self, folder: str) -> None:
        """Start it in a folder."""
        try:
            self._process = subprocess.Popen(
                self._command,
                cwd=folder or None,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:  # ValueError: what no program can be given
            words = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
            self._jobs.outbox.put("output", (self.number, f"{words}\n"), urgent=True)
            self._jobs.outbox.put("exited", (self.number, 127), urgent=True)
            return
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._descriptor = os.pidfd_open(self._process.pid)
        self._jobs.loop.watch(self._process.stdout.fileno(), select.EPOLLIN, self._read)
        self._jobs.loop.watch(self._descriptor, select.EPOLLIN, self._ended)

    def kill(self) -> None:
        """End it and what it has started, at once."""
        if self.timer is not None:
            self.timer.cancel()
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._forget()

    def _read(self, _: int) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            data = os.read(self._process.stdout.fileno(), _READ)
        except BlockingIOError:
            return
        if not data:
            self._jobs.loop.forget(self._process.stdout.fileno())
            return
        room = MOST_OUTPUT - self._output
        self._output += len(data)
        if room > 0:
            text = data[:room].decode(errors="replace")
            more = f"\n[what it printed beyond {MOST_OUTPUT} bytes is left out]\n" if len(data) > room else ""
            self._jobs.outbox.put("output", (self.number, text + more))

    def _ended(self, _: int) -> None:
        assert self._process is not None
        for _round in range(MOST_OUTPUT // _READ):  # what is still in the pipe
            self._read(0)
        with suppress(ProcessLookupError):  # what it has started ends with it; until wait() the number is its own
            os.killpg(self._process.pid, signal.SIGKILL)
        self._jobs.outbox.put("exited", (self.number, self._process.wait()), urgent=True)
        self._forget()

    def _forget(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._jobs.loop.forget(self._descriptor)
        os.close(self._descriptor)
        if not self._process.stdout.closed:
            self._jobs.loop.forget(self._process.stdout.fileno())
            self._process.stdout.close()
        self._process = None


class Jobs:
    """All programs that the coordinator has this host run."""

    def __init__(self, loop: Loop, outbox: Outbox) -> None:
        self.loop = loop
        self.outbox = outbox
        self._jobs: list[Job] = []

    def run(self, number: int, command: Sequence[str], folder: str, at_ns: int, environment: dict[str, str]) -> None:
        """Start a program at an instant of CLOCK_MONOTONIC."""
        job = Job(number, command, environment, self)
        self._jobs.append(job)
        job.timer = self.loop.call_at(at_ns, lambda: job.start(folder))

    def kill_all(self) -> None:
        """End all of them."""
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.kill()
