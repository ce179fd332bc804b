"""Which runs of a sweep are done and which failed, told while it goes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from testbed.display import Display
from testbed.sweep.points import SweepRun
from testbed.units import format_time

_ENOUGH = 5
"""Ended runs from which the time that is left is told: the first also load the code that they run."""


@dataclass
class Progress:
    """Counts runs of one kind as they end, and shows them. `expected_s`: how long all of them should take."""

    display: Display
    total: int
    expected_s: float
    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Name of a run -> what went wrong."""
    began_s: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Count time from now on: what was before was no run."""
        self.began_s = time.monotonic()

    def finished(self, run: SweepRun) -> None:
        """Note that a run has its records."""
        self.done += 1
        self.show()

    def broke(self, run: SweepRun, error: BaseException) -> None:
        """Note that a run failed, and say so at once."""
        self.failed[run.name] = str(error) or type(error).__name__
        self.display.say(f"failed: {run.name}: {self.failed[run.name]}")
        self.show()

    def show(self) -> None:
        """Renew the line."""
        self.display.status(self.line())

    def line(self) -> str:
        """'  12 of 40 runs, 1 failed, about 2.5 s left'."""
        ended = self.done + len(self.failed)
        elapsed_s = time.monotonic() - self.began_s
        each_s = elapsed_s / ended if ended >= _ENOUGH else self.expected_s / self.total
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"  {ended} of {self.total} runs{failed}, about {format_time(each_s * (self.total - ended))} left"
