"""Slow work beside the coordinator's loop: jobs done one after another in a thread, their results heard on the loop."""

from __future__ import annotations

import os
import queue
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from testbed.actor.loop import Loop

Job = TypeVar("Job")
Done = TypeVar("Done")


class Worker(Generic[Job, Done]):
    """A thread that starts with its first job. `work(job)` runs in it; `heard(result)` is called on the loop.

    What `work` raises, whatever it is, the loop raises.
    """

    def __init__(self, loop: Loop, name: str, work: Callable[[Job], Done], heard: Callable[[Done], None]) -> None:
        self._loop = loop
        self._name = name
        self._work = work
        self._heard = heard
        self._jobs: queue.SimpleQueue[tuple[Job] | None] = queue.SimpleQueue()
        self._done: deque[tuple[Done] | BaseException] = deque()
        self._alarm, self._bell = os.pipe()
        self._thread: threading.Thread | None = None

    def do(self, job: Job) -> None:
        """Have a job done after those before it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
            self._loop.watch(self._alarm, select.EPOLLIN, self._hear)
        self._jobs.put((job,))

    def close(self) -> None:
        """End, after the jobs that there are; may be called again."""
        if self._bell < 0:
            return
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._loop.forget(self._alarm)
        os.close(self._alarm)
        os.close(self._bell)
        self._bell = -1

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._done.append((self._work(*job),))
            except BaseException as error:
                self._done.append(error)
            os.write(self._bell, b"!")

    def _hear(self, _events: int) -> None:
        os.read(self._alarm, 1)
        done = self._done.popleft()
        if isinstance(done, BaseException):
            raise done
        self._heard(*done)
