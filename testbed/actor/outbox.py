"""What an actor has to tell: events gathered into one message, sent at once where it matters, else every so often."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from testbed.actor.loop import Loop, Timer

_PATIENCE_NS = 50_000_000
"""How long events that nobody waits for may stay here."""


class Outbox:
    """Events by kind since the last message, and the bytes received per flow that changed since the last report.

    Progress goes out at its own interval only, never along with events: what a scheduler knows is as old as it says.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._events: dict[str, list[Any]] = {}
        self._urgent = False
        self._quiet = False
        self._events_timer: Timer | None = None
        self._progress: dict[int, int] = {}
        self._every_ns = 0
        self._progress_timer: Timer | None = None
        self.send: Callable[[dict[str, Any]], None] | None = None
        """Where messages go; None while no coordinator is there."""

    def put(self, kind: str, event: Any, urgent: bool = False) -> None:
        """Add an event; `urgent` sends it in this round of the loop."""
        self._events.setdefault(kind, []).append(event)
        if self._quiet:
            return
        if urgent:
            self._urgent = True
        elif self._events_timer is None:
            self._events_timer = self._loop.call_at(time.monotonic_ns() + _PATIENCE_NS, self.flush)

    def received(self, flow: int, count: int) -> None:
        """Note the bytes received so far of a flow that is not finished, where progress is asked for."""
        if self._every_ns:
            self._progress[flow] = count
            if self._progress_timer is None:
                self._progress_timer = self._loop.call_at(time.monotonic_ns() + self._every_ns, self._report)

    def report_every(self, every_ns: int) -> None:
        """Report progress at this interval while there is some, 0 for never."""
        self._every_ns = every_ns

    def keep_quiet(self) -> None:
        """Keep all events here until `speak`."""
        self._quiet = True

    def speak(self) -> None:
        """Send what was kept, and be quiet no longer."""
        self._quiet = False
        self.flush()

    def count(self, kind: str) -> int:
        """How many events of a kind wait here."""
        return len(self._events.get(kind, ()))

    def flush_if_urgent(self) -> None:
        """Send the events, if an urgent one is among them."""
        if self._urgent:
            self.flush()

    def flush(self) -> None:
        """Send the events there are, unless they are kept."""
        if self._quiet:
            return
        if self._events_timer is not None:
            self._events_timer.cancel()
            self._events_timer = None
        self._urgent = False
        events, self._events = self._events, {}
        if events and self.send is not None:
            self.send(events)

    def clear(self) -> None:
        """Forget everything: the coordinator has gone."""
        self.send = None
        self.speak()
        self._progress.clear()
        self._every_ns = 0

    def _report(self) -> None:
        self._progress_timer = None
        progress, self._progress = self._progress, {}
        if progress and self.send is not None:
            self.send({"progress": [number for pair in progress.items() for number in pair]})
