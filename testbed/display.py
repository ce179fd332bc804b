"""What a run shows while it goes: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TextIO, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from testbed.units import format_rate, format_size, format_time

if TYPE_CHECKING:
    from testbed.replay.progress import Progress

PLAIN_EVERY_S = 5.0
"""Seconds between two progress lines where the output is not a terminal."""


class _StandardError(io.TextIOBase):
    """Standard error, which may be a terminal that is gone or a pipe that nobody reads: that must not end a run."""

    @property
    def _real(self) -> TextIO:
        """While a live line is shown, `sys.stderr` is a stand-in of rich's that prints to our own console."""
        real: TextIO = getattr(sys.stderr, "rich_proxied_file", sys.stderr)
        return real

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._real.encoding

    def isatty(self) -> bool:
        return self._real.isatty()

    def fileno(self) -> int:
        return self._real.fileno()

    def write(self, text: str) -> int:
        self._attempt(lambda: self._real.write(text))
        return len(text)

    def flush(self) -> None:
        self._attempt(self._real.flush)

    def _attempt(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError:  # from now on, and at the end of the program, it is written to nowhere
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


class Display:
    """Says what happens, on stderr, so that stdout holds results only."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=cast(IO[str], _StandardError()), highlight=False)
        self._live: Live | None = None
        self._last_plain = -PLAIN_EVERY_S

    def say(self, text: str) -> None:
        """One lasting line."""
        self.console.print(Text(text), soft_wrap=True)

    def detail(self, text: str) -> None:
        """One lasting line of lesser weight: how long a phase took, what was cleaned up."""
        self.console.print(Text(f"  {text}", style="dim"), soft_wrap=True)

    @contextmanager
    def live(self, title: str) -> Iterator[None]:
        """While this is open, `status` and `progress` show one line that renews itself on a terminal."""
        self._last_plain = time.monotonic() - PLAIN_EVERY_S
        if not self.console.is_terminal:
            yield
            return
        with Live(Text(title), console=self.console, transient=True, refresh_per_second=4) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def progress(self, progress: Progress) -> None:
        """Show how far the replay is."""
        self.status(describe(progress))

    def status(self, text: str) -> None:
        """Renew the line, or print one if the last is long enough ago."""
        line = Text(text)
        if self._live is not None:
            self._live.update(line)
        elif time.monotonic() - self._last_plain >= PLAIN_EVERY_S:
            self._last_plain = time.monotonic()
            self.console.print(line, soft_wrap=True)


def describe(progress: Progress) -> str:
    """'  12 of 40 coflows, 103 of 412 MB, 31 flows active, 95 Mbit/s, 12.5 s'."""
    return (
        f"  {progress.coflows_done} of {progress.coflows} coflows, "
        f"{format_size(progress.bytes_done)} of {format_size(progress.bytes)}, "
        f"{progress.active_flows} flows active, {format_rate(8 * progress.rate_Bps)}, {format_time(progress.elapsed_s)}"
    )
