"""Callbacks of the caller (sampling, display, liveness) in a thread of their own: a slow one delays no decision."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable


class Aside:
    """Runs callables at their intervals until closed. The first exception ends it and waits for `raise_error`.

    `descriptor` becomes readable when that happens.
    """

    def __init__(self) -> None:
        self._jobs: list[tuple[float, Callable[[], None]]] = []
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._closed = False
        self.descriptor, self._alarm = os.pipe()

    def every(self, interval_s: float, job: Callable[[], None]) -> None:
        """Add a job, before `start`; its first run is one interval after the start."""
        self._jobs.append((interval_s, job))

    def start(self) -> None:
        """Begin to run the jobs."""
        if self._jobs:
            self._thread = threading.Thread(target=self._run, name="aside", daemon=True)
            self._thread.start()

    def raise_error(self) -> None:
        """Raise, in the caller's thread, what a job has raised."""
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End, after the job that runs now; may be called again."""
        if self._closed:
            return
        self._closed = True
        self._end.set()
        if self._thread is not None:
            self._thread.join()
        os.close(self.descriptor)
        os.close(self._alarm)

    def _run(self) -> None:
        due = [time.monotonic() + interval for interval, _ in self._jobs]
        try:
            while not self._end.wait(max(min(due) - time.monotonic(), 0.0)):
                now = time.monotonic()
                for number, (interval, job) in enumerate(self._jobs):
                    if due[number] <= now:
                        job()
                        due[number] = max(due[number] + interval, now)
        except BaseException as error:  # whatever it is, the caller's own thread raises it
            self._error = error
            os.write(self._alarm, b"!")
