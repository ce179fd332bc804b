"""Who owns a run: a process, told apart from a later one with the same number by its start time."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import EmulationError

_START_TIME_FIELD = 21 - 2
"""Of /proc/PID/stat (field 22), counted from after the command name."""
MARK = "COFLOW_TESTBED_OWNER"
"""In the environment of programs that a run calls: they go on for a moment when the run is killed."""
_MARKED = f"{MARK}=".encode()
_ENDED = ("Z", "X")
"""States of a zombie and of a process that is just going."""


@dataclass(frozen=True)
class Owner:
    """A process of this boot: `start` is its start time in clock ticks since then."""

    pid: int
    start: int
    boot: str

    def is_alive(self) -> bool:
        """Whether that very process still runs on this machine."""
        return self.boot == boot_id() and start_time(self.pid) == self.start

    def __str__(self) -> str:
        return f"{self.pid}.{self.start}.{self.boot}"


def parse_owner(text: str) -> Owner | None:
    """The owner written as `str(owner)`, or None where the text is something else."""
    pid, _, rest = text.partition(".")
    start, _, boot = rest.partition(".")
    return Owner(int(pid), int(start), boot) if pid.isdecimal() and start.isdecimal() and boot else None


def this_process() -> Owner:
    """The process that calls."""
    start = start_time(os.getpid())
    if start is None:
        raise EmulationError("/proc is not mounted; the testbed reads processes and counters there")
    return Owner(os.getpid(), start, boot_id())


def boot_id() -> str:
    """Differs after each start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process; None where it does not exist or has ended.

    A zombie has ended, unless another of its threads still runs: that one may have its files to close.
    """
    try:
        fields = _stat(Path(f"/proc/{pid}/stat"))
        if fields[0] in _ENDED and all(_thread_ended(task) for task in Path(f"/proc/{pid}/task").iterdir()):
            return None
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[_START_TIME_FIELD])


def _thread_ended(task: Path) -> bool:
    try:
        return _stat(task / "stat")[0] in _ENDED
    except (FileNotFoundError, ProcessLookupError):
        return True


def _stat(file: Path) -> list[str]:
    """The fields of a stat file after the command name, which may hold blanks and brackets."""
    return file.read_text().rpartition(")")[2].split()


def processes_with_argument(prefix: str) -> list[int]:
    """Processes with an argument that is, or is below, a path; zombies have none.

    The paths asked for are run directories of ours: nothing foreign is started with them.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if any(_names_path(argument, prefix) for argument in arguments):
                found.append(int(entry.name))
    return found


def processes_of_the_dead() -> list[int]:
    """Processes that a testbed process had called which has ended since: an `ip -batch` that goes on making links."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended
                continue
            marks = [each.decode(errors="replace").partition("=")[2] for each in variables if each.startswith(_MARKED)]
            owner = parse_owner(marks[0]) if marks else None
            if owner is not None and not owner.is_alive():
                found.append(int(entry.name))
    return found


def processes_in_container(container_id: str) -> list[int]:
    """Processes in the control group of a container, also where nothing supervises it any more."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if container_id in (entry / "cgroup").read_text():
                    found.append(int(entry.name))
    return found


def programs(pids: Iterable[int]) -> list[str]:
    """'ip (1234)' for each process that has not ended."""
    found = []
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.append(f"{Path(f'/proc/{pid}/comm').read_text().strip()} ({pid})")
    return found


def with_descendants(pids: Iterable[int]) -> list[int]:
    """Processes and all that descend from them, the ancestors first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int(_stat(entry / "stat")[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = list(dict.fromkeys(pids))
    for pid in found:
        found += [child for child in children.get(pid, []) if child not in found]
    return found


def _names_path(argument: str, prefix: str) -> bool:
    """Whether an argument is PREFIX, PREFIX/..., option=PREFIX/... or scheme:PREFIX/..., and nothing longer."""
    before, found, after = argument.partition(prefix)
    return bool(found) and (before == "" or before[-1] in "=:/") and (after == "" or after[0] == "/")


def kill(pids: Iterable[int], number: signal.Signals = signal.SIGKILL, deadline_s: float = 10.0) -> list[int]:
    """Signal processes and wait until they are gone; those that are not, by the deadline."""
    left = {pid: start for pid in pids if (start := start_time(pid)) is not None}
    for pid in left:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    end = time.monotonic() + deadline_s
    while left and time.monotonic() < end:
        left = {pid: start for pid, start in left.items() if start_time(pid) == start}
        if left:
            time.sleep(0.005)
    return sorted(left)
