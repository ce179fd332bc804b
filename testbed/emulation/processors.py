"""Who used the processors while a run went: the testbed, other programs, the hypervisor."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class ProcessorShares:
    """Shares of all processors together, from 0 to 1, since the reading before."""

    idle: float
    steal: float
    own: float
    """The testbed's own processes."""
    foreign: float
    """Every other process. Interrupts are in neither: they carry the emulated traffic."""


class ProcessorMeter:
    """Reads /proc/stat and the testbed's own processes; each `read` covers the time since the one before."""

    def __init__(self, own: Iterable[int]) -> None:
        self._own = tuple(own)
        self._total, self._own_ticks = _machine(), self._own_now()

    def read(self) -> ProcessorShares:
        """The shares since the last call (or since the meter was made)."""
        total, own_ticks = _machine(), self._own_now()
        user, nice, system, idle, iowait, _irq, _softirq, steal = (
            now - before for now, before in zip(total, self._total, strict=True)
        )
        own = sum(max(0, ticks - self._own_ticks.get(pid, 0)) for pid, ticks in own_ticks.items())
        elapsed = max(1, sum(total) - sum(self._total))
        self._total, self._own_ticks = total, own_ticks
        return ProcessorShares(
            idle=(idle + iowait) / elapsed,
            steal=steal / elapsed,
            own=own / elapsed,
            foreign=max(0, user + nice + system - own) / elapsed,
        )

    def _own_now(self) -> dict[int, int]:
        return {pid: ticks for pid in self._own if (ticks := _process_ticks(pid)) is not None}


def _machine() -> list[int]:
    return [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]


def _process_ticks(pid: int) -> int | None:
    """User and system ticks of all threads of a process; None where it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[11]) + int(fields[12])
